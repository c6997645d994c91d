"""What the headers of an image file say, and the limits within which they are believed."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

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


@dataclass(frozen=True)
class ImageInfo:
    """What the headers of an image file say.

    Attributes:
        path: The file.
        format: "MRC" or "TIFF".
        frames: Number of frames, images or sections.
        height: Rows of a frame.
        width: Columns of a frame.
        dtype: Type of the pixels as they are handed out, in the machine's byte order.
        pixel_size: Å per pixel, or None where the file does not say or says nonsense.
        volume: Whether the header calls the file a volume rather than a stack of images. Many programs
            write movies and particle stacks with the header of a volume: a hint, nothing more.
        extended: What an FEI1 or FEI2 extended header says of the first frame; see `fei_header`.
            Empty otherwise.
    """

    path: Path
    format: Literal["MRC", "TIFF"]
    frames: int
    height: int
    width: int
    dtype: np.dtype[Any]
    pixel_size: float | None
    volume: bool = False
    extended: dict[str, Any] = field(default_factory=dict)

    @property
    def frame_bytes(self) -> int:
        """Memory that one decoded frame takes."""
        return self.height * self.width * self.dtype.itemsize


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
