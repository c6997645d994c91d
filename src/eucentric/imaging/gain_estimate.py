"""The gain of a camera, estimated from the movies themselves.

What is left in the mean of many movies that show different specimens is the camera's: rows, columns and
pixels that count more or less than their neighbours. Neighbouring rows see much the same specimen, so their
histograms should be alike, and so should those of columns: each is brought to the mean of its neighbours'
(Sorzano et al. 2018, J. Struct. Biol. 203, 90: "Blind estimation of DED camera gain"). There every row gets a
curve of its own; here one factor, for a gain is one, and it takes fewer electrons to know it. What single
pixels differ by after that is kept as far as two halves of the movies agree on it, the rest being chance:
the best linear estimate (Wiener) from a few hundred electrons in a pixel.

Sensitivities that vary slowly over the field cannot be told from the beam, and are left alone.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from eucentric.imaging.bad_pixels import find_bad_pixels

_BACKGROUND = 32  # px; illumination and specimen are flat within so much, and rows or columns are not
_NEIGHBOURS = 16.0  # rows or columns: standard deviation of the weights of those that one is compared with
_BANDS = 16  # parts of a histogram that are compared; the first and the last are left to outliers
_NEAR = 5  # px; a pixel is compared with the square around it
_OUTLIER = 8.0  # standard deviations
_CHANCE = 3.0  # standard errors below which halves agree by chance
_CROP = 1024  # px, of the square in which patterns are compared
_SAMPLE = 1_000_000  # pixels from which percentiles are taken


class GainFigures(NamedTuple):
    """What the estimated sensitivities are like; by these figures other programs judge, too."""

    deviation: float
    """Standard deviation"""
    range_ratio: float
    """97.5th over 2.5th percentile"""
    peak_ratio: float
    """Maximum over the 97.5th percentile"""


class Sensitivity(NamedTuple):
    """How much each pixel counts, relative to those around it."""

    image: Tensor
    """[y, x], 1 on average; 0 where a pixel is bad"""
    pattern: float
    """Standard deviation of what differs from pixel to pixel, without chance"""
    chance: float
    """Standard deviation that the number of electrons leaves in a pixel"""
    figures: GainFigures
    """Of the pixels that are not bad"""


class PatternMatch(NamedTuple):
    """How a pattern that is known is found in movies."""

    slope: float
    """Strength of the pattern in the movies: 1 where it is theirs, 0 where it is not, -1 where inverted"""
    error: float
    """Standard error of the slope; infinite where the known pattern is flat"""
    deviation: float
    """Standard deviation of the known pattern from pixel to pixel"""


def estimate_sensitivity(
    first: Tensor, second: Tensor, *, defects: Tensor | None = None, counts: float = 1.0
) -> Sensitivity:
    """Estimate how much more or less each pixel counts than those around it.

    Args:
        first: [y, x], sum of the frames of one half of the movies, not moved; with a gain reference applied,
            what is estimated is what the reference leaves.
        second: The same of the other half, which must show other specimens.
        defects: Pixels [y, x] known to be bad, True; hot and silent ones are found.
        counts: Counts that one electron makes on average.

    Raises:
        ValueError: The two differ in shape, are smaller than 64 pixels along an axis, or hold no counts.
    """
    if first.shape != second.shape or first.dim() != 2 or min(first.shape) < 64:
        raise ValueError(
            f"The gain cannot be estimated from sums of {tuple(first.shape)} and {tuple(second.shape)}"
            " pixels; they must be alike and 64 × 64 or larger."
        )
    if float(first.sum()) <= 0 or float(second.sum()) <= 0:
        raise ValueError("The gain cannot be estimated from movies without counts; check the beam.")
    good = _good_pixels(first + second, counts)
    if defects is not None:
        good &= ~defects
    halves = [_flattened(half, good) for half in (first, second)]
    columns = 1 + _agreed(*(_factors(half) - 1 for half in halves)).both
    rows = 1 + _agreed(*(_factors((half / columns).T) - 1 for half in halves)).both
    lines = rows[:, None] * columns[None]
    pixels = _agreed(*(_deviation(half / lines, good)[good] for half in halves))
    image = lines
    image[good] *= 1 + pixels.both
    image = (image / image[good].mean()).clamp(min=0.01).where(good, 0)
    # A difference from a mean over 25 pixels, one of which is the pixel, has 24/25 of the variance.
    whole = math.sqrt(_NEAR**2 / (_NEAR**2 - 1))
    return Sensitivity(image, pixels.signal * whole, pixels.chance * whole, gain_figures(image[good]))


def match_pattern(first: Tensor, second: Tensor, sensitivity: Tensor) -> PatternMatch:
    """Look for a camera's known pattern in the sums of movies.

    Args:
        first: [y, x], sum of the frames of one half of the movies, without gain correction.
        second: The same of the other half.
        sensitivity: [y, x], what the pixels should count relative to each other; 0 where one is bad.

    Raises:
        ValueError: The shapes differ.
    """
    if not first.shape == second.shape == sensitivity.shape:
        raise ValueError(
            f"A reference of {tuple(sensitivity.shape)} pixels cannot be looked for in sums of"
            f" {tuple(first.shape)} and {tuple(second.shape)}; they must be alike."
        )
    first, second, sensitivity = (_middle(each).float() for each in (first, second, sensitivity))
    good = (sensitivity > 0) & _good_pixels(first + second, 1.0)
    known = _deviation(_flattened(sensitivity, good), good)[good]
    found = _deviation((_flattened(first, good) + _flattened(second, good)) / 2, good)[good]
    ordinary = _ordinary(known) & _ordinary(found)
    known, found = known[ordinary], found[ordinary]
    power = float((known**2).mean()) if len(known) else 0.0
    if power < 1e-8:
        return PatternMatch(0.0, math.inf, 0.0)
    slope = float((known * found).mean()) / power
    rest = float(((found - slope * known) ** 2).mean())
    return PatternMatch(slope, math.sqrt(rest / power / len(known)), math.sqrt(power))


def gain_figures(sensitivity: Tensor) -> GainFigures:
    """Return the figures of sensitivities of any shape; equal ones give 0, 1 and 1."""
    values = sensitivity.flatten()
    sample = values[:: max(1, len(values) // _SAMPLE)].cpu().numpy()
    low, high = (max(float(each), 1e-6) for each in np.percentile(sample, (2.5, 97.5)))
    return GainFigures(float(values.double().std()), high / low, float(values.max()) / high)


def _good_pixels(total: Tensor, counts: float) -> Tensor:
    """Return which pixels are neither hot nor silent where there was much to count."""
    good = (total > 0) | (_smooth(total, total >= 0) < 20 * counts)
    for axis in (0, 1):
        sums = total.sum(dim=axis, keepdim=True)
        good = good & (sums > 0.1 * sums.median())
    bad = find_bad_pixels(total.where(good, _smooth(total, good)))
    flat = good.flatten()
    flat[bad.positions] = False
    return flat.reshape(good.shape)


def _flattened(image: Tensor, good: Tensor) -> Tensor:
    """Divide an image by its background; bad pixels become 1."""
    image = image.float()
    return (image / _smooth(image, good).clamp(min=1e-6)).where(good, 1)


def _smooth(image: Tensor, good: Tensor) -> Tensor:
    """Return the mean of the good pixels over about `_BACKGROUND` pixels, interpolated between squares."""
    size = max(2, _BACKGROUND // 2)
    weighted = torch.stack((image.float() * good, good.float()))[None]
    squares = torch.nn.functional.avg_pool2d(weighted, size, ceil_mode=True, count_include_pad=False)
    padded = torch.nn.functional.pad(squares, (1, 1, 1, 1), mode="replicate")
    squares = torch.nn.functional.avg_pool2d(padded, 3, 1)
    wide = torch.nn.functional.interpolate(
        squares, scale_factor=float(size), mode="bilinear", align_corners=False
    )[0, :, : image.shape[0], : image.shape[1]]
    return wide[0] / wide[1].clamp(min=1e-3)


def _factors(image: Tensor) -> Tensor:
    """Return by how much the histogram of each column is wider than those of the columns around it, [x].

    Means of parts of the sorted values stand for the histogram: they follow a factor smoothly even where
    counts are few and a percentile would jump from number to number.
    """
    count = image.shape[0] // _BANDS * _BANDS
    ranked = image.T.contiguous().sort(dim=1).values[:, (image.shape[0] - count) // 2 :][:, :count]
    bands = ranked.reshape(image.shape[1], _BANDS, -1).mean(dim=2)[:, 1:-1].T
    reach = min(3 * int(_NEIGHBOURS), image.shape[1] - 1)
    offset = torch.arange(-reach, reach + 1, device=image.device)
    weights = torch.exp(-(offset**2) / (2 * _NEIGHBOURS**2))[None, None].float()
    ones = torch.ones(1, 1, image.shape[1], device=image.device)
    smooth = torch.nn.functional.conv1d(bands[:, None], weights, padding=reach)[:, 0]
    smooth = smooth / torch.nn.functional.conv1d(ones, weights, padding=reach)[0]
    return (bands * smooth).sum(dim=0) / (smooth**2).sum(dim=0).clamp(min=1e-12)


def _deviation(image: Tensor, good: Tensor) -> Tensor:
    """Return the difference of every good pixel from the mean of the good ones around it, 0 of bad ones."""
    stacked = torch.stack((image.where(good, 0), good.float()))[None]
    for shape in ((_NEAR, 1), (1, _NEAR)):
        half = (shape[0] // 2, shape[1] // 2)
        stacked = torch.nn.functional.avg_pool2d(stacked, shape, 1, half, count_include_pad=False)
    return (image - stacked[0, 0] / stacked[0, 1].clamp(min=1e-6)).where(good, 0)


class _Agreed(NamedTuple):
    """What two measurements of the same deviations agree on."""

    both: Tensor
    """The best linear estimate from both"""
    signal: float
    """Standard deviation of what they have in common"""
    chance: float
    """Standard deviation of the chance in their mean"""


def _agreed(first: Tensor, second: Tensor) -> _Agreed:
    """Estimate deviations from two measurements of them, [n], of equal and unknown noise."""
    ordinary = _ordinary(first) & _ordinary(second)
    one, other = first[ordinary], second[ordinary]
    common = float((one * other).mean())
    error = math.sqrt(float((one**2).mean() * (other**2).mean()) / max(1, len(one)))
    signal = common if common > _CHANCE * error else 0.0
    chance = float(((one - other) ** 2).mean()) / 4
    weight = signal / (signal + chance) if signal else 0.0
    # What is far outside in both is no chance, whatever the others are like.
    limit = _OUTLIER * math.sqrt(signal + 2 * chance)
    certain = (torch.minimum(first, second) > limit) | (torch.maximum(first, second) < -limit)
    both = (first + second) / 2 * torch.where(certain, 1.0, weight)
    return _Agreed(both, math.sqrt(signal), math.sqrt(chance))


def _ordinary(deviations: Tensor) -> Tensor:
    sample = deviations[:: max(1, len(deviations) // 65536)].abs()
    return deviations.abs() <= _OUTLIER * 1.4826 * sample.median() if len(sample) else deviations > 0


def _middle(image: Tensor) -> Tensor:
    """Return the middle of an image, in a square that is its own mirror image where the image is square."""
    starts = [max(0, (length - _CROP + 1) // 2) for length in image.shape]
    return image[starts[0] : image.shape[0] - starts[0], starts[1] : image.shape[1] - starts[1]]
