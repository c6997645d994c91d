"""Pixels in another type: exactly, or not at all; only floats may be rounded, and it is told by how much."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError

TYPES = (
    "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32",
    "float64", "complex64", "complex128",
)  # fmt: skip
"""Names of all types that some format holds."""


class Retyping:
    """Makes frames of one type from those of another.

    Attributes:
        rounded: The largest change of a value by rounding to a float with fewer digits; 0 for none.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self._path = path
        self._dtype = dtype
        self.rounded = 0.0

    def __call__(self, frame: NDArray[Any], number: int) -> NDArray[Any]:
        """Return a frame in the wanted type.

        Raises:
            FormatError: The frame (of this number, from 1) has a value that the type cannot hold.
        """
        if frame.dtype == self._dtype:
            return frame
        if frame.dtype.kind == "c" and self._dtype.kind != "c":
            raise FormatError(self._path, "its pixels are complex numbers", "choose complex64 or complex128")
        with np.errstate(over="ignore", invalid="ignore"):
            made = frame.astype(self._dtype)
            back = made.astype(frame.dtype)
        # (Of floats beyond the range of an integer type, what comes back may be anything: look at both.)
        same = (back == frame) & self._fits(frame)
        if frame.dtype.kind in "fc" and self._dtype.kind in "fc":
            same |= np.isnan(frame)
        if not same.all():
            self._note(frame, made, ~same, number)
        return made

    def _fits(self, frame: NDArray[Any]) -> Any:
        if self._dtype.kind not in "iu":
            return True
        limits = np.iinfo(self._dtype)
        if frame.dtype.kind == "f":
            return (frame >= float(limits.min)) & (frame < float(limits.max) + 1)
        # Integers of both signs and 64 bits do not compare well: compare the ends as Python's integers.
        if int(frame.min()) >= limits.min and int(frame.max()) <= limits.max:
            return True
        return np.array([limits.min <= int(value) <= limits.max for value in frame.flat]).reshape(frame.shape)

    def _note(self, frame: NDArray[Any], made: NDArray[Any], changed: NDArray[Any], number: int) -> None:
        before, after = frame[changed], made[changed]
        lost = ~np.isfinite(after) & np.isfinite(before)
        if self._dtype.kind in "iu" or lost.any():
            value = before[lost][0] if self._dtype.kind not in "iu" else before[0]
            what = f"frame {number} has the value {value}, which {self._dtype} cannot hold"
            raise FormatError(self._path, what, "choose a wider type with --dtype")
        wide = np.promote_types(np.result_type(before.dtype, after.dtype), np.float64)
        change = np.abs(before.astype(wide) - after.astype(wide))
        self.rounded = max(self.rounded, float(change[np.isfinite(change)].max(initial=0.0)))
