"""EER movies: every electron that the camera counted, in hundreds of frames a second.

An EER file is a TIFF file (BigTIFF) with a page per frame of the camera, compressed by one of three schemes
of its own (`eer_codes`), and a description of the acquisition in XML. It is read in fractions: consecutive
frames added up, in the camera's pixels or in pixels half as wide.

The first row of a frame is taken for the bottom of the picture, as RELION does (and unlike TIFF); see
docs/explanation/row-order.md.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from eucentric.formats.eer_codes import CODES, SPARE_BYTES, EERCodes, add_electrons
from eucentric.formats.eer_metadata import METADATA_TAG, read_eer_metadata
from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import Frame, FrameReader
from eucentric.formats.image_info import ImageInfo, check_shape
from eucentric.formats.tiff_structure import page_offsets, read_tags

DEFAULT_FRACTIONS = 40
"""Fractions of a movie where nothing else is asked for: about 1 e⁻/Å² each in a usual movie."""

_TOGETHER = 32
"""Frames that are decoded together: enough to gain by it, and few enough to be kept in memory."""

_WIDTH, _HEIGHT, _COMPRESSION, _OFFSETS, _BYTES = 256, 257, 259, 273, 279
_CODE_TAGS = (65007, 65008, 65009)
_TAGS = (_WIDTH, _HEIGHT, _COMPRESSION, _OFFSETS, _BYTES, METADATA_TAG, *_CODE_TAGS)
_COPY_AGAIN = "wait until it is written, or copy the file again from its source"

_Tags = dict[int, tuple[int, ...] | bytes]


@dataclass(frozen=True)
class EERRendering:
    """How an EER movie is made into frames.

    Attributes:
        upsampling: 1 for the camera's pixels (4096 × 4096), 2 for pixels half as wide (8192 × 8192).
        fractions: Number of frames to make. The camera's n frames are divided at round(k n / fractions),
            k = 0 ... fractions, so that none is left out and the doses differ by one frame's at most.
    """

    upsampling: Literal[1, 2] = 1
    fractions: int = DEFAULT_FRACTIONS

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered."""
        if self.upsampling not in (1, 2):
            raise ValueError(f"EER is read with an upsampling of 1 or 2, not {self.upsampling}.")
        if self.fractions < 1:
            raise ValueError(f"An EER movie cannot be read in {self.fractions} fractions; give 1 or more.")

    def boundaries(self, frames: int) -> list[int]:
        """Return the first camera frame of every fraction, and after them the number of frames."""
        edges = np.linspace(0, frames, self.fractions + 1)
        return [round(float(edge)) for edge in edges]


def is_eer(path: Path, file: BinaryIO) -> bool:
    """Tell whether a TIFF file is an EER movie: by its first page, or the second after a picture."""
    size = os.fstat(file.fileno()).st_size
    offsets = page_offsets(path, file, size, at_most=2)
    return any(
        _compression(read_tags(path, file, size, offset, (_COMPRESSION,))) in CODES for offset in offsets
    )


def read_eer_info(path: Path) -> ImageInfo:
    """Return what an EER file says, in frames and pixels of the camera; see `read_info`."""
    with path.open("rb") as file:
        return _read_pages(path, file).info


def open_eer(path: Path, threads: int | None, rendering: EERRendering | None) -> FrameReader:
    """Open an EER file for reading in fractions; see `open_frames`."""
    file = path.open("rb")
    try:
        pages = _read_pages(path, file)
        frames = pages.info.frames
        rendering = rendering or EERRendering(fractions=min(DEFAULT_FRACTIONS, frames))
        if rendering.fractions > frames:
            what = f"it has {frames} frames, fewer than the {rendering.fractions} fractions asked for"
            raise FormatError(path, what, "ask for as many fractions as frames, or fewer")
        fractions = _Fractions(file, pages, rendering)
        return FrameReader(fractions.info, fractions.decode, file.close, threads)
    except BaseException:
        file.close()
        raise


@dataclass(frozen=True)
class _Pages:
    """Where the codes of every frame lie: pairs of offset and length in bytes; and how they are made."""

    info: ImageInfo
    codes: EERCodes
    strips: list[list[tuple[int, int]]] = field(repr=False)


