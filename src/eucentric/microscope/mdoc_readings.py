"""What SerialEM's .mdoc and .idoc files, and Tomography 5's, say in our vocabulary.

One reads a movie (`FrameSet`), a tilt series, a montage or any stack of images (`ZValue`), or images in
files of their own (`Image`, in an .idoc). Lengths are µm
there, and the defocus is negative for underfocus. Facts: SerialEM's help, "Autodoc files".
"""

import re
from datetime import datetime
from pathlib import Path

from eucentric.formats import Mdoc, MdocSection, read_mdoc
from eucentric.formats.xml_documents import number_of
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.mdoc_titles import read_titles
from eucentric.microscope.naming import exposure_name, file_name

MICROMETRE = 1e4  # in Å
TIMES = ("%d-%b-%y %H:%M:%S", "%d-%b-%Y %H:%M:%S", "%Y-%b-%d %H:%M:%S")
"""How SerialEM and Tomography 5 write dates; they do not say in which time zone."""

TILTED = 1.0
"""Degrees between the smallest and largest angle from which on a stack is a tilt series."""

_ATLAS = 1e7
"""Å, a millimetre: a montage that is wider shows the grid."""

# Term, key, which of its numbers, unit there, factor into ours.
_NUMBERS = (
    ("instrument.acceleration_voltage", "Voltage", 0, "kV", 1),
    ("instrument.spot_size", "SpotSize", 0, "", 1),
    ("acquisition.nominal_magnification", "Magnification", 0, "", 1),
    ("detector.number", "CameraIndex", 0, "", 1),
    ("detector.counts_per_electron", "CountsPerElectron", 0, "", 1),
    ("detector.frame_rate", "DE12-FramesPerSecond", 0, "1/s", 1),
    ("exposure.exposure_time", "ExposureTime", 0, "s", 1),
    ("exposure.nominal_defocus", "TargetDefocus", 0, "µm", -MICROMETRE),
    ("exposure.lens_defocus", "Defocus", 0, "µm", -MICROMETRE),
    ("exposure.calibrated_defocus", "CtfFind", 0, "µm", -MICROMETRE),
    ("exposure.stage_x", "StagePosition", 0, "µm", MICROMETRE),
    ("exposure.stage_y", "StagePosition", 1, "µm", MICROMETRE),
    ("exposure.stage_z", "StageZ", 0, "µm", MICROMETRE),
    ("exposure.tilt_angle", "TiltAngle", 0, "°", 1),
    ("exposure.image_shift_x", "ImageShift", 0, "µm", MICROMETRE),
    ("exposure.image_shift_y", "ImageShift", 1, "µm", MICROMETRE),
    ("exposure.dose_rate", "DoseRate", 0, "e⁻/px/s", 1),
    ("exposure.initial_dose", "PriorRecordDose", 0, "e⁻/Å²", 1),
    ("exposure.shown_pixel_size", "PixelSpacing", 0, "Å", 1),
    ("exposure.shown_width", "ImageSize", 0, "px", 1),
    ("exposure.shown_height", "ImageSize", 1, "px", 1),
    ("exposure.shown_binning", "Binning", 0, "", 1),
)
_POSITIVE = {
    "Voltage",
    "Magnification",
    "CountsPerElectron",
    "DE12-FramesPerSecond",
    "PixelSpacing",
    "Binning",
}
"""Keys of which 0 means that it is not known."""

READ_MODES = {0: "integrating", 1: "counting", 2: "super-resolution"}
PROBES = {0: "nanoprobe", 1: "microprobe"}
_EM_MODES = {0: "TEM", 1: "EFTEM", 2: "STEM"}


def read_mdoc_file(path: Path, name: str) -> Findings:
    """Read an .mdoc file whole, all its sections.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: As `read_mdoc`.
    """
    mdoc = read_mdoc(path)
    collector = Collector("companion", name)
    kind = _kind(mdoc)
    read_titles(collector, mdoc)
    _of_file(collector, mdoc, kind)
    stack = file_name(mdoc.text("ImageFile")) or path.name
    if kind == "tilt series":
        collector.add("exposure.tilt_series", exposure_name(stack), "ImageFile")
        collector.add("tilt_series.path", mdoc.text("ImageFile"), "ImageFile")
    shared = collector.taken()
    exposures = {}
    for index, section in enumerate(mdoc.sections):
        if section.kind not in ("ZValue", "FrameSet", "Image"):
            continue
        merged = with_globals(mdoc, section)
        called = section_name(merged, path, stack, index)
        if called in exposures:
            called = f"{called}[{section.name or index}]"
        of_section(collector, merged, index)
        exposures[called] = collector.taken()
    return Findings(
        f"SerialEM {kind}",
        shared,
        exposures,
        stack="" if kind == "movie" else exposure_name(stack),
        refused=tuple(dict.fromkeys(collector.refused)),
    )


