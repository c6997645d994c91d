"""The header of MRC files, read with suspicion.

The format: Cheng et al. (2015) J. Struct. Biol. 192:146, "MRC2014", with IMOD's additions (4-bit pixels,
unsigned bytes). The layout of the fields is that of the `mrcfile` library. The library itself is not used
to read pixels: it allocates whatever the header claims, and maps files into memory, where a file that is
cut short while it is read kills the process.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from eucentric.formats import fei_header
from eucentric.formats.errors import FormatError
from eucentric.formats.image_info import (
    ImageInfo,
    Sides,
    believable_pixel_size,
    check_shape,
    square_pixel_size,
)

HEADER_BYTES = 1024

PACKED_MODE = 101
"""Two 4-bit pixels in one byte, the first in the low half; every row begins with a new byte."""

DTYPES: dict[int, str] = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", PACKED_MODE: "u1"}
"""Pixel type of each mode that is read."""

ByteOrder = Literal["<", ">"]

_ORDERS: dict[int, ByteOrder] = {0x44: "<", 0x11: ">"}
IMOD_STAMP = 1146047817
_IMOD_SIGNED = 1
_IMOD_PACKED = 16

TRANSFORM_MODE = 4
_VOLUME_STACK = 401  # space group of a stack of volumes
_COPY_AGAIN = "copy the file again from its source"


@dataclass(frozen=True)
class MrcLayout:
    """Where the frames of an MRC file lie and how their bytes are to be read.

    Attributes:
        info: What the header says.
        offset: Byte at which the first frame begins.
        stored: Type of the numbers on disk, with byte order.
        packed: Whether a byte holds two 4-bit pixels.
    """

    info: ImageInfo
    offset: int
    stored: np.dtype[Any]
    packed: bool

    @property
    def row_bytes(self) -> int:
        """Bytes of one row on disk."""
        width = self.info.width
        return (width + 1) // 2 if self.packed else width * self.stored.itemsize

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame on disk."""
        return self.row_bytes * self.info.height


def read_mrc_layout(path: Path, start: bytes, size: int, *, transforms: bool = False) -> MrcLayout:
    """Interpret the start of an MRC file.

    Args:
        path: The file, for messages.
        start: The first bytes of the file: the header and, where it is of type FEI1 or FEI2, the first
            block of the extended header.
        size: Size of the file in bytes.
        transforms: Whether complex numbers (mode 4) are read.

    Returns:
        The layout. The file is exactly as long as the header promises.

    Raises:
        FormatError: The header is incomplete, contradicts itself or the length of the file, or names a
            kind of MRC file that is not read.
    """
    header, byte_order = read_header(path, start)
    mode = int(header["mode"])
    kind, packed, width = _pixels(path, header, mode, transforms)
    frames, height = int(header["nz"]), int(header["ny"])
    check_shape(path, frames, height, width, np.dtype(kind).itemsize)
    _check_axes(path, header)
    extended_bytes = int(header["nsymbt"])
    if not 0 <= extended_bytes <= size - HEADER_BYTES:
        what = f"its extended header is said to take {extended_bytes} of the file's {size} bytes"
        raise FormatError(path, what, _COPY_AGAIN)
    extended = _extended(header, start[HEADER_BYTES : HEADER_BYTES + extended_bytes], byte_order)
    volume = frames > 1 and int(header["ispg"]) != 0
    voxel = _voxel(header, width, volume)
    info = ImageInfo(
        path=path,
        format="MRC",
        frames=frames,
        height=height,
        width=width,
        dtype=np.dtype(kind),
        pixel_size=square_pixel_size(voxel) or believable_pixel_size(extended.get("pixel_size", 0.0)),
        volume=volume,
        extended=extended | _crystal(header, volume),
        voxel=voxel,
        origin=_origin(header, voxel),
        titles=tuple(read_titles(start)),
    )
    layout = MrcLayout(info, HEADER_BYTES + extended_bytes, np.dtype(kind).newbyteorder(byte_order), packed)
    _check_size(layout, size)
    return layout


def read_titles(start: bytes) -> list[str]:
    """Return the titles (labels) in the first 1,024 bytes of an MRC file; those in use, at most ten."""
    if len(start) < HEADER_BYTES:
        return []
    header = np.frombuffer(start[:HEADER_BYTES], dtype=HEADER_DTYPE)[0]
    texts = [bytes(label).split(b"\0")[0].decode("latin-1").strip() for label in header["label"]]
    return [text for text in texts if text]


def read_header(path: Path, start: bytes) -> tuple[np.void, ByteOrder]:
    """Return the fields of a header, whatever they say, and the byte order.

    Args:
        path: The file, for messages.
        start: Its first bytes.

    Raises:
        FormatError: It ends before that, or is no MRC file.
    """
    if len(start) < HEADER_BYTES:
        raise FormatError(path, f"it ends within the MRC header ({len(start)} bytes)", _COPY_AGAIN)
    fields = HEADER_DTYPE.newbyteorder("<")
    header = np.frombuffer(start[:HEADER_BYTES], dtype=fields)[0]
    if bytes(header["map"])[:3] != b"MAP":
        what = "it is not an MRC file: the letters MAP are missing from byte 209 on"
        raise FormatError(path, what, f"if it was to be one, it is unfinished or damaged: {_COPY_AGAIN}")
    order = read_order(start)
    return np.frombuffer(start[:HEADER_BYTES], dtype=HEADER_DTYPE.newbyteorder(order))[0], order


