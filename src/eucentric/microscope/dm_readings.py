"""What DigitalMicrograph files (DM3, DM4) say in our vocabulary: microscope, camera, scan, spectrometer,
filter.

Gatan does not publish what its tags mean. Those that are read have their unit in the name, or one that real
files show; see `docs/reference/source-gatan.md`. Dates are written as the computer's language has it: the
time that is counted since 1601 or 1970 is believed first, and a date that could be read in two ways not at
all.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eucentric.formats.dm_images import read_dm_images
from eucentric.formats.nested import Nested
from eucentric.formats.scaled_image import ScaledImage
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.scaled_image_readings import findings_of_images

MICROMETRE = 1e4  # in Å
_SCOPE = "Microscope Info"
_STAGE = f"{_SCOPE}:Stage Position:Stage"
_CAMERA = "Acquisition:Device"
_HIGH = "Acquisition:Parameters:High Level"
_FILTER = "EELS Spectrometer"
_ANGLES = "EELS:Experimental Conditions"
# Term, tag, unit there, factor into ours; what must be above 0 is left out where it is not.
_POSITIVE = (
    ("instrument.acceleration_voltage", f"{_SCOPE}:Voltage", "V", 1e-3),
    ("instrument.cs", f"{_SCOPE}:Cs(mm)", "mm", 1),
    ("acquisition.nominal_magnification", f"{_SCOPE}:Indicated Magnification", "", 1),
    ("acquisition.calibrated_magnification", f"{_SCOPE}:Actual Magnification", "", 1),
    ("instrument.beam_convergence", f"{_ANGLES}:Convergence semi-angle (mrad)", "mrad", 1),
    ("detector.collection_angle_maximal", f"{_ANGLES}:Collection semi-angle (mrad)", "mrad", 1),
    ("detector.dispersion", f"{_FILTER}:Dispersion (eV/ch)", "eV", 1),
    ("exposure.dwell_time", "SI:Acquisition:Pixel time (s)", "s", 1),
    ("exposure.dwell_time", "DigiScan:Sample Time", "µs", 1e-6),
)
_NUMBERS = (
    ("exposure.stage_x", f"{_STAGE} X", "µm", MICROMETRE),
    ("exposure.stage_y", f"{_STAGE} Y", "µm", MICROMETRE),
    ("exposure.stage_z", f"{_STAGE} Z", "µm", MICROMETRE),
    ("exposure.tilt_angle", f"{_STAGE} Alpha", "°", 1),
    ("exposure.stage_beta", f"{_STAGE} Beta", "°", 1),
    ("energy_filter.energy_loss", f"{_FILTER}:Energy loss (eV)", "eV", 1),
)
_NAMES = ("Session Info:Microscope", f"{_SCOPE}:Microscope", f"{_SCOPE}:Name")
_SPECIMENS = ("Session Info:Specimen", f"{_SCOPE}:Specimen")
_EXPOSURES = (f"{_HIGH}:Exposure (s)", "DataBar:Exposure Time (s)")
_FILETIME = 10_000_000  # in a second; counted from 1601
_FROM_1601 = datetime(1601, 1, 1, tzinfo=UTC)
_DAY = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{2,4})")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AP])?\.?M?", re.IGNORECASE)


def read_dm_file(path: Path, name: str) -> Findings:
    """Read what a DM3 or DM4 file says of all that it holds.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: As `read_dm_images`.
    """
    images = read_dm_images(path)
    largest = max(len(image.axes) for image in images)
    kind = {1: "DM spectrum", 2: "DM image"}.get(largest, "DM stack")

    def read(collector: Collector, image: ScaledImage) -> None:
        collector.add("exposure.path", str(path), "path")
        of_tags(collector, image)

    return findings_of_images(kind, path.name, Collector("header", name), images, "ImageData", read)


def of_tags(collector: Collector, image: ScaledImage) -> None:
    """Take in what the tags of an image say; of a stack that was put together, those of its first image."""
    tags = Nested(image.said, ":")
    source = tags.inner("source:Tags at creation")
    if source.tree and not tags.inner(_SCOPE).tree:
        tags = source
    for term, where, unit, factor in _POSITIVE:
        collector.scaled(term, tags.positive(where), factor, where, unit)
    for term, where, unit, factor in _NUMBERS:
        collector.scaled(term, tags.number(where), factor, where, unit)
    for term, places in (("instrument.name", _NAMES), ("sample.name", _SPECIMENS)):
        where = next((each for each in places if tags.text(each)), "")
        collector.add(term, tags.text(where) if where else None, where)
    _column(collector, tags)
    _camera(collector, tags, Nested(image.said, ":"))
    _slit(collector, tags)
    when, where = _time(tags)
    collector.add("exposure.date_time", when, where)


def _column(collector: Collector, tags: Nested) -> None:
    """How the column is operated; a camera length is one of imaging only where the beam is scanned."""
    illumination, operation = tags.text(f"{_SCOPE}:Illumination Mode"), tags.text(f"{_SCOPE}:Operation Mode")
    scanning = illumination.upper().startswith("STEM") or operation.upper() == "SCANNING"
    where = f"{_SCOPE}:Illumination Mode" if illumination else f"{_SCOPE}:Operation Mode"
    if scanning:
        collector.add("instrument.operating_mode", "STEM", where, "", f"{illumination or operation} is STEM")
        length = f"{_SCOPE}:STEM Camera Length"
        collector.scaled("instrument.camera_length", tags.positive(length), 1, length, "mm")
    elif illumination.upper().startswith("TEM") or (not illumination and operation.upper() == "IMAGING"):
        collector.add("instrument.operating_mode", "TEM", where, "", f"{illumination or operation} is TEM")
        if tags.text(f"{_SCOPE}:Imaging Mode").upper() == "DIFFRACTION":
            collector.add("instrument.imaging", "diffraction", f"{_SCOPE}:Imaging Mode")
    for word in ("nanoprobe", "microprobe"):
        if word in illumination.lower():
            collector.add("instrument.probe_mode", word, where)


def _camera(collector: Collector, tags: Nested, own: Nested) -> None:
    camera = tags.inner(_CAMERA)
    if camera.tree:
        collector.add("detector.name", camera.text("Name"), f"{_CAMERA}:Name")
        for where, terms, unit in (
            ("CCD:Pixel Size (um)", ("detector.physical_pixel_size",), "µm"),
            ("Active Size (pixels)", ("detector.width", "detector.height"), "px"),
        ):
            for term, value in zip(terms, camera.numbers(where), strict=False):
                collector.add(term, value if value > 0 else None, f"{_CAMERA}:{where}", unit)
        _counts(collector, own)
    binning = tags.numbers(f"{_HIGH}:Binning")
    if len(set(binning)) == 1 and binning[0] > 0:
        collector.add("exposure.binning", binning[0], f"{_HIGH}:Binning")
    if processing := tags.text(f"{_HIGH}:Processing"):
        where = f"{_HIGH}:Processing"
        corrected = "gain normalized" in processing.lower()
        collector.add("detector.gain_corrected", corrected, where, "", processing)
    where = next((each for each in _EXPOSURES if tags.positive(each)), "")
    collector.scaled("exposure.exposure_time", tags.positive(where) if where else None, 1, where, "s")


def _counts(collector: Collector, own: Nested) -> None:
    """Counts of an electron, where values are calibrated in electrons."""
    if own.text("Brightness:Units").lower() in ("e-", "e", "e⁻", "electrons"):
        electrons = own.positive("Brightness:Scale")
        if electrons is not None:
            where = "Calibrations:Brightness:Scale"
            collector.add("detector.counts_per_electron", 1 / electrons, where, "e⁻", f"1 / {electrons:g}")


def _slit(collector: Collector, tags: Nested) -> None:
    collector.add(
        "energy_filter.model", tags.text(f"{_FILTER}:Instrument name"), f"{_FILTER}:Instrument name"
    )
    inserted = tags.flag(f"{_FILTER}:Slit inserted")
    collector.add("energy_filter.used", inserted, f"{_FILTER}:Slit inserted")
    if inserted:
        width = f"{_FILTER}:Slit width (eV)"
        collector.scaled("energy_filter.width_energy_filter", tags.positive(width), 1, width, "eV")


def _time(tags: Nested) -> tuple[datetime | None, str]:
    """Return when it was recorded, and by which tag."""
    where = "DataBar:Acquisition Time (OS)"
    try:
        if (ticks := tags.positive(where)) is not None:
            return _FROM_1601 + timedelta(seconds=ticks / _FILETIME), where
        where = "Acquisition:Frame:Sequence:Acquisition Start Time (epoch)"
        if (milliseconds := tags.positive(where)) is not None:
            return datetime.fromtimestamp(milliseconds / 1e3, UTC), where
    except (OverflowError, ValueError, OSError):
        return None, where
    for day, clock in (
        ("DataBar:Acquisition Date", "DataBar:Acquisition Time"),
        ("SI:Acquisition:Date", "SI:Acquisition:Start time"),
    ):
        if (when := local_time(tags.text(day), tags.text(clock))) is not None:
            return when, day
    return None, ""


def local_time(day: str, clock: str) -> datetime | None:
    """Return a time written in the manner of the computer's language; None where it can be read in two ways.

    Args:
        day: As `7/20/2015`, `20/7/2015`, `20.07.2015` or `2015-07-20`.
        clock: As `6:48:25 PM` or `18:48:25`.
    """
    found, time = _DAY.fullmatch(day.strip()), _CLOCK.fullmatch(clock.strip())
    if found is None or time is None:
        return None
    one, two, three = (int(each) for each in found.groups())
    hour, minute, second = int(time[1]), int(time[2]), int(time[3] or 0)
    if time[4]:
        hour = hour % 12 + (12 if time[4].upper() == "P" else 0)
    three += 2000 if three < 100 else 0
    if one > 31:
        year, month, date = one, two, three - 2000
    elif "." in day or one > 12 or one == two:
        year, month, date = three, two, one
    elif two > 12:
        year, month, date = three, one, two
    else:
        return None
    try:
        return datetime(year, month, date, hour, minute, second)
    except ValueError:
        return None
