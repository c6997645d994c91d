"""What follows from other values: pixel sizes of movies, doses of frames, modes of detectors.

Pure functions on readings. What a program states is often that of an image that it showed, binned; the
movie's values follow from both sizes, never from a factor alone, which means different things for different
cameras.
"""

import math
import re
from collections.abc import Iterator, Mapping

from eucentric.metadata.detectors import DETECTORS, DetectorRule
from eucentric.metadata.readings import Origin, Reading, Value
from eucentric.metadata.vocabulary import checked

SAME = 0.02
"""Relative difference up to which two ratios are the same: cameras leave out some columns at the edges."""

_MOST_BINNING = 8
_ANGSTROM = 1e4  # in a micrometre


def movie_pixel_size(
    pixel_size: float, image: tuple[float, float], movie: tuple[float, float]
) -> float | None:
    """Return the pixel size of a movie that shows the same area as an image.

    Args:
        pixel_size: Å per pixel of the image.
        image: Columns and rows of the image.
        movie: Columns and rows of the movie; it may be turned by 90°.

    Returns:
        Å per pixel of the movie; None where the two cannot show the same area, because their sides have no
        common ratio that is a power of two.
    """
    for width, height in (image, image[::-1]):
        ratio = movie[0] / width
        power = round(math.log2(ratio))
        if (
            abs(movie[1] / height / ratio - 1) <= SAME
            and abs(ratio / 2.0**power - 1) <= SAME
            and 1 / _MOST_BINNING <= 2.0**power <= _MOST_BINNING
        ):
            return pixel_size / 2.0**power
    return None


def derived_of_exposure(known: Mapping[str, Reading]) -> list[Reading]:
    """Return what follows for one exposure from what is known of it, by term."""
    found: dict[str, Reading] = {}
    for rule in (_shown_itself, _pixel_size, _binning, _mode, _dose_per_frame):
        for reading in rule({**known, **found}):
            found[reading.term] = reading
    return list(found.values())


def derived_of_acquisition(known: Mapping[str, Reading]) -> list[Reading]:
    """Return what follows for an acquisition from what is known of it and its exposures, by term."""
    found = dict(known)
    for rule in (_acquisition_binning, _magnification, _details, _grids):
        for reading in rule(found):
            found.setdefault(reading.term, reading)
    return [reading for term, reading in found.items() if term not in known]


def _number(known: Mapping[str, Reading], term: str) -> float | None:
    value = known[term].value if term in known else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _float(reading: Reading) -> float:
    """Return the value of a reading that is a number."""
    assert isinstance(reading.value, int | float)
    return float(reading.value)


def _size(known: Mapping[str, Reading], head: str) -> tuple[float, float] | None:
    """Return columns and rows."""
    width, height = _number(known, f"{head}width"), _number(known, f"{head}height")
    return (width, height) if width and height else None


def _text(known: Mapping[str, Reading], term: str) -> str:
    return str(known[term].value) if term in known else ""


def _reading(term: str, value: Value, base: Reading, conversion: str) -> Iterator[Reading]:
    try:
        believed = checked(term, value)
    except ValueError:
        return
    origin = base.origin
    yield Reading(term, believed, Origin("derived", origin.file, origin.key, origin.unit, conversion))


def _shown_itself(known: Mapping[str, Reading]) -> Iterator[Reading]:
    """Of an image in a stack, the image that the program describes is the one it recorded.

    That holds as long as no file of frames is known beside it.
    """
    if "exposure.section" not in known or "exposure.width" in known:
        return
    for field in ("width", "height"):
        if shown := known.get(f"exposure.shown_{field}"):
            yield from _reading(f"exposure.{field}", shown.value, shown, shown.origin.conversion)


def _pixel_size(known: Mapping[str, Reading]) -> Iterator[Reading]:
    """Field of view over the width of the movie.

    Where no size of the image stands that the pixel size is stated for, it is taken to be the whole sensor's,
    if the camera is known; else the pixels are taken to be the movie's own.
    """
    stated = known.get("exposure.shown_pixel_size")
    if stated is None:
        return
    size = _float(stated)
    shown, movie = _size(known, "exposure.shown_") or _binned_sensor(known), _size(known, "exposure.")
    found = movie_pixel_size(size, shown, movie) if shown and movie else None
    if found is None and _size(known, "exposure.shown_") is None:
        found = size
    if found is not None:
        how = "" if found == size or not shown else f" × {shown[0]:g} / {shown[0] * size / found:g} px"
        yield from _reading("exposure.pixel_size", found, stated, (stated.origin.conversion + how).strip())


