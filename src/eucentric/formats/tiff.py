"""TIFF and BigTIFF movies and images, read page by page in MRC row order.

The first row of a TIFF page is the top of the picture, the first row of an MRC image the bottom. This
module turns every page upside down, and `tiff_writing` does so again on writing; nothing else in
Eucentric flips anything. See `docs/explanation/row-order.md`.
"""

import math
import os
import sys
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import Frame, FrameReader
from eucentric.formats.image_info import ImageInfo, believable_pixel_size, check_shape
from eucentric.formats.lengths import angstroms
from eucentric.formats.lzw import LZWDecoder
from eucentric.formats.ome_xml import is_ome, with_ome
from eucentric.formats.tiff_structure import page_offsets
from eucentric.formats.tiff_vendor import vendor_tags

COMPRESSIONS = {
    1: "none", 5: "LZW", 8: "deflate", 32946: "deflate", 32773: "PackBits", 34926: "zstd", 50000: "zstd",
}  # fmt: skip
"""Compressions that are read, all of them lossless, by their TIFF number."""

_LZW = 5
_NATIVE = "<" if sys.byteorder == "little" else ">"
_CENTIMETRE, _INCH = 1e8, 2.54e8  # in Å
_GREY = (0, 1)
_DM_TAGS = ((65003, 65009), (65004, 65010))
"""Unit and scale along x and y, as DigitalMicrograph writes them."""

_MAX_DESCRIPTION = 4000
_COPY_AGAIN = "copy the file again from its source"