def with_globals(mdoc: Mdoc, section: MdocSection) -> MdocSection:
    """Return a section with the global values below its own."""
    return MdocSection(section.kind, section.name, {**mdoc.values, **section.values})


def section_name(section: MdocSection, path: Path, stack: str, index: int) -> str:
    """Return the name of the exposure that a section is about: of the frames, or of its place in a stack.

    Of an .mdoc beside a movie that is called as it is, the movie counts: somebody may have renamed both.
    """
    if section.kind == "FrameSet" and path.with_suffix("").suffix and path.with_suffix("").is_file():
        return exposure_name(path.name)
    if frames := section.text("SubFramePath"):
        return exposure_name(frames)
    if section.kind == "FrameSet":
        return exposure_name(path.name)
    if section.kind == "Image":  # of an .idoc: the section is called as the image's file
        return exposure_name(section.name)
    return f"{exposure_name(stack)}[{section.name or index}]"


def _kind(mdoc: Mdoc) -> str:
    images = [each for each in mdoc.sections if each.kind in ("ZValue", "Image")]
    if mdoc.number("Montage") or any(each.text("PieceCoordinates") for each in images):
        return "montage"
    angles = [angle for each in images if (angle := each.number("TiltAngle")) is not None]
    if len(angles) > 1 and max(angles) - min(angles) > TILTED:
        return "tilt series"
    return "stack" if images else "movie"


def _of_file(collector: Collector, mdoc: Mdoc, kind: str) -> None:
    """What holds for all sections."""
    if kind == "tilt series":
        collector.add("acquisition.technique", "tomography", "TiltAngle", "", "of several angles")
        collector.add("acquisition.intent", "collection", "TiltAngle", "", "a tilt series")
    elif kind == "montage":
        width = _extent(mdoc)
        if width is not None:
            intent = "atlas" if width >= _ATLAS else "screening"
            collector.add(
                "acquisition.intent", intent, "PieceCoordinates", "px", f"{width / 1e7:.2g} mm wide"
            )
    elif any(each.kind == "FrameSet" for each in mdoc.sections):
        collector.add("acquisition.intent", "collection", "[FrameSet = N]", "", "a movie")


def _extent(mdoc: Mdoc) -> float | None:
    """Return how wide a montage is, in Å."""
    corners = [each.numbers("PieceCoordinates") for each in mdoc.sections]
    pieces = [corner[:2] for corner in corners if len(corner) >= 2]
    size, pixel_size = mdoc.numbers("ImageSize"), mdoc.number("PixelSpacing")
    if not pieces or len(size) < 2 or not pixel_size:
        return None
    return max(
        (max(each[axis] for each in pieces) - min(each[axis] for each in pieces) + size[axis]) * pixel_size
        for axis in (0, 1)
    )


def of_section(collector: Collector, section: MdocSection, index: int) -> None:
    """Read a section, with the global values below its own, as one exposure."""
    if section.kind == "ZValue":
        number = number_of(section.name)
        collector.add("exposure.section", int(number) if number is not None else index, "[ZValue = N]")
    if path := section.text("SubFramePath"):
        collector.add("exposure.path", path, "SubFramePath")
    for term, key, place, unit, factor in _NUMBERS:
        numbers = section.numbers(key)
        if len(numbers) > place and not (key in _POSITIVE and numbers[place] <= 0):
            collector.scaled(term, numbers[place], factor, key, unit)
    collector.add("exposure.date_time", time_of(section.text("DateTime")), "DateTime")
    collector.add("exposure.foil_hole", section.text("NavigatorLabel"), "NavigatorLabel")
    collector.add("exposure.area", section.text("MultishotHoleAndPosition"), "MultishotHoleAndPosition")
    _dose(collector, section)
    _filter(collector, section)
    _modes(collector, section)
    _camera(collector, section)


