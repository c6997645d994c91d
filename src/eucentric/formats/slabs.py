"""Frames in slabs: as many together as a chunk of a file is deep, read and written."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import Frame, FrameReader
from eucentric.formats.image_info import ImageInfo

SLAB_BYTES = 2**28
"""Most memory that the frames gathered for one chunk may take, but at least one frame is held."""


@dataclass(frozen=True)
class SlabImage:
    """An image, a stack or a volume in an open file that is stored in chunks.

    Attributes:
        info: What the file says of it.
        read: Returns its frames [start, stop) as an array [frame, y, x] in MRC row order.
        depth: How many frames lie in one chunk, and are best read together.
    """

    info: ImageInfo
    read: Callable[[int, int], NDArray[Any]]
    depth: int


def reader_of(image: SlabImage, close: Callable[[], None]) -> FrameReader:
    """Return a reader of frames that reads whole slabs of chunks, one at a time."""
    info = image.info
    depth = depth_for(info.frame_bytes, info.frames, image.depth)
    lock, held = threading.Lock(), (-1, np.empty((0, 0, 0), info.dtype))

    def decode(index: int) -> Frame:
        nonlocal held
        with lock:
            start = index - index % depth
            if held[0] != start:
                try:
                    held = start, image.read(start, min(start + depth, info.frames))
                except (OSError, ValueError, RuntimeError) as error:
                    what = f"frame {index + 1} of {info.frames} cannot be read ({error})"
                    raise FormatError(info.path, what, "copy the file again from its source") from error
            frame: Frame = held[1][index - start]
            return frame

    return FrameReader(info, decode, close, threads=1)


def slabs(frames: Iterable[NDArray[Any]], depth: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the number of the first frame and an array [frame, y, x] for every `depth` frames [y, x].

    The last slab may hold fewer. Each array is used until the next is asked for.
    """
    slab: NDArray[Any] | None = None
    start = filled = 0
    for frame in frames:
        if slab is None:
            slab = np.empty((depth, *frame.shape), frame.dtype)
        slab[filled] = frame
        filled += 1
        if filled == depth:
            yield start, slab
            start, filled = start + depth, 0
    if slab is not None and filled:
        yield start, slab[:filled]


def depth_for(frame_bytes: int, frames: int, wanted: int) -> int:
    """Return how many frames to gather: `wanted`, or fewer where there are fewer or they take too much."""
    return max(1, min(wanted, frames, SLAB_BYTES // max(1, frame_bytes)))
