"""The questions that CTFFIND asks, and the answers.

A blank answer ends the program when nobody sits at its terminal, so every question is answered, in the order
in which versions 4.1.14 and 5.0.2 ask. 4.1.12 and 4.1.13 may not ask for the tilt: then the answers
after it are not read, and one thread is used.
"""

import math
from dataclasses import dataclass

from packaging.version import Version

from eucentric.metadata import Micrograph

IMAGE, DIAGNOSTIC = "image.mrc", "diagnostic.mrc"
RESULTS, CURVES = "diagnostic.txt", "diagnostic_avrot.txt"

_TARGET_PIXEL_SIZE = 1.4  # Å; CTFFIND 5's default


@dataclass(frozen=True)
class Search:
    """What is searched; lengths in Å, angles in degrees.

    Attributes:
        box: Rows and columns of the spectrum.
        resolutions: Lowest and highest resolution used.
        defoci: Smallest and largest defocus, underfocus positive.
        defocus_step: Step of the search.
        exhaustive: Whether the first search is in two dimensions.
        tolerated_astigmatism: Beyond which astigmatism is penalised; None never does.
        phase_shifts: Smallest, largest, and step; None where there is no phase plate.
        tilt: Whether the specimen's tilt is looked for.
        thickness: Whether its thickness is.
    """

    box: int
    resolutions: tuple[float, float]
    defoci: tuple[float, float]
    defocus_step: float
    exhaustive: bool
    tolerated_astigmatism: float | None
    phase_shifts: tuple[float, float, float] | None
    tilt: bool
    thickness: bool


def answers(version: str, micrograph: Micrograph, search: Search, threads: int) -> str:
    """Return what is typed, one answer on a line, for a single image.

    Args:
        version: Of the program: "5.0.2".
        micrograph: Its pixel size, voltage, aberration and contrast.
        search: What is searched.
        threads: How many it may use.

    Raises:
        ValueError: The program cannot do what is wanted.
    """
    five = Version(version) >= Version("5")
    if search.thickness and not five:
        raise ValueError(
            f"CTFFIND {version} does not estimate the thickness; use version 5 or set thickness no."
        )
    if search.tilt and search.phase_shifts is not None:
        raise ValueError("CTFFIND does not look for tilt and phase shift at once; choose one of them.")
    given: list[str | float | bool] = [IMAGE, DIAGNOSTIC, micrograph.pixel_size, micrograph.voltage]
    given += [micrograph.spherical_aberration, micrograph.amplitude_contrast, search.box]
    given += [*search.resolutions, *search.defoci, search.defocus_step]
    given += [False, search.exhaustive]  # the astigmatism is not known
    given += _optional(search.tolerated_astigmatism is not None, search.tolerated_astigmatism or 0.0)
    if search.phase_shifts is None:
        given += [False, search.tilt]
    else:
        given += [True, *(math.radians(angle) for angle in search.phase_shifts)]
    if five:
        # Brute force in one dimension, refinement in two, their limits, no rounded square, no weights.
        given += _optional(search.thickness, True, True, *search.resolutions, False, False)
    # Expert options: small pixels are resampled, the defocus is not known, low frequencies count less.
    given += [True, True, *([_TARGET_PIXEL_SIZE, False, True] if five else [False]), threads]
    return "".join(f"{_written(answer)}\n" for answer in given)


def _optional(wanted: bool, *details: float | bool) -> list[str | float | bool]:
    return [True, *details] if wanted else [False]


def _written(answer: str | float | bool) -> str:
    if isinstance(answer, bool):
        return "Yes" if answer else "No"
    if isinstance(answer, str):
        return answer
    return f"{answer:.6f}".rstrip("0").rstrip(".")  # never 1e-05, which it does not take for a number
