"""TIFF and BigTIFF movies written frame by frame from MRC row order."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from eucentric.formats.image_info import believable_pixel_size
from eucentric.formats.replacing import replacing

TiffCompression = Literal["none", "lzw", "deflate", "zstd"]

DTYPES = {"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"}
"""Types of pixels that are written."""
_CLASSIC_BYTES = 2**32 - 2**26  # leaves room for tags, and for noise that grows when it is compressed
_ANGSTROM_PER_CENTIMETRE = 1e8


def write_tiff(
    path: str | Path,
    frames: NDArray[Any] | Iterable[NDArray[Any]],
    *,
    compression: TiffCompression = "lzw",
    pixel_size: float | None = None,
    description: str | None = None,
) -> None:
    """Write a movie or an image as TIFF, one page per frame, each turned so that its top row comes first.

    The file appears under its name only when it is whole; an existing one is replaced. It is a BigTIFF
    where the frames take more than 4 GB uncompressed, or are an iterator of unknown length.

    Args:
        path: The file.
        frames: An image [y, x], a movie [frame, y, x], or an iterable of frames [y, x], which are written
            one by one, in MRC row order. Integers of 8 to 64 bits, floats of 16 to 64, complex numbers; many
            programs read only uint8, int16, uint16 and float32.
        compression: How the pages are compressed, always without loss.
        pixel_size: Å/px, kept in the resolution tags; None leaves them out.
        description: Text of the first page's description, such as OME-XML.

    Raises:
        ValueError: No frames, frames of different shapes or types, of a type that is not written, or a
            pixel size that is none.
        OSError: The file cannot be written.
    """
    if pixel_size is not None and believable_pixel_size(pixel_size) is None:
        raise ValueError(f"{pixel_size} Å is no pixel size ({path})")
    if isinstance(frames, np.ndarray) and frames.ndim == 2:
        frames = frames[np.newaxis]
    options: dict[str, Any] = {"photometric": "minisblack", "metadata": None, "software": "Eucentric"}
    if compression != "none":
        options["compression"] = compression
    if pixel_size is not None:
        resolution = _ANGSTROM_PER_CENTIMETRE / pixel_size
        options |= {"resolution": (resolution, resolution), "resolutionunit": "CENTIMETER"}
    first: NDArray[Any] | None = None
    text = None if description is None else description.encode()
    with (
        replacing(Path(path)) as temporary,
        tifffile.TiffWriter(temporary, bigtiff=_needs_big(frames), byteorder="<") as writer,
    ):
        for frame in frames:
            first = frame if first is None else first
            _check_frame(frame, first, path)
            writer.write(frame[::-1], description=text, **options)
            text = None
        if first is None:
            raise ValueError(f"no frames to write to {path}")


def _check_frame(frame: NDArray[Any], first: NDArray[Any], path: str | Path) -> None:
    if frame.ndim != 2 or frame.dtype.str[1:] not in DTYPES:
        raise ValueError(f"TIFF cannot hold {frame.ndim}-dimensional frames of {frame.dtype} ({path})")
    if frame.shape != first.shape or frame.dtype != first.dtype:
        raise ValueError(
            f"frames differ: {first.shape} {first.dtype}, then {frame.shape} {frame.dtype} ({path})"
        )


def _needs_big(frames: NDArray[Any] | Iterable[NDArray[Any]]) -> bool:
    if isinstance(frames, np.ndarray):
        return int(frames.nbytes) > _CLASSIC_BYTES
    if isinstance(frames, Sequence):
        return sum(int(frame.nbytes) for frame in frames) > _CLASSIC_BYTES
    return True
