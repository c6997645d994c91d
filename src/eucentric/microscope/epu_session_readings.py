"""What `.dm` files of a whole session say: EpuSession, Atlas, ScreeningSession, Sample, GridSquare; of
Tomography 5.

They name the grid and its slot, hold the presets for every kind of image and the list of defoci, and say
which exposure belongs to which hole in which square, wherever movies and XML lie. EPU counts slots from 0;
people, and its folders `SampleN`, from 1.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from eucentric.formats.epu_xml import read_epu_session
from eucentric.formats.xml_documents import XmlElement
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.epu_readings import METRE, NAME
from eucentric.microscope.naming import exposure_name
from eucentric.microscope.tomography_readings import search_map, tomography_session

_VERSION = re.compile(r"Applications\.Epu\.Persistence, Version=([\d.]+)")
_PRESETS = {"Acquisition": "collection", "Atlas": "atlas"}
"""Which of EPU's presets are those of what intent."""

_SAMPLE = "Samples/_items/SampleXml"
_AREAS = f"{_SAMPLE}/TargetAreaTemplate/DataAcquisitionAreas/m_serializationArray"


def read_epu_dm(path: Path, name: str) -> Findings:
    """Read a `.dm` file of a session.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: As `read_epu_session`.
    """
    xml = read_epu_session(path)
    collector = Collector("session", name)
    kind, reader = _READERS[xml.name]
    return reader(kind, collector, xml)


def _session(kind: str, collector: Collector, xml: XmlElement) -> Findings:
    collector.add("acquisition.session", xml.text("Name"), "Name")
    collector.add("acquisition.microscope_software", "EPU", "EpuSessionXml")
    if version := _VERSION.search(xml.attributes().get("Assembly", "")):
        collector.add("acquisition.microscope_software_version", version[1], "EpuSessionXml@Assembly")
    collector.add("grid.name", xml.text("AutoloaderDescription"), "AutoloaderDescription")
    _slot(collector, xml, "AutoloaderSlot")
    collector.add("grid.geometry", xml.text(f"{_SAMPLE}/GridType"), f"{_SAMPLE}/GridType")
    shared = collector.taken()
    clustering = xml.text("ClusteringMode") or ""
    if clustering:
        shifted = "ImageBeamShift" in clustering
        collector.add("acquisition.image_shift_used", shifted, "ClusteringMode", "", clustering)
    output = (xml.text("DoseFractionsOutputFormat") or "").lower()
    if "normalized" in output:
        corrected = not re.search(r"\b(non|un|not)\b[- ]?(gain )?[- ]?normali|non-gain", output)
        collector.add("detector.gain_corrected", corrected, "DoseFractionsOutputFormat", "", output)
    collector.add("acquisition.date_time", xml.time(f"{_SAMPLE}/StartDateTime"), f"{_SAMPLE}/StartDateTime")
    _defoci(collector, xml)
    by_intent = {"collection": collector.taken()}
    for preset, intent in _PRESETS.items():
        where = f"{_SAMPLE}/MicroscopeSettings/KeyValuePairs/{preset}"
        if (settings := xml.find(where)) is not None:
            _preset(collector, settings, "Acquisition/camera/", "Optics/", f"{preset}/")
            by_intent[intent] = (*by_intent.get(intent, ()), *collector.taken())
    return Findings(kind, shared, by_intent=by_intent, refused=tuple(collector.refused))


def _slot(collector: Collector, xml: XmlElement, where: str) -> None:
    slot = xml.number(where)
    if slot is not None and 0 <= slot < 1000:
        collector.add("grid.slot", int(slot) + 1, where, "", "+ 1")


def _defoci(collector: Collector, xml: XmlElement) -> None:
    """Read the list of intended defoci, of all areas around a hole."""
    found = [
        -value * METRE
        for area in xml.children(_AREAS)
        for each in area.children("value/ImageAcquisitionSettingXml/Defocus")
        if (value := each.number()) is not None
    ]
    if found:
        where, how = "ImageAcquisitionSettingXml/Defocus", f"of {len(found)}, × {-METRE:g}"
        collector.add("acquisition.nominal_defocus_minimal", min(found), where, "m", f"smallest {how}")
        collector.add("acquisition.nominal_defocus_maximal", max(found), where, "m", f"largest {how}")


