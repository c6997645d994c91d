"""Known bad pixels of a camera: SerialEM's defect files, and images in which they are not 0.

A defect file is text: a keyword and numbers on each line, counted from 0 at the top left of the frames as
they are saved. IMOD and SerialEM read and write it (library libimod); so the keywords are known:

    CameraSizeX 5760                     columns of the camera
    CameraSizeY 4092                     rows
    RotationAndFlip 0                    how SerialEM has turned the list, to lie as the frames do
    WasScaled 0                          1: counted in halves of pixels, a bad pixel has 2 × 2; 2: quarters
    UsableArea top left bottom right     all beyond is bad; 0 stands for the edge
    BadColumns 10 11 ...                 BadRows likewise
    PartialBadColumn 70 1 10 50          first column, number of columns, first and last row;
                                         PartialBadRow likewise
    BadPixels 5 7 60 61 ...              pairs of column and row
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.images import read_image

_MAX_BYTES = 2**24
_MAX_SIDE = 2**15
_KEYWORDS = {
    "camerasizex", "camerasizey", "rotationandflip", "wasscaled", "k2type", "falcontype", "numtoavgsuperres",
    "usablearea", "badcolumns", "badrows", "partialbadcolumn", "partialbadrow", "badpixels",
}  # fmt: skip
_MEND = "give a defect file as SerialEM writes it, or an image of the camera in which bad pixels are not 0"


def read_defects(path: Path) -> NDArray[np.bool_]:
    """Read which pixels of a camera are bad.

    Args:
        path: A defect file of SerialEM, or an MRC, TIFF or DM image.

    Returns:
        [y, x] in MRC row order, the size of the camera or image; True where a pixel is bad.

    Raises:
        FormatError: It is neither, or contradicts itself.
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        text = file.read(_MAX_BYTES + 1)
    first = text[:400].split()
    if not first or first[0].decode("latin-1").lower() not in _KEYWORDS:
        mask: NDArray[np.bool_] = read_image(path) != 0
        return mask
    if len(text) > _MAX_BYTES:
        raise FormatError(path, f"it is longer than {_MAX_BYTES} bytes", _MEND)
    return _Defects(path, text.decode("latin-1")).mask()


class _Defects:
    """The lines of a defect file, by keyword in lower case."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines: dict[str, list[list[int]]] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                values = [int(word) for word in words[1:]]
            except ValueError:
                raise FormatError(path, f"line {number} has something that is no number", _MEND) from None
            self.lines.setdefault(words[0].lower(), []).append(values)

    def mask(self) -> NDArray[np.bool_]:
        """Return the bad pixels [y, x], bottom row first."""
        width, height = self._value("camerasizex"), self._value("camerasizey")
        if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
            what = f"it does not say the size of the camera, or a strange one ({width} × {height})"
            raise FormatError(self.path, what, _MEND)
        bad = np.zeros((height, width), np.bool_)
        size = {1: 2, 2: 4}.get(self._value("wasscaled"), 1)
        for values in self.lines.get("badpixels", []):
            if len(values) % 2:
                raise FormatError(self.path, "its bad pixels are an odd number of numbers", _MEND)
            for x, y in zip(
                self._checked(values[::2], width), self._checked(values[1::2], height), strict=True
            ):
                bad[y : y + size, x : x + size] = True
        for columns, keyword in ((bad.T, "column"), (bad, "row")):
            for values in self.lines.get(f"bad{keyword}s", []):
                columns[self._checked(values, len(columns))] = True
            for values in self.lines.get(f"partialbad{keyword}", []):
                self._partial(columns, values)
        self._beyond_usable(bad)
        return bad[::-1]

    def _value(self, keyword: str) -> int:
        lines = self.lines.get(keyword, [[0]])
        return lines[-1][0] if lines[-1] else 0

    def _checked(self, values: list[int], size: int) -> list[int]:
        for value in values:
            if not 0 <= value < size:
                what = f"it names row or column {value} of a camera that has {size}"
                raise FormatError(self.path, what, _MEND)
        return values

    def _partial(self, columns: NDArray[np.bool_], values: list[int]) -> None:
        if len(values) != 4 or values[1] < 1:
            raise FormatError(self.path, "a partial row or column does not have four numbers", _MEND)
        first, number, start, end = values
        self._checked([first, first + number - 1], len(columns))
        self._checked([start, end], columns.shape[1])
        columns[first : first + number, start : end + 1] = True

    def _beyond_usable(self, bad: NDArray[np.bool_]) -> None:
        for values in self.lines.get("usablearea", []):
            if len(values) != 4:
                raise FormatError(self.path, "its usable area does not have four numbers", _MEND)
            top, left, bottom, right = values
            self._checked([top, bottom], len(bad))
            self._checked([left, right], bad.shape[1])
            bad[:top] = True
            bad[:, :left] = True
            if bottom:
                bad[bottom + 1 :] = True
            if right:
                bad[:, right + 1 :] = True
