"""What the header of a written MRC file says beside its pixels: geometry, and what another file knew."""

from pathlib import Path
from typing import Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import NDArray

from eucentric.formats.image_info import ImageInfo, Sides
from eucentric.formats.mrc_header import HEADER_BYTES, read_order

WRITTEN_BY = "Written by Eucentric"
"""The title of every file that is written."""

_TITLES, _TITLE_BYTES = 10, 80
_VOLUME_STACK = 401
_MOST_EXTENDED = 2**28


def extended_header(path: Path) -> tuple[bytes, bytes]:
    """Return the type and the bytes of an MRC file's extended header; none of one that cannot be copied.

    Its numbers are in the byte order of the file, and files are written in little-endian order.
    """
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
        header = np.frombuffer(start, HEADER_DTYPE.newbyteorder(read_order(start)))[0]
        size = int(header["nsymbt"])
        if not 0 < size <= _MOST_EXTENDED or read_order(start) != "<":
            return b"", b""
        return bytes(header["exttyp"]), file.read(size)


def set_geometry(header: NDArray[np.void], sides: Sides, volume: bool, deep: int | None = None) -> None:
    """Set the sampling, the cell and the space group of a header that has the number of pixels already.

    Args:
        header: The header, changed in place.
        sides: Å between sections, rows and columns; None where unknown, which leaves the cell's side 0.
            Of a stack of images the section is as thick as a pixel is wide, as other programs write it.
        volume: Whether the frames are the sections of a volume.
        deep: Sections of one volume where the file holds several.
    """
    sections = (deep or int(header["nz"])) if volume else 1
    z, y, x = sides
    if not volume:
        z = x
    header["mx"], header["my"], header["mz"] = header["nx"], header["ny"], sections
    width, height = int(header["nx"]), int(header["ny"])
    header["cella"] = ((x or 0.0) * width, (y or 0.0) * height, (z or 0.0) * sections)
    header["ispg"] = 0 if not volume else 1 if deep is None else _VOLUME_STACK


def set_carried(header: NDArray[np.void], carried: ImageInfo) -> None:
    """Set what is known of the same images from another file, as far as MRC has a place for it."""
    said: dict[str, Any] = carried.extended
    deep = said.get("sections_per_volume") if carried.volume else None
    if not isinstance(deep, int) or deep < 1 or int(header["nz"]) % deep:
        deep = None
    set_geometry(header, carried.sides, carried.volume, deep)
    group = said.get("space_group")
    if carried.volume and isinstance(group, int) and 1 <= group <= 230:
        header["ispg"] = group
    angles = str(said.get("cell_angles", "")).split()
    if carried.volume and len(angles) == 3:
        header["cellb"] = tuple(float(angle) for angle in angles)
    if carried.origin is not None:
        z, y, x = carried.origin
        header["origin"] = (x, y, z)
    titles = carried.titles[:_TITLES]
    titles = (WRITTEN_BY, *titles) if len(titles) < _TITLES else titles
    for place, title in enumerate(titles):
        header["label"][place] = title.encode("latin-1", errors="replace")[:_TITLE_BYTES]
    header["nlabl"] = len(titles)
