"""What the headers of an image file say, and the limits within which they are believed."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from eucentric.formats.errors import FormatError

MAX_SIDE = 2**17
"""Longest side of an image in pixels; beyond it the header is taken to lie."""

MAX_FRAME_BYTES = 2**32
"""Most memory that one decoded frame may take."""

MAX_FRAMES = 100_000
"""Most frames in one file (tilt series and movies have at most a few thousand)."""

PIXEL_SIZE_RANGE = (0.01, 1e5)
"""Pixel sizes in Å that are believed: from atomic STEM images to a light microscope's overview."""

ImageFormat: TypeAlias = Literal["MRC", "TIFF", "EER", "DM", "HDF5", "NeXus", "EMD", "Velox EMD", "OME-Zarr"]
Sides: TypeAlias = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class ImageInfo:
    """What the headers of an image file say.

    Attributes:
        path: The file.
        format: What kind of file it is.
        frames: Number of frames, images or sections.
        height: Rows of a frame.
        width: Columns of a frame.
        dtype: Type of the pixels as they are handed out, in the machine's byte order.
        pixel_size: Å per pixel, or None where the file does not say or says nonsense.
        volume: Whether the header calls the file a volume rather than a stack of images. Many programs
            write movies and particle stacks with the header of a volume: a hint, nothing more.
        extended: What an FEI1 or FEI2 extended header says of the first frame, see `fei_header`; or the
            metadata of an EER file, see `eer_metadata`; or the tags of a TIFF file, see `tiff_vendor`; or
            what else a converted file keeps. Empty otherwise.
        voxel: Å between sections, rows and columns, each None where unknown. Not set by every reader: see
            `sides`.
        origin: Where the centre of the first pixel lies, z, y, x in Å; None where the file does not say.
        titles: What people or programs wrote into the file as titles, labels or comments.
    """

    path: Path
    format: ImageFormat
    frames: int
    height: int
    width: int
    dtype: np.dtype[Any]
    pixel_size: float | None
    volume: bool = False
    extended: dict[str, Any] = field(default_factory=dict)
    voxel: Sides = (None, None, None)
    origin: tuple[float, float, float] | None = None
    titles: tuple[str, ...] = ()

    @property
    def frame_bytes(self) -> int:
        """Memory that one decoded frame takes."""
        return self.height * self.width * self.dtype.itemsize

    @property
    def sides(self) -> Sides:
        """Å between sections, rows and columns, each None where unknown."""
        return self.voxel if any(self.voxel) else (None, self.pixel_size, self.pixel_size)

    @property
    def kind(self) -> Literal["image", "stack", "volume"]:
        """Whether it is one image, several of them (a movie, particles, a tilt series), or a volume."""
        return "volume" if self.volume else "stack" if self.frames > 1 else "image"


SQUARE = 0.01
"""Pixels whose sides differ by more, relative to each other, are nonsense, or no image of a camera."""


def believable_pixel_size(value: float) -> float | None:
    """Return `value` (Å/px) where it can be the pixel size of a microscope image, else None."""
    smallest, largest = PIXEL_SIZE_RANGE
    return float(value) if math.isfinite(value) and smallest <= value <= largest else None


def check_shape(path: Path, frames: int, height: int, width: int, itemsize: int) -> None:
    """Raise FormatError where a header claims an image of impossible or absurd size."""
    mend = "the header is damaged: copy the file again from its source"
    if frames < 1 or height < 1 or width < 1:
        raise FormatError(path, f"its header claims {frames} frames of {height} × {width} pixels", mend)
    if max(height, width) > MAX_SIDE or height * width * itemsize > MAX_FRAME_BYTES:
        raise FormatError(path, f"its header claims frames of {height} × {width} pixels", mend)
    if frames > MAX_FRAMES:
        raise FormatError(path, f"its header claims {frames} frames (at most {MAX_FRAMES} are read)", mend)


def square_pixel_size(sides: Sides) -> float | None:
    """Return the pixel size (Å/px) where rows and columns agree to one percent and it can be one."""
    _, y, x = sides
    if y is None or x is None or not math.isclose(x, y, rel_tol=SQUARE):
        return None
    return believable_pixel_size(x)
