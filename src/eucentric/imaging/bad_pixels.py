"""Pixels of a camera that always count too much or too little: found in the data and replaced."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

_REACH = 3  # a pixel is judged by the 7 × 7 pixels around it
_LARGEST_CLUSTER = 8  # of these; more that are alike show an edge in the picture, not bad pixels
_ROWS = 128
_CHUNK = 100_000  # pixels judged at once, so that an image full of edges does not fill the memory


class BadPixels(NamedTuple):
    """Which pixels of a flattened image are bad, and the good neighbour that stands in for each."""

    positions: Tensor
    """[n], int64"""
    sources: Tensor
    """[n], int64"""


def find_bad_pixels(mean: Tensor, *, frames: int = 1, threshold: float = 7.0) -> BadPixels:
    """Find hot and dead pixels in the mean over all frames of a movie.

    A pixel is bad when it differs from the median of the 7 × 7 pixels around it by more than `threshold`
    standard deviations, both of the whole image's noise and of its own surroundings, and no more than 8 of
    these pixels differ likewise (so the sharp edge of a gold bead is kept); or when it never counted
    although its surroundings promise 20 counts.
    Deviations are estimated from medians. The stand-in is the neighbour with the median value: replacing
    by one neighbour, rather than by an average, keeps the statistics of the noise.

    Args:
        mean: Mean image [y, x] in counts per pixel and frame, after gain correction.
        frames: Number of frames averaged.
        threshold: How many standard deviations make a pixel bad.
    """
    image = mean.float()
    padded = torch.nn.functional.pad(image[None, None], (_REACH,) * 4, mode="reflect")[0, 0]
    excess = torch.empty_like(image)
    silent = []
    # Some rows at a time, which the processor's cache can hold.
    starts = range(0, len(image), _ROWS)
    for start in starts:
        part = image[start : start + _ROWS]
        local = _box_sums(padded[start : start + len(part) + 2 * _REACH]).div_((2 * _REACH + 1) ** 2)
        silent.append(_positions((part == 0) & (local * frames > 20), start))
        torch.sub(part, local, out=excess[start : start + _ROWS]).abs_()
    # An average is pulled along by the hot pixel itself, so that half the threshold picks candidates.
    sigma = float(1.4826 * excess.view(-1)[:: max(1, excess.numel() // 250_000)].median())
    far = [_positions(excess[start : start + _ROWS] > threshold / 2 * sigma, start) for start in starts]
    never = torch.cat(silent)
    candidates = torch.cat([*far, never])
    candidates = candidates.new_tensor(np.unique(candidates.cpu().numpy()))
    if not len(candidates):
        return BadPixels(candidates, candidates)
    found = [
        _judge(padded, part, image.shape[1], threshold, sigma, torch.isin(part, never))
        for part in torch.split(candidates, _CHUNK)
    ]
    positions = torch.cat([bad.positions for bad in found])
    sources = torch.cat([bad.sources for bad in found])
    good_source = ~torch.isin(sources, positions)
    return BadPixels(positions[good_source], sources[good_source])


def _box_sums(image: Tensor) -> Tensor:
    """Return the sum of the 7 × 7 pixels around each pixel of an image [y, x], but for a rim of three."""
    for axis in (0, 1):
        length = image.shape[axis] - 2 * _REACH
        two = image.narrow(axis, 0, length + 5) + image.narrow(axis, 1, length + 5)
        four = two.narrow(axis, 0, length) + two.narrow(axis, 2, length)
        image = four.add_(two.narrow(axis, 4, length)).add_(image.narrow(axis, 6, length))
    return image


def _positions(mask: Tensor, start: int) -> Tensor:
    """Return where a mask [y, x], whose first row is row `start` of an image, is True in that, flattened."""
    return mask.flatten().nonzero()[:, 0] + start * mask.shape[1]


def _judge(
    padded: Tensor, candidates: Tensor, width: int, threshold: float, sigma: float, silent: Tensor
) -> BadPixels:
    size = 2 * _REACH + 1
    row, column = candidates // width, candidates % width
    offset = torch.arange(size, device=padded.device)
    window = padded[(row[:, None] + offset)[:, :, None], (column[:, None] + offset)[:, None, :]].flatten(1)
    median, place = window.median(dim=1)
    spread = 1.4826 * (window - median[:, None]).abs().median(dim=1).values
    excess = window - median[:, None]
    distance = excess[:, excess.shape[1] // 2]
    alike = (excess * distance.sign()[:, None] > 0.5 * distance.abs()[:, None]).sum(dim=1)
    outlying = (distance.abs() > threshold * torch.clamp(spread, min=sigma)) & (alike <= _LARGEST_CLUSTER)
    bad = outlying | silent
    height = padded.shape[0] - 2 * _REACH
    source_row = _reflect(row + place // size - _REACH, height)
    source_column = _reflect(column + place % size - _REACH, width)
    return BadPixels(candidates[bad], (source_row * width + source_column)[bad])


def _reflect(index: Tensor, length: int) -> Tensor:
    index = index.abs()
    return torch.where(index >= length, 2 * (length - 1) - index, index)


def join_bad_pixels(found: BadPixels | None, defects: Tensor) -> BadPixels:
    """Return the pixels found to be bad and the known defects [y, x] (True) together.

    The nearest good pixel stands in for a defect, and for a found pixel whose own stand-in is a defect.
    A camera of defects alone has no good pixel; none is replaced then.
    """
    bad = defects.cpu().numpy().copy()
    if found is not None:
        bad.reshape(-1)[found.positions.cpu().numpy()] = True
    if bad.all() or not bad.any():
        return BadPixels(*2 * (torch.zeros(0, dtype=torch.int64, device=defects.device),))
    positions = bad.reshape(-1).nonzero()[0]
    nearest = _nearest_good(bad)
    if found is not None:
        sources = found.sources.cpu().numpy()
        own = ~bad.reshape(-1)[sources]
        nearest[np.searchsorted(positions, found.positions.cpu().numpy()[own])] = sources[own]
    return BadPixels(*(torch.from_numpy(part).to(defects.device) for part in (positions, nearest)))


def _nearest_good(bad: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the nearest good pixel for each bad one of [y, x], in the order of a flattened image.

    It touches a bad pixel, so only the rims of what is bad are looked at, not the millions of good ones.
    """
    places = np.argwhere(bad)
    steps = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x])
    rim = (places[:, None] + steps).reshape(-1, 2)
    rim = rim[((rim >= 0) & (rim < bad.shape)).all(axis=1)]
    rim = np.unique(rim[~bad[rim[:, 0], rim[:, 1]]], axis=0)
    _, index = cKDTree(rim).query(places)
    nearest: NDArray[np.int64] = rim[index] @ np.array([bad.shape[1], 1])
    return nearest


