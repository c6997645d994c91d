"""What SerialEM's other files say: navigators (`.nav`), properties and settings.

Properties belong to the microscope rather than to a session: cameras with their pixels, and what a site
adds to every .mdoc. Facts: SerialEM's help, "Properties file" and "Navigator file".
"""

import re
from pathlib import Path

from eucentric.formats import FormatError, MdocSection
from eucentric.formats.navigator import read_navigator
from eucentric.formats.xml_documents import number_of
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.mdoc_readings import MICROMETRE, PROBES, READ_MODES
from eucentric.microscope.mdoc_titles import of_entries
from eucentric.microscope.naming import exposure_name, file_name

MAX_BYTES = 2**22
_ENTRY = re.compile(r"GlobalAutodocEntry\s+(\S+?)\s*(?:=|\s)\s*(.+)")
_CAMERA = re.compile(r"CameraProperties\s+(\d+)")
_NUMBERED = re.compile(r"Camera(\d+)")
# Term, property of a camera, factor into our unit, unit there.
_OF_CAMERA = (
    ("detector.width", "CameraSizeX", "px"),
    ("detector.height", "CameraSizeY", "px"),
    ("detector.physical_pixel_size", "PixelSize", "µm"),
)


# Of maps in a navigator, in the same way.
_OF_MAP = (
    ("instrument.spot_size", "MapSpotSize", ""),
    ("detector.number", "MapCamera", ""),
    ("exposure.exposure_time", "MapExposure", "s"),
    ("exposure.shown_binning", "MapBinning", ""),
    ("exposure.tilt_angle", "MapTiltAngle", "°"),
)
_MOST_TILT = 180  # degrees; numbers far beyond stand for an angle that is not known


def begins_as_properties(head: bytes) -> bool:
    """Say whether a file begins as SerialEM's properties or settings do."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"SerialEMProperties", b"SerialEMSettings"))


def read_properties(path: Path, name: str) -> Findings:
    """Read SerialEM's properties, or its settings, in which nothing of ours stands.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: It is too large.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise FormatError(
            path, f"it has {size} bytes, too many for a text of settings", "check that it is one"
        )
    lines = [line.strip() for line in path.read_bytes().decode("utf-8", errors="replace").splitlines()]
    collector = Collector("property", name)
    camera = ""
    entries: dict[str, str] = {}
    for line in lines:
        if entry := _ENTRY.match(line):
            entries[entry[1]] = entry[2].strip()
        elif begin := _CAMERA.match(line):
            camera = begin[1]
        elif line.startswith("EndCameraProperties"):
            camera = ""
        elif camera:
            _of_camera(collector, line, camera)
    of_entries(collector, entries, "GlobalAutodocEntry ")
    for key, value in entries.items():
        if numbered := _NUMBERED.fullmatch(key):
            collector.add("detector.name", value, f"GlobalAutodocEntry {key}", part=numbered[1])
    is_settings = bool(lines) and lines[0].lstrip("\ufeff").startswith("SerialEMSettings")
    kind = "SerialEM settings" if is_settings else "SerialEM properties"
    return Findings(kind, collector.taken(), refused=tuple(collector.refused))


def _of_camera(collector: Collector, line: str, number: str) -> None:
    words = line.split(None, 1)
    if len(words) != 2:
        return
    if words[0] == "Name":
        collector.add("detector.name", words[1], "CameraProperties Name", part=number)
    for term, key, unit in _OF_CAMERA:
        if words[0] == key:
            collector.add(term, number_of(words[1].split()[0]), f"CameraProperties {key}", unit, part=number)


def read_navigator_file(path: Path, name: str) -> Findings:
    """Read a navigator: how many places are to be recorded, and where its maps are.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: As `read_navigator`.
    """
    navigator = read_navigator(path)
    collector = Collector("session", name)
    items = [each for each in navigator.sections if each.kind == "Item"]
    targets = sum(1 for each in items if each.number("Acquire") or each.number("TSparam"))
    collector.add("acquisition.targets", targets, "Acquire", "", "items with it")
    by_intent = {"collection": collector.taken()}
    exposures = {}
    for item in items:
        if map_file := file_name(item.text("MapFile")):
            for axis, value in zip("xyz", item.numbers("StageXYZ"), strict=False):
                collector.scaled(f"exposure.stage_{axis}", value, MICROMETRE, "StageXYZ", "µm")
            collector.add("exposure.foil_hole", item.name, "[Item = N]")
            _of_map(collector, item)
            exposures[f"{exposure_name(map_file)}[{item.text('MapSection') or 0}]"] = collector.taken()
    return Findings(
        "SerialEM navigator",
        exposures=exposures,
        by_intent=by_intent,
        refused=tuple(dict.fromkeys(collector.refused)),
    )


def _of_map(collector: Collector, item: MdocSection) -> None:
    """How the image of a map was recorded."""
    for term, key, unit in _OF_MAP:
        value = item.number(key)
        positive = key in ("MapExposure", "MapBinning")
        if value is None or (positive and value <= 0) or (key == "MapTiltAngle" and abs(value) > _MOST_TILT):
            continue
        collector.add(term, value, key, unit)
    size = item.numbers("MapWidthHeight")
    if len(size) == 2 and min(size) > 0:
        collector.add("exposure.shown_width", size[0], "MapWidthHeight", "px")
        collector.add("exposure.shown_height", size[1], "MapWidthHeight", "px")
    inserted = item.number("MapSlitIn")
    if inserted is not None:
        collector.add("energy_filter.used", inserted > 0, "MapSlitIn")
        width = item.number("MapSlitWidth")
        if inserted > 0 and width and width > 0:
            collector.add("energy_filter.width_energy_filter", width, "MapSlitWidth", "eV")
    for term, key, words in (
        ("instrument.probe_mode", "MapProbeMode", PROBES),
        ("detector.mode", "K2ReadMode", READ_MODES),
    ):
        number = item.number(key)
        if number is not None and (word := words.get(int(number))):
            collector.add(term, word, key, "", f"{number:g} is {word}")
