"""MRC images, stacks, movies and volumes, read and written frame by frame."""

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import NDArray

from eucentric.formats import fei_header
from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import Frame, FrameReader
from eucentric.formats.image_info import ImageInfo, believable_pixel_size
from eucentric.formats.mrc_carried import WRITTEN_BY, set_carried, set_geometry
from eucentric.formats.mrc_header import HEADER_BYTES, MrcLayout, read_mrc_layout
from eucentric.formats.replacing import replacing

_START_BYTES = HEADER_BYTES + max(fei_header.block_size(kind) for kind in fei_header.TYPES)

# Bytes are written as 16-bit numbers: RELION takes mode 0 as signed whatever IMOD's flag says, and would
# turn counts above 127 into negative ones.
_WRITTEN = {"i1": (0, "i1"), "i2": (1, "i2"), "f4": (2, "f4"), "c8": (4, "c8"), "u1": (6, "u2"),
            "u2": (6, "u2"), "f2": (12, "f2")}  # fmt: skip


def read_mrc_info(path: Path) -> ImageInfo:
    """Return what the header of an MRC file says; see `read_info`."""
    with path.open("rb") as file:
        return _layout(path, file).info


def open_mrc(path: Path, threads: int | None, *, transforms: bool = False) -> FrameReader:
    """Open an MRC file for reading frames; see `open_frames`."""
    file = path.open("rb")
    try:
        layout = _layout(path, file, transforms)
    except BaseException:
        file.close()
        raise
    descriptor = file.fileno()
    return FrameReader(layout.info, lambda index: _read_frame(descriptor, layout, index), file.close, threads)


def _layout(path: Path, file: BinaryIO, transforms: bool = False) -> MrcLayout:
    size = os.fstat(file.fileno()).st_size
    return read_mrc_layout(path, file.read(_START_BYTES), size, transforms=transforms)


def _read_frame(descriptor: int, layout: MrcLayout, index: int) -> Frame:
    """Return frame `index` [y, x] in the machine's byte order."""
    info = layout.info
    raw = np.empty(layout.frame_bytes, np.uint8)
    start, done = layout.offset + index * layout.frame_bytes, 0
    while done < raw.size:
        count = os.preadv(descriptor, [raw.data[done:]], start + done)
        if count == 0:
            what = f"it was cut short while it was read, at frame {index + 1} of {info.frames}"
            raise FormatError(info.path, what, "copy the file again from its source")
        done += count
    if layout.packed:
        rows = raw.reshape(info.height, layout.row_bytes)
        return np.stack((rows & 15, rows >> 4), axis=-1).reshape(info.height, -1)[:, : info.width]
    frame: Frame = raw.view(layout.stored).reshape(info.height, info.width)
    return frame.astype(info.dtype, copy=False)


def write_mrc(
    path: str | Path,
    frames: NDArray[Any] | Iterable[NDArray[Any]],
    pixel_size: float | None,
    *,
    volume: bool = False,
    carried: ImageInfo | None = None,
    extended: tuple[bytes, bytes] = (b"", b""),
) -> None:
    """Write an image, a stack of images or a volume as an MRC2014 file, in little-endian byte order.

    The file appears under its name only when it is whole; an existing one is replaced.

    Args:
        path: The file; `.mrcs` is the usual name for stacks.
        frames: An image [y, x], a stack or volume [z, y, x], or an iterable of images [y, x], which are
            written one by one. First row = bottom of the picture. float32, float16 (mode 12, not read by
            RELION before version 4), int16, uint16, int8; uint8 is written as uint16; complex64 (mode 4).
        pixel_size: Å/px; None leaves the size of the cell unknown (0).
        volume: Whether the frames are the sections of a volume.
        carried: What is known of the same images from another file, instead of `pixel_size` and `volume`:
            sides of the pixels, origin, titles (nine of 80 characters), cell and space group are kept.
        extended: Type (four characters) and bytes of an extended header, little-endian.

    Raises:
        ValueError: No frames, frames of different shapes or types, of a type that MRC does not have, or a
            pixel size that is none.
        OSError: The file cannot be written.
    """
    if pixel_size is not None and believable_pixel_size(pixel_size) is None:
        raise ValueError(f"{pixel_size} Å is no pixel size ({path})")
    if isinstance(frames, np.ndarray) and frames.ndim == 2:
        frames = frames[np.newaxis]
    with replacing(Path(path)) as temporary, temporary.open("wb") as file:
        file.write(bytes(HEADER_BYTES))  # a header of zeros, recognised by nobody, until the end
        kind, block = extended
        file.write(block)
        header = _write_frames(file, iter(frames), str(path))
        if carried is None:
            set_geometry(header, (pixel_size,) * 3, volume)
        else:
            set_carried(header, carried)
        header["nsymbt"], header["exttyp"] = len(block), kind
        file.seek(0)
        file.write(header.tobytes())


