"""Images written and read by the field's own libraries, to compare with."""

from pathlib import Path
from typing import Any

import h5py
import mrcfile
import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

ENDINGS = (".mrc", ".tif", ".ome.tif", ".nxs", ".emd", ".ome.zarr")


def write_plain(path: Path, pixels: NDArray[Any]) -> Path:
    """Write an HDF5 file with one dataset and nothing else."""
    with h5py.File(path, "w") as file:
        file["images"] = pixels
    return path


def read_pixels(path: Path) -> NDArray[Any]:
    """Read pixels by another library, rows as they lie in the file."""
    if path.name.endswith(".mrc"):
        with mrcfile.open(path) as file:
            return np.array(file.data)
    if path.name.endswith(".tif"):
        with tifffile.TiffFile(path) as file:
            return np.array([page.asarray() for page in file.pages])
    if path.name.endswith(".zarr"):
        return np.asarray(zarr.open_group(path, mode="r")["0"][...])
    with h5py.File(path) as file:
        return np.asarray(file["entry/data/data" if path.name.endswith(".nxs") else "data/image/data"][()])


def same_bits(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Tell whether two arrays are the same to the last bit, whatever is not a number included."""
    native = [np.ascontiguousarray(each, each.dtype.newbyteorder("=")) for each in (a, b)]
    return native[0].dtype == native[1].dtype and native[0].tobytes() == native[1].tobytes()
