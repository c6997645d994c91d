"""NeXus files written: one entry with the image as the signal of an NXdata group, frame by frame."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eucentric.formats.hdf5_writing import (
    HDF5Storage,
    axis_positions,
    created,
    first_axis,
    plain_value,
    write_pixels,
)
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.nexus_images import NOTES
from eucentric.formats.replacing import replacing


def write_nexus(
    path: Path, frames: Iterable[NDArray[Any]], info: ImageInfo, storage: HDF5Storage | None = None
) -> None:
    """Write an image, a stack or a volume as a NeXus file with plain, valid NXdata.

    The file appears under its name only when it is whole; an existing one is replaced.

    Args:
        path: The file.
        frames: Images [y, x], one by one, as many and of such a size and type as `info` says.
        info: Size, and what is known of the images: spacing and origin become the axes in Å, the voltage
            (kV) that of the source, the rest a collection of notes.
        storage: Compression and chunks.

    Raises:
        ValueError: The frames are not as many as announced, or chunks are too deep to be gathered in memory.
        OSError: The file cannot be written.
    """
    with replacing(path) as temporary, created(temporary) as (file, checked):
        file.attrs["default"] = "entry"
        entry = _group(file, "entry", "NXentry")
        entry.attrs["default"] = "data"
        _write_known(entry, info)
        data = _group(entry, "data", "NXdata")
        names = [first_axis(info), "y", "x"] if info.frames > 1 else ["y", "x"]
        data.attrs["signal"] = "data"
        data.attrs["axes"] = names
        for number, name in enumerate(names):
            data.attrs[f"{name}_indices"] = np.array(number)
            _write_axis(data, info, name)
        write_pixels(data, "data", checked(frames), info, storage or HDF5Storage())
        data["data"].attrs["interpretation"] = "image"


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    made = parent.create_group(name)
    made.attrs["NX_class"] = kind
    return made


def _write_axis(data: h5py.Group, info: ImageInfo, name: str) -> None:
    positions, lengths = axis_positions(info, name)
    data[name] = positions
    if lengths:
        data[name].attrs["units"] = "angstrom"
    data[name].attrs["long_name"] = f"{name} (Å)" if lengths else name


def _write_known(entry: h5py.Group, info: ImageInfo) -> None:
    voltage = info.extended.get("voltage")
    if isinstance(voltage, int | float):
        instrument = _group(entry, "instrument", "NXinstrument")
        source = _group(instrument, "source", "NXsource")
        source["probe"] = "electron"
        source["voltage"] = float(voltage)
        source["voltage"].attrs["units"] = "kV"
    rest = {name: value for name, value in info.extended.items() if name != "voltage"}
    if not rest and not info.titles:
        return
    notes = _group(entry, NOTES, "NXcollection")
    for name, value in rest.items():
        notes[name] = plain_value(value)
    if "dose" in rest:
        notes["dose"].attrs["units"] = "1/angstrom^2"
    if info.titles:
        entry["title"] = info.titles[0]
        notes["titles"] = list(info.titles)
