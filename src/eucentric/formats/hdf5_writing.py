"""HDF5 files written: pixels frame by frame, axes, and a disk that gets full."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray

from eucentric.formats.image_info import ImageInfo
from eucentric.formats.slabs import depth_for, slabs

Frames: TypeAlias = Iterable[NDArray[Any]]

_CHUNK_SIDE = 512
_DEFLATE_LEVEL = 4


@dataclass(frozen=True)
class HDF5Storage:
    """How pixels are stored in an HDF5 file.

    Attributes:
        compression: With "deflate" (after HDF5's shuffle of bytes) any reader opens them.
        chunk: Frames, rows and columns of a chunk; by default one frame and up to 512 × 512 pixels.
    """

    compression: Literal["none", "deflate"] = "deflate"
    chunk: tuple[int, int, int] | None = None


class _Disk(io.FileIO):
    """A file that takes everything after a write has failed, and keeps the error.

    The library holds on to what it could not write, tries again whenever something is closed, and leaves
    the file open for good.
    """

    failure: BaseException | None = None

    def write(self, data: Any, /) -> int:
        """Write all of it."""
        rest = memoryview(data).cast("B")
        try:
            while len(rest) and self.failure is None:
                rest = rest[super().write(rest) or 0 :]
        except OSError as error:
            self.failure = OSError(error.errno, error.strerror, str(self.name))
        except KeyboardInterrupt as interrupt:  # the library, from which this is called, would lose it
            self.failure = interrupt
        return memoryview(data).nbytes

    def checked(self, frames: Frames) -> Iterator[NDArray[Any]]:
        """Yield frames as long as they can be written."""
        for frame in frames:
            self.check()
            yield frame

    def check(self) -> None:
        """Raise the error that was kept."""
        if self.failure is not None:
            raise self.failure


@contextmanager
def created(path: Path) -> Iterator[tuple[h5py.File, Callable[[Frames], Iterator[NDArray[Any]]]]]:
    """Create an HDF5 file, closed at the end, and say by whom.

    Yields:
        The file, and a function that all frames for it must pass through: it ends when the disk is full.

    Raises:
        OSError: The disk is full, or fails.
    """
    with _Disk(path, "w+b") as disk:
        with h5py.File(disk, "w") as file:
            file.attrs["creator"] = "Eucentric"
            file.attrs["creator_version"] = version("eucentric")
            yield file, disk.checked
        disk.check()


def first_axis(info: ImageInfo) -> str:
    """Return the name of the axis along the frames: z for a volume, else `frame`."""
    return "z" if info.volume else "frame"


def axis_positions(info: ImageInfo, name: str) -> tuple[NDArray[Any], bool]:
    """Return the positions along an axis z, y, x or `frame`, and whether they are Å or only numbers."""
    place = "zyx".find(name)
    length = info.width if name == "x" else info.height if name == "y" else info.frames
    side = info.sides[place] if place >= 0 else None
    if side is None:
        return np.arange(length), False
    start = info.origin[place] if info.origin is not None else 0.0
    return start + side * np.arange(length), True


def write_pixels(
    group: h5py.Group, name: str, frames: Iterable[NDArray[Any]], info: ImageInfo, storage: HDF5Storage
) -> None:
    """Write frames into a new dataset, [frame, y, x] or, of a single image, [y, x].

    Raises:
        ValueError: The frames are not as many as `info` says, or the chunks too deep.
    """
    wanted = storage.chunk or (1, _CHUNK_SIDE, _CHUNK_SIDE)
    depth = min(wanted[0], info.frames)
    if depth > depth_for(info.frame_bytes, info.frames, depth):
        raise ValueError(f"chunks of {depth} frames would take {depth * info.frame_bytes} bytes of memory")
    chunk: tuple[int, ...] = (depth, min(wanted[1], info.height), min(wanted[2], info.width))
    single = info.frames == 1
    options: dict[str, Any] = {"chunks": chunk[1:] if single else chunk}
    if storage.compression == "deflate":
        options |= {"compression": "gzip", "compression_opts": _DEFLATE_LEVEL, "shuffle": True}
    shape = (info.height, info.width) if single else (info.frames, info.height, info.width)
    data = group.create_dataset(name, shape, info.dtype.newbyteorder("<"), **options)
    written = 0
    for start, slab in slabs(frames, depth):
        if single:
            data[...] = slab[0]
        else:
            data[start : start + len(slab)] = slab
        written += len(slab)
    if written != info.frames:
        raise ValueError(f"{written} frames came where {info.frames} were announced")


def plain_value(value: object) -> str | int | float | bool:
    """Return a value as HDF5 and JSON hold it: times as ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool) else str(value)
