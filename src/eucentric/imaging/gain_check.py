"""Does a gain reference fit a movie? What the mean of the movie's own frames says.

A camera's pixel i counts s_i e electrons where e arrive, and the reference holds the multiplier g_i = 1/s_i.
From pixel to pixel the specimen changes little and the camera much, so of both only the differences from
the neighbours are looked at. Let u be the mean of the raw frames and c = g u that of the corrected ones. The
slope of c on g is 0 where g fits, and the slope of u on 1/g is 1. If u does not have the reference's
pattern, the first slope is 1 and the second 0, and it remains to be told apart whether u has another pattern
(a reference that is turned, flipped, or of another camera) or none: then the file was corrected already, and
doing it again brings the pattern in. A pattern shows as more variance than electrons make by chance.

Slopes of c and u themselves, not of their logarithms, are used: they are right on average however few
electrons there are.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Verdict = Literal["fits", "corrected twice", "wrong", "unsure"]

_TILE = 256
_TILES = 4  # along each axis
_OUTLIERS = 8.0
"""Differences beyond so many standard deviations are hot or dead pixels, and are left out."""

_NOT_BY_CHANCE = 0.01
"""Part of the variance by which counting electrons may differ from chance: cameras miss some of two that
arrive together."""

_FLAT = 0.002
"""Relative standard deviation of a reference below which it has no pattern that matters."""

_FITS = 0.2
"""Slope below which the reference takes the pattern away well enough."""

_CERTAIN = 0.05
"""Standard error of a slope above which nothing can be said."""


@dataclass(frozen=True)
class GainCheck:
    """What a movie says about its gain reference.

    Attributes:
        residual: Correlation of the corrected mean with the reference, pixel against pixel: near 0 where it
            fits.
        uncorrected: Correlation of the mean before correction with the inverse of the reference: clearly
            above 0 where the movie has the reference's pattern and needs it.
        verdict: "fits"; "corrected twice": the movie had no pattern and the reference has put one in;
            "wrong": the movie has another pattern (turned, flipped, another camera, divided instead of
            multiplied); "unsure": too few electrons, or a reference without pattern.
    """

    residual: float
    uncorrected: float
    verdict: Verdict


def check_gain(corrected_mean: Tensor, gain: Tensor, *, frames: int, counts: float = 1.0) -> GainCheck:
    """Judge a gain reference by the movie that it was applied to.

    Args:
        corrected_mean: [y, x], the mean of the frames times the reference. The frames must not have been
            moved.
        gain: [y, x], what the counts were multiplied by, 0 where a pixel is a defect.
        frames: Number of frames.
        counts: Counts that one electron makes on average; only used to tell chance from pattern.

    Returns:
        The correlations and the verdict.

    Raises:
        ValueError: The two differ in shape, or are smaller than 32 pixels along an axis.
    """
    if corrected_mean.shape != gain.shape or min(gain.shape) < 32:
        raise ValueError(
            f"A mean of {tuple(corrected_mean.shape)} pixels cannot be checked against a reference of"
            f" {tuple(gain.shape)}; they must be alike and 32 × 32 or larger."
        )
    good = _tiles(gain) > 0
    multiplier = _tiles(gain).where(good, 1)
    corrected = _tiles(corrected_mean).where(good, 0)
    level = float(corrected.sum() / good.sum().clamp(min=1))
    if level <= 0:
        return GainCheck(0.0, 0.0, "unsure")
    raw = corrected / multiplier
    after = _fit(corrected / level, multiplier / multiplier[good].mean(), good)
    before = _fit(raw / level, 1 / multiplier, good)
    return GainCheck(
        round(after.correlation, 4),
        round(before.correlation, 4),
        _verdict(after, before, raw, good, gain, counts / frames),
    )


@dataclass(frozen=True)
class _Fit:
    """A straight line through differences from neighbours, and what is known of its slope."""

    slope: float
    error: float
    correlation: float
    deviation: float
    """Standard deviation of the reference's differences, as those of single pixels."""


