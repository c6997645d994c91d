"""What the acquisition program wrote beside an exposure, read into Eucentric's vocabulary."""

from datetime import datetime
from pathlib import Path
from typing import Any

from eucentric.formats import MdocSection, read_mdoc
from eucentric.metadata import ExposureMetadata

ANGSTROM_PER_MICROMETRE = 1e4
TIMES = ("%d-%b-%y  %H:%M:%S", "%d-%b-%Y  %H:%M:%S", "%Y-%b-%d  %H:%M:%S")
"""How SerialEM writes dates; it does not say in which time zone."""


def read_exposure_metadata(file: Path, path: str) -> ExposureMetadata:
    """Read the companion file of one exposure.

    Of SerialEM's .mdoc the first section counts; its defocus is in µm and negative for underfocus.

    Args:
        file: Where the file is.
        path: How the item names it, relative to the session's folder.

    Raises:
        FormatError: The file cannot be read as what its name says.
    """
    stat = file.stat()
    values: dict[str, Any] = {"path": path, "bytes": stat.st_size, "modified": stat.st_mtime}
    if file.suffix == ".mdoc":
        mdoc = read_mdoc(file)
        section = mdoc.sections[0] if mdoc.sections else MdocSection("", "", {})
        section = MdocSection(section.kind, section.name, {**mdoc.values, **section.values})
        values |= _of_section(section)
    return ExposureMetadata(**values)


def _of_section(section: MdocSection) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, key, factor in (
        ("target_defocus", "TargetDefocus", -ANGSTROM_PER_MICROMETRE),
        ("tilt", "TiltAngle", 1),
        ("exposure_time", "ExposureTime", 1),
        ("dose", "ExposureDose", 1),
        ("pixel_size", "PixelSpacing", 1),
        ("voltage", "Voltage", 1),
    ):
        if numbers := section.numbers(key):
            found[field] = numbers[0] * factor
    if len(stage := section.numbers("StagePosition")) >= 2:
        found["stage_x"], found["stage_y"] = (each * ANGSTROM_PER_MICROMETRE for each in stage[:2])
    if when := _time(section.values.get("DateTime", "")):
        found["recorded"] = when
    return found


def _time(text: str) -> datetime | None:
    for form in TIMES:
        try:
            return datetime.strptime(" ".join(text.split()), " ".join(form.split()))
        except ValueError:
            continue
    return None
