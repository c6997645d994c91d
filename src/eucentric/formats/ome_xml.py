"""The description of OME-TIFF files: size of the pixels and what the image is, in XML.

Schema: https://www.openmicroscopy.org/Schemas/Documentation/Generated/OME-2016-06/ome.html. Written with
tifffile's own means, read without entities and in bounded size.
"""

import math
from dataclasses import replace
from xml.etree.ElementTree import Element, ParseError

import tifffile
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from eucentric.formats.image_info import ImageInfo, Sides, believable_pixel_size, square_pixel_size
from eucentric.formats.lengths import angstroms

TYPES = {"i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "c8", "c16"}
"""Pixel types that OME knows."""

_MAX_BYTES = 2**24
_MICROMETRE = "µm"  # where no unit is given


def is_ome(description: str) -> bool:
    """Tell whether a TIFF page's description is OME-XML."""
    return description.rstrip().endswith("OME>") and "<OME" in description[:4000]


def with_ome(info: ImageInfo, description: str) -> ImageInfo:
    """Return what OME-XML adds to what the pages of a TIFF file say.

    What is too long, not whole, or defines entities is passed over: the pixels are no worse for it.
    """
    if len(description) > _MAX_BYTES:
        return info
    try:
        root = fromstring(description, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        return info
    image = _child(root, "Image")
    pixels = _child(image, "Pixels")
    if pixels is None:
        return info
    volume = info.frames > 1 and pixels.get("SizeZ") == str(info.frames)
    z, y, x = (_side(pixels, axis) for axis in "ZYX")
    sides: Sides = (z if volume else None, y, x)
    text = _child(image, "Description")
    titles = tuple(line for line in (text.text or "").splitlines() if line) if text is not None else ()
    if not any(sides):
        return replace(info, volume=volume, titles=titles)
    pixel_size = square_pixel_size(sides)
    return replace(info, volume=volume, voxel=sides, pixel_size=pixel_size, titles=titles)


def _child(parent: Element | None, name: str) -> Element | None:
    for child in parent if parent is not None else ():
        if isinstance(child.tag, str) and child.tag.rpartition("}")[2] == name:
            return child
    return None


def _side(pixels: Element, axis: str) -> float | None:
    unit = angstroms(pixels.get(f"PhysicalSize{axis}Unit", _MICROMETRE))
    try:
        size = float(pixels.get(f"PhysicalSize{axis}", "nan")) * (unit or math.nan)
    except ValueError:
        return None
    return believable_pixel_size(size)


def ome_xml(info: ImageInfo) -> str:
    """Return the description of the first page: a volume's sections are along Z, other frames along T.

    Raises:
        ValueError: OME has no such type of pixels.
    """
    if info.dtype.str[1:] not in TYPES:
        raise ValueError(f"OME-TIFF has no pixels of {info.dtype}")
    shape = (info.height, info.width) if info.frames == 1 else (info.frames, info.height, info.width)
    metadata: dict[str, object] = {"Name": info.path.stem}
    for axis, side in zip("ZYX", info.sides, strict=True):
        if side is not None:
            metadata |= {f"PhysicalSize{axis}": side, f"PhysicalSize{axis}Unit": "Å"}
    if info.titles:
        metadata["Description"] = "\n".join(info.titles)
    axes = "YX" if info.frames == 1 else "ZYX" if info.volume else "TYX"
    document = tifffile.OmeXml()
    document.addimage(
        info.dtype, shape, (info.frames, 1, 1, info.height, info.width, 1), axes=axes, **metadata
    )
    return document.tostring()
