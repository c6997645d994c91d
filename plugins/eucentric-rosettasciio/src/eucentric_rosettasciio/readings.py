"""What RosettaSciIO says of files, in Eucentric's vocabulary.

It gives metadata by the names that HyperSpy documents, each with one unit: keV, mrad, degrees, nA. Camera
length and stage position are not taken: some of its readers hand on the file's number in another unit.
"""

from datetime import UTC, datetime
from pathlib import Path

from eucentric.formats.nested import Nested
from eucentric.formats.scaled_image import ScaledImage
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.metadata_readers import MetadataReader
from eucentric.microscope.scaled_image_readings import findings_of_images
from eucentric_rosettasciio.describing import described_apart
from eucentric_rosettasciio.formats import FORMATS, format_of

_INSTRUMENTS = ("Acquisition_instrument/TEM/", "Acquisition_instrument/SEM/")
# Term, path below the instrument, unit there, factor into ours.
_POSITIVE: tuple[tuple[str, str, str, float], ...] = (
    ("instrument.acceleration_voltage", "beam_energy", "keV", 1),
    ("instrument.beam_convergence", "convergence_angle", "mrad", 1),
    ("acquisition.nominal_magnification", "magnification", "", 1),
    ("acquisition.screen_current", "beam_current", "nA", 1),
    ("detector.collection_angle_maximal", "Detector/EELS/collection_angle", "mrad", 1),
)
_NUMBERS: tuple[tuple[str, str, str, float], ...] = (
    ("exposure.tilt_angle", "Stage/tilt_alpha", "°", 1),
    ("exposure.stage_beta", "Stage/tilt_beta", "°", 1),
)
_MODES = {"tem": "TEM", "stem": "STEM"}


def read_rosettasciio(path: Path, name: str) -> Findings:
    """Read what one of RosettaSciIO's readers says of a file.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: As `described_apart`.
    """
    images = described_apart(path)

    def read(collector: Collector, image: ScaledImage) -> None:
        collector.add("exposure.path", str(path), "path")
        _of_metadata(collector, Nested(image.said))

    kind = format_of(path).kind
    return findings_of_images(kind, path.name, Collector("header", name), images, "axes", read)


def _of_metadata(collector: Collector, said: Nested) -> None:
    head = next((each for each in _INSTRUMENTS if said.inner(each.rstrip("/")).tree), _INSTRUMENTS[0])
    for term, where, unit, factor in _POSITIVE:
        collector.scaled(term, said.positive(head + where), factor, head + where, unit)
    for term, where, unit, factor in _NUMBERS:
        collector.scaled(term, said.number(head + where), factor, head + where, unit)
    mode = f"{head}acquisition_mode"
    collector.named("instrument.operating_mode", said.text(mode), _MODES, mode)
    for term, where in (
        ("instrument.name", f"{head}microscope"),
        ("sample.name", "Sample/name"),
        ("sample.description", "Sample/description"),
    ):
        collector.add(term, said.text(where), where)
    collector.add("exposure.date_time", _time(said), "General/date")


def _time(said: Nested) -> datetime | None:
    day, clock = said.text("General/date"), said.text("General/time")
    try:
        when = datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if said.text("General/time_zone") == "UTC" and not when.tzinfo else when


READERS = tuple(MetadataReader(each.kind, each.suffixes, read_rosettasciio) for each in FORMATS)
"""What Eucentric finds by the entry point."""
