"""What Thermo Fisher's Tomography 5 says of a session: its `Session.dm`, search maps and list of positions.

Its `.mdoc` files are read as SerialEM's, and the XML beside its images as EPU's. Element names are those
that the field's programs rely on; what else stands in these files is not known well enough to be read.
"""

import re
from pathlib import Path

from eucentric.formats.epu_xml import read_batch_positions
from eucentric.formats.xml_documents import XmlElement
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.naming import file_name

POSITIONS = "BatchPositionsList"
"""Outermost element of the list of positions."""

_SAMPLE = re.compile(r"(?:^|[\\/])Sample(\d+)[\\/]", re.ASCII)


def tomography_session(kind: str, collector: Collector, xml: XmlElement) -> Findings:
    """Return what `Session.dm` says: of which grid the series are, by the folder of the atlas."""
    collector.add("acquisition.microscope_software", "Tomography", "TomographySession")
    collector.add("acquisition.session", xml.text("Name"), "Name")
    if atlas := _SAMPLE.search(xml.text("AtlasId") or ""):
        collector.add("grid.slot", int(atlas[1]), "AtlasId", "", "SampleN in its path")
    shared = collector.taken()
    collector.add("acquisition.technique", "tomography", "TomographySession")
    by_intent = {"collection": collector.taken()}
    return Findings(kind, shared, by_intent=by_intent, refused=tuple(collector.refused))


def search_map(kind: str, collector: Collector, xml: XmlElement) -> Findings:
    """Return what `SearchMap.dm` says, a map that is put together from tiles: presets for screening."""
    where = "AcquisitionSettings/camera/ExposureTime"
    collector.scaled("acquisition.exposure_time", xml.positive(where), 1, where, "s")
    where = "AcquisitionSettings/camera/Name"
    collector.add("detector.location", xml.text(where), where)
    return Findings(kind, by_intent={"screening": collector.taken()}, refused=tuple(collector.refused))


def read_positions_file(path: Path, name: str) -> Findings:
    """Read the list of positions at which tilt series are, or are to be, recorded.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: As `read_batch_positions`.
    """
    xml = read_batch_positions(path)
    collector = Collector("session", name)
    positions = list(xml.children("BatchPositions"))
    beside = sum(1 for each in positions for _ in each.children("AdditionalExposureTemplateAreas"))
    how = "positions" + (f", and {beside} beside them by beam shift" if beside else "")
    collector.add("acquisition.targets", len(positions) + beside, "BatchPositionParameters", "", how)
    if beside:
        collector.add("acquisition.image_shift_used", True, "AdditionalExposureTemplateAreas", "", how)
    collector.add("acquisition.technique", "tomography", file_name(path.name))
    return Findings(
        "Tomography positions",
        by_intent={"collection": collector.taken()},
        refused=tuple(collector.refused),
    )
