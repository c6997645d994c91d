"""The chain of pages of a TIFF file, checked before any library believes it.

TIFF 6.0 and BigTIFF: a chain of directories, one per page, each a table of tags. Libraries follow the
chain leniently: a page that lies beyond the end of a cut-off file is left out in silence, and a tag may
ask for any amount of memory. Here every directory and everything that it points to must lie in the file.
"""

import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from eucentric.formats.errors import FormatError
from eucentric.formats.image_info import MAX_FRAMES

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First four bytes of TIFF and BigTIFF files of either byte order."""

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8,
               17: 8, 18: 8}  # fmt: skip
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_TEXTS = (2, 7)
_MAX_TAGS = 4096
_MAX_TAG_BYTES = 2**24
_COPY_AGAIN = "wait until it is written, or copy the file again from its source"


@dataclass(frozen=True)
class _Flavour:
    """How numbers are laid out in TIFF or BigTIFF: formats of `struct` with the byte order."""

    order: str
    count: str
    offset: str
    entry: str

    @property
    def inline_bytes(self) -> int:
        """Bytes of a tag's value that fit into the table itself."""
        return struct.calcsize(self.order + self.offset)


def page_offsets(path: Path, file: BinaryIO, size: int, at_most: int | None = None) -> list[int]:
    """Return where the directory of every page begins.

    Args:
        path: The file, for messages.
        file: The file, open for reading; its position is changed.
        size: Size of the file in bytes.
        at_most: How many pages to look at; by default all.

    Raises:
        FormatError: The chain leaves the file, runs in a circle, is empty or too long, or a tag points
            out of the file. The message names the frame.
    """
    flavour, offset = _start(path, file, size)
    offsets: list[int] = []
    seen: set[int] = set()
    while offset and len(offsets) != at_most:
        number = len(offsets) + 1
        if offset in seen:
            what = f"its pages run in a circle: after frame {number - 1} comes one that was there before"
            raise FormatError(path, what, "copy the file again from its source")
        if number > MAX_FRAMES:
            raise FormatError(path, f"it has more than {MAX_FRAMES} pages", "split it into several files")
        seen.add(offset)
        offsets.append(offset)
        offset = _next_offset(path, file, size, flavour, offset, number)
    if not offsets:
        raise FormatError(path, "it is a TIFF file without any page", _COPY_AGAIN)
    return offsets


def read_tags(
    path: Path, file: BinaryIO, size: int, offset: int, wanted: Collection[int]
) -> dict[int, tuple[int, ...] | bytes]:
    """Return the values of some tags of one page, a chain of pages having been checked by `page_offsets`.

    Args:
        path: The file, for messages.
        file: The file, open for reading; its position is changed.
        size: Size of the file in bytes.
        offset: Where the page's directory begins.
        wanted: The numbers of the tags.

    Returns:
        Integers, or the bytes of a text or of undefined data, by the tag's number. Tags that the page does
        not have, and those of other types, are left out; of a tag that comes twice the first is taken.

    Raises:
        FormatError: A tag holds more than 16 MB.
    """
    flavour, _ = _start(path, file, size)
    file.seek(offset)
    (tags,) = struct.unpack(flavour.order + flavour.count, file.read(struct.calcsize("<" + flavour.count)))
    entry_bytes = struct.calcsize("<" + flavour.entry)
    found: dict[int, tuple[int, ...] | bytes] = {}
    table = file.read(tags * entry_bytes)
    for place, (tag, kind, count, pointer) in enumerate(
        struct.iter_unpack(flavour.order + flavour.entry, table)
    ):
        if tag not in wanted or kind not in (*_INTEGERS, *_TEXTS):
            continue
        length = count * _TYPE_BYTES[kind]
        if length > _MAX_TAG_BYTES:
            raise FormatError(path, f"its tag {tag} claims {length} bytes", _COPY_AGAIN)
        if length > flavour.inline_bytes:
            file.seek(pointer)
            value = file.read(length)
        else:
            end = (place + 1) * entry_bytes
            value = table[end - flavour.inline_bytes : end][:length]
        integers = f"{flavour.order}{count}{_INTEGERS.get(kind)}"
        found.setdefault(tag, value if kind in _TEXTS else struct.unpack(integers, value))
    return found


def _start(path: Path, file: BinaryIO, size: int) -> tuple[_Flavour, int]:
    file.seek(0)
    start = file.read(16)
    order = "<" if start[:2] == b"II" else ">"
    big = start[2:4] in (b"+\0", b"\0+")
    if len(start) < (16 if big else 8):
        raise FormatError(path, f"it ends within the TIFF header ({size} bytes)", _COPY_AGAIN)
    if big:
        flavour = _Flavour(order, "Q", "Q", "HHQQ")
        return flavour, struct.unpack_from(order + "Q", start, 8)[0]
    return _Flavour(order, "H", "I", "HHII"), struct.unpack_from(order + "I", start, 4)[0]


def _next_offset(path: Path, file: BinaryIO, size: int, flavour: _Flavour, offset: int, number: int) -> int:
    """Check the directory at `offset` and return the offset of the next one, 0 after the last."""
    count_bytes = struct.calcsize(flavour.order + flavour.count)
    entry_bytes = struct.calcsize(flavour.order + flavour.entry)
    if offset + count_bytes > size:
        raise FormatError(path, f"it is cut short or damaged before frame {number}", _COPY_AGAIN)
    file.seek(offset)
    (tags,) = struct.unpack(flavour.order + flavour.count, file.read(count_bytes))
    if not 0 < tags <= _MAX_TAGS:
        raise FormatError(path, f"the directory of frame {number} claims {tags} tags", _COPY_AGAIN)
    table = file.read(tags * entry_bytes + flavour.inline_bytes)
    if len(table) < tags * entry_bytes + flavour.inline_bytes:
        raise FormatError(path, f"it is cut short within the directory of frame {number}", _COPY_AGAIN)
    entries = struct.iter_unpack(flavour.order + flavour.entry, table[: tags * entry_bytes])
    for tag, kind, count, pointer in entries:
        length = count * _TYPE_BYTES.get(kind, 1)
        if length > flavour.inline_bytes and pointer + length > size:
            what = f"tag {tag} of frame {number} points out of the file"
            raise FormatError(path, what, _COPY_AGAIN)
    following: int = struct.unpack_from(flavour.order + flavour.offset, table, tags * entry_bytes)[0]
    return following
