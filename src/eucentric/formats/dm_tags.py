"""The tree of tags in DM3 and DM4 files, without the pixels.

Groups become dictionaries; members without a name get their position as one. Of an array the place is noted.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from eucentric.formats.errors import FormatError

ByteOrder = Literal["<", ">"]

_MAX_TAGS = 200_000
_MAX_DEPTH = 64
_SHORT = 2048  # bytes of an array that may be a text
_GROUP, _VALUE = 20, 21
_STRUCT, _STRING, _ARRAY = 15, 18, 20
_CODES = {2: "h", 3: "i", 4: "H", 5: "I", 6: "f", 7: "d", 8: "b", 9: "b", 10: "b", 11: "q", 12: "Q"}
_COPY_AGAIN = "copy the file again from its source"


@dataclass(frozen=True)
class Reference:
    """Where the numbers of an array are.

    Attributes:
        offset: Byte at which they begin.
        bytes: How many bytes they take.
        text: What they say, if they are a text: of short arrays of 16-bit numbers, which may be one.
    """

    offset: int
    bytes: int
    text: str = ""


def read_tags(path: Path, file: BinaryIO) -> tuple[dict[str, Any], ByteOrder]:
    """Read all tags of a DM3 or DM4 file, from its beginning.

    Returns:
        The tree, and the order of bytes of the values, "<" or ">".

    Raises:
        FormatError: The file is cut short, or its tags make no sense.
    """
    return _Tree(path, file).read()


class _Tree:
    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._tags = 0
        (version,) = self._numbers(">I")
        self._long = version == 4
        self._count = ">Q" if self._long else ">I"
        self._numbers(self._count)  # how long the file is said to be
        self._order: ByteOrder = "<" if self._numbers(">I")[0] else ">"

    def read(self) -> tuple[dict[str, Any], ByteOrder]:
        return self._group(0), self._order

    def _bytes(self, length: int) -> bytes:
        data = self._file.read(length) if 0 <= length <= self._size else b""
        if len(data) != length:
            raise FormatError(self._path, "it is cut short or damaged within its tags", _COPY_AGAIN)
        return data

    def _numbers(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self._bytes(struct.calcsize(layout)))

    def _group(self, depth: int) -> dict[str, Any]:
        if depth > _MAX_DEPTH:
            raise FormatError(self._path, f"its tags are nested deeper than {_MAX_DEPTH}", _COPY_AGAIN)
        self._numbers(">bb")  # whether the group is sorted and open
        (members,) = self._numbers(self._count)
        found: dict[str, Any] = {}
        for index in range(members):
            self._tags += 1
            if self._tags > _MAX_TAGS:
                raise FormatError(self._path, f"it has more than {_MAX_TAGS} tags", _COPY_AGAIN)
            kind, length = self._numbers(">BH")
            name = self._bytes(length).decode("latin-1") or str(index)
            if self._long:
                self._numbers(">Q")  # how many bytes the tag takes
            if kind == _GROUP:
                found[name] = self._group(depth + 1)
            elif kind == _VALUE:
                found[name] = self._value()
            else:
                raise FormatError(self._path, f"it has a tag of kind {kind}, which is none", _COPY_AGAIN)
        return found

    def _value(self) -> Any:
        if self._bytes(4) != b"%%%%":
            raise FormatError(self._path, "it has a tag that is no value", _COPY_AGAIN)
        (length,) = self._numbers(self._count)
        if not 0 < length < 4096:
            raise FormatError(self._path, f"it has a value described by {length} numbers", _COPY_AGAIN)
        code, *described = self._numbers(f">{length}{self._count[1]}")
        if code == _ARRAY and len(described) >= 2:
            return self._array(described)
        if code == _STRUCT:
            return self._numbers(self._order + self._fields(described))
        if code == _STRING and described:
            return self._text(self._bytes(described[0]))
        return self._numbers(self._order + self._letter(code))[0]

    def _letter(self, code: int) -> str:
        if code not in _CODES:
            raise FormatError(self._path, f"it has a value of type {code}, which is not known", _COPY_AGAIN)
        return _CODES[code]

    def _fields(self, described: list[int]) -> str:
        """Return the layout of a structure: after the length of its name and the number of fields, pairs."""
        return "".join(self._letter(code) for code in described[3::2])

    def _array(self, described: list[int]) -> Any:
        *kind, count = described
        layout = self._fields(kind[1:]) if kind[0] == _STRUCT else self._letter(kind[0])
        length = count * struct.calcsize(self._order + layout)
        offset = self._file.tell()
        if offset + length > self._size:
            raise FormatError(self._path, "it is cut short: an array goes beyond its end", _COPY_AGAIN)
        text = ""
        if kind[0] == 4 and length <= _SHORT:
            text = self._text(self._bytes(length))
        self._file.seek(offset + length)
        return Reference(offset, length, text)

    def _text(self, data: bytes) -> str:
        return data.decode("utf-16-le" if self._order == "<" else "utf-16-be", "replace")
