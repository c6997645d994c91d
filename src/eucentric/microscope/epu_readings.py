"""What EPU's XML beside an image says, in our vocabulary.

Image and movie differ: the XML states pixel size and size of the image that EPU shows. Where the image is
all that was recorded (grid squares, foil holes, atlases) they are its own. EPU's defocus is negative for
underfocus; the one that was asked for counts, since the one read from the lens has an arbitrary zero. Beam
and image shifts are in units of the column that differ between instruments.
"""

import math
import re
from pathlib import Path
from typing import Literal

from eucentric.formats.epu_xml import read_epu_xml
from eucentric.formats.xml_documents import XmlElement
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.naming import exposure_name

METRE = 1e10  # in Å
_PER_SQUARE_METRE = 1e-20  # in Å⁻²
_DEGREES = math.degrees(1)
DOSES_AGREE = 0.05

SQUARE = re.compile(r"GridSquare_(\d+)$")
NAME = re.compile(
    r"(?<![A-Za-z0-9])(?:(?P<data>FoilHole_(?P<hole>\d+)_Data_(?P<area>\d+)_)"
    r"|FoilHole_(?P<only>\d+)_|(?P<square>GridSquare_)|(?P<atlas>(?:Atlas|Tile)_))\w*\.\w+$",
    re.ASCII,
)

_DATA = "microscopeData/"
_OPTICS = f"{_DATA}optics/"
_CAMERA = f"{_DATA}acquisition/camera/"
_STAGE = f"{_DATA}stage/Position/"
_CUSTOM = "CustomData/"
_INPUT = f"{_CAMERA}CameraSpecificInput/"

_TEXTS = (
    ("instrument.serial_number", f"{_DATA}instrument/InstrumentModel"),
    ("instrument.computer_name", f"{_DATA}instrument/ComputerName"),
    ("acquisition.microscope_software", f"{_DATA}core/ApplicationSoftware"),
    ("acquisition.microscope_software_version", f"{_DATA}core/ApplicationSoftwareVersion"),
)
# Term, path, unit there, factor into ours; what must be above 0 is left out where it is not.
_POSITIVE = (
    ("instrument.acceleration_voltage", f"{_DATA}gun/AccelerationVoltage", "V", 1e-3),
    ("instrument.spot_size", f"{_OPTICS}SpotIndex", "", 1),
    ("instrument.beam_diameter", f"{_OPTICS}BeamDiameter", "m", METRE),
    ("instrument.c2_aperture", f"{_CUSTOM}Aperture[C2].Name", "µm", 1),
    ("instrument.objective_aperture", f"{_CUSTOM}Aperture[OBJ].Name", "µm", 1),
    ("acquisition.nominal_magnification", f"{_OPTICS}TemMagnification/NominalMagnification", "", 1),
    ("exposure.exposure_time", f"{_CAMERA}ExposureTime", "s", 1),
    ("exposure.shown_pixel_size", "SpatialScale/pixelSize/x/numericValue", "m", METRE),
    ("exposure.shown_width", f"{_CAMERA}ReadoutArea/width", "px", 1),
    ("exposure.shown_height", f"{_CAMERA}ReadoutArea/height", "px", 1),
    ("exposure.shown_binning", f"{_CAMERA}Binning/x", "", 1),
    ("exposure.dose_rate", f"{_CUSTOM}DoseRate", "e⁻/px/s", 1),
)
_NUMBERS = (
    ("exposure.nominal_defocus", f"{_CUSTOM}AppliedDefocus", "m", -METRE),
    ("exposure.lens_defocus", f"{_OPTICS}Defocus", "m", -METRE),
    ("exposure.stage_x", f"{_STAGE}X", "m", METRE),
    ("exposure.stage_y", f"{_STAGE}Y", "m", METRE),
    ("exposure.stage_z", f"{_STAGE}Z", "m", METRE),
    ("exposure.tilt_angle", f"{_STAGE}A", "rad", _DEGREES),
    ("exposure.stage_beta", f"{_STAGE}B", "rad", _DEGREES),
    ("exposure.beam_shift_x", f"{_OPTICS}BeamShift/_x", "", 1),
    ("exposure.beam_shift_y", f"{_OPTICS}BeamShift/_y", "", 1),
    ("exposure.beam_tilt_x", f"{_OPTICS}BeamTilt/_x", "", 1),
    ("exposure.beam_tilt_y", f"{_OPTICS}BeamTilt/_y", "", 1),
)

