"""Files of FEI's TIA: `.ser` with numbers, and the `.emi` beside it with what is said about them.

Neither is published by its maker; the facts are those that the field's readers agree on (C. B. Boothroyd's
description of the ser format; openNCEM). A `.ser` is little-endian: a header with the dimensions of the
series, then a table of where its elements lie, each a spectrum or an image with a calibration of its own.
An `.emi` holds, among binary data, an XML document `ObjectInfo` for each `.ser`.
"""

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from eucentric.formats.errors import FormatError
from eucentric.formats.scaled_image import MOST_POINTS, Axis, ScaledImage
from eucentric.formats.xml_documents import XmlElement, parse_xml

SER_MAGIC = b"II\x97\x01"
_SPECTRA, _IMAGES = 0x4120, 0x4122
_LONG_OFFSETS = 0x0220
_MOST_DIMENSIONS = 8
_MOST_TEXT = 4096
_MOST_ELEMENTS = 10_000_000
_COPY_AGAIN = "copy the file again from its source"

_BEGIN, _END = b"<ObjectInfo", b"</ObjectInfo>"
_MOST_XML = 2**22
_MOST_OBJECTS = 1000
_CHUNK = 2**20
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Letters that XML must not have, and notes of users sometimes do."""


def read_ser(path: str | Path) -> ScaledImage:
    """Read what the headers of a `.ser` file say; of its elements, those of the first.

    Args:
        path: The file.

    Returns:
        Its axes: those of the series, where it has more than one element, before those of an element. Lengths
        are in metres, energies in eV.

    Raises:
        FormatError: It is no such file, or damaged.
        OSError: It cannot be opened.
    """
    path = Path(path)
    with path.open("rb") as file:
        return _Ser(path, file).read()


class _Ser:
    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    def read(self) -> ScaledImage:
        if self._file.read(4) != SER_MAGIC:
            raise FormatError(self._path, "it is not a ser file of TIA", "check which file was meant")
        version, kind, _, elements, valid = self._numbers("<Hiiii")
        if kind not in (_SPECTRA, _IMAGES) or not 0 <= valid <= elements <= _MOST_ELEMENTS:
            what = f"its header claims {valid} of {elements} elements of kind {kind:#x}"
            raise FormatError(self._path, what, _COPY_AGAIN)
        offset_letter = "q" if version >= _LONG_OFFSETS else "i"
        table, dimensions = self._numbers(f"<{offset_letter}i")
        if not 0 <= dimensions <= _MOST_DIMENSIONS:
            raise FormatError(self._path, f"its header claims {dimensions} dimensions", _COPY_AGAIN)
        series = [self._dimension() for _ in range(dimensions)][::-1]
        if valid == 0:
            raise FormatError(self._path, "it holds no image and no spectrum yet", "wait until it is written")
        self._go(table)
        (place,) = self._numbers(f"<{offset_letter}")
        self._go(place)
        axes = self._spectrum() if kind == _SPECTRA else self._image()
        return ScaledImage((*(axis for axis in series if axis.points > 1), *axes))

    def _dimension(self) -> Axis:
        points, _, scale, _ = self._numbers("<iddi")
        self._text()
        unit = self._text()
        return self._axis(points, scale, unit)

    def _spectrum(self) -> tuple[Axis, ...]:
        _, scale, _, _, points = self._numbers("<ddihi")
        return (self._axis(points, scale, "eV"),)

    def _image(self) -> tuple[Axis, ...]:
        _, x, _, _, y, _, _, columns, rows = self._numbers("<ddiddihii")
        return self._axis(rows, y, "m"), self._axis(columns, x, "m")

    def _axis(self, points: int, scale: float, unit: str) -> Axis:
        if not 0 < points <= MOST_POINTS:
            raise FormatError(self._path, f"its header claims {points} points along an axis", _COPY_AGAIN)
        return Axis(points, scale, unit)

    def _text(self) -> str:
        (length,) = self._numbers("<i")
        if not 0 <= length <= _MOST_TEXT:
            raise FormatError(self._path, f"its header claims a text of {length} letters", _COPY_AGAIN)
        return self._bytes(length).decode("latin-1").strip("\0 ")

    def _go(self, place: int) -> None:
        if not 0 < place < self._size:
            raise FormatError(self._path, "its header points out of the file", _COPY_AGAIN)
        self._file.seek(place)

    def _numbers(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self._bytes(struct.calcsize(layout)))

    def _bytes(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) != length:
            raise FormatError(self._path, "it is cut short or damaged within its header", _COPY_AGAIN)
        return data


def read_emi(path: str | Path) -> list[XmlElement]:
    """Read what an `.emi` file says.

    Args:
        path: The file.

    Returns:
        A document for each `.ser` beside it, in their order: that with the number 1 comes first.

    Raises:
        FormatError: There is none in it, or one is no whole XML.
        OSError: It cannot be opened.
    """
    path = Path(path)
    found = [_document(path, raw) for raw in _documents(path)]
    if not found:
        raise FormatError(path, "it says nothing about any image or spectrum", _COPY_AGAIN)
    return found


def _document(path: Path, raw: bytes) -> XmlElement:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    return parse_xml(_NOT_XML.sub("", text), path, "what TIA writes", kinds=("ObjectInfo",))


def _documents(path: Path) -> Iterator[bytes]:
    """Yield the documents among the binary data, a piece of which is in memory at a time."""
    with path.open("rb") as file:
        buffer, number, more = b"", 0, True
        while more and number < _MOST_OBJECTS:
            chunk = file.read(_CHUNK)
            more = bool(chunk)
            buffer += chunk
            while (begin := buffer.find(_BEGIN)) >= 0:
                end = buffer.find(_END, begin)
                if end < 0:
                    break
                yield buffer[begin : end + len(_END)]
                number += 1
                buffer = buffer[end + len(_END) :]
            if begin < 0:
                buffer = buffer[-len(_BEGIN) :]
            elif len(buffer) - begin > _MOST_XML or not more:
                raise FormatError(path, "what it says about an image does not end", _COPY_AGAIN)
            else:
                buffer = buffer[begin:]
