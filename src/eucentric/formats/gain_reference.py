"""Gain references as files hold them, and how they lie relative to the movies.

A reference is an image of one number per pixel. Which way it is turned is not told by the image; SerialEM
tells it by a number from 0 to 7, "r/f", in the titles of what it writes and in its properties
(RotationAndFlip): the number of quarter turns counter-clockwise, plus 4 where the image was flipped about the
vertical axis before. It counts from what the camera delivers.
"""

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.images import open_frames, read_info
from eucentric.formats.mrc_header import read_titles
from eucentric.formats.tiff_structure import MAGIC, page_offsets, read_tags

Rotation = Literal[0, 90, 180, 270]
Flip = Literal["none", "left-right", "top-bottom"]

_IMAGE_DESCRIPTION = 270
_CODE = re.compile(r"\br/f\s+(-?\d+)")
_ROTATIONS: tuple[Rotation, ...] = (0, 90, 180, 270)


def read_reference(path: Path) -> NDArray[np.float32]:
    """Read a gain or dark reference: MRC, TIFF, DM3, DM4, or a `.gain` file of an EER camera.

    Args:
        path: The file. Of a TIFF file with the ending `.gain` the first page is read, and its first row is
            taken for the bottom of the picture, as the rows of an EER movie are (RELION does so too); any
            other TIFF file begins at the top.

    Returns:
        [y, x], in MRC row order.

    Raises:
        FormatError: It is no image, or several.
        OSError: It cannot be opened.
    """
    with open_frames(path, threads=1) as reader:
        eer = path.suffix.lower() == ".gain" and reader.info.format == "TIFF"
        if len(reader) != 1 and not eer:
            what = f"it holds {len(reader)} images where a single one is needed"
            raise FormatError(path, what, "give a file with one image")
        image = reader.read(0, 1)[0].astype(np.float32)
    return np.ascontiguousarray(image[::-1]) if eer else image


def reference_shape(path: Path) -> tuple[int, int]:
    """Return the rows and columns of a gain reference, from its header alone."""
    info = read_info(path)
    return info.height, info.width


def title_code(path: Path) -> int | None:
    """Return the number r/f that SerialEM wrote into the titles of an MRC or TIFF file.

    In frames it says how they are turned relative to what the camera delivers, and with it to a reference
    that the camera's own software wrote; in a reference, how that one is turned.

    Returns:
        0 to 7, or None where the file does not say.
    """
    with path.open("rb") as file:
        start = file.read(4)
        if start in MAGIC:
            size = path.stat().st_size
            offset = page_offsets(path, file, size, at_most=1)[0]
            value = read_tags(path, file, size, offset, (_IMAGE_DESCRIPTION,)).get(_IMAGE_DESCRIPTION, b"")
            text = value.decode("latin-1") if isinstance(value, bytes) else ""
        else:
            file.seek(0)
            text = " ".join(read_titles(file.read(1024)))
    found = _CODE.search(text)
    code = int(found.group(1)) if found else -1
    return code if 0 <= code <= 7 else None


def orientation_between(reference_code: int, frames_code: int) -> tuple[Rotation, Flip]:
    """Return how a reference must be turned and then flipped to lie as the frames do.

    Args:
        reference_code: How the reference is turned relative to what the camera delivers: r/f, 0 to 7.
        frames_code: How the frames are.

    Returns:
        Degrees counter-clockwise, as seen with the bottom row at the bottom, and the flip after that.

    Raises:
        ValueError: A number that is none of 0 to 7.
    """
    for code in (reference_code, frames_code):
        if not 0 <= code <= 7:
            raise ValueError(f"{code} is no rotation and flip; SerialEM's numbers go from 0 to 7.")
    # r/f stands for Rᵏ Fᶠ: the flip first. To undo it: F R⁻ᵏ = Rᵏ F where flipped, R⁻ᵏ where not.
    turns, flipped = reference_code % 4, reference_code >= 4
    undone = turns if flipped else -turns
    # The frames' Rᵏ Fᶠ after that; a flip in between changes the sense of the turn behind it.
    sense = -1 if frames_code >= 4 else 1
    total, flips = frames_code % 4 + sense * undone, flipped != (frames_code >= 4)
    # Here the flip comes last: Rᵏ F = F R⁻ᵏ.
    return _ROTATIONS[(-total if flips else total) % 4], "left-right" if flips else "none"


def turned(image: NDArray[Any], rotation: Rotation, flip: Flip) -> NDArray[Any]:
    """Turn an image [y, x] counter-clockwise, as seen with row 0 at the bottom, and flip it after that."""
    image = np.rot90(image, -rotation // 90)
    if flip == "left-right":
        return image[:, ::-1]
    return image[::-1] if flip == "top-bottom" else image