def _preset(collector: Collector, xml: XmlElement, camera: str, optics: str, head: str) -> None:
    """Read a preset. Its magnification is only a number in a list, so it is left out."""
    for term, where, unit in (
        ("acquisition.exposure_time", f"{camera}ExposureTime", "s"),
        ("instrument.c2_aperture", f"{optics}Apertures/C2Aperture/Diameter", "µm"),
        ("instrument.spot_size", f"{optics}SpotIndex", ""),
    ):
        collector.scaled(term, xml.positive(where), 1, head + where, unit)
    fractions = f"{camera}CameraSpecificInput/KeyValuePairs/FractionationSettings/NumberOffractions"
    collector.add("acquisition.frames_per_movie", xml.count(fractions), head + fractions)
    collector.add("detector.location", xml.text(f"{camera}Name"), f"{head}{camera}Name")
    slit = f"{optics}EnergyFilter/EnergySelectionSlit"
    inserted = xml.flag(f"{slit}Inserted")
    collector.add("energy_filter.used", inserted, f"{head}{slit}Inserted")
    if inserted:
        width = f"{slit}Width"
        collector.scaled("energy_filter.width_energy_filter", xml.positive(width), 1, head + width, "eV")


def _screening(kind: str, collector: Collector, xml: XmlElement) -> Findings:
    collector.add("acquisition.session", xml.text("Name"), "Name")
    where = "AtlasSession/StartDateTime"
    collector.add("acquisition.date_time", xml.time(where), where)
    return Findings(kind, by_intent={"atlas": collector.taken()}, refused=tuple(collector.refused))


def _sample(kind: str, collector: Collector, xml: XmlElement) -> Findings:
    collector.add("grid.name", xml.text("Name"), "Name")
    _slot(collector, xml, "SlotId")
    return Findings(kind, collector.taken(), refused=tuple(collector.refused))


def _atlas(kind: str, collector: Collector, xml: XmlElement) -> Findings:
    when = "Atlas/AcquisitionDateTime"
    collector.add("acquisition.date_time", xml.time(when), when)
    _preset(collector, xml, "Atlas/AcquisitionSettings/camera/", "Atlas/OpticsSettings/", "")
    by_intent = {"atlas": collector.taken()}
    exposures = {}
    for tile in xml.named("TileXml"):
        if image := tile.text("TileImageReference/BaseFileName"):
            _stage(collector, tile, "StagePosition")
            exposures[exposure_name(image)] = collector.taken()
    return Findings(
        kind, exposures=exposures, by_intent=by_intent, refused=tuple(dict.fromkeys(collector.refused))
    )


def _stage(collector: Collector, xml: XmlElement, where: str) -> None:
    for axis in "XYZ":
        collector.scaled(
            f"exposure.stage_{axis.lower()}", xml.number(f"{where}/{axis}"), METRE, f"{where}/{axis}", "m"
        )


def _square(kind: str, collector: Collector, xml: XmlElement) -> Findings:
    square = xml.text("Id")
    exposures = {}
    for hole in _holes(xml):
        for acquired in hole.children("ParticleAcquisitions/KeyValuePairs"):
            image = acquired.text("value/Image/BaseFileName") or ""
            named = NAME.search(f"{image}.xml")
            if named is None:
                continue
            where = "TargetLocations/*/ParticleAcquisitions"
            collector.add("exposure.grid_square", square, "GridSquareXml/Id")
            collector.add("exposure.foil_hole", acquired.text("value/TargetLocationId"), where)
            collector.add("exposure.area", acquired.text("value/DataAcquisitionAreaId"), where)
            exposures[exposure_name(image)] = collector.taken()
    return Findings(kind, exposures=exposures, refused=tuple(dict.fromkeys(collector.refused)))


def _holes(xml: XmlElement) -> Iterator[XmlElement]:
    for place in ("TargetLocationsEfficient/m_serializationArray", "TargetLocations"):
        for pair in xml.children(f"TargetLocations/{place}"):
            if (value := pair.find("value")) is not None:
                yield value


_READERS: dict[str, tuple[str, Callable[[str, Collector, XmlElement], Findings]]] = {
    "EpuSessionXml": ("EPU session", _session),
    "ScreeningSessionXml": ("EPU screening session", _screening),
    "SampleXml": ("EPU sample", _sample),
    "AtlasSessionXml": ("EPU atlas", _atlas),
    "GridSquareXml": ("EPU grid square", _square),
    "TomographySession": ("Tomography session", tomography_session),
    "TileSetXml": ("Tomography search map", search_map),
}
