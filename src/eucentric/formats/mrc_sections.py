"""What the extended header of an MRC file says about each section: a tilt series' angles above all.

Microscopes of Thermo Fisher write a block of type FEI1 or FEI2 for every image (see `fei_header`). SerialEM
writes short integers, of which flags in the header say which there are: IMOD's description of the MRC format,
"extended header", type SERI; files from before 2015 have the flags without the type.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from eucentric.formats import fei_header
from eucentric.formats.mrc_header import HEADER_BYTES, read_header

MOST_SECTIONS = 5000
"""Sections that are looked at: tilt series and montages have fewer, long movies say the same of each."""

_MOST_BYTES = 2**23
_MICROMETRE = 1e4  # in Å
# Flag, how many short integers.
_SHORTS = ((1, 1), (2, 3), (4, 2), (8, 1), (16, 1), (32, 2), (64, 1), (128, 2), (256, 1), (512, 2), (1024, 1))


def read_sections(path: Path) -> list[dict[str, Any]]:
    """Read what an MRC file says of each of its sections, beyond what it says of all.

    Args:
        path: The file.

    Returns:
        A dictionary for each section, in order, with keys of `fei_header.read_fei_block`; of SerialEM those
        of tilt, stage_x, stage_y, magnification, dose that it wrote. Nothing where no such header is there.

    Raises:
        FormatError: It is no MRC file.
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        header, order = read_header(path, file.read(HEADER_BYTES))
        extended = file.read(min(max(int(header["nsymbt"]), 0), _MOST_BYTES))
    count = min(int(header["nz"]), MOST_SECTIONS)
    kind = bytes(header["exttyp"]).strip(b"\0 ")
    if kind in fei_header.TYPES:
        return list(_of_fei(extended, kind, order, count))
    if kind in (b"SERI", b""):
        return list(_of_serialem(header, extended, order, count))
    return []


def _of_fei(extended: bytes, kind: bytes, order: str, count: int) -> Iterator[dict[str, Any]]:
    size = fei_header.block_size(kind)
    for begin in range(0, min(count * size, len(extended) - size + 1), size):
        yield fei_header.read_fei_block(extended[begin : begin + size], kind, order)


def _of_serialem(header: np.void, extended: bytes, order: str, count: int) -> Iterator[dict[str, Any]]:
    size, flags = struct.unpack_from(f"{order}hh", bytes(header["extra2"]), 16)
    words = sum(number for flag, number in _SHORTS if flags & flag)
    if not 0 < flags < 2048 or size != 2 * words:  # then they are something else
        return
    for begin in range(0, min(count * size, len(extended) - size + 1), size):
        yield _section(struct.unpack_from(f"{order}{words}h", extended, begin), flags)


def _section(values: tuple[int, ...], flags: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    place = 0
    for flag, number in _SHORTS:
        if not flags & flag:
            continue
        own = values[place : place + number]
        place += number
        if flag == 1:
            found["tilt"] = own[0] / 100
        elif flag == 4:
            found["stage_x"], found["stage_y"] = (each / 25 * _MICROMETRE for each in own)
        elif flag == 8:
            found["magnification"] = own[0] * 100.0
        elif flag == 32:
            found["dose"] = _float(*own)
    return found


def _float(one: int, two: int) -> float:
    """Return the number that SerialEM writes as two short integers."""
    value = (abs(one) * 256 + abs(two) % 256) * 2.0 ** ((1 if two >= 0 else -1) * (abs(two) // 256))
    return value if one >= 0 else -value
