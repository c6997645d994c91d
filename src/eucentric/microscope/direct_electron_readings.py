"""What Direct Electron's `_info.txt` says in our vocabulary: the text that its server writes beside each
recording.

A line is `property = value`, by the names that the camera's server has for its properties, with the unit in
the name; -1 is what is not known. Of a recording `DATE_NUMBER_suffix` the movie is
`DATE_NUMBER_suffix_movie.mrc`.
"""

from datetime import UTC, datetime
from pathlib import Path

from eucentric.formats import FormatError
from eucentric.formats.mdoc import decoded
from eucentric.formats.nested import Nested
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.naming import exposure_name

INFO = "_info.txt"
_MOST_BYTES = 2**20
_MICROMETRE = 1e4  # in Å
# Term, property, unit there, factor into ours: what must be above 0, since -1 and 0 are what is not known.
_POSITIVE = (
    ("instrument.acceleration_voltage", "Instrument Accelerating Voltage (V)", "V", 1e-3),
    ("acquisition.nominal_magnification", "Instrument Project Magnification", "", 1),
    ("instrument.camera_length", "Instrument Project Camera Length (centimeters)", "cm", 10),
    ("detector.frame_rate", "Frames Per Second", "1/s", 1),
    ("detector.counts_per_electron", "ADUs Per Electron Bin1x", "", 1),
    ("detector.width", "Sensor Size X (pixels)", "px", 1),
    ("detector.height", "Sensor Size Y (pixels)", "px", 1),
    ("exposure.exposure_time", "Exposure Time (seconds)", "s", 1),
    ("exposure.width", "Image Size X (pixels)", "px", 1),
    ("exposure.height", "Image Size Y (pixels)", "px", 1),
)
_NUMBERS = (
    ("exposure.stage_x", "Instrument Stage Position X (micrometers)", "µm", _MICROMETRE),
    ("exposure.stage_y", "Instrument Stage Position Y (micrometers)", "µm", _MICROMETRE),
    ("exposure.stage_z", "Instrument Stage Position Z (micrometers)", "µm", _MICROMETRE),
    ("exposure.tilt_angle", "Instrument Stage Tilt Alpha (degrees)", "°", 1),
    ("exposure.stage_beta", "Instrument Stage Tilt Beta (degrees)", "°", 1),
    ("exposure.image_shift_x", "Instrument Image Shift X (micrometers)", "µm", _MICROMETRE),
    ("exposure.image_shift_y", "Instrument Image Shift Y (micrometers)", "µm", _MICROMETRE),
)
_SERIALS = ("Sensor Module SN", "Sensor Module Serial Number", "Camera SN")
_MODES = {"integrating": "integrating", "counting": "counting", "hdr counting": "counting"}
_TEMORSTEM = {0: "TEM", 1: "STEM"}


def begins_as_info(head: bytes) -> bool:
    """Say whether a file has lines as the camera's server writes them."""
    first = decoded(head).lstrip("\ufeff \t\r\n").partition("\n")[0]
    return "=" in first


def read_info_file(path: Path, name: str) -> Findings:
    """Read an `_info.txt` file.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: It is too large, or holds nothing that a camera of Direct Electron writes.
    """
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise FormatError(
            path, f"it has {size} bytes, too many for such a text", "check which file was meant"
        )
    said = Nested(_pairs(decoded(path.read_bytes())), "\n")
    collector = Collector("companion", name)
    for term, key, unit, factor in _POSITIVE:
        collector.scaled(term, said.positive(key), factor, key, unit)
    for term, key, unit, factor in _NUMBERS:
        value = said.number(key)
        collector.scaled(term, None if value == -1 else value, factor, key, unit)
    _of_camera(collector, said)
    _of_mode(collector, said)
    when = "Timestamp (seconds since Epoch)"
    collector.add("exposure.date_time", _time(said.positive(when)), when)
    if not collector.readings:
        what = "nothing stands in it that a camera of Direct Electron writes"
        raise FormatError(path, what, "check which file was meant")
    collector.add("detector.manufacturer", "Direct Electron", INFO, "", "only its cameras write these")
    exposures = {_exposure(path): collector.taken()}
    return Findings("Direct Electron", exposures=exposures, refused=tuple(collector.refused))


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip("\ufeff\0 \t"):
            found[key.strip("\ufeff\0 \t")] = value.strip("\0 \t")
    return found


def _of_camera(collector: Collector, said: Nested) -> None:
    model = next((key for key in ("Camera Model", "Camera Name") if said.text(key)), "")
    collector.add("detector.name", said.text(model) if model else None, model)
    serial = next((key for key in _SERIALS if said.text(key) not in ("", "-1")), "")
    collector.add("detector.serial_number", said.text(serial) if serial else None, serial)
    mode = "Image Processing - Mode"
    collector.named("detector.mode", said.text(mode), _MODES, mode)
    flat = "Image Processing - Flatfield Correction"
    collector.add("detector.gain_corrected", _is_corrected(said.text(flat)), flat, "", said.text(flat))
    binning = next((key for key in ("Hardware Binning X", "Binning X") if said.positive(key)), "")
    collector.add("exposure.shown_binning", said.positive(binning) if binning else None, binning)


def _is_corrected(word: str) -> bool | None:
    """Say whether frames are corrected: the server writes what correction it makes, or none."""
    plain = word.strip().lower()
    if plain in ("none", "off", "disable", "disabled", "false", "0"):
        return False
    return True if "gain" in plain or plain in ("on", "enable", "enabled", "true", "1") else None


def _of_mode(collector: Collector, said: Nested) -> None:
    key = "Instrument Project TEMorSTEM Mode"
    mode = _TEMORSTEM.get(int(number)) if (number := said.number(key)) in _TEMORSTEM else None
    collector.add("instrument.operating_mode", mode, key, "", f"{number:g} is {mode}" if mode else "")
    scanning = said.text("Scan - Enable").lower() in ("enable", "on")
    size = "Specimen Pixel Size X (nanometers)"
    term = "exposure.scan_step" if scanning else "exposure.pixel_size"
    collector.scaled(term, said.positive(size), 10, size, "nm")
    if scanning:
        for term, key in (
            ("exposure.scan_width", "Scan - Size X"),
            ("exposure.scan_height", "Scan - Size Y"),
        ):
            collector.add(term, said.positive(key), key)


def _time(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _exposure(path: Path) -> str:
    """Return the name of the recording: that of the movie beside it, of whatever kind."""
    base = path.name[: -len(INFO)]
    for kind in ("_movie", "_frames", "_RawImages", "_final", ""):
        for suffix in (".mrc", ".tif", ".tiff", ".mrcs"):
            if path.with_name(f"{base}{kind}{suffix}").is_file():
                return exposure_name(f"{base}{kind}{suffix}")
    return f"{base}_movie"
