"""What the counts of a movie are corrected with: gain, dark reference and bad pixels, as large as its frames.

A camera's pixel counts s e where e electrons arrive. A reference to multiply with holds 1/s, one to divide
by holds s (or what the camera counted in a flood beam). Where it is 0, the pixel is a defect and
counts nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eucentric.engine.protocol import Task
from eucentric.formats.defects import read_defects
from eucentric.formats.gain_reference import read_reference, turned
from eucentric.metadata import Gain

Image = NDArray[np.float32]

FACTORS = (1, 2, 4)
"""How much finer or coarser than the movie a reference may be."""


@dataclass(frozen=True)
class Correction:
    """What is done to every frame: (counts - dark) times multiplier, and bad pixels replaced.

    Attributes:
        multiplier: [y, x], 0 where a pixel is a defect; None where nothing is to be multiplied.
        dark: [y, x], counts of a frame without beam; None where nothing is to be subtracted.
        defects: [y, x], True where a pixel is known to be bad; None where none is known.
    """

    multiplier: Image | None
    dark: Image | None
    defects: NDArray[np.bool_] | None


def read_correction(gain: Gain, task: Task, shape: tuple[int, int]) -> Correction:
    """Read a gain item's files and make them fit the movie.

    The reference is turned and flipped as the item says, and so is the dark reference, which the same
    camera wrote; defect files and masks lie as the movies do. All are then made as fine as the movie.

    Args:
        gain: The item.
        task: Says where its files are.
        shape: Rows and columns of a frame, as it is read.

    Raises:
        FormatError: A file is no reference.
        ValueError: A file's size does not fit that of the frames.
        OSError: A file cannot be opened.
    """
    multiplier, dark = None, None
    defects = np.zeros(shape, np.bool_)
    if gain.path is not None:
        path = task.locate(gain.path)
        reference = _oriented(read_reference(path), gain)
        multiplier = resampled(_multiplier(reference, gain), shape, path)
        defects |= multiplier == 0
    if gain.defects_path is not None:
        path = task.locate(gain.defects_path)
        defects |= _resampled_mask(read_defects(path), shape, path)
    if gain.dark_path is not None:
        path = task.locate(gain.dark_path)
        dark = _resampled_counts(_oriented(read_reference(path), gain), shape, path)
    return Correction(multiplier, dark, defects if defects.any() else None)


def fits_shape(reference: tuple[int, int], shape: tuple[int, int], *, turned: bool = False) -> bool:
    """Tell whether a reference of so many rows and columns can correct frames of `shape`.

    Args:
        reference: Rows and columns of the reference.
        shape: Rows and columns of a frame.
        turned: Whether the reference is turned by 90° or 270° first.
    """
    rows, columns = reference[::-1] if turned else reference
    return any(
        (rows, columns) == (shape[0] * factor, shape[1] * factor)
        or (rows * factor, columns * factor) == tuple(shape)
        for factor in FACTORS
    )


def resampled(multiplier: Image, shape: tuple[int, int], path: Path) -> Image:
    """Make a multiplier [y, x] as fine or as coarse as frames of `shape`.

    A pixel that is divided keeps its multiplier in every part. A pixel that is joined from parts counts as
    much as they do together, so its sensitivity is their mean: the multiplier is the inverse of the mean of
    the inverses. A pixel with a defect in any part is a defect.

    Raises:
        ValueError: The sizes do not fit.
    """
    finer, coarser = _factors(multiplier.shape, shape, path)
    if coarser == 1:
        return _divided(multiplier, finer).astype(np.float32, copy=False)
    blocks = _blocks(multiplier, coarser)
    whole = (blocks > 0).all((1, 3))
    sensitivity = np.divide(1, blocks, out=np.zeros_like(blocks), where=blocks > 0).mean((1, 3))
    joined: Image = np.divide(1, sensitivity, out=np.zeros_like(sensitivity), where=whole)
    return joined


def _oriented(image: Image, gain: Gain) -> Image:
    return np.ascontiguousarray(turned(image, gain.rotation, gain.flip), np.float32)


def _multiplier(reference: Image, gain: Gain) -> Image:
    """Return what the counts are multiplied by; 0 for what is no positive number."""
    usable = np.isfinite(reference) & (reference > 0)
    if not usable.any():
        raise ValueError(f"The gain reference {gain.path} has no positive number; give another one.")
    if gain.operation == "multiply":
        return np.where(usable, reference, 0).astype(np.float32)
    # What the camera counted in a flood beam is in counts: it is taken relative to its mean.
    mean = np.float32(reference[usable].mean(dtype=np.float64))
    inverse: Image = np.divide(mean, reference, out=np.zeros_like(reference), where=usable)
    return inverse


def _resampled_mask(mask: NDArray[np.bool_], shape: tuple[int, int], path: Path) -> NDArray[np.bool_]:
    finer, coarser = _factors(mask.shape, shape, path)
    return np.asarray(_blocks(mask, coarser).any((1, 3)) if coarser > 1 else _divided(mask, finer))


def _resampled_counts(image: Image, shape: tuple[int, int], path: Path) -> Image:
    """Make counts as fine as frames: those of parts are added, those of a pixel shared out."""
    finer, coarser = _factors(image.shape, shape, path)
    counts = _blocks(image, coarser).sum((1, 3)) if coarser > 1 else _divided(image, finer) / finer**2
    return np.asarray(counts, np.float32)


def _factors(found: tuple[int, ...], shape: tuple[int, int], path: Path) -> tuple[int, int]:
    """Return by how much an image is to be made finer, and coarser; one of them is 1."""
    rows, columns = found
    for factor in FACTORS:
        if (rows * factor, columns * factor) == tuple(shape):
            return factor, 1
        if (rows, columns) == (shape[0] * factor, shape[1] * factor):
            return 1, factor
    raise ValueError(
        f"{path} has, turned as it is to be, {columns} × {rows} pixels, but the movie has"
        f" {shape[1]} × {shape[0]}; give the reference of this camera mode, or another rotation."
    )


def _blocks(image: NDArray[Any], factor: int) -> NDArray[Any]:
    rows, columns = image.shape
    return image.reshape(rows // factor, factor, columns // factor, factor)


def _divided(image: NDArray[Any], factor: int) -> NDArray[Any]:
    return image if factor == 1 else image.repeat(factor, 0).repeat(factor, 1)
