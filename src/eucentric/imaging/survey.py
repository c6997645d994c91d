"""The first reading of a movie: its mean, its bad pixels, and small groups of frames to measure motion on."""

from collections.abc import Callable, Iterator, Sized
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging.bad_pixels import (
    BadPixels,
    bin_bad_pixels,
    find_bad_pixels,
    join_bad_pixels,
    replace_bad_pixels,
)
from eucentric.imaging.frames import Frames, raw_blocks

_GROUP_DOSE = 0.4  # e⁻/Å²; frames with less are summed in groups before they are aligned
_MOST_GROUPS = 64  # that many follow every motion; more take time and memory
_KEPT_BYTES = 800_000_000  # movies up to this size are kept, not read and decoded again


class Survey(NamedTuple):
    """What one reading of a movie shows."""

    groups: list[Tensor]
    """Gain-corrected sums [y, x] of neighbouring frames, binned"""
    times: NDArray[np.float64]
    """Middle of each group, in frames counted from 0, [group]"""
    bad: BadPixels
    """Hot and dead pixels and the known defects"""
    mean: Tensor
    """Mean of the gain-corrected frames [y, x], bad pixels replaced, counts per pixel and frame"""
    frames: int
    """Number of frames"""
    kept: list[Tensor] | None
    """The raw frames in blocks [frame, y, x], if they are few enough to be kept"""


def survey_movie(
    frames: Frames,
    gain: Tensor | None,
    binning: int,
    *,
    dark: Tensor | None = None,
    defects: Tensor | None = None,
    dose_per_frame: float = 0.0,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] = lambda _fraction: None,
) -> Survey:
    """Read all frames once: their mean, their bad pixels, and binned groups of them.

    Args:
        frames: Raw frames [y, x]; see `Frames`.
        gain: Reference [y, x] that they are multiplied by, or None.
        binning: Number of pixels along each axis that one pixel of a group holds.
        dark: What the camera counts without beam, [y, x], subtracted before; or None.
        defects: Pixels [y, x] known to be bad, True; or None.
        dose_per_frame: e⁻/Å², 0 where unknown.
        device: Where to compute.
        progress: Called with the fraction done, 0 to 1.

    Raises:
        ValueError: there are no frames, they can be read only once, or their shapes differ.
    """
    if isinstance(frames, Iterator):
        raise ValueError("The frames can be read only once but are needed twice; give a list or a function.")
    expected = len(frames) if isinstance(frames, Sized) else None
    size = _group_size(dose_per_frame, expected)
    groups: list[Tensor] = []
    kept: list[Tensor] = []
    total: Tensor | None = None
    count = 0
    expected_shape = None if gain is None else tuple(gain.shape)
    for block in raw_blocks(frames, expected_shape, device, dark, kept_bytes=_KEPT_BYTES):
        if total is None:
            shape = (block.shape[1], block.shape[2])
            total = torch.zeros(shape, device=block.device)
            gain = torch.ones(shape, device=block.device) if gain is None else gain
            keep = expected is not None and block[0].nbytes * expected <= _KEPT_BYTES
        assert gain is not None
        for binned in _add_block(block, gain, total, binning):
            if count % size == 0:
                groups.append(binned if size == 1 else binned.clone())
            else:
                groups[-1] += binned
            count += 1
        if keep:
            kept.append(block)
        if expected:
            progress(count / expected)
    if total is None:
        raise ValueError("The movie has no frames; give at least one.")
    assert gain is not None
    mean = total.mul_(gain).div_(count)
    bad = _bad_pixels(mean, count, defects)
    binned_bad = bin_bad_pixels(bad, shape, binning)
    for group in groups:
        replace_bad_pixels(group, binned_bad)
    starts = np.arange(0, count, size)
    times = (starts + np.minimum(starts + size, count) - 1) / 2
    return Survey(groups, times, bad, mean, count, kept if keep else None)


def _group_size(dose_per_frame: float, expected: int | None) -> int:
    size = max(1, round(_GROUP_DOSE / dose_per_frame)) if dose_per_frame else 1
    if expected is None:
        return size
    # A movie of little dose still needs a few groups to show how it moves.
    return max(1, -(-expected // _MOST_GROUPS), min(size, expected // 3))


def _bad_pixels(mean: Tensor, frames: int, defects: Tensor | None) -> BadPixels:
    """Return known and found bad pixels, and replace them in the mean."""
    if defects is None:
        bad = find_bad_pixels(mean, frames=frames)
    else:
        known = join_bad_pixels(None, defects)
        replace_bad_pixels(mean, known)
        bad = join_bad_pixels(find_bad_pixels(mean, frames=frames), defects)
    replace_bad_pixels(mean, bad)
    return bad


def _add_block(block: Tensor, gain: Tensor, total: Tensor, binning: int) -> Tensor:
    """Add raw frames [frame, y, x] to the total; return them binned, times the gain."""
    rows, columns = block.shape[1] // binning, block.shape[2] // binning
    if not block.is_cuda:
        binned = torch.empty((len(block), rows, columns))
        _add_on_cpu(block.numpy(), gain.numpy(), total.numpy(), binned.numpy(), binning)
        return binned
    total += block.sum(dim=0, dtype=torch.float32)
    inner = (slice(rows * binning), slice(columns * binning))
    images = (frame[inner] * gain[inner] for frame in block)
    return torch.stack([each.reshape(rows, binning, columns, binning).sum(dim=(1, 3)) for each in images])


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_on_cpu(
    frames: NDArray[Any],
    gain: NDArray[np.float32],
    total: NDArray[np.float32],
    binned: NDArray[np.float32],
    binning: int,
) -> None:
    """Work on what becomes a row of the binned frames at a time, so that gain and total stay in the cache."""
    count, height, width = frames.shape
    lines = np.empty((count, width), np.float32)
    for row in range((height + binning - 1) // binning):
        lines[:] = 0
        for y in range(row * binning, min((row + 1) * binning, height)):
            sums, factors = total[y], gain[y]
            for frame in range(count):
                counts, line = frames[frame, y], lines[frame]
                for x in range(width):
                    value = np.float32(counts[x])
                    sums[x] += value
                    line[x] += value * factors[x]
        if row < binned.shape[1]:
            for frame in range(count):
                _bin_line(lines[frame], binned[frame, row], binning)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _bin_line(line: NDArray[np.float32], binned: NDArray[np.float32], binning: int) -> None:
    for column in range(len(binned)):
        sum_ = np.float32(0)
        for x in line[column * binning : (column + 1) * binning]:
            sum_ += x
        binned[column] = sum_
