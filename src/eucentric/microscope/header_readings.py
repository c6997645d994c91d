"""What the headers of movies and images say in our vocabulary: MRC, TIFF, EER, DM.

Size, number of frames and type of the file are certain. What programs write besides, such as pixel sizes,
is often that of something else; companions count more (see the table of terms).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eucentric.formats import ImageInfo, read_info
from eucentric.formats.mrc_header import HEADER_BYTES, read_titles
from eucentric.formats.mrc_sections import read_sections
from eucentric.formats.scaled_image import ScaledImage
from eucentric.formats.tiff_vendor import DM_TAGS
from eucentric.formats.xml_documents import number_of
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.dm_readings import of_tags
from eucentric.microscope.epu_readings import ILLUMINATIONS
from eucentric.microscope.mdoc_readings import TILTED
from eucentric.microscope.mdoc_titles import read_header_titles
from eucentric.microscope.naming import exposure_name

# Term, key of `ImageInfo.extended`, unit there. Values are in our units already; see `formats.fei_header`.
_EXTENDED = (
    ("instrument.acceleration_voltage", "voltage", "kV"),
    ("instrument.spot_size", "spot_size", ""),
    ("instrument.serial_number", "microscope", ""),
    ("instrument.model", "model", ""),
    ("instrument.manufacturer", "manufacturer", ""),
    ("instrument.electron_source", "source", ""),
    ("detector.physical_pixel_size", "physical_pixel_size", "µm"),
    ("acquisition.microscope_software", "application", ""),
    ("acquisition.microscope_software_version", "application_version", ""),
    ("instrument.beam_diameter", "beam_diameter", "Å"),
    ("instrument.beam_convergence", "convergence", "mrad"),
    ("instrument.probe_mode", "probe", ""),
    ("acquisition.nominal_magnification", "magnification", ""),
    ("acquisition.tilt_axis_angle", "tilt_axis", "°"),
    ("detector.serial_number", "serial_number", ""),
    ("detector.location", "camera", ""),
    ("energy_filter.used", "slit_inserted", ""),
    ("exposure.date_time", "recorded", ""),
    ("exposure.dose", "dose", "e⁻/Å²"),
    ("exposure.dose_rate", "dose_rate", "e⁻/px/s"),
    ("exposure.exposure_time", "exposure_time", "s"),
    ("exposure.dwell_time", "dwell_time", "s"),
    ("exposure.nominal_defocus", "target_defocus", "Å"),
    ("exposure.lens_defocus", "lens_defocus", "Å"),
    ("exposure.stage_x", "stage_x", "Å"),
    ("exposure.stage_y", "stage_y", "Å"),
    ("exposure.stage_z", "stage_z", "Å"),
    ("exposure.tilt_angle", "tilt", "°"),
    ("exposure.stage_beta", "stage_beta", "°"),
)
_POSITIVE = {
    "voltage",
    "magnification",
    "dose",
    "exposure_time",
    "beam_diameter",
    "convergence",
    "dwell_time",
}
"""Keys of which 0 means that it is not known."""


def read_header(path: Path, name: str) -> Findings:
    """Read the headers of an image file.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: As `read_info`.
    """
    info = read_info(path)
    collector = Collector("header", name)
    if info.format == "MRC":
        with path.open("rb") as file:
            read_header_titles(collector, path, read_titles(file.read(HEADER_BYTES)))
        sections = read_sections(path) if info.frames > 1 else []
        if _are_tilts(sections):
            return _of_tilt_series(collector, info, sections)
    of_info(collector, info)
    if (exported := info.extended.get(DM_TAGS)) is not None:
        of_tags(collector, ScaledImage((), exported))
    kind = f"{info.format} {'movie' if info.frames > 1 else 'image'}"
    exposures = {exposure_name(path.name): collector.taken()}
    return Findings(kind, exposures=exposures, refused=tuple(collector.refused))


def _are_tilts(sections: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether sections are images of a tilt series, rather than frames of a movie."""
    angles = [each["tilt"] for each in sections if "tilt" in each]
    return len(angles) > 1 and max(angles) - min(angles) > TILTED


def _of_tilt_series(collector: Collector, info: ImageInfo, sections: Sequence[Mapping[str, Any]]) -> Findings:
    """Return an exposure for every section, called as an .mdoc beside the stack calls it."""
    stack = exposure_name(info.path.name)
    collector.add("acquisition.technique", "tomography", "tilt", "", "of several angles")
    collector.add("acquisition.intent", "collection", "tilt", "", "a tilt series")
    collector.add("exposure.tilt_series", stack, "name of the file")
    collector.add("tilt_series.path", str(info.path), "path")
    shared = collector.taken()
    exposures = {}
    for number, said in enumerate(sections):
        collector.add("exposure.section", number, "section")
        of_info(collector, replace(info, frames=1, extended=dict(said)))
        exposures[f"{stack}[{number}]"] = collector.taken()
    refused = tuple(dict.fromkeys(collector.refused))
    return Findings("MRC tilt series", shared, exposures, stack=stack, refused=refused)


def of_info(collector: Collector, info: ImageInfo) -> None:
    """Take in what the headers of an image file say."""
    collector.add("exposure.path", str(info.path), "path")
    collector.add("exposure.width", info.width, f"{info.format} columns")
    collector.add("exposure.height", info.height, f"{info.format} rows")
    if info.frames > 1 or info.format == "EER":
        collector.add("exposure.frames", info.frames, f"{info.format} frames")
    collector.add("exposure.pixel_size", info.pixel_size, f"{info.format} pixel size", "Å")
    said = info.extended
    for term, key, unit in _EXTENDED:
        value: Any = said.get(key)
        if value is not None and not (key in _POSITIVE and value <= 0):
            collector.add(term, value, key, unit)
    detector = next((key for key in ("detector", "camera", "stem_detector") if said.get(key)), "")
    collector.add("detector.name", said.get(detector), detector)
    if said.get("slit_inserted"):
        collector.add("energy_filter.width_energy_filter", said.get("slit_width"), "slit_width", "eV")
        collector.add("energy_filter.energy_loss", said.get("energy_shift"), "energy_shift", "eV")
    _of_column(collector, said)
    if (counted := said.get("electron_counting")) is not None:
        collector.add("detector.mode", "counting" if counted else "integrating", "electron_counting")
    if (plate := said.get("phase_plate")) is not None:
        collector.add("instrument.phase_plate", "phase plate" if plate else "none", "phase_plate")


def _of_column(collector: Collector, said: Mapping[str, Any]) -> None:
    """How the column was operated, as an FEI header says it."""
    mode = said.get("mode")
    if mode == "TEM" and said.get("eftem"):
        collector.add("instrument.operating_mode", "EFTEM", "eftem")
    else:
        collector.add("instrument.operating_mode", mode, "mode")
    diffracting = said.get("projection") == "diffraction"
    if mode == "TEM" and diffracting:
        collector.add("instrument.imaging", "diffraction", "projection")
    if mode == "STEM" or diffracting:
        collector.add("instrument.camera_length", said.get("camera_length") or None, "camera_length", "mm")
    collector.named("instrument.illumination", said.get("illumination"), ILLUMINATIONS, "illumination")
    aperture = number_of(said.get("objective_aperture"))
    collector.add("instrument.objective_aperture", aperture or None, "objective_aperture", "µm")
    if not said.get("exposure_time"):
        collector.add("exposure.exposure_time", said.get("frame_time") or None, "frame_time", "s")