def replace_bad_pixels(image: Tensor, bad: BadPixels) -> None:
    """Replace the bad pixels of a contiguous image [y, x], in place, by their stand-ins."""
    flat = image.view(-1)
    flat[bad.positions] = flat[bad.sources]


def bin_bad_pixels(bad: BadPixels, shape: tuple[int, int], binning: int) -> BadPixels:
    """Return the bad pixels of images [y, x] of `shape` after binning.

    A binned pixel is bad when it holds a bad one; the good one next to it stands in.
    """
    rows, columns = shape[0] // binning, shape[1] // binning
    row, column = bad.positions // shape[1] // binning, bad.positions % shape[1] // binning
    inside = (row < rows) & (column < columns)
    mask = torch.zeros((rows, columns), dtype=torch.bool, device=bad.positions.device)
    mask[row[inside], column[inside]] = True
    positions = mask.flatten().nonzero()[:, 0]
    sources = torch.full_like(positions, -1)
    # The nearest good pixel along one of eight directions, nearest first.
    for distance in (1, 2, 3):
        for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            other_row = (positions // columns + down * distance).clamp(0, rows - 1)
            other_column = (positions % columns + right * distance).clamp(0, columns - 1)
            fits = (sources < 0) & ~mask[other_row, other_column]
            sources = torch.where(fits, other_row * columns + other_column, sources)
    found = sources >= 0
    return BadPixels(positions[found], sources[found])
