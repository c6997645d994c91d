"""Frames of one file in order, decoded ahead by several threads, in bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eucentric.formats.image_info import ImageInfo

Frame = NDArray[Any]

PREFETCH_BYTES = 2**30
"""Frames are decoded ahead only as far as they fit into this much memory (but at least one is)."""


def available_threads() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0))


class FrameReader:
    """The frames of one open image file, in MRC row order; see `open_frames`.

    A context manager and an iterator over frames. `read` and iteration may be repeated.

    Attributes:
        info: What the headers say.
    """

    def __init__(
        self,
        info: ImageInfo,
        decode: Callable[[int], Frame],
        close: Callable[[], None],
        threads: int | None = None,
    ) -> None:
        """Read frames with `decode`, a thread-safe function of the frame's index.

        Args:
            info: What the headers say.
            decode: Returns one frame [y, x].
            close: Called once, when the reader is closed.
            threads: Number of decoding threads; by default as many as there are cores.
        """
        self.info = info
        self._decode = decode
        self._close = close
        self._threads = threads or available_threads()
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="decode")

    def __enter__(self) -> "FrameReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop decoding and close the file."""
        self._executor.shutdown(cancel_futures=True)
        self._close()

    def __len__(self) -> int:
        return self.info.frames

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame [y, x] in order, in the type that `info.dtype` names.

        Raises:
            FormatError: A frame is damaged; the message names it.
        """
        return self._in_order(0, self.info.frames)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the frames [start, stop) as an array [frame, y, x].

        Raises:
            IndexError: Not 0 <= start < stop <= number of frames.
            FormatError: A frame is damaged; the message names it.
        """
        if not 0 <= start < stop <= self.info.frames:
            raise IndexError(f"frames {start} to {stop} of a file with {self.info.frames}: {self.info.path}")
        frames = np.empty((stop - start, self.info.height, self.info.width), self.info.dtype)
        for target, frame in zip(frames, self._in_order(start, stop), strict=True):
            target[...] = frame
        return frames

    def _in_order(self, start: int, stop: int) -> Iterator[Frame]:
        ahead = max(1, min(self._threads + 1, PREFETCH_BYTES // self.info.frame_bytes))
        pending: deque[Future[Frame]] = deque()
        try:
            for index in range(start, stop):
                pending.append(self._executor.submit(self._decode, index))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