SOURCES = {
    "fieldemission": "field emission gun",
    "feg": "field emission gun",
    "xfeg": "field emission gun",
    "lab6": "LaB6",
    "tungsten": "tungsten hairpin",
}
ILLUMINATIONS = {"parallel": "flood beam", "probe": "spot scan"}
IMAGINGS = {"brightfield": "bright field", "darkfield": "dark field", "diffraction": "diffraction"}
MODES = {"tem": "TEM", "stem": "STEM"}
PROBES = {"nanoprobe": "nanoprobe", "microprobe": "microprobe"}
_WORDS = (
    ("instrument.electron_source", f"{_DATA}gun/Sourcetype", SOURCES),
    ("instrument.illumination", f"{_OPTICS}IlluminationMode", ILLUMINATIONS),
    ("instrument.imaging", f"{_OPTICS}ColumnOperatingTemSubMode", IMAGINGS),
    ("instrument.probe_mode", f"{_OPTICS}ProbeMode", PROBES),
)

_NOT_SAID = {"", "unspecified", "unknown", "none"}

Part = Literal["collection", "screening", "atlas"]


def read_epu_image(path: Path, name: str) -> Findings:
    """Read the XML beside an image.

    Args:
        path: The file. Its name and folders tell what the image is of.
        name: How provenance names it.

    Raises:
        FormatError: As `read_epu_xml`.
    """
    return findings_of_epu(read_epu_xml(path), path, name)


def findings_of_epu(xml: XmlElement, path: Path, name: str) -> Findings:
    """Return what the XML of an image says; see `read_epu_image`."""
    collector = Collector("companion", name)
    for term, where in _TEXTS:
        collector.add(term, xml.text(where), where)
    for term, where, unit, factor in _POSITIVE:
        collector.scaled(term, xml.positive(where), factor, where, unit)
    for term, where, unit, factor in _NUMBERS:
        collector.scaled(term, xml.number(where), factor, where, unit)
    for term, where, words in _WORDS:
        collector.named(term, xml.text(where), words, where)
    when = f"{_DATA}acquisition/acquisitionDateTime"
    collector.add("exposure.date_time", xml.time(when), when)
    _mode(collector, xml)
    _filter(collector, xml)
    _detector(collector, xml)
    _holder(collector, xml)
    _dose(collector, xml)
    is_movie = _frames(collector, xml)
    part = _place(collector, xml, path, is_movie=is_movie)
    if not is_movie:
        _image_itself(collector, xml)
    kind = {"collection": "EPU exposure", "screening": "EPU search image", "atlas": "EPU atlas image"}[part]
    return Findings(kind, (), {exposure_name(path.name): collector.taken()}, refused=tuple(collector.refused))


def _mode(collector: Collector, xml: XmlElement) -> None:
    """How the column is operated: as EFTEM where the filter's lenses are on."""
    where = f"{_OPTICS}ColumnOperatingMode"
    if xml.flag(f"{_OPTICS}EFTEMOn") and (xml.text(where) or "").lower() == "tem":
        collector.add("instrument.operating_mode", "EFTEM", f"{_OPTICS}EFTEMOn")
    else:
        collector.named("instrument.operating_mode", xml.text(where), MODES, where)
    plate = f"{_CUSTOM}PhasePlateUsed"
    if (used := xml.flag(plate)) is not None:
        word = "phase plate" if used else "none"
        collector.add("instrument.phase_plate", word, plate, "", f"{str(used).lower()} is {word}")


def _filter(collector: Collector, xml: XmlElement) -> None:
    """The slit, whose width is stated even when it is out."""
    where = f"{_OPTICS}EnergyFilter/"
    inserted = xml.flag(f"{where}EnergySelectionSlitInserted")
    collector.add("energy_filter.used", inserted, f"{where}EnergySelectionSlitInserted")
    if inserted:
        width = f"{where}EnergySelectionSlitWidth"
        collector.scaled("energy_filter.width_energy_filter", xml.positive(width), 1, width, "eV")
        shift = f"{where}EnergyShift"
        collector.scaled("energy_filter.energy_loss", xml.number(shift), 1, shift, "eV")


def detector_place(xml: XmlElement) -> str | None:
    """Return EPU's name of the camera's place, "EF-Falcon"."""
    return xml.text(f"{_CUSTOM}BinaryResult.Detector") or xml.text(f"{_CAMERA}Name")


def _detector(collector: Collector, xml: XmlElement) -> None:
    place = detector_place(xml)
    own = f"{_CUSTOM}Detectors[{place}]."
    for where in (f"{_CUSTOM}DetectorCommercialName", f"{own}CommercialName"):
        if name := xml.text(where):
            collector.add("detector.name", name, where)
            break
    collector.add("detector.location", xml.text(f"{_CAMERA}Name"), f"{_CAMERA}Name")
    for term, key in (
        ("detector.serial_number", "CameraSerialNumber"),
        ("detector.gain_reference", "EerGainReference"),
        ("detector.gain_reference", "GainReference"),
    ):
        collector.add(term, xml.text(f"{own}{key}"), f"{own}{key}")
    collector.scaled("detector.frame_rate", xml.positive(f"{own}FrameRate"), 1, f"{own}FrameRate", "1/s")
    for where in (f"{own}ElectronCounted", f"{_INPUT}ElectronCountingEnabled"):
        counted = xml.flag(where)
        if counted is not None:
            word = "counting" if counted else "integrating"
            collector.add("detector.mode", word, where, "", f"{str(counted).lower()} is {word}")
            break


