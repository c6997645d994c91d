"""What FEI's TIA says in our vocabulary: `.emi` about the images and spectra of the `.ser` files beside it.

Labels are TIA's; the unit stands beside each value. Its defocus is that of the lens, negative for
underfocus. Where the file of an image says sizes, the `.emi` is silent.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from eucentric.formats import FormatError
from eucentric.formats.tia import read_emi, read_ser
from eucentric.formats.xml_documents import XmlElement, number_of
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.epu_readings import SOURCES
from eucentric.microscope.naming import exposure_name
from eucentric.microscope.scaled_image_readings import of_axes

_METRES = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "nm": 1e-9}
_VOLTS = {"kv": 1.0, "v": 1e-3}
_DEGREES = {"deg": 1.0, "°": 1.0, "rad": 57.29577951308232, "mrad": 0.05729577951308232}
_TIMES = {"": 1.0, "x": 1.0}
# Term, TIA's label, factors by its unit, factor into ours.
_LABELS: tuple[tuple[str, str, Mapping[str, float], float], ...] = (
    ("instrument.acceleration_voltage", "High tension", _VOLTS, 1),
    ("acquisition.nominal_magnification", "Magnification", _TIMES, 1),
    ("instrument.camera_length", "Camera length", _METRES, 1e3),
    ("instrument.spot_size", "Spot size", _TIMES, 1),
    ("exposure.lens_defocus", "Defocus", _METRES, -1e10),
    ("exposure.image_shift_x", "Image shift X", _METRES, 1e10),
    ("exposure.image_shift_y", "Image shift Y", _METRES, 1e10),
    ("exposure.stage_x", "Stage X", _METRES, 1e10),
    ("exposure.stage_y", "Stage Y", _METRES, 1e10),
    ("exposure.stage_z", "Stage Z", _METRES, 1e10),
    ("exposure.tilt_angle", "Stage A", _DEGREES, 1),
    ("exposure.stage_beta", "Stage B", _DEGREES, 1),
)
_POSITIVE = {"High tension", "Magnification", "Camera length", "Spot size"}
_PROBES = {"np": "nanoprobe", "up": "microprobe", "µp": "microprobe"}
_ACQUIRED = "AcquireInfo/"


def read_ser_file(path: Path, name: str) -> Findings:
    """Read the headers of a `.ser` file.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: As `read_ser`.
    """
    collector = Collector("header", name)
    collector.add("exposure.path", str(path), "path")
    image = read_ser(path)
    of_axes(collector, image.axes, "ser header")
    kind = "TIA spectra" if image.axes[-1].energy_step else "TIA image"
    return Findings(
        kind, exposures={exposure_name(path.name): collector.taken()}, refused=tuple(collector.refused)
    )


def read_emi_file(path: Path, name: str) -> Findings:
    """Read an `.emi` file, and the headers of the `.ser` files beside it that it is about.

    Args:
        path: The file. The files beside it are called as it is, with `_1.ser`, `_2.ser` and so on.
        name: How provenance names it.

    Raises:
        FormatError: As `read_emi`; a `.ser` file that cannot be read is only reported.
    """
    collector = Collector("companion", name)
    exposures = {}
    for number, xml in enumerate(read_emi(path), start=1):
        _of_object(collector, xml)
        beside = path.with_name(f"{path.stem}_{number}.ser")
        readings = collector.taken()
        if beside.is_file():
            try:
                headers = read_ser_file(beside, beside.name)
            except FormatError as error:
                collector.refused.append(str(error))
            else:
                readings = (*readings, *headers.exposures[exposure_name(beside.name)])
        exposures[exposure_name(beside.name)] = readings
    return Findings("TIA", exposures=exposures, refused=tuple(dict.fromkeys(collector.refused)))


def _of_object(collector: Collector, xml: XmlElement) -> None:
    labels = _labels(xml)
    for term, label, units, factor in _LABELS:
        text, unit = labels.get(label, ("", ""))
        value = number_of(text)
        if value is None or unit.lower() not in units or (label in _POSITIVE and value <= 0):
            continue
        collector.scaled(term, value, units[unit.lower()] * factor, label, unit)
    if "High tension" not in labels:
        where = "ExperimentalConditions/MicroscopeConditions/AcceleratingVoltage"
        collector.scaled("instrument.acceleration_voltage", xml.positive(where), 1e-3, where, "V")
    scope = labels.get("Microscope", ("", ""))[0].removeprefix("Microscope ").strip()
    collector.add("instrument.name", scope, "Microscope")
    collector.named("instrument.electron_source", labels.get("Gun type", ("", ""))[0], SOURCES, "Gun type")
    collector.add("instrument.manufacturer", xml.text("Manufacturer"), "Manufacturer")
    scanning = _mode(collector, labels.get("Mode", ("", ""))[0])
    collector.add("exposure.date_time", _time(xml.text("AcquireDate")), "AcquireDate")
    _of_recording(collector, xml, scanning=scanning)


def _labels(xml: XmlElement) -> dict[str, tuple[str, str]]:
    """Return the values of the experiment's description, and their units, by label."""
    found = {}
    for each in xml.children("ExperimentalDescription/Root"):
        if label := each.text("Label"):
            found[label.strip()] = (each.text("Value") or "", (each.text("Unit") or "").strip())
    return found


def _mode(collector: Collector, text: str) -> bool:
    """Read the line that says how the column is operated, as `TEM uP SA Zoom Image`; say whether it scans."""
    words = text.split()
    if not words or words[0] not in ("TEM", "STEM"):
        return False
    collector.add("instrument.operating_mode", words[0], "Mode")
    for word in words[1:]:
        collector.named("instrument.probe_mode", word, _PROBES, "Mode")
    if words[0] == "TEM" and words[-1].lower() == "diffraction":
        collector.add("instrument.imaging", "diffraction", "Mode")
    return words[0] == "STEM"


def _of_recording(collector: Collector, xml: XmlElement, *, scanning: bool) -> None:
    """The time: of a camera's exposure, or of a scan and of each of its places, called by the same word."""
    camera = f"{_ACQUIRED}CameraNamePath"
    collector.add("detector.name", xml.text(camera), camera)
    dwell = f"{_ACQUIRED}DwellTimePath"
    term = "exposure.dwell_time" if scanning and not xml.text(camera) else "exposure.exposure_time"
    collector.scaled(term, xml.positive(dwell), 1, dwell, "s")
    if scanning:
        frame = f"{_ACQUIRED}FrameTime"
        collector.scaled("exposure.exposure_time", xml.positive(frame), 1, frame, "s")
    for term, where in (
        ("exposure.binning", f"{_ACQUIRED}Binning"),
        ("detector.width", "DetectorPixelWidth"),
        ("detector.height", "DetectorPixelHeight"),
    ):
        collector.add(term, xml.count(where), where)


def _time(text: str | None) -> datetime | None:
    """Return a time as `Sun Feb 21 17:53:06 2016`, whatever language the name of the day is in."""
    words = re.sub(r"\s+", " ", text or "").strip().partition(" ")[2]
    try:
        return datetime.strptime(words, "%b %d %H:%M:%S %Y")
    except ValueError:
        return None