def read_order(start: bytes) -> ByteOrder:
    """Return the byte order that the first 1,024 bytes of an MRC file say, "<" or ">"."""
    header = np.frombuffer(start[:HEADER_BYTES], dtype=HEADER_DTYPE.newbyteorder("<"))[0]
    # Without a known machine stamp: the mode is a small number in the right byte order only.
    return _ORDERS.get(int(header["machst"][0])) or ("<" if 0 <= int(header["mode"]) < 256 else ">")


def _pixels(path: Path, header: np.void, mode: int, transforms: bool) -> tuple[str, bool, int]:
    """Return the type of the pixels, whether they are packed in pairs, and the width of the image."""
    if transforms and mode == TRANSFORM_MODE:
        return "c8", False, int(header["nx"])
    if mode in (3, TRANSFORM_MODE):
        what = f"it holds complex numbers (mode {mode}): the transform of an image, not an image"
        raise FormatError(path, what, "transform it back in the program that wrote it")
    if mode not in DTYPES:
        known = ", ".join(str(number) for number in DTYPES)
        raise FormatError(path, f"its pixels are of mode {mode}, which is not read", f"convert it to {known}")
    width = int(header["nx"])
    stamp, flags = np.frombuffer(bytes(header["extra2"])[40:48], dtype=header["mode"].dtype)
    if mode == 0 and stamp == IMOD_STAMP:
        if flags & _IMOD_PACKED:
            return "u1", True, 2 * width
        return ("i1" if flags & _IMOD_SIGNED else "u1"), False, width
    return DTYPES[mode], mode == PACKED_MODE, width


def _check_axes(path: Path, header: np.void) -> None:
    axes = tuple(int(header[name]) for name in ("mapc", "mapr", "maps"))
    if axes not in ((1, 2, 3), (0, 0, 0)):  # some old programs leave them empty
        what = f"columns, rows and sections run along axes {axes} instead of (1, 2, 3)"
        raise FormatError(path, what, "reorder the axes first, e.g. with a map utility of CCP4 or ChimeraX")


def _voxel(header: np.void, width: int, volume: bool) -> Sides:
    """Return Å between sections (where they make a volume), rows and columns."""
    cell = [float(header["cella"][axis]) for axis in "zyx"]
    # In files with two pixels per byte and the width in bytes, mx counts bytes as well.
    samples = [int(header["mz"]), int(header["my"]), int(header["mx"]) * width / int(header["nx"])]
    if not volume and int(header["mz"]) != int(header["nz"]):
        samples[0] = 0
    z, y, x = (
        believable_pixel_size(side / number) if number >= 1 else None
        for side, number in zip(cell, samples, strict=True)
    )
    return (z if int(header["nz"]) > 1 else None), y, x


def _origin(header: np.void, voxel: Sides) -> tuple[float, float, float] | None:
    """Return the origin (Å); where it is zero, the place of the first voxel in the grid of a larger map."""
    found = [float(header["origin"][axis]) for axis in "zyx"]
    if not any(found):
        starts = (int(header[name]) for name in ("nzstart", "nystart", "nxstart"))
        found = [start * (side or 0.0) for start, side in zip(starts, voxel, strict=True)]
    if not any(found) or not all(map(math.isfinite, found)):
        return None
    return found[0], found[1], found[2]


def _crystal(header: np.void, volume: bool) -> dict[str, Any]:
    """Return what is not usual of a volume: a space group, angles of the cell, several volumes in a file."""
    group = int(header["ispg"])
    if not volume:
        return {}
    said: dict[str, Any] = {} if group == 1 else {"space_group": group}
    angles = tuple(float(header["cellb"][name]) for name in ("alpha", "beta", "gamma"))
    if any(angles) and angles != (90.0, 90.0, 90.0) and all(map(math.isfinite, angles)):
        said["cell_angles"] = "{:g} {:g} {:g}".format(*angles)
    if group >= _VOLUME_STACK:
        said["sections_per_volume"] = int(header["mz"])
    return said


def _extended(header: np.void, block: bytes, byte_order: str) -> dict[str, Any]:
    kind = bytes(header["exttyp"])
    if kind not in fei_header.TYPES or len(block) < fei_header.block_size(kind):
        return {}
    return fei_header.read_fei_block(block, kind, byte_order)


def _check_size(layout: MrcLayout, size: int) -> None:
    info = layout.info
    expected = layout.offset + info.frames * layout.frame_bytes
    if size < expected:
        whole = max(0, size - layout.offset) // layout.frame_bytes
        what = f"it is cut short: {whole} of {info.frames} frames are whole ({size} of {expected} bytes)"
        raise FormatError(info.path, what, f"wait until it is written, or {_COPY_AGAIN}")
    if size > expected:
        what = f"it has {size - expected} bytes more than its header accounts for"
        raise FormatError(info.path, what, f"wait until it is written, or {_COPY_AGAIN}")