class _Fractions:
    """An open EER file, rendered."""

    def __init__(self, file: BinaryIO, pages: _Pages, rendering: EERRendering) -> None:
        self._file = file
        self._pages = pages
        self._upsampling = rendering.upsampling
        self._boundaries = rendering.boundaries(pages.info.frames)
        # A camera pixel has one electron at most in a frame, so a fraction cannot overflow this type.
        most = max(np.diff(self._boundaries))
        pixel_size = pages.info.pixel_size
        self.info = replace(
            pages.info,
            frames=rendering.fractions,
            height=pages.info.height * rendering.upsampling,
            width=pages.info.width * rendering.upsampling,
            dtype=np.dtype(np.uint8 if most <= np.iinfo(np.uint8).max else np.uint16),
            pixel_size=pixel_size and pixel_size / rendering.upsampling,
        )

    def decode(self, index: int) -> Frame:
        """Return fraction `index` [y, x]. Several threads may call at once."""
        image = np.zeros((self.info.height, self.info.width), self.info.dtype)
        start, stop = self._boundaries[index : index + 2]
        for first in range(start, stop, _TOGETHER):
            frames = range(first, min(first + _TOGETHER, stop))
            data = [self._codes(frame) for frame in frames]
            counts = add_electrons(data, image, self._pages.codes, self._upsampling)
            for frame, electrons in zip(frames, counts, strict=True):
                if electrons < 0:
                    what = f"frame {frame + 1} of {self._pages.info.frames} is damaged"
                    raise FormatError(self._pages.info.path, what, "copy the file again from its source")
        return image

    def _codes(self, frame: int) -> bytes:
        strips = self._pages.strips[frame]
        parts = [os.pread(self._file.fileno(), length, offset) for offset, length in strips]
        return b"".join([*parts, bytes(SPARE_BYTES)])


def _read_pages(path: Path, file: BinaryIO) -> _Pages:
    size = os.fstat(file.fileno()).st_size
    pages = [read_tags(path, file, size, offset, _TAGS) for offset in page_offsets(path, file, size)]
    first_page = pages[0]
    if _compression(first_page) not in CODES:
        pages = pages[1:]  # the sum of the movie, as a picture
    first = pages[0]
    height, width = _number(path, first, _HEIGHT, 1), _number(path, first, _WIDTH, 1)
    check_shape(path, len(pages), height, width, 1)
    strips = []
    for number, page in enumerate(pages, start=1):
        if any(page.get(tag) != first.get(tag) for tag in (_WIDTH, _HEIGHT, _COMPRESSION, *_CODE_TAGS)):
            what = f"frame {number} differs from the first one in size or compression"
            raise FormatError(path, what, "copy the file again from its source")
        strips.append(_strips(path, page, number, size))
    extended, pixel_size = read_eer_metadata(path, first_page.get(METADATA_TAG, first.get(METADATA_TAG)))
    info = ImageInfo(
        path=path,
        format="EER",
        frames=len(pages),
        height=height,
        width=width,
        dtype=np.dtype(np.uint8),
        pixel_size=pixel_size,
        extended=extended,
    )
    return _Pages(info, _codes(path, first), strips)


def _compression(page: _Tags) -> int:
    value = page.get(_COMPRESSION)
    return value[0] if value else 1


def _number(path: Path, page: _Tags, tag: int, frame: int) -> int:
    value = page.get(tag)
    if not isinstance(value, tuple) or len(value) != 1:
        raise FormatError(
            path, f"frame {frame} has no usable tag {tag}", "copy the file again from its source"
        )
    return value[0]


def _codes(path: Path, page: _Tags) -> EERCodes:
    compression = _compression(page)
    usual = CODES[compression]
    if compression != 65002:
        return usual
    bits: list[int] = []
    for tag, default in zip(_CODE_TAGS, (usual.run_bits, usual.x_bits, usual.y_bits), strict=True):
        bits.append(_number(path, page, tag, 1) if tag in page else default)
    run, x, y = bits
    if not (2 <= run <= 16 and 1 <= x <= 4 and 1 <= y <= 4):
        what = f"its electrons are said to take {run} + {x} + {y} bits, which are not read"
        raise FormatError(path, what, "convert it to TIFF with the maker's programs")
    return EERCodes(run, x, y)


def _strips(path: Path, page: _Tags, number: int, size: int) -> list[tuple[int, int]]:
    offsets, lengths = page.get(_OFFSETS), page.get(_BYTES)
    if not isinstance(offsets, tuple) or not isinstance(lengths, tuple) or len(offsets) != len(lengths):
        raise FormatError(path, f"frame {number} does not say where its electrons are", _COPY_AGAIN)
    strips = list(zip(offsets, lengths, strict=True))
    if any(offset < 8 or length < 1 or offset + length > size for offset, length in strips):
        what = f"it is cut short or damaged: data of frame {number} lie outside the file"
        raise FormatError(path, what, _COPY_AGAIN)
    return strips
