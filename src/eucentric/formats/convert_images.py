"""An image, a stack or a volume from one format to another: frame by frame, and read back.

Every frame's values are summed up in a digest as they pass by on their way into the new file. When it is
complete, it is read as any other file would be, and every frame must have the same digest; only then it
appears under its name. The source is read once.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from eucentric.formats import left_behind
from eucentric.formats.any_images import open_image
from eucentric.formats.carried import Carried, compare
from eucentric.formats.eer import EERRendering
from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import Frame, FrameReader
from eucentric.formats.image_info import ImageInfo, square_pixel_size
from eucentric.formats.image_targets import Compression, Target, target_of
from eucentric.formats.mrc_carried import WRITTEN_BY
from eucentric.formats.pixel_types import Retyping
from eucentric.formats.places import check_places
from eucentric.formats.replacing import replacing

Kind = Literal["stack", "volume"]

_KINDS: dict[str, Kind] = {
    ".mrcs": "stack", ".st": "stack", ".ali": "stack", ".map": "volume", ".rec": "volume", ".ccp4": "volume",
}  # fmt: skip
"""What a file's ending says of several images in it, whatever its header says."""


@dataclass(frozen=True)
class ImageOptions:
    """How an image is converted.

    Attributes:
        dtype: Type of the pixels; by default as they are.
        kind: Whether several frames are a stack or a volume; by default as the file, or its ending, says.
        part: Which image of a file that holds several.
        compression: How pixels are compressed, without loss; by default as is usual in the format.
        chunk: Frames, rows and columns of a chunk, where the format has chunks.
        shard: The same of a shard, in OME-Zarr.
        levels: Number of resolutions in OME-Zarr.
        eer: How an EER movie is rendered.
        overwrite: Whether a file that is there is replaced.
    """

    dtype: np.dtype[Any] | None = None
    kind: Kind | None = None
    part: str | None = None
    compression: Compression | None = None
    chunk: tuple[int, int, int] | None = None
    shard: tuple[int, int, int] | None = None
    levels: int | None = None
    eer: EERRendering | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class ConvertedImage:
    """What came of a conversion.

    Attributes:
        source: What the old file says.
        target: What the new file says, as it was read back.
        changes: What is not as it was, in sentences without a full stop.
        carried: Which metadata are kept, and which are not.
    """

    source: ImageInfo
    target: ImageInfo
    changes: list[str]
    carried: Carried


def convert_image(
    source: Path,
    target: Path,
    options: ImageOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> ConvertedImage:
    """Convert an image, a stack, a movie or a volume; the ending of the new file's name tells its format.

    Args:
        source: The file, or folder of OME-Zarr.
        target: The new one. It appears when it is complete and has been read back; nothing stays otherwise.
        options: How.
        progress: Called with the fraction done, from 0 to 1, of writing and reading back.

    Raises:
        FormatError: The source cannot be read; the target's format is not known, or cannot hold such
            pixels; the target is there already; or what was read back is not what was written.
        OSError: A file cannot be opened or written.
    """
    options = options or ImageOptions()
    shown = progress or (lambda _: None)
    with open_image(source, eer=options.eer, part=options.part) as reader:
        info = _as_kind(reader.info, options.kind or _kind_by_names(source, target))
        info = replace(info, titles=tuple(title for title in info.titles if title != WRITTEN_BY))
        format_ = target_of(target, options.compression, options.chunk, options.shard, options.levels)
        check_places(source, target, options.overwrite, format_.replaceable)
        dtype, changes = _type(info, format_, options.dtype)
        if info.kind != reader.info.kind:
            changes.append(f"what its header calls a {reader.info.kind} is taken as a {info.kind}")
        passing = _Passing(reader, dtype, lambda done: shown(done / 2))
        with replacing(target) as temporary:
            try:
                format_.write(temporary, passing, replace(info, dtype=dtype))
            except ValueError as error:  # what the writer cannot do
                raise FormatError(target, str(error), "choose other options") from error
            written = _read_back(temporary, target, passing.digests, info, dtype, shown)
    if passing.retyping.rounded:
        changes.append(f"values are rounded to {dtype}, by {passing.retyping.rounded:.3g} at most")
    written = replace(written, path=target)
    carried = compare(info, written)
    carried.lost |= left_behind.of(info, written)
    return ConvertedImage(info, written, changes, carried)


def _kind_by_names(source: Path, target: Path) -> Kind | None:
    return _KINDS.get(target.suffix.lower()) or _KINDS.get(source.suffix.lower())


def _as_kind(info: ImageInfo, kind: Kind | None) -> ImageInfo:
    """Return several images as a stack or a volume, whose sections lie a pixel apart if nothing is said."""
    if kind is None or info.frames == 1:
        return info
    z, y, x = info.sides
    side = (z or square_pixel_size(info.sides)) if kind == "volume" else None
    return replace(info, volume=kind == "volume", voxel=(side, y, x))


def _type(info: ImageInfo, format_: Target, wanted: np.dtype[Any] | None) -> tuple[np.dtype[Any], list[str]]:
    """Return the type of the pixels to write, and what is to be told of it."""
    changes = []
    dtype = wanted or info.dtype
    if dtype == np.uint8 and dtype.str[1:] not in format_.types and "u2" in format_.types:
        dtype = np.dtype(np.uint16)
        changes.append("bytes are kept as uint16: programs disagree on the sign of bytes in MRC files")
    elif wanted is not None and wanted != info.dtype:
        changes.append(f"{info.dtype} pixels are kept as {wanted}")
    if dtype.str[1:] not in format_.types:
        able = ", ".join(str(np.dtype(each)) for each in sorted(format_.types, key=_order))
        what = f"its pixels are {dtype}, which {format_.name} cannot hold"
        raise FormatError(info.path, what, f"choose a type with --dtype: {able}")
    return dtype, changes


def _order(code: str) -> tuple[str, int]:
    return {"i": "a", "u": "b", "f": "c"}.get(code[0], "d"), int(code[1:])


@dataclass
class _Passing:
    """The frames of a source on their way, in another type where one is wanted, with a digest of each."""

    reader: FrameReader
    dtype: np.dtype[Any]
    progress: Callable[[float], None]
    digests: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.retyping = Retyping(self.reader.info.path, self.dtype)

    def __iter__(self) -> Iterator[Frame]:
        self.digests.clear()
        for number, frame in enumerate(self.reader, start=1):
            made = self.retyping(frame, number)
            self.digests.append(_digest(made))
            yield made
            self.progress(number / len(self.reader))


def _digest(frame: Frame) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(frame).data.cast("B"), digest_size=16).digest()


def _read_back(
    written: Path,
    target: Path,
    digests: list[bytes],
    info: ImageInfo,
    dtype: np.dtype[Any],
    progress: Callable[[float], None],
) -> ImageInfo:
    """Read the new file and return what it says; refuse it where it is not what was written."""
    mend = "check the disk, and convert again"
    try:
        with open_image(written, own=True) as reader:
            found = reader.info
            shape = (info.frames, info.height, info.width)
            if (found.frames, found.height, found.width) != shape or found.dtype != dtype:
                what = f"{found.frames} × {found.height} × {found.width} {found.dtype} pixels were read back"
                raise FormatError(target, what, mend)
            for number, (frame, digest) in enumerate(zip(reader, digests, strict=True), start=1):
                if _digest(frame) != digest:
                    what = f"frame {number} was read back with other values than were written"
                    raise FormatError(target, what, mend)
                progress((1 + number / info.frames) / 2)
    except FormatError as error:
        raise FormatError(target, error.what, error.mend) from error
    return found
