"""The pixels in a dataset of an HDF5 file: an image, a stack of images or a volume."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.hdf5 import Node, name_of
from eucentric.formats.image_info import ImageInfo, check_shape
from eucentric.formats.slabs import SlabImage

_MAX_CHUNK_BYTES = 2**30


def is_image(node: Node | None, smallest: int = 1) -> bool:
    """Tell whether an object is numbers in rows and columns, as many as `smallest` or more."""
    if not isinstance(node, h5py.Dataset) or node.shape is None or pixel_type(node.dtype) is None:
        return False
    return bool(node.ndim >= 2 and min(node.shape[-2:]) >= smallest)


def pixel_type(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return the type of pixels in the machine's byte order, None for what are no numbers.

    Two floats whose names begin with `real` and `imag` are complex numbers too (so Velox writes them).
    """
    names = dtype.names
    if names is not None and len(names) == 2:
        parts = {name[:4].lower(): dtype[name] for name in names}
        if set(parts) == {"real", "imag"} and parts["real"] == parts["imag"] and parts["real"].kind == "f":
            return np.dtype(f"c{2 * parts['real'].itemsize}")
    return dtype.newbyteorder("=") if dtype.kind in "iufc" and dtype.itemsize <= 16 else None


def image_of(
    path: Path,
    data: h5py.Dataset,
    describe: Callable[[ImageInfo], ImageInfo],
    *,
    frames_last: bool = False,
    flip: bool = False,
) -> SlabImage:
    """Check a dataset of an image or a stack of images and return how it is read.

    Args:
        path: The file.
        data: The dataset: [y, x], [frame, y, x], or with further axes before of length 1.
        describe: Adds what the file says beside the size and the type of the pixels.
        frames_last: Whether it is [y, x, frame].
        flip: Whether its first row is the top of the picture.

    Raises:
        FormatError: Its pixels lie in another file, are no numbers, or have other dimensions.
    """
    place, shape = name_of(data), tuple(data.shape or ())
    if data.external or data.is_virtual:
        raise FormatError(path, f"the pixels of {place} lie in other files", "convert those files")
    kind = pixel_type(data.dtype)
    if kind is None:
        raise FormatError(path, f"{place} holds no numbers but {data.dtype}", "choose another part")
    if frames_last and len(shape) == 3:
        shape = (shape[2], shape[0], shape[1])
    leading = shape[:-3] if len(shape) > 3 else ()
    if len(shape) < 2 or any(length != 1 for length in leading):
        what = f"{place} has {len(shape)} dimensions {shape}"
        raise FormatError(path, what, "choose a part with an image, a stack of images or a volume")
    frames, height, width = shape[-3:] if len(shape) >= 3 else (1, *shape)
    check_shape(path, frames, height, width, kind.itemsize)
    depth, chunk = _chunk_of(path, data, frames_last)
    info = ImageInfo(path, "HDF5", frames, height, width, kind, None)
    shaped = len(shape) - len(leading)

    def read(start: int, stop: int) -> NDArray[Any]:
        chosen: Any = slice(start, stop)
        if shaped == 2:
            part = data[(0,) * len(leading)] if leading else data[()]
        elif frames_last:
            part = np.moveaxis(data[:, :, chosen], 2, 0)
        else:
            part = data[(*(0,) * len(leading), chosen)]
        pixels = np.ascontiguousarray(part).view(_swapped(kind, data.dtype))
        pixels = pixels.reshape(-1, height, width)[:, ::-1] if flip else pixels.reshape(-1, height, width)
        return np.ascontiguousarray(pixels, kind)

    return SlabImage(describe(info), read, depth if chunk else 1)


def _swapped(kind: np.dtype[Any], stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type with the byte order in which it is stored."""
    first = stored[0] if stored.names else stored
    return kind if first.isnative else kind.newbyteorder("S")


def _chunk_of(path: Path, data: h5py.Dataset, frames_last: bool) -> tuple[int, bool]:
    """Return how many frames a chunk holds, and whether there are chunks; refuse absurd ones."""
    if data.chunks is None:
        return 1, False
    size = int(np.prod(data.chunks, dtype=np.int64)) * data.dtype.itemsize
    if size > _MAX_CHUNK_BYTES:
        raise FormatError(path, f"its chunks are of {size} bytes", "write it again in smaller chunks")
    if data.ndim < 3:
        return 1, True
    return int(data.chunks[-1 if frames_last else -3]), True
