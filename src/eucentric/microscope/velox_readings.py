"""What the `.emd` files of Velox, and of Berkeley and py4DSTEM, say in our vocabulary.

Velox' metadata are in SI units: metres, radians, seconds, volts, all written as texts. Its numbers for
modes are those of Thermo Fisher's description of the extended header of MRC files. A detector that recorded
counts; the others that happened to be there do not.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from math import degrees
from pathlib import Path

from eucentric.formats.berkeley_emd import is_berkeley, read_berkeley
from eucentric.formats.hdf5 import MAGIC
from eucentric.formats.nested import Nested
from eucentric.formats.scaled_image import ScaledImage
from eucentric.formats.velox import read_velox
from eucentric.metadata.readings import Collector, Findings
from eucentric.metadata.vocabulary import checked
from eucentric.microscope.epu_readings import ILLUMINATIONS, IMAGINGS, METRE, SOURCES
from eucentric.microscope.scaled_image_readings import findings_of_images

_DEGREES = degrees(1)
# Term, path, unit there, factor into ours.
_POSITIVE = (
    ("instrument.acceleration_voltage", "Optics/AccelerationVoltage", "V", 1e-3),
    ("instrument.spot_size", "Optics/SpotIndex", "", 1),
    ("instrument.beam_convergence", "Optics/BeamConvergence", "rad", 1e3),
    ("instrument.camera_length", "Optics/CameraLength", "m", 1e3),
    ("acquisition.screen_current", "Optics/LastMeasuredScreenCurrent", "A", 1e9),
    ("exposure.dwell_time", "Scan/DwellTime", "s", 1),
)
_NUMBERS = (
    ("exposure.lens_defocus", "Optics/Defocus", "m", -METRE),
    ("exposure.stage_x", "Stage/Position/x", "m", METRE),
    ("exposure.stage_y", "Stage/Position/y", "m", METRE),
    ("exposure.stage_z", "Stage/Position/z", "m", METRE),
    ("exposure.tilt_angle", "Stage/AlphaTilt", "rad", _DEGREES),
    ("exposure.stage_beta", "Stage/BetaTilt", "rad", _DEGREES),
)
_TEXTS = (
    ("instrument.manufacturer", "Instrument/Manufacturer"),
    ("instrument.model", "Instrument/InstrumentModel"),
    ("instrument.serial_number", "Instrument/InstrumentId"),
    ("instrument.computer_name", "Instrument/ComputerName"),
    ("acquisition.holder", "Stage/HolderType"),
    ("sample.name", "Sample/SampleId"),
    ("sample.description", "Sample/SampleDescription"),
)
MODES = {"1": "TEM", "2": "STEM"}
PROBES = {"1": "nanoprobe", "2": "microprobe"}
_WORDS = (
    ("instrument.electron_source", "Acquisition/SourceType", SOURCES),
    ("instrument.illumination", "Optics/IlluminationMode", ILLUMINATIONS),
    ("instrument.operating_mode", "Optics/OperatingMode", MODES),
    ("instrument.probe_mode", "Optics/ProbeMode", PROBES),
)
_APERTURES = {"C2": "instrument.c2_aperture", "OBJ": "instrument.objective_aperture"}
_NOT_SAID = {"", "none", "unknown"}


def read_emd_file(path: Path, name: str) -> Findings:
    """Read an EMD file, of Velox or of Berkeley's form.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: As `read_velox` and `read_berkeley`.
    """
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    berkeley = is_berkeley(path, head)
    images = read_berkeley(path) if berkeley else read_velox(path)

    def read(collector: Collector, image: ScaledImage) -> None:
        collector.add("exposure.path", str(path), "path")
        (_of_berkeley if berkeley else of_velox)(collector, image)

    kind, axes = ("EMD", "data, dimN") if berkeley else ("Velox", "Data, BinaryResult/PixelSize")
    return findings_of_images(kind, path.name, Collector("header", name), images, axes, read)


def of_velox(collector: Collector, image: ScaledImage) -> None:
    """Take in what Velox says of an image or a spectrum."""
    said = Nested(image.said)
    for term, where, unit, factor in _POSITIVE:
        collector.scaled(term, said.positive(where), factor, where, unit)
    for term, where, unit, factor in _NUMBERS:
        collector.scaled(term, said.number(where), factor, where, unit)
    for term, where in _TEXTS:
        text = said.text(where)
        collector.add(term, "" if text.lower() in _NOT_SAID else text, where)
    for term, where, words in _WORDS:
        collector.named(term, said.text(where), words, where)
    scanning = said.text("Optics/OperatingMode") == "2"
    if not scanning:
        where = "Optics/TemOperatingSubMode"
        collector.named("instrument.imaging", said.text(where), IMAGINGS, where)
    collector.add("acquisition.microscope_software", "Velox", "name of the format")
    _magnification(collector, said, scanning=scanning)
    _apertures(collector, said)
    _detector(collector, said)
    collector.add("exposure.date_time", *_time(said))


def _magnification(collector: Collector, said: Nested, *, scanning: bool) -> None:
    where = "CustomProperties/StemMagnification/value" if scanning else "Optics/NominalMagnification"
    value = said.positive(where)
    collector.scaled("acquisition.nominal_magnification", value, 1, where, "")


def _apertures(collector: Collector, said: Nested) -> None:
    for aperture in said.members("Optics/Apertures"):
        if (term := _APERTURES.get(aperture.text("Name").upper())) is not None:
            where = f"Optics/Apertures/Aperture-N ({aperture.text('Name')})"
            collector.scaled(term, aperture.positive("Diameter"), 1e6, where, "m")


def _detector(collector: Collector, said: Nested) -> None:
    """The detector that recorded. Several record in turn or together: each is told by its name."""
    name = said.text("BinaryResult/Detector")
    if not name:  # earlier versions give only its number
        number = said.text("BinaryResult/DetectorIndex")
        name = said.text(f"Detectors/Detector-{number}/DetectorName") if number else ""
    head = "Detectors/*/"
    for detector in _named(said, name):
        collector.add("detector.name", name, f"{head}DetectorName", part=name)
        for term, where in (
            ("detector.collection_angle_minimal", "CollectionAngleRange/begin"),
            ("detector.collection_angle_maximal", "CollectionAngleRange/end"),
        ):
            if detector.positive("CollectionAngleRange/end"):
                collector.scaled(term, detector.number(where), 1e3, head + where, "rad", part=name)
        if detector.text("DetectorType") == "ImagingDetector":
            time = f"{head}ExposureTime"
            collector.scaled("exposure.exposure_time", detector.positive("ExposureTime"), 1, time, "s")
            binning = detector.positive("Binning/width")
            collector.scaled("exposure.binning", binning, 1, f"{head}Binning/width", "")
        elif detector.text("DetectorType") == "ScanningDetector":
            time = "Scan/FrameTime"
            collector.scaled("exposure.exposure_time", said.positive(time), 1, time, "s")
    properties = said.inner("CustomProperties")
    where = f"Detectors[{name}].CountsToElectrons"
    if name and (electrons := properties.inner(where).positive("value")) is not None:
        how = f"1 / {electrons:g}"
        where = f"CustomProperties/{where}/value"
        collector.add("detector.counts_per_electron", 1 / electrons, where, "e⁻", how, part=name)


def _named(said: Nested, name: str) -> Iterator[Nested]:
    for detector in said.members("Detectors"):
        if name and detector.text("DetectorName") == name:
            yield detector


def _time(said: Nested) -> tuple[datetime | None, str]:
    where = "Acquisition/AcquisitionStartDatetime/DateTime"
    seconds = said.positive(where)
    try:
        return (None if seconds is None else datetime.fromtimestamp(seconds, UTC)), where
    except (OverflowError, ValueError, OSError):
        return None, where


def _of_berkeley(collector: Collector, image: ScaledImage) -> None:
    """What is said about the microscope; without units: its size tells whether a voltage is in volts."""
    said = Nested(image.said)
    collector.add("instrument.name", said.text("name"), "microscope@name")
    voltage = said.positive("voltage")
    if voltage is not None:
        unit, factor = ("kV", 1.0) if _is_kilovolts(voltage) else ("V", 1e-3)
        collector.scaled("instrument.acceleration_voltage", voltage, factor, "microscope@voltage", unit)
    if len(image.axes) == 4:
        collector.add("acquisition.technique", "4D-STEM", "data", "", "of four dimensions")


def _is_kilovolts(voltage: float) -> bool:
    try:
        checked("instrument.acceleration_voltage", voltage)
    except ValueError:
        return False
    return True
