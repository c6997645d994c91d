"""What an EER file says about its acquisition: the items of an XML text in tag 65001 of the first page.

Item names are those of Thermo Fisher's description of the format and of files of its cameras; see
docs/reference/formats.md. What is missing or makes no sense is left out.
"""

import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from eucentric.formats.errors import FormatError
from eucentric.formats.image_info import believable_pixel_size

METADATA_TAG = 65001

_MAX_BYTES = 2**20
_METRE = 1e10  # in Å


def _positive(value: str) -> float | None:
    number = float(value)
    return number if math.isfinite(number) and number > 0 else None


def _count(value: str) -> int | None:
    number = int(value)
    return number if number > 0 else None


def _text(value: str) -> str | None:
    return value or None


# Name of the item, key here, conversion.
_ITEMS: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("timestamp", "recorded", datetime.fromisoformat),  # with a time zone where the file has one
    ("acquisitionID", "acquisition", _text),
    ("cameraName", "camera", _text),
    ("commercialName", "detector", _text),
    ("serialNumber", "serial_number", _text),
    ("exposureTime", "exposure_time", _positive),  # s
    ("meanDoseRate", "dose_rate", _positive),  # e⁻ per camera pixel and second
    ("totalDose", "electrons_per_pixel", _positive),  # e⁻ per camera pixel
    ("numberOfFrames", "stated_frames", _count),
)


def read_eer_metadata(path: Path, value: object) -> tuple[dict[str, Any], float | None]:
    """Read the value of tag 65001.

    Args:
        path: The file, for messages.
        value: The bytes of the tag, or None where there is none.

    Returns:
        A dictionary with those of these keys that the file has: recorded (datetime), acquisition, camera,
        detector, serial_number (text), exposure_time (s), dose_rate (e⁻ per camera pixel and second),
        electrons_per_pixel (e⁻ per camera pixel in the whole movie), stated_frames (how many frames there
        should be), dose (e⁻/Å², where the pixel size is known); and the pixel size of the camera's pixels
        on the specimen (Å/px) or None.

    Raises:
        FormatError: The text is too long, or no XML.
    """
    if not isinstance(value, bytes) or not value.strip(b"\0 \r\n\t"):
        return {}, None
    items = _items(path, value)
    found: dict[str, Any] = {}
    for name, key, convert in _ITEMS:
        try:
            converted = convert(items[name][0])
        except (KeyError, ValueError):
            continue
        if converted is not None:
            found[key] = converted
    pixel_size = _pixel_size(items)
    if pixel_size and "electrons_per_pixel" in found:
        found["dose"] = found["electrons_per_pixel"] / pixel_size**2
    return found, pixel_size


def _items(path: Path, value: bytes) -> dict[str, tuple[str, str]]:
    """Return text and unit of every item."""
    if len(value) > _MAX_BYTES:
        raise FormatError(path, f"its metadata are {len(value)} bytes long", "copy the file again")
    try:
        root = fromstring(value.rstrip(b"\0").decode("utf-8-sig"))
    except (ParseError, DefusedXmlException, UnicodeDecodeError) as error:
        what = f"its metadata (tag {METADATA_TAG}) are no usable XML ({error})"
        raise FormatError(path, what, "copy the file again from its source") from error
    return {
        item.get("name", ""): ((item.text or "").strip(), item.get("unit", "")) for item in root.iter("item")
    }


def _pixel_size(items: dict[str, tuple[str, str]]) -> float | None:
    text, unit = items.get("sensorPixelSize.width", ("", ""))
    if unit != "m":
        return None
    try:
        return believable_pixel_size(float(text) * _METRE)
    except ValueError:
        return None


def eer_metadata(items: dict[str, tuple[str, str | None]]) -> bytes:
    """Make the value of tag 65001 from texts and units by item name."""
    root = Element("metadata")
    for name, (text, unit) in items.items():
        item = SubElement(root, "item", {"name": name} if unit is None else {"name": name, "unit": unit})
        item.text = text
    made: bytes = tostring(root, encoding="utf-8")
    return made