# Eight-bit pages of half the width of a known camera hold two pixels per byte; SerialEM writes them so and
# nothing in the file says it. Sizes of K2 and K3 images, counted and in super-resolution, by IMOD's rule.
_CAMERAS = ((7676, 7420), (11520, 8184), (3838, 3710), (5760, 4092))
_PACKED_SIZES = {(h, w // 2) for a, b in _CAMERAS for h, w in ((a, b), (b, a))} - {
    (h, w) for a, b in _CAMERAS for h, w in ((a, b), (b, a))
}


def read_tiff_info(path: Path) -> ImageInfo:
    """Return what the pages of a TIFF file say; see `read_info`."""
    with _Tiff(path) as tiff:
        return tiff.info


def open_tiff(path: Path, threads: int | None, *, transforms: bool = False) -> FrameReader:
    """Open a TIFF file for reading frames; see `open_frames`."""
    tiff = _Tiff(path, transforms)
    return FrameReader(tiff.info, tiff.decode, tiff.close, threads)


class _Tiff:
    """An open TIFF file whose pages have been checked to be frames of one movie."""

    def __init__(self, path: Path, transforms: bool = False) -> None:
        self.path = path
        self._kinds = "iufc" if transforms else "iuf"
        self._file = path.open("rb")
        try:
            size = os.fstat(self._file.fileno()).st_size
            offsets = page_offsets(path, self._file, size)
            self._pages, self.info = self._read_pages(offsets, size)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "_Tiff":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_pages(self, offsets: list[int], size: int) -> tuple[list[tifffile.TiffPage], ImageInfo]:
        pages: list[tifffile.TiffPage] = []
        number = 1
        try:
            self._file.seek(0)
            tiff = tifffile.TiffFile(self._file)
            for number, offset in enumerate(offsets, start=1):
                tiff.filehandle.seek(offset)
                page = tifffile.TiffPage(tiff, index=number - 1)
                _check_page(self.path, page, number, size, self._kinds)
                if pages:
                    _check_alike(self.path, pages[0], page, number)
                pages.append(page)
            _check_hidden_frames(self.path, pages)
            return pages, _info(self.path, pages)
        except FormatError:
            raise
        except Exception as error:  # whatever a library may stumble over in a damaged header
            what = f"the directory of frame {number} of {len(offsets)} is damaged ({error})"
            raise FormatError(self.path, what, _COPY_AGAIN) from error

    def decode(self, index: int) -> Frame:
        """Return frame `index` [y, x], bottom row first. Several threads may call at once."""
        page, info = self._pages[index], self.info
        frame = np.empty((info.height, info.width), info.dtype)
        picture = frame[::-1]  # the rows as TIFF has them, top row first
        lzw = _LZWPage(page) if int(page.compression) == _LZW else None
        try:
            for segment in range(len(page.dataoffsets)):
                data = os.pread(self._file.fileno(), page.databytecounts[segment], page.dataoffsets[segment])
                if lzw is None:
                    _place(page.decode(data, segment), picture)
                else:
                    lzw.decode(data, segment, picture)
        except Exception as error:  # every compression has errors of its own
            what = f"frame {index + 1} of {info.frames} cannot be decoded ({error})"
            raise FormatError(self.path, what, _COPY_AGAIN) from error
        return frame


class _LZWPage:
    """Decodes the strips or tiles of one page: the usual library is slow, and some damaged streams crash it.

    Args:
        page: A page of one sample, compressed by LZW.
    """

    def __init__(self, page: tifffile.TiffPage) -> None:
        assert page.dtype is not None  # such a page was refused
        self._page, self._dtype = page, page.dtype
        self._rows, self._columns = page.chunks[:2]
        self._decoder = LZWDecoder(self._rows * self._columns * self._dtype.itemsize)
        native = self._dtype.itemsize == 1 or page.parent.byteorder == _NATIVE
        self._plain = native and page.predictor == 1 and not page.is_tiled
        # To the library the page is not compressed: it does what is left, such as a predictor.
        self._rest = copy(page)
        self._rest.compression, self._rest.fillorder = tifffile.COMPRESSION.NONE, tifffile.FILLORDER.MSB2LSB

    def decode(self, data: bytes, segment: int, picture: Frame) -> None:
        """Decode a strip or tile into its place in the picture [y, x], top row first."""
        if self._page.fillorder == tifffile.FILLORDER.LSB2MSB:
            data = bytes(imagecodecs.bitorder_decode(data))
        top = segment // self._page.chunked[1] * self._rows
        rows = self._rows if self._page.is_tiled else min(self._rows, len(picture) - top)
        decoded = self._decoder.decode(data, rows * self._columns * self._dtype.itemsize)
        if decoded is None and rows < self._rows:  # some programs fill up the last strip
            decoded = self._decoder.decode(data, self._rows * self._columns * self._dtype.itemsize)
        if decoded is None:
            raise ValueError("its LZW codes are damaged, or older than TIFF 6.0")
        if self._plain:
            pixels = decoded.view(self._dtype).reshape(-1, self._columns)
            picture[top : top + rows] = pixels[:rows]
        else:
            _place(self._rest.decode(decoded.tobytes(), segment), picture)


def _place(segment: Any, picture: Frame) -> None:
    """Put what the library decoded of a strip or tile into the picture [y, x], top row first."""
    pixels, (_, _, y, x, _), (_, height, width, _) = segment
    assert pixels is not None  # only missing data give none, and these were refused
    height, width = min(height, picture.shape[0] - y), min(width, picture.shape[1] - x)
    picture[y : y + height, x : x + width] = pixels[0, :height, :width, 0]


def _info(path: Path, pages: list[tifffile.TiffPage]) -> ImageInfo:
    first = pages[0]
    assert first.dtype is not None  # such a page was refused
    info = ImageInfo(
        path=path,
        format="TIFF",
        frames=len(pages),
        height=first.imagelength,
        width=first.imagewidth,
        dtype=first.dtype,
        pixel_size=_pixel_size(first),
        extended=vendor_tags(path, first),
    )
    if is_ome(first.description):
        return with_ome(info, first.description)
    return info if first.is_shaped or first.is_imagej else replace(info, titles=_lines(first.description))


def _lines(description: str) -> tuple[str, ...]:
    """Return the lines of a description that people can have written."""
    lines = [line.strip() for line in description[:_MAX_DESCRIPTION].splitlines()]
    return tuple(line for line in lines if line)


def _check_page(path: Path, page: tifffile.TiffPage, number: int, size: int, kinds: str) -> None:
    """Refuse a page that is not a plain grey image whose every byte lies in the file."""
    where = f"frame {number}"
    compression = int(page.compression)
    if compression not in COMPRESSIONS:
        name = getattr(page.compression, "name", compression)
        raise FormatError(path, f"{where} is compressed by {name}", "save it as LZW, deflate or zstd TIFF")
    if page.samplesperpixel != 1 or int(page.photometric) not in _GREY:
        raise FormatError(path, f"{where} is a colour image", "save it in grey levels")
    check_shape(path, 1, page.imagelength, page.imagewidth, (page.bitspersample + 7) // 8)
    if page.dtype is None or page.dtype.kind not in kinds or page.bitspersample != page.dtype.itemsize * 8:
        what = f"{where} has pixels of {page.bitspersample} bits, which are not read"
        raise FormatError(path, what, "save it with 8, 16 or 32 bits per pixel")
    if page.bitspersample == 8 and (page.imagelength, page.imagewidth) in _PACKED_SIZES:
        what = f"{where} ({page.imagelength} × {page.imagewidth}, 8 bits) holds two 4-bit pixels per byte"
        raise FormatError(path, what, "unpack it to 8 bits first, e.g. with IMOD's clip unpack")
    orientation = page.tags.valueof(274, 1)
    if orientation != 1:
        what = f"{where} is stored in orientation {int(orientation)}, not with the top row first"
        raise FormatError(path, what, "save it with TIFF orientation 1 (top left)")
    if page.imagedepth != 1:
        raise FormatError(path, f"{where} is a volume of depth {page.imagedepth}", "save it as pages")
    _check_segments(path, page, where, size)


def _check_segments(path: Path, page: tifffile.TiffPage, where: str, size: int) -> None:
    offsets, counts = page.dataoffsets, page.databytecounts
    needed = int(np.prod(page.chunked, dtype=np.int64))
    if len(offsets) != needed or len(counts) != needed:
        what = f"{where} lists {len(offsets)} of {needed} strips or tiles"
        raise FormatError(path, what, _COPY_AGAIN)
    for offset, count in zip(offsets, counts, strict=True):
        if offset < 8 or count < 1 or offset + count > size:
            what = f"it is cut short or damaged: data of {where} lie outside the file"
            raise FormatError(path, what, f"wait until it is written, or {_COPY_AGAIN}")


def _check_alike(path: Path, first: tifffile.TiffPage, page: tifffile.TiffPage, number: int) -> None:
    if (page.shape, page.dtype) != (first.shape, first.dtype):
        what = f"frame {number} is {page.shape} {page.dtype}, the first one {first.shape} {first.dtype}"
        raise FormatError(path, what, "save images of different kinds in separate files")


def _check_hidden_frames(path: Path, pages: list[tifffile.TiffPage]) -> None:
    """Refuse files that keep many frames behind one page, as ImageJ does beyond 4 GB."""
    if not pages[0].is_imagej:
        return
    metadata: dict[str, Any] = tifffile.tifffile.imagej_description_metadata(pages[0].description)
    images = metadata.get("images", 1)
    if isinstance(images, int) and images > len(pages):
        what = f"ImageJ stored {images} images in it but only {len(pages)} as pages of the TIFF format"
        raise FormatError(path, what, "save it again as BigTIFF or MRC")


def _dm_pixel_size(page: tifffile.TiffPage) -> float | None:
    """Return Å/px where DigitalMicrograph exported the image: it writes scales and units of its own."""
    sizes = []
    for unit_tag, scale_tag in _DM_TAGS:
        unit, scale = page.tags.valueof(unit_tag), page.tags.valueof(scale_tag)
        factor = angstroms(unit.strip("\0")) if isinstance(unit, str) else None
        if factor is None or not isinstance(scale, float) or not math.isfinite(scale):
            return None
        sizes.append(scale * factor)
    return believable_pixel_size(sizes[0]) if math.isclose(*sizes, rel_tol=1e-3) else None


def _pixel_size(page: tifffile.TiffPage) -> float | None:
    """Return Å/px from DigitalMicrograph's tags, or those of the resolution; 72 dpi is no such size."""
    if (stated := _dm_pixel_size(page)) is not None:
        return stated
    unit = {2: _INCH, 3: _CENTIMETRE}.get(int(page.resolutionunit))
    resolution = page.get_resolution()
    if unit is None or resolution[0] <= 0 or resolution[0] != resolution[1]:
        return None
    return believable_pixel_size(unit / resolution[0])