def _holder(collector: Collector, xml: XmlElement) -> None:
    where = f"{_DATA}stage/Holder"
    if (holder := xml.text(where)) and holder.lower() not in _NOT_SAID:
        collector.add("acquisition.holder", holder, where)


def _dose(collector: Collector, xml: XmlElement) -> None:
    """The dose on the specimen, stated in e⁻/m².

    It is stated again in electrons per pixel of the image, which is no dose at all but tells the unit of the
    first: some programs that rewrite the XML turn it into e⁻/Å². Where the two differ, both are kept.
    """
    stated = xml.positive(f"{_CUSTOM}Dose")
    on_camera = xml.positive(f"{_CUSTOM}DoseOnCamera")
    pixel_size = xml.positive("SpatialScale/pixelSize/x/numericValue")
    by_camera = on_camera and pixel_size and on_camera / (pixel_size * METRE) ** 2
    if by_camera:
        how = f"/ ({pixel_size * METRE:g} Å)²" if pixel_size else ""
        collector.add("exposure.dose", by_camera, f"{_CUSTOM}DoseOnCamera", "e⁻/px", how)
    if stated:
        is_converted = by_camera and abs(stated / by_camera - 1) <= DOSES_AGREE
        if is_converted:
            collector.add("exposure.dose", stated, f"{_CUSTOM}Dose", "e⁻/Å²", "as DoseOnCamera shows")
        else:
            collector.scaled("exposure.dose", stated, _PER_SQUARE_METRE, f"{_CUSTOM}Dose", "e⁻/m²")


def is_eer(xml: XmlElement) -> bool:
    """Say whether the movie is written as EER."""
    settings = xml.find(f"{_INPUT}FractionationSettings")
    return settings is not None and "EerFractionation" in " ".join(settings.attributes().values())


def _frames(collector: Collector, xml: XmlElement) -> bool:
    """Read how many frames the movie should have; say whether there should be a movie."""
    where = f"{_INPUT}FractionationSettings/NumberOffractions"
    fractions = xml.count(where)
    if (fractions or is_eer(xml)) and "falcon" in (detector_place(xml) or "").lower():
        # Falcon cameras are read whole; the movie's pixels are the camera's.
        _readout(collector, xml, xml.count(f"{_CAMERA}Binning/x") or 1)
    if fractions:
        collector.add("exposure.frames", fractions, where)
        return True
    if is_eer(xml):
        rate = f"{_CUSTOM}Detectors[{detector_place(xml)}].FrameRate"
        per_second, seconds = xml.positive(rate), xml.positive(f"{_CAMERA}ExposureTime")
        if per_second and seconds:
            how = f"× {seconds:g} s"
            collector.add("exposure.frames", max(1, round(per_second * seconds)), rate, "1/s", how)
        return True
    return False


def _readout(collector: Collector, xml: XmlElement, factor: int) -> None:
    for side in ("width", "height"):
        where = f"{_CAMERA}ReadoutArea/{side}"
        collector.scaled(f"exposure.{side}", xml.count(where), factor, where, "px")


def _image_itself(collector: Collector, xml: XmlElement) -> None:
    """Where no movie was recorded, the image that is described is what was recorded."""
    where = "SpatialScale/pixelSize/x/numericValue"
    collector.scaled("exposure.pixel_size", xml.positive(where), METRE, where, "m")
    tiles = xml.count(f"{_CUSTOM}NumberOfTilesAcquired")
    if tiles is None:  # an atlas is put together from tiles: its size is not that of the readout
        _readout(collector, xml, 1)


def _place(collector: Collector, xml: XmlElement, path: Path, *, is_movie: bool) -> Part:
    """Read from names and folders where on the grid it is; return what the image is for."""
    name = NAME.search(path.name)
    square = next((match[1] for part in path.parts if (match := SQUARE.match(part))), None)
    collector.add("exposure.grid_square", square, "GridSquare_N")
    if name is not None:
        collector.add("exposure.foil_hole", name["hole"] or name["only"], "FoilHole_N")
        collector.add("exposure.area", name["area"], "Data_N")
    part: Part = "screening"
    if (name is not None and name["data"]) or (name is None and is_movie):
        part = "collection"
    elif (name is not None and name["atlas"]) or xml.text(f"{_CUSTOM}NumberOfTilesPlanned"):
        part = "atlas"
    collector.add("acquisition.intent", part, "name of the file")
    if part == "collection":
        where = f"{_DATA}core/ApplicationSoftware"
        of_tomography = "tomo" in (xml.text(where) or "").lower()
        technique, key = ("tomography", where) if of_tomography else ("single particle", "name of the file")
        collector.add("acquisition.technique", technique, key)
    return part
