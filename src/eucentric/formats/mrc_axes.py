"""MRC maps whose columns, rows and sections do not run along x, y and z, as crystallographers keep them.

The header names the axis of columns, rows and sections (MAPC, MAPR, MAPS); sizes and starts are those of the
file's own order, the cell and the origin those of x, y and z. For conversion only, and read as a whole.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.image_info import check_shape, square_pixel_size
from eucentric.formats.mrc_header import HEADER_BYTES, read_mrc_layout, read_order
from eucentric.formats.slabs import SlabImage

MAX_BYTES = 2**32
"""Largest map that is turned: it is held in memory."""

_MAX_EXTENDED = 2**24


def open_turned(path: Path) -> SlabImage | None:
    """Return a map with its axes put in the order z, y, x; None where they are, or it is no MRC file.

    Raises:
        FormatError: It is damaged, as `read_info`, has two axes of the same name, or is larger than 4 GB.
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
        if len(start) < HEADER_BYTES or start[208:211] != b"MAP":
            return None
        header = np.frombuffer(start, HEADER_DTYPE.newbyteorder(read_order(start)))[0].copy()
        order = [int(header[name]) for name in ("mapc", "mapr", "maps")]
        if order in ([1, 2, 3], [0, 0, 0]):
            return None
        if sorted(order) != [1, 2, 3]:
            raise FormatError(path, f"its axes are called {order}", "mend its header: 1, 2 and 3, each once")
        _put_in_order_of_the_file(header, order)
        start = header.tobytes() + file.read(_MAX_EXTENDED)
        size = os.fstat(file.fileno()).st_size
        layout = read_mrc_layout(path, start, size, transforms=True)
        stored = layout.info
        if stored.frames * layout.frame_bytes > MAX_BYTES or layout.packed:
            what = f"its columns, rows and sections run along axes {order}, and it is too large to be turned"
            raise FormatError(path, what, "reorder the axes first, e.g. with a map utility of CCP4")
        file.seek(layout.offset)
        pixels = np.frombuffer(file.read(), layout.stored)
    turn = tuple(2 - order.index(axis) for axis in (3, 2, 1))
    turned = pixels.reshape(stored.frames, stored.height, stored.width).transpose(turn)
    frames, height, width = turned.shape
    check_shape(path, frames, height, width, stored.dtype.itemsize)
    z, y, x = (stored.voxel[place] for place in turn)
    z0, y0, x0 = ((stored.origin or (0.0, 0.0, 0.0))[place] for place in turn)
    info = replace(
        stored,
        frames=frames,
        height=height,
        width=width,
        volume=frames > 1,
        voxel=(z, y, x),
        pixel_size=square_pixel_size((z, y, x)),
        origin=(z0, y0, x0) if stored.origin else None,
    )

    def read(first: int, last: int) -> NDArray[Any]:
        return np.ascontiguousarray(turned[first:last], info.dtype)

    return SlabImage(info, read, 1)


def _put_in_order_of_the_file(header: Any, order: list[int]) -> None:
    """Change a header as if the axes of columns, rows and sections were x, y and z."""
    samples = [int(header[name]) for name in ("mx", "my", "mz")]
    header["mx"], header["my"], header["mz"] = (samples[axis - 1] for axis in order)
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    for field in ("cella", "origin"):
        sides = [float(header[field][axis]) for axis in "xyz"]
        header[field] = tuple(sides[axis - 1] for axis in order)