def _binned_sensor(known: Mapping[str, Reading]) -> tuple[float, float] | None:
    """Return columns and rows of the image of a whole known camera; SerialEM calls super-resolution 0.5."""
    whole, binning = sensor(known), _number(known, "exposure.shown_binning")
    return (whole[0] / binning, whole[1] / binning) if whole and binning else None


def sensor(known: Mapping[str, Reading]) -> tuple[float, float] | None:
    """Return columns and rows of the sensor, by the registry or the table of detectors; None if unknown."""
    if registered := _size(known, "detector."):
        return registered
    row = rule_of(known)
    if row is None or not row.shapes:
        return None
    rows, columns = row.shapes[0]
    return float(columns), float(rows)


def rule_of(known: Mapping[str, Reading]) -> DetectorRule | None:
    """Return the row of the table of detectors for the detector that is named; None where none is."""
    for term in ("detector.name", "detector.model", "detector.location"):
        name = _text(known, term)
        found = next((row for row in DETECTORS if name and re.search(row.names, name, re.IGNORECASE)), None)
        if found:
            return found
    return None


def _binning(known: Mapping[str, Reading]) -> Iterator[Reading]:
    """Pixels of the sensor over those of the movie; below 1 in super-resolution."""
    whole, movie = sensor(known), _size(known, "exposure.")
    found = movie_pixel_size(1.0, whole, movie) if whole and movie else None
    if whole and found is not None:
        how = f"{whole[0]:g} px of the sensor / {whole[0] / found:g} px"
        yield from _reading("exposure.binning", found, known["exposure.width"], how)
        return
    stated, size = known.get("exposure.shown_binning"), _number(known, "exposure.pixel_size")
    shown = _number(known, "exposure.shown_pixel_size")
    if stated is not None and size and shown:
        binning = _float(stated) * size / shown
        yield from _reading(
            "exposure.binning", binning, stated, "" if size == shown else f"× {size / shown:g}"
        )


def _mode(known: Mapping[str, Reading]) -> Iterator[Reading]:
    """A movie finer than the sensor is of super-resolution."""
    binning = known.get("exposure.binning")
    if binning is not None and binning.origin.source == "derived" and _float(binning) < 0.75:
        yield from _reading("detector.mode", "super-resolution", binning, "finer than the sensor's pixels")


def _dose_per_frame(known: Mapping[str, Reading]) -> Iterator[Reading]:
    dose, frames = known.get("exposure.dose"), _number(known, "exposure.frames")
    if dose is not None and frames and "exposure.dose_per_frame" not in known:
        how = f"{dose.origin.conversion} / {frames:g} frames".lstrip()
        yield from _reading("exposure.dose_per_frame", _float(dose) / frames, dose, how)


def _magnification(known: Mapping[str, Reading]) -> Iterator[Reading]:
    """The physical pixel of the detector over its size on the specimen."""
    physical, pixel = known.get("detector.physical_pixel_size"), _number(known, "acquisition.pixel_size")
    binning = _number(known, "acquisition.binning_camera")
    if physical is None or not pixel or not binning:
        return
    value = _float(physical) * _ANGSTROM * binning / pixel
    how = f"× {binning:g} / {pixel:g} Å"
    yield from _reading("acquisition.calibrated_magnification", value, physical, how)


def _acquisition_binning(known: Mapping[str, Reading]) -> Iterator[Reading]:
    """Pixels of the sensor, where only the registry knows it, over those of the images."""
    whole, images = sensor(known), _size(known, "acquisition.image_")
    found = movie_pixel_size(1.0, whole, images) if whole and images else None
    if whole and found is not None:
        how = f"{whole[0]:g} px of the sensor / {whole[0] / found:g} px"
        yield from _reading("acquisition.binning_camera", found, known["acquisition.image_width"], how)


def _grids(known: Mapping[str, Reading]) -> Iterator[Reading]:
    """An acquisition is of one grid."""
    if "grid.name" in known and "acquisition.images_generated" in known:
        yield from _reading("acquisition.grids_imaged", 1, known["grid.name"], "one grid by its name")


def _details(known: Mapping[str, Reading]) -> Iterator[Reading]:
    """The gain reference and how it lies, which have no place of their own in repositories."""
    parts = [
        f"{what}: {_text(known, term)}"
        for what, term in (
            ("gain reference", "detector.gain_reference"),
            ("orientation", "detector.gainref_flip_rotate"),
            ("bad pixels", "detector.defect_file"),
        )
        if term in known
    ]
    if parts:
        first = next(known[term] for term in known if term.startswith("detector.gain"))
        yield from _reading("detector.details", "; ".join(parts), first, "")
