"""What makers of cameras and microscopes write into TIFF files besides the image: Gatan, TVIPS and JEOL.

TVIPS' EM-MENU writes a table into tag 37706, whose layout the `tifffile` library knows: volts, nanometres,
milliseconds. JEOL's SightX writes an XML document `TemReporter` as the description: volts, micrometres,
degrees. DigitalMicrograph writes all tags of an image, laid out as a DM4 file, into tag 65027. What makes no
sense is left out: an image is an image without it.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import tifffile

from eucentric.formats.dm_images import exported_tags
from eucentric.formats.nested import Nested
from eucentric.formats.xml_documents import XmlElement, parse_xml

logger = logging.getLogger(__name__)

_TVIPS_TAG = 37706
_DM_TAG = 65027
_MOST_DM = 2**24
DM_TAGS = "digital_micrograph"
_MOST_TEXT = 2**20
_MICROMETRE = 1e4  # in Å
_EOS = {"eostem": "TEM", "eosasid": "STEM"}
_FILAMENTS = {"filamentlab6": "LaB6", "filamentw": "tungsten hairpin"}


def vendor_tags(path: Path, page: tifffile.TiffPage) -> dict[str, Any]:
    """Return what a maker says in the tags of a page, in Eucentric's units.

    Args:
        path: The file, for messages.
        page: Its first page.

    Returns:
        A dictionary with those of these keys that are there: recorded (datetime), voltage (kV),
        magnification, exposure_time (s), camera, physical_pixel_size (µm), model, manufacturer, source, mode,
        stage_x, stage_y, stage_z (Å), tilt, stage_beta (°); digital_micrograph (the tree of its tags).
    """
    try:
        table = page.tags.valueof(_TVIPS_TAG)
        found = _tvips(table) if isinstance(table, dict) else {}
        exported = page.tags.valueof(_DM_TAG)
        if isinstance(exported, bytes) and len(exported) <= _MOST_DM:
            found[DM_TAGS] = exported_tags(path, exported)
        text = page.description
        if "<TemReporter" in text[:1000] and len(text) <= _MOST_TEXT:
            found = _jeol(
                parse_xml(text.rstrip("\0 \r\n"), path, "what SightX writes", kinds=("TemReporter",))
            )
    except Exception as error:  # whatever the library stumbles over in a damaged tag; or no whole XML
        logger.warning("What the maker wrote into %s cannot be read: %s", path, error)
        return {}
    return {key: value for key, value in found.items() if value not in (None, "")}


def _tvips(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table says that versions from 2 on have; that of version 1 is in other units."""
    said = Nested(table)
    if said.number("Version") != 2:
        return {}
    factors = {
        "voltage": ("TemHighTension", 1e-3),
        "magnification": ("TemMagnification", 1),
        "exposure_time": ("ExposureTime", 1e-3),
        "physical_pixel_size": ("PhysicalPixelSizeX", 1e-3),
    }
    found: dict[str, Any] = {"camera": said.text("CameraType")}
    for key, (name, factor) in factors.items():
        if (value := said.positive(name)) is not None:
            found[key] = value * factor
    return found


def _jeol(xml: XmlElement) -> dict[str, Any]:
    voltage = xml.positive("ElectronGun/AccelerationVoltage")
    magnifies = xml.text("ImageFormingSystem/SelectorUnitString") == "X"
    stage = "GonioStage/StagePosition/"
    positions = {f"stage_{axis}": xml.number(f"{stage}M{axis.upper()}") for axis in "xyz"}
    recorded: datetime | None = xml.time("DateTime")
    return {
        "recorded": recorded,
        "model": xml.text("Instruments"),
        "manufacturer": xml.text("Manufacturer"),
        "voltage": None if voltage is None else voltage / 1e3,
        "source": _FILAMENTS.get((xml.text("ElectronGun/FilamentType") or "").lower()),
        "mode": _EOS.get((xml.text("Eos/EosMode") or "").lower()),
        "magnification": xml.positive("ImageFormingSystem/SelectorValue") if magnifies else None,
        **{key: None if value is None else value * _MICROMETRE for key, value in positions.items()},
        "tilt": xml.number(f"{stage}TX"),
        "stage_beta": xml.number(f"{stage}TY"),
    }
