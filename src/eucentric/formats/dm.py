"""Images of Gatan's DigitalMicrograph, DM3 and DM4: above all gain references of its cameras.

A DM file is a tree of named tags; the images are in the group ImageList, one of them a thumbnail. The layout
is not published by its maker; the facts are those that the field's readers agree on. Numbers of the tree are
big-endian, values as the header says.
Only one image, or a stack of images, is read; spectra are not. The first row of a DM image is the top.
"""

import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from eucentric.formats.dm_tags import ByteOrder, Reference, read_tags
from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import Frame, FrameReader
from eucentric.formats.image_info import ImageInfo, believable_pixel_size, check_shape
from eucentric.formats.lengths import angstroms

_KINDS = {1: "i2", 2: "f4", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8", 14: "u1"}
"""Pixel types by Gatan's number; others are complex or colours."""

_SPECTRA = ("spectrum", "eels", "edx", "eds")
_COPY_AGAIN = "copy the file again from its source"


def is_dm(start: bytes) -> bool:
    """Tell by the first 16 bytes whether a file is DM3 or DM4: a version and the order of bytes, 0 or 1.

    An MRC file of 50,331,648 or 67,108,864 columns would look so too; there is none.
    """
    if len(start) < 16:
        return False
    version, order = start[:4], start[12:16] if start[3:4] == b"\4" else start[8:12]
    return version in (b"\0\0\0\3", b"\0\0\0\4") and order in (b"\0\0\0\0", b"\0\0\0\1")


def read_dm_info(path: Path) -> ImageInfo:
    """Return what the tags of a DM file say of its image; see `read_info`."""
    with path.open("rb") as file:
        return _find_image(path, file)[0]


def open_dm(path: Path, threads: int | None) -> FrameReader:
    """Open a DM file for reading its image, or its stack of images; see `open_frames`."""
    file = path.open("rb")
    try:
        info, place, stored = _find_image(path, file)

        def decode(index: int) -> Frame:
            data = os.pread(file.fileno(), info.frame_bytes, place + index * info.frame_bytes)
            if len(data) != info.frame_bytes:
                raise FormatError(path, f"it ends within image {index + 1}", _COPY_AGAIN)
            pixels = np.frombuffer(data, stored).reshape(info.height, info.width)
            return np.ascontiguousarray(pixels[::-1], info.dtype)

        return FrameReader(info, decode, file.close, threads)
    except BaseException:
        file.close()
        raise


def _find_image(path: Path, file: BinaryIO) -> tuple[ImageInfo, int, np.dtype[Any]]:
    """Return what is said of the only image, the byte at which it begins, and its type on disk."""
    tags, order = read_tags(path, file)
    try:
        return _described(path, images_of(tags), order)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:  # a tag of another type
        raise FormatError(path, f"its tags are damaged ({error})", _COPY_AGAIN) from error


def _described(
    path: Path, images: list[dict[str, Any]], order: ByteOrder
) -> tuple[ImageInfo, int, np.dtype[Any]]:
    if len(images) != 1:
        what = f"it holds {len(images)} images or plots where a single one is needed"
        raise FormatError(path, what, "save the image alone")
    image = images[0]
    data = image["ImageData"]
    dimensions = data.get("Dimensions")
    sizes = [value for value in dimensions.values() if isinstance(value, int)] if dimensions else []
    _check_kind(path, image, sizes)
    width, height, *frames = sizes
    kind, place = _KINDS.get(data.get("DataType", 0)), data.get("Data")
    if kind is None or not isinstance(place, Reference):
        what = f"its pixels are of Gatan's type {data.get('DataType')}, which is not read"
        raise FormatError(path, what, "save it as real numbers")
    dtype = np.dtype(kind)
    count = frames[0] if frames else 1
    check_shape(path, count, height, width, dtype.itemsize)
    if place.bytes != count * height * width * dtype.itemsize:
        what = f"its image of {count} × {height} × {width} pixels has {place.bytes} bytes"
        raise FormatError(path, what, _COPY_AGAIN)
    info = ImageInfo(
        path=path,
        format="DM",
        frames=count,
        height=height,
        width=width,
        dtype=dtype,
        pixel_size=_pixel_size(data),
    )
    return info, place.offset, dtype.newbyteorder(order)


def images_of(tags: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the images of a file that are no thumbnails."""
    listed = _groups(tags.get("ImageList"))
    thumbnails = {thumbnail.get("ImageIndex") for thumbnail in _groups(tags.get("Thumbnails"))}
    return [
        image
        for index, image in enumerate(listed)
        if index not in thumbnails and isinstance(image.get("ImageData"), dict)
    ]


def _groups(value: Any) -> list[dict[str, Any]]:
    members = value.values() if isinstance(value, dict) else []
    return [member for member in members if isinstance(member, dict)]


def _axes(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the calibrations of x, y and so on."""
    calibrations = data.get("Calibrations")
    return _groups(calibrations.get("Dimension")) if isinstance(calibrations, dict) else []


def _text(value: Any) -> str:
    return value.text if isinstance(value, Reference) else str(value or "")


def _check_kind(path: Path, image: dict[str, Any], sizes: list[int]) -> None:
    """Refuse what is no image or stack of images."""
    said = image.get("ImageTags", {})
    said = said.get("Meta Data", {}) if isinstance(said, dict) else {}
    texts = [_text(said.get(key)) for key in ("Format", "Signal")] if isinstance(said, dict) else []
    units = [_text(axis.get("Units")) for axis in _axes(image["ImageData"])]
    if any(word in text.lower() for word in _SPECTRA for text in texts) or "eV" in units:
        raise FormatError(path, "it holds spectra, not images", "give a file with an image")
    if len(sizes) not in (2, 3):
        what = f"it has {len(sizes)} dimensions, which make no image and no stack of images"
        raise FormatError(path, what, "give a file with an image")


def _pixel_size(data: dict[str, Any]) -> float | None:
    """Return Å per pixel along x, where it is the same along y and in a unit of length."""
    sizes = [
        float(axis.get("Scale", 0)) * (angstroms(_text(axis.get("Units"))) or math.nan)
        for axis in _axes(data)[:2]
    ]
    if len(sizes) != 2 or not math.isclose(*sizes, rel_tol=1e-3):
        return None
    return believable_pixel_size(sizes[0])
