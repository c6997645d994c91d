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
from eucentric.formats.image_info import ImageInfo, believable_pixel_size, check_shape

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

_SQUARE = 0.01  # pixels whose sides differ by more are nonsense, or no image of a camera
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


def read_mrc_layout(path: Path, start: bytes, size: int) -> MrcLayout:
    """Interpret the start of an MRC file.

    Args:
        path: The file, for messages.
        start: The first bytes of the file: the header and, where it is of type FEI1 or FEI2, the first
            block of the extended header.
        size: Size of the file in bytes.

    Returns:
        The layout. The file is exactly as long as the header promises.

    Raises:
        FormatError: The header is incomplete, contradicts itself or the length of the file, or names a
            kind of MRC file that is not read.
    """
    if len(start) < HEADER_BYTES:
        raise FormatError(path, f"it ends within the MRC header ({size} bytes)", _COPY_AGAIN)
    header, byte_order = _header(path, start)
    mode = int(header["mode"])
    kind, packed, width = _pixels(path, header, mode)
    frames, height = int(header["nz"]), int(header["ny"])
    check_shape(path, frames, height, width, np.dtype(kind).itemsize)
    _check_axes(path, header)
    extended_bytes = int(header["nsymbt"])
    if not 0 <= extended_bytes <= size - HEADER_BYTES:
        what = f"its extended header is said to take {extended_bytes} of the file's {size} bytes"
        raise FormatError(path, what, _COPY_AGAIN)
    extended = _extended(header, start[HEADER_BYTES : HEADER_BYTES + extended_bytes], byte_order)
    info = ImageInfo(
        path=path,
        format="MRC",
        frames=frames,
        height=height,
        width=width,
        dtype=np.dtype(kind),
        pixel_size=_pixel_size(header, width) or believable_pixel_size(extended.get("pixel_size", 0.0)),
        volume=frames > 1 and int(header["ispg"]) != 0,
        extended=extended,
    )
    layout = MrcLayout(info, HEADER_BYTES + extended_bytes, np.dtype(kind).newbyteorder(byte_order), packed)
    _check_size(layout, size)
    return layout


def _header(path: Path, start: bytes) -> tuple[np.void, ByteOrder]:
    """Return the header's fields and the byte order."""
    fields = HEADER_DTYPE.newbyteorder("<")
    header = np.frombuffer(start[:HEADER_BYTES], dtype=fields)[0]
    if bytes(header["map"])[:3] != b"MAP":
        what = "it is not an MRC file: the letters MAP are missing from byte 209 on"
        raise FormatError(path, what, f"if it was to be one, it is unfinished or damaged: {_COPY_AGAIN}")
    stamp = int(header["machst"][0])
    # Without a known machine stamp: the mode is a small number in the right byte order only.
    order = _ORDERS.get(stamp) or ("<" if 0 <= int(header["mode"]) < 256 else ">")
    return np.frombuffer(start[:HEADER_BYTES], dtype=HEADER_DTYPE.newbyteorder(order))[0], order


def _pixels(path: Path, header: np.void, mode: int) -> tuple[str, bool, int]:
    """Return the type of the pixels, whether they are packed in pairs, and the width of the image."""
    if mode in (3, 4):
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


def _pixel_size(header: np.void, width: int) -> float | None:
    columns, rows = int(header["mx"]), int(header["my"])
    if columns < 1 or rows < 1:
        return None
    # In files with two pixels per byte and the width in bytes, mx counts bytes as well.
    x = float(header["cella"]["x"]) / (columns * width / int(header["nx"]))
    y = float(header["cella"]["y"]) / rows
    return believable_pixel_size(x) if math.isclose(x, y, rel_tol=_SQUARE) else None


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
