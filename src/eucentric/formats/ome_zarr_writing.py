"""OME-Zarr 0.5 folders written, slab by slab, with smaller resolutions for viewers.

Where shards are used (Zarr 3), each is written once and as a whole: it spans all rows and columns and as
many frames as are gathered in memory. Of the smaller resolutions each is made from the one before, by
averaging 2 × 2 pixels (of a volume 2 × 2 × 2).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import GzipCodec, ZstdCodec

from eucentric.formats.frame_reader import Frame
from eucentric.formats.hdf5_writing import plain_value
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.ome_zarr import NOTES
from eucentric.formats.replacing import replacing
from eucentric.formats.slabs import SLAB_BYTES, SlabImage, reader_of, slabs

Shape = tuple[int, int, int]

_VOLUME_CHUNK: Shape = (32, 128, 128)
_IMAGE_SIDE = 1024
_CHUNK_BYTES = 2**20  # of small images so many are put into one chunk
_SHARD_BYTES = 2**26
_SMALLEST = 256
_MAX_LEVELS = 16
_CODECS: dict[str, Any] = {"zstd": ZstdCodec(level=3), "deflate": GzipCodec(level=5), "none": None}


@dataclass(frozen=True)
class ZarrStorage:
    """How pixels are stored.

    Attributes:
        compression: Codec of the chunks; "deflate" is Zarr's gzip.
        chunk: Frames, rows and columns of a chunk; by default 32 × 128 × 128 of a volume, and of images up
            to 1024 × 1024 pixels, with as many small images in one chunk as make 1 MB.
        shard: The same of a shard, a file of many chunks, in multiples of the chunk; by default all rows and
            columns of as many frames as make 64 MB. Equal to `chunk`: every chunk is a file of its own.
        levels: Number of resolutions; by default until the longer side has 256 pixels at most.
    """

    compression: Literal["zstd", "deflate", "none"] = "zstd"
    chunk: Shape | None = None
    shard: Shape | None = None
    levels: int | None = None


def write_ome_zarr(
    path: Path, frames: Iterable[Frame], info: ImageInfo, storage: ZarrStorage | None = None
) -> None:
    """Write an image, a stack or a volume as a folder of OME-Zarr 0.5.

    The folder appears under its name only when it is whole; an existing one is replaced. A stack's frames
    are an axis `t` of type time without a unit, which all viewers know, whatever they are.

    Args:
        path: The folder, usually called `NAME.ome.zarr`.
        frames: Images [y, x], one by one, as many and of such a size and type as `info` says.
        info: Size, and what is known of the images: spacing (Å) and origin become transformations, the rest
            notes in an attribute of the group.
        storage: Compression, chunks, shards and resolutions.

    Raises:
        ValueError: The frames are not as many as announced, or chunks and shards do not fit.
        OSError: The folder cannot be written.
    """
    storage = storage or ZarrStorage()
    with replacing(path) as temporary:
        group = zarr.create_group(temporary, zarr_format=3)
        names = [axis["name"] for axis in _axes(info)]
        array = _write_level(group, "0", frames, info, storage, names)
        levels, current = _levels(info, storage), info
        for level in range(1, levels):
            with reader_of(SlabImage(current, _reader(array), _depth(array)), lambda: None) as reader:
                current = _halved_info(current)
                array = _write_level(group, str(level), _halved(reader, info), current, storage, names)
        group.attrs["ome"] = {"version": "0.5", "multiscales": [_multiscale(info, levels)]}
        notes: dict[str, Any] = {name: plain_value(value) for name, value in info.extended.items()}
        if info.titles:
            notes["titles"] = list(info.titles)
        if notes:
            group.attrs[NOTES] = notes


def layout(info: ImageInfo, storage: ZarrStorage) -> tuple[Shape, Shape]:
    """Return the shapes of chunks and shards for images.

    Raises:
        ValueError: The shards are no multiples of the chunks, or too large to be gathered in memory.
    """
    size = (info.frames, info.height, info.width)
    rows, columns = min(info.height, _IMAGE_SIDE), min(info.width, _IMAGE_SIDE)
    usual = (max(1, _CHUNK_BYTES // (rows * columns * info.dtype.itemsize)), rows, columns)
    wanted = storage.chunk or (_VOLUME_CHUNK if info.volume else usual)
    chunk = _least(wanted, size)
    if storage.chunk is None and chunk[0] * info.frame_bytes > SLAB_BYTES:
        chunk = (max(1, SLAB_BYTES // info.frame_bytes), chunk[1], chunk[2])
    depth = max(1, _SHARD_BYTES // (info.frame_bytes * chunk[0])) * chunk[0]
    shard = storage.shard or (depth, *size[1:])
    if storage.shard and any(a % b for a, b in zip(storage.shard, storage.chunk or chunk, strict=True)):
        raise ValueError(f"shards of {storage.shard} are no multiples of chunks of {storage.chunk or chunk}")
    multiples = _least((-(-a // b) for a, b in zip(shard, chunk, strict=True)), _covering(size, chunk))
    whole = (multiples[0] * chunk[0], multiples[1] * chunk[1], multiples[2] * chunk[2])
    if (gathered := whole[0] * info.frame_bytes) > max(8 * SLAB_BYTES, info.frame_bytes):
        raise ValueError(f"shards of {whole[0]} frames would take {gathered} bytes of memory")
    return chunk, whole


def _least(a: Iterable[int], b: Iterable[int]) -> Shape:
    z, y, x = (min(pair) for pair in zip(a, b, strict=True))
    return z, y, x


def _covering(size: Shape, chunk: Shape) -> Shape:
    z, y, x = (-(-a // b) for a, b in zip(size, chunk, strict=True))
    return z, y, x


def _write_level(
    group: zarr.Group,
    name: str,
    frames: Iterable[Frame],
    info: ImageInfo,
    storage: ZarrStorage,
    axes: list[str],
) -> Any:
    chunk, shard = layout(info, storage)
    codec = _CODECS[storage.compression]
    start = 3 - len(axes)
    array = group.create_array(
        name,
        shape=(info.frames, info.height, info.width)[start:],
        chunks=chunk[start:],
        shards=shard[start:] if shard != chunk else None,
        dtype=info.dtype.newbyteorder("<"),
        compressors=None if codec is None else [codec],
        dimension_names=axes,
        # (Of a chunk that is left out for being all zeros, zeros with a minus would lose it.)
        config={"write_empty_chunks": True},
    )
    written = 0
    for first, slab in slabs(frames, shard[0]):
        if first + len(slab) > info.frames:
            break
        array[... if start else slice(first, first + len(slab))] = slab[0] if start else slab
        written += len(slab)
    if written != info.frames:
        raise ValueError(f"{written} frames came where {info.frames} were announced")
    return array


def _reader(array: Any) -> Any:
    def read(start: int, stop: int) -> NDArray[Any]:
        return np.asarray(array[start:stop]) if array.ndim == 3 else np.asarray(array[...])[np.newaxis]

    return read


def _depth(array: Any) -> int:
    return int(array.chunks[0]) if array.ndim == 3 else 1


def _levels(info: ImageInfo, storage: ZarrStorage) -> int:
    levels, longest = 1, max(info.height, info.width)
    while longest > _SMALLEST and levels < _MAX_LEVELS:
        levels, longest = levels + 1, (longest + 1) // 2
    return levels if storage.levels is None else storage.levels


def _halved_info(info: ImageInfo) -> ImageInfo:
    """Return the size of the next smaller resolution."""
    frames = -(-info.frames // 2) if info.volume else info.frames
    return replace(info, frames=frames, height=-(-info.height // 2), width=-(-info.width // 2))


def _halved(frames: Iterable[Frame], info: ImageInfo) -> Iterator[Frame]:
    """Yield frames of half the size, of a volume one for every two: the means of pixels."""
    if not info.volume:
        for frame in frames:
            yield _rounded(_binned(_wide(frame)), info)
        return
    kept: Frame | None = None
    for frame in frames:
        binned = _binned(_wide(frame))
        if kept is None:
            kept = binned
        else:
            yield _rounded((kept + binned) / 2, info)
            kept = None
    if kept is not None:
        yield _rounded(kept, info)


def _wide(frame: Frame) -> Frame:
    """Return pixels in a type in which sums of a few are right."""
    return frame.astype(np.result_type(frame.dtype, np.float32))


def _binned(frame: Frame) -> Frame:
    """Return means of 2 × 2 pixels; at the far end of odd sides the last row or column counts twice."""
    padded = np.pad(frame, [(0, length % 2) for length in frame.shape], mode="edge")
    found: Frame = (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) / 4
    return found


def _rounded(frame: Frame, info: ImageInfo) -> Frame:
    return (np.rint(frame) if info.dtype.kind in "iu" else frame).astype(info.dtype)


def _axes(info: ImageInfo) -> list[dict[str, str]]:
    names = ["z" if info.volume else "t", "y", "x"] if info.frames > 1 else ["y", "x"]
    axes = []
    for name in names:
        axis = {"name": name, "type": "time" if name == "t" else "space"}
        if name != "t" and info.sides["zyx".index(name)] is not None:
            axis["unit"] = "angstrom"
        axes.append(axis)
    return axes


def _multiscale(info: ImageInfo, levels: int) -> dict[str, Any]:
    axes = _axes(info)
    datasets = [
        {"path": str(level), "coordinateTransformations": _transformations(info, level, len(axes))}
        for level in range(levels)
    ]
    found: dict[str, Any] = {"name": info.path.stem, "axes": axes, "datasets": datasets}
    if levels > 1:
        found["type"] = "mean"
    return found


def _transformations(info: ImageInfo, level: int, dimensions: int) -> list[dict[str, Any]]:
    """Return size and place of a level's pixels: Å, or pixels of the full resolution where unknown.

    The first pixel of a level is the mean of the first `factor` pixels, and lies in the middle of them.
    """
    factors = (2**level if info.volume else 1, 2**level, 2**level)
    starts = info.origin or (0.0, 0.0, 0.0)
    scale, place = [], []
    for side, factor, start in zip(info.sides, factors, starts, strict=True):
        scale.append((side or 1.0) * factor)
        place.append((start if side else 0.0) + (side or 1.0) * (factor - 1) / 2)
    found: list[dict[str, Any]] = [{"type": "scale", "scale": scale[-dimensions:]}]
    if any(place[-dimensions:]):
        found.append({"type": "translation", "translation": place[-dimensions:]})
    return found