def _verdict(
    after: _Fit, before: _Fit, raw: Tensor, good: Tensor, gain: Tensor, count_variance: float
) -> Verdict:
    if after.deviation < _FLAT or after.error > _CERTAIN or before.error > _CERTAIN:
        return "unsure"
    if abs(after.slope) < _FITS:
        return "fits"
    unrelated = abs(before.slope) < _FITS and abs(after.slope - 1) < 2 * _FITS
    if not unrelated or _turned_fits(raw, good, gain):
        return "wrong"
    # By chance the mean of n counts varies by level / n; the pattern would add the reference's variance.
    level = raw[good].mean()
    chance = float(count_variance / level)
    added = before.deviation**2
    extra = _variance(raw / level, good) - chance
    doubt = 3 * (chance + added) * math.sqrt(3 / float(good.sum())) + _NOT_BY_CHANCE * chance
    return "corrected twice" if extra < added / 2 and doubt < added / 2 else "wrong"


def _turned_fits(raw: Tensor, good: Tensor, gain: Tensor) -> bool:
    """Tell whether the raw mean has the pattern of the reference, turned or flipped in any other way."""
    turns = [0, 1, 2, 3] if gain.shape[0] == gain.shape[1] else [0, 2]
    level = raw[good].mean()
    for turn in turns:
        for flipped in (False, True):
            other = _tiles(torch.rot90(gain.flip(1) if flipped else gain, turn))
            usable = good & (other > 0)
            if _fit(raw / level, 1 / other.where(usable, 1), usable).slope > 2 * _FITS:
                return True
    return False


def _tiles(image: Tensor) -> Tensor:
    """Return square tiles [tile, y, x] from all over an image, in a pattern that is its own mirror image."""
    size = min(_TILE, *image.shape)
    parts = []
    for y in _starts(image.shape[0], size):
        parts += [image[y : y + size, x : x + size] for x in _starts(image.shape[1], size)]
    return torch.stack(parts).float()


def _starts(length: int, size: int) -> list[int]:
    """Return where tiles begin along an axis: the same from either end."""
    count = min(_TILES, length // size)
    half = [(length - size) * i // (2 * count) for i in range(1, count, 2)]
    middle = [(length - size) // 2] if count % 2 else []
    return [*half, *middle, *(length - size - start for start in reversed(half))]


def _differences(image: Tensor, good: Tensor) -> tuple[Tensor, Tensor]:
    """Return the difference of every good pixel from the mean of the good ones in 3 × 3 around it.

    Without the rims of the tiles; and which differences are of use: of good pixels, and no outliers.
    """
    inner = (slice(None), slice(1, -1), slice(1, -1))
    means = _sums_around(image.where(good, 0)) / _sums_around(good.float()).clamp(min=1)
    differences, there = (image[inner] - means).where(good[inner], 0), good[inner]
    # Hot pixels have no part in the measure of what is ordinary.
    step = max(1, differences.numel() // 65536)
    some = differences.flatten()[::step][there.flatten()[::step]]
    deviation = 1.4826 * some.abs().median() if len(some) else differences.new_zeros(())
    return differences, there & (differences.abs() < _OUTLIERS * deviation)


def _sums_around(tiles: Tensor) -> Tensor:
    """Return the sums over 3 × 3 pixels, without the rims of the tiles."""
    columns = tiles[:, :-2] + tiles[:, 1:-1] + tiles[:, 2:]
    return columns[:, :, :-2] + columns[:, :, 1:-1] + columns[:, :, 2:]


def _variance(image: Tensor, good: Tensor) -> float:
    """Return the variance from pixel to pixel, without outliers, as that of single pixels."""
    differences, kept = _differences(image, good)
    # A difference from a mean over nine pixels, one of which is the pixel, has 8/9 of the variance.
    return float(differences[kept].var()) * 9 / 8


def _fit(image: Tensor, pattern: Tensor, good: Tensor) -> _Fit:
    (x, x_kept), (y, y_kept) = _differences(pattern, good), _differences(image, good)
    kept = x_kept & y_kept
    count = int(kept.sum())
    x, y = x * kept, y * kept
    xx, xy, yy = (float((a * b).sum()) / max(1, count) for a, b in ((x, x), (x, y), (y, y)))
    if count < 3 or xx == 0 or yy == 0:
        return _Fit(0.0, math.inf, 0.0, 0.0)
    slope = xy / xx
    error = math.sqrt(max(yy - slope * xy, 0.0) / xx / count)
    return _Fit(slope, error, xy / math.sqrt(xx * yy), math.sqrt(xx * 9 / 8))