def _write_frames(file: BinaryIO, frames: Iterator[NDArray[Any]], name: str) -> NDArray[np.void]:
    """Write the pixels and return the header that belongs to them, yet without the size of the cell."""
    first = next(frames, None)
    if first is None:
        raise ValueError(f"no frames to write to {name}")
    if first.ndim != 2 or first.dtype.str[1:] not in _WRITTEN:
        raise ValueError(f"MRC cannot hold {first.ndim}-dimensional frames of {first.dtype} ({name})")
    mode, stored = _WRITTEN[first.dtype.str[1:]]
    statistics = _Statistics()
    frame: NDArray[Any] | None = first
    while frame is not None:
        if frame.shape != first.shape or frame.dtype != first.dtype:
            raise ValueError(
                f"frames differ: {first.shape} {first.dtype}, then {frame.shape} {frame.dtype} ({name})"
            )
        statistics.add(frame)
        file.write(np.ascontiguousarray(frame, dtype=np.dtype(stored).newbyteorder("<")).data)
        frame = next(frames, None)
    return _new_header(mode, first.shape, statistics)


class _Statistics:
    """Number of frames, and minimum, maximum, mean and deviation of their pixels, as they pass by."""

    def __init__(self) -> None:
        self.frames = 0
        self.smallest, self.largest = math.inf, -math.inf
        self._pixels, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, frame: NDArray[Any]) -> None:
        """Take in one more frame; means and squares join as in Chan et al. (1983), Am. Stat. 37:242."""
        self.frames += 1
        if frame.dtype.kind != "c":
            with np.errstate(invalid="ignore", over="ignore"):  # pixels may be infinite, or no numbers
                self._join(frame)

    def _join(self, frame: NDArray[Any]) -> None:
        mean = float(frame.mean(dtype=np.float64))
        squares = float(frame.var(dtype=np.float64)) * frame.size
        total = self._pixels + frame.size
        step = mean - self._mean
        self._squares += squares + step * step * self._pixels * frame.size / total
        self._mean += step * frame.size / total
        self._pixels = total
        self.smallest = min(self.smallest, float(frame.min()))
        self.largest = max(self.largest, float(frame.max()))

    def values(self) -> tuple[float, float, float, float]:
        """Return minimum, maximum, mean and deviation; MRC2014's marks for "unknown" where there are none."""
        if not self._pixels or not math.isfinite(self._squares):
            return 0.0, -1.0, -2.0, -1.0
        return self.smallest, self.largest, self._mean, math.sqrt(self._squares / self._pixels)


def _new_header(mode: int, shape: tuple[int, ...], statistics: _Statistics) -> NDArray[np.void]:
    header = np.zeros((), dtype=HEADER_DTYPE.newbyteorder("<"))
    height, width = shape
    header["nx"], header["ny"], header["nz"] = width, height, statistics.frames
    header["mode"] = mode
    header["cellb"] = (90.0, 90.0, 90.0)
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    header["dmin"], header["dmax"], header["dmean"], header["rms"] = statistics.values()
    header["map"] = b"MAP "
    header["machst"] = (0x44, 0x44, 0, 0)
    header["nversion"] = 20141
    header["nlabl"] = 1
    header["label"][0] = WRITTEN_BY.encode()
    return header
