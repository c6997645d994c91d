"""What the acquisition program wrote beside one exposure, as the item that the live workflow uses.

The item holds a part of what the readers find (see `epu_readings` and `mdoc_readings`). Values that are
missing or cannot be are left out, with a line in the log: nothing is guessed in silence.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from eucentric.formats import FormatError
from eucentric.metadata import ExposureMetadata
from eucentric.metadata.knowledge import Resolved, resolve
from eucentric.metadata.readings import Collector, Findings, Reading
from eucentric.microscope.epu_readings import read_epu_image
from eucentric.microscope.mdoc_readings import read_mdoc_file
from eucentric.microscope.naming import exposure_name

log = logging.getLogger(__name__)

MovieShape = tuple[int, int]
"""Columns and rows of a movie's frames."""

_READERS: dict[str, Callable[[Path, str], Findings]] = {
    ".xml": read_epu_image,
    ".mdoc": read_mdoc_file,
}

SUFFIXES = frozenset(_READERS)
"""Endings of the files that can be read."""

_FIELDS = {
    "recorded": "exposure.date_time",
    "target_defocus": "exposure.nominal_defocus",
    "stage_x": "exposure.stage_x",
    "stage_y": "exposure.stage_y",
    "tilt": "exposure.tilt_angle",
    "exposure_time": "exposure.exposure_time",
    "dose": "exposure.dose",
    "pixel_size": "exposure.pixel_size",
    "voltage": "instrument.acceleration_voltage",
    "frames": "exposure.frames",
    "image_shift_x": "exposure.image_shift_x",
    "image_shift_y": "exposure.image_shift_y",
    "magnification": "acquisition.nominal_magnification",
    "gain_reference": "detector.gain_reference",
    "grid_square": "exposure.grid_square",
    "hole": "exposure.foil_hole",
}
"""The item's fields that are terms of the vocabulary."""


@dataclass(frozen=True)
class Companion:
    """What a file beside a movie says.

    Attributes:
        metadata: The item.
        defect_file: Name of the file of bad pixels that is stated there.
        rotation_and_flip: SerialEM's code of how frames are turned and flipped from the camera's own
            orientation (0 to 7), where stated.
        is_of_image: The file is that of an image or a stack of images of the same name: no movie at all.
    """

    metadata: ExposureMetadata
    defect_file: str | None = None
    rotation_and_flip: int | None = None
    is_of_image: bool = False


def read_companion(file: Path, path: str, movie: str, shape: MovieShape | None = None) -> Companion:
    """Read what the acquisition program wrote beside one movie.

    Args:
        file: The file, EPU's XML or SerialEM's .mdoc. Of several sections the one that names the movie as its
            frames counts, else the first.
        path: How the item names it, relative to the session's folder.
        movie: File name of the movie.
        shape: Columns and rows of the movie's frames, as they lie in the file. Pixel sizes in these files are
            those of an image that the program showed, often binned; without the shape they are left out where
            that matters.

    Returns:
        What it says, with pixel size, dose and number of frames of the movie.

    Raises:
        FormatError: The file cannot be read as what its name says.
    """
    reader = _READERS.get(file.suffix)
    if reader is None:
        raise FormatError(file, f"metadata files ending in {file.suffix} are not known", "give .xml or .mdoc")
    stat = file.stat()
    findings = reader(file, str(file))
    known, is_of_image = _of_movie(findings, movie, shape)
    if is_of_image:
        values: dict[str, Any] = {}
    else:
        values = _values(known, movie)
        _tell(file, findings, known, shape)
    try:
        item = ExposureMetadata(path=path, bytes=stat.st_size, modified=stat.st_mtime, **values)
    except ValidationError as error:
        what = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
        raise FormatError(file, f"its values cannot be ({what})", "check the file") from error
    code = known.value("detector.gainref_flip_rotate")
    return Companion(
        item,
        _text(known, "detector.defect_file"),
        int(str(code).split()[-1]) if code is not None else None,
        is_of_image,
    )


def _of_movie(findings: Findings, movie: str, shape: MovieShape | None) -> tuple[Resolved, bool]:
    """Return what is known of a movie; and whether it is no movie, but the stack that the file is about."""
    name = exposure_name(movie)
    is_of_image = name not in findings.exposures and name == findings.stack
    own = findings.exposures.get(name) or next(iter(findings.exposures.values()), ())
    # Of the image in the stack, which frames are to be read for, nothing is asked here.
    readings = [each for each in (*findings.readings, *own) if each.term != "exposure.section"]
    return resolve([*readings, *_shape(movie, shape)]), is_of_image


def _shape(movie: str, shape: MovieShape | None) -> tuple[Reading, ...]:
    collector = Collector("header", movie)
    for field, value in zip(("width", "height"), shape or (), strict=False):
        collector.add(f"exposure.{field}", value, field)
    return collector.taken()


def _values(known: Resolved, movie: str) -> dict[str, Any]:
    """Return the item's fields."""
    values = {field: known.value(term) for field, term in _FIELDS.items()}
    program = (_text(known, f"acquisition.microscope_software{which}") for which in ("", "_version"))
    values["software"] = " ".join(filter(None, program)) or None
    values["detector"] = (
        _text(known, "detector.name") or _text(known, "detector.location") or _text(known, "instrument.name")
    )
    values["instrument"] = _text(known, "instrument.serial_number") or _text(known, "instrument.name")
    frames = known.readings.get(("exposure.frames", ""))
    if frames is not None and "FrameRate" in frames.origin.key and not movie.lower().endswith(".eer"):
        values["frames"] = None  # the camera's frames, of which somebody has made others
    return values


def _text(known: Resolved, term: str) -> str | None:
    value = known.value(term)
    return None if value is None else str(value)


def _tell(file: Path, findings: Findings, known: Resolved, shape: MovieShape | None) -> None:
    """Tell what could not be believed, and what does not agree."""
    for sentence in findings.refused:
        log.warning("%s", sentence)
    for used, other in known.differing:
        what = used.term.partition(".")[2].replace("_", " ")
        shown = [_shown(each) for each in (used, other)]
        log.warning(
            "%s: the %s is %s as stated, but %s by %s; the first is used.",
            file,
            what,
            *shown,
            other.origin.key,
        )
    size = [known.value(f"exposure.shown_{which}") for which in ("pixel_size", "width", "height")]
    if shape is not None and None not in size and known.value("exposure.pixel_size") is None:
        log.warning(
            "%s: its image of %d × %d pixels and the movie's of %d × %d cannot show the same area; its pixel"
            " size is left out.",
            file,
            *size[1:],
            *shape,
        )
    if file.suffix == ".mdoc" and known.value("exposure.dose") is None:
        log.warning("%s: SerialEM's dose is not calibrated (it says 0)%s.", file, _seen(known))


def _shown(reading: Reading) -> str:
    value = f"{reading.value:.4g}" if isinstance(reading.value, float) else str(reading.value)
    return f"{value} {reading.unit or ''}".strip()


def _seen(known: Resolved) -> str:
    """Return what the camera saw, behind specimen and filter: too little for a dose, so it is only told."""
    terms = ("dose_rate", "exposure_time", "shown_pixel_size")
    rate, time, pixel = (known.value(f"exposure.{term}") for term in terms)
    if not (isinstance(rate, float) and isinstance(time, float) and isinstance(pixel, float)):
        return ""
    return f"; the camera saw {rate * time / pixel**2:.2g} e⁻/Å²" if rate else ""
