"""Pixels of a camera that always count too much or too little: found in the data and replaced."""

from typing import NamedTuple

import torch
from torch import Tensor

_REACH = 3  # a pixel is judged by the 7 × 7 pixels around it
_LARGEST_CLUSTER = 8  # of these; more that are alike show an edge in the picture, not bad pixels
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
    size = 2 * _REACH + 1
    image = mean[None, None].float()
    padded = torch.nn.functional.pad(image, (_REACH,) * 4, mode="reflect")
    local = torch.nn.functional.avg_pool2d(padded, size, stride=1)[0, 0]
    # An average is pulled along by the hot pixel itself, so that half the threshold picks candidates.
    excess = (image[0, 0] - local).abs()
    sigma = 1.4826 * excess.flatten()[:: max(1, excess.numel() // 250_000)].median()
    silent = (mean == 0) & (local * frames > 20)
    candidates = ((excess > threshold / 2 * sigma) & (excess > 0) | silent).flatten().nonzero()[:, 0]
    found = [
        _judge(padded[0, 0], part, mean.shape[1], threshold, float(sigma), silent.flatten())
        for part in torch.split(candidates, _CHUNK)
    ]
    if not found:
        nothing = candidates.new_zeros(0)
        return BadPixels(nothing, nothing)
    positions = torch.cat([bad.positions for bad in found])
    sources = torch.cat([bad.sources for bad in found])
    good_source = ~torch.isin(sources, positions)
    return BadPixels(positions[good_source], sources[good_source])


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
    bad = outlying | silent[candidates]
    height = padded.shape[0] - 2 * _REACH
    source_row = _reflect(row + place // size - _REACH, height)
    source_column = _reflect(column + place % size - _REACH, width)
    return BadPixels(candidates[bad], (source_row * width + source_column)[bad])


def _reflect(index: Tensor, length: int) -> Tensor:
    index = index.abs()
    return torch.where(index >= length, 2 * (length - 1) - index, index)


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
