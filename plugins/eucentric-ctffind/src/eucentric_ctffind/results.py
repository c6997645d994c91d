"""The files that CTFFIND writes: text with comments that begin with #, then lines of numbers.

`diagnostic.txt` has one line for each image: its number, defocus 1 and 2 (Å), azimuth of the astigmatism
(degrees from the x axis, to defocus 1), additional phase shift (radians), cross-correlation, and the spacing
up to which rings were fitted (Å; "inf" where none was). Version 5 adds the tilt's axis and angle (degrees)
and the thickness (Å).

`diagnostic_avrot.txt` has six lines for each: spatial frequency (1/Å), mean of the spectrum over angles, the
same along the rings, the fit, their correlation, and twice the deviation that noise has of it.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eucentric.engine.programs import ProgramFailed


class Result(NamedTuple):
    """One line of `diagnostic.txt`, in our units and signs."""

    defocus_u: float
    """Larger defocus in Å, underfocus positive"""
    defocus_v: float
    """Smaller defocus in Å"""
    defocus_angle: float
    """Angle of U from the x axis in degrees, 0 to less than 180"""
    phase_shift: float
    """Degrees"""
    score: float
    """Cross-correlation, -1 to 1"""
    resolution: float
    """Å; infinity where no ring was fitted"""
    tilt_axis: float | None
    """Degrees; None where it was not told"""
    tilt: float | None
    """Degrees"""
    thickness: float | None
    """Å"""


class Curves(NamedTuple):
    """`diagnostic_avrot.txt`, without zero frequency and what is not finite."""

    frequency: NDArray[np.float64]
    """[n], 1/Å"""
    spectrum: NDArray[np.float64]
    """[n], along the rings"""
    model: NDArray[np.float64]
    """[n]"""
    correlation: NDArray[np.float64]
    """[n], -1 to 1"""


def read_result(path: Path, version: str) -> Result:
    """Read the result for a single image.

    Raises:
        ProgramFailed: It is not as documented.
    """
    lines = _numbers(path, version)
    if len(lines) != 1 or len(lines[0]) < 7:
        raise _unexpected(path, version, f"{len(lines)} lines of {len(lines[0]) if lines else 0} numbers")
    _, one, other, angle, phase, score, spacing, *more = lines[0]
    if not all(math.isfinite(number) for number in (one, other, angle, phase, score)):
        raise ProgramFailed(f"ctffind {version} found no defocus; look whether the micrograph is damaged.")
    if other > one:
        one, other, angle = other, one, angle + 90
    tilt_axis, tilt, thickness = more if len(more) == 3 else (None, None, None)
    return Result(
        one,
        other,
        angle % 180,
        math.degrees(phase),
        min(1.0, max(-1.0, score)),
        spacing if spacing > 0 else math.inf,
        tilt_axis,
        tilt,
        thickness,
    )


def read_curves(path: Path, version: str) -> Curves:
    """Read the curves for a single image.

    Raises:
        ProgramFailed: They are not as documented.
    """
    lines = _numbers(path, version)
    if len(lines) != 6 or len({len(line) for line in lines}) != 1:
        raise _unexpected(path, version, f"lines of {[len(line) for line in lines]} numbers")
    table = np.array(lines)[[0, 2, 3, 4]]
    usable = np.isfinite(table).all(axis=0) & (table[0] > 0)
    frequency, spectrum, model, correlation = table[:, usable]
    return Curves(frequency, spectrum, model, correlation)


def _numbers(path: Path, version: str) -> list[list[float]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        return [[float(word) for word in line.split()] for line in lines]
    except ValueError as error:
        raise _unexpected(path, version, str(error)) from error


def _unexpected(path: Path, version: str, found: str) -> ProgramFailed:
    return ProgramFailed(
        f"ctffind {version} wrote {path.name} otherwise than versions 4.1.14 and 5.0.2 do ({found}); please"
        " report it with the task's log."
    )