def dose_pairs(section: MdocSection) -> list[tuple[float, int]]:
    """Return (dose of a frame, how many such frames) of `FrameDosesAndNumber`."""
    numbers = section.numbers("FrameDosesAndNumber")
    return [
        (dose, int(count)) for dose, count in zip(numbers[::2], numbers[1::2], strict=False) if count >= 1
    ]


def _dose(collector: Collector, section: MdocSection) -> None:
    """The dose, where SerialEM's is calibrated, and the frames.

    Where it is not, SerialEM writes 0. What it then knows is the rate on the camera, behind the specimen and
    what the filter takes away: too little for a dose.
    """
    pairs = dose_pairs(section)
    total = sum(dose * count for dose, count in pairs)
    stated = section.number("ExposureDose") or 0.0
    if total > 0:
        how = "sum of dose × frames"
        collector.add("exposure.dose", total, "FrameDosesAndNumber", "e⁻/Å²", how)
    if stated > 0:
        collector.add("exposure.dose", stated, "ExposureDose", "e⁻/Å²")
    if len({dose for dose, _ in pairs}) == 1 and pairs[0][0] > 0:
        collector.add("exposure.dose_per_frame", pairs[0][0], "FrameDosesAndNumber", "e⁻/Å²")
    counted = sum(count for _, count in pairs)
    if counted:
        collector.add("exposure.frames", counted, "FrameDosesAndNumber", "", "sum of frames")
    frames = section.number("NumSubFrames")
    if frames is not None and frames >= 1:
        collector.add("exposure.frames", int(frames), "NumSubFrames")


def _filter(collector: Collector, section: MdocSection) -> None:
    """The slit; a width of 0 says that it is out."""
    numbers = section.numbers("FilterSlitAndLoss")
    if not numbers or numbers[0] < 0:
        return
    collector.add(
        "energy_filter.used", numbers[0] > 0, "FilterSlitAndLoss", "eV", f"a width of {numbers[0]:g}"
    )
    if numbers[0] > 0:
        collector.add("energy_filter.width_energy_filter", numbers[0], "FilterSlitAndLoss", "eV")
        if len(numbers) > 1:
            collector.add("energy_filter.energy_loss", numbers[1], "FilterSlitAndLoss", "eV")


def _modes(collector: Collector, section: MdocSection) -> None:
    fine = section.number("Binning") == 0.5
    for term, key, words in (
        ("detector.mode", "" if fine else "OperatingMode", READ_MODES),
        ("instrument.probe_mode", "ProbeMode", PROBES),
        ("instrument.operating_mode", "EMMode", _EM_MODES),
        ("instrument.imaging", "DarkField", {0: "bright field", 1: "dark field"}),
    ):
        number = section.number(key)
        if number is not None and (word := words.get(int(number))):
            collector.add(term, word, key, "", f"{number:g} is {word}")
    if fine:
        collector.add("detector.mode", "super-resolution", "Binning", "", "0.5 is super-resolution")


def _camera(collector: Collector, section: MdocSection) -> None:
    reference = file_name(section.text("GainReference"))
    collector.add("detector.gain_reference", reference, "GainReference")
    collector.add("detector.defect_file", file_name(section.text("DefectFile")), "DefectFile")
    code = section.number("RotationAndFlip")
    if code is not None and code in range(8):
        how = f"turned by {int(code) % 4 * 90}°{', flipped before' if code >= 4 else ''}"
        collector.add("detector.gainref_flip_rotate", f"r/f {int(code)}", "RotationAndFlip", "", how)
    serial = section.text("DE12-SensorModuleSerialNumber")
    collector.add("detector.serial_number", serial, "DE12-SensorModuleSerialNumber")
    if any(key.startswith("DE12-") for key in section.values):
        collector.add("detector.manufacturer", "Direct Electron", "DE12-*", "", "only its cameras have these")
    if place := re.search(r"[\\/]((?:EF|BM)-(?:Falcon|CCD|CETA))[\\/]", section.text("SubFramePath"), re.I):
        collector.add("detector.location", place[1], "SubFramePath")


def time_of(text: str) -> datetime | None:
    """Return a time as SerialEM or Tomography 5 write it; without a time zone."""
    text = " ".join(text.split())
    for form in TIMES:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
