"""What noise alone would give where particles are looked for, and the threshold that follows."""

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from eucentric.imaging.picking_discs import FEWEST
from eucentric.imaging.picking_filters import smooth_power
from eucentric.imaging.picking_ground import Ground

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIZE = 320
"""Rows and columns of an image of noise: some 500 peaks."""
_FREE = 0.6
"""Diameters from the middle of a disc to where there is no particle."""
_LITTLE = 0.1
"""Part of the ice that must be free of discs to be taken for noise, and least part that noise has room in."""


def without_discs(ground: Ground) -> Mask:
    """Return where there is ice and, as far as can be told beforehand, no particle [y, x].

    Where too few discs are clear of the noise, they are noise: without them it would seem less than it is.
    """
    assert ground.discs is not None
    if ground.discs.clear < FEWEST:
        return ground.good
    middles = np.ones(ground.good.shape, bool)
    last = np.array(ground.good.shape[::-1]) - 1
    column, row = np.clip(np.round(ground.discs.places).astype(int), 0, last).T
    middles[row, column] = False
    free = ground.good & (ndimage.distance_transform_edt(middles) > _FREE * ground.across)
    return free if free.mean() > _LITTLE * ground.good.mean() else ground.good


def noise_alike(ground: Ground) -> FloatArray:
    """Return Gaussian noise [y, x] with the spectrum of the ground where there seem to be no particles."""
    free = without_discs(ground).astype(np.float32)
    transform = scipy.fft.rfft2(ground.flat * free, workers=1)
    deviation = math.sqrt(float((ground.flat**2 * free).sum()) / float(free.sum()))
    along = smooth_power(transform, ground.flat.shape)[: ground.flat.shape[0] // 2, 0]
    y, x = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :]
    power = np.interp(np.hypot(y, x), np.arange(len(along)) / ground.flat.shape[0], along)
    white = np.random.default_rng(1).standard_normal((SIZE, SIZE), np.float32)
    noise = scipy.fft.irfft2(scipy.fft.rfft2(white, workers=1) * np.sqrt(power), s=white.shape, workers=1)
    return np.asarray(noise * (deviation / float(noise.std())), np.float32)


def noise_threshold(
    heights: FloatArray, of_noise: FloatArray, area: float, taken: float, false_picks: float
) -> float:
    """Return the height above which noise is expected to be the given part of the peaks.

    Args:
        heights: Of the peaks found.
        of_noise: Of the peaks of noise.
        area: Where peaks were looked for, over where those of noise were.
        taken: What a pick takes of that area: there is no peak of noise beside it.
        false_picks: The part, 0 to 1.
    """
    levels = np.sort(heights)
    above = np.arange(len(levels), 0, -1)
    ordered = np.sort(of_noise)
    if not len(ordered) or not len(levels):
        return -math.inf
    expected = (len(ordered) - np.searchsorted(ordered, levels)).astype(np.float64)
    # Beyond the highest peak of noise less than one is expected: the tail falls exponentially.
    tail = ordered[-max(2, len(ordered) // 10) :]
    fall = max(float((tail - tail[0]).mean()), 1e-6)
    beyond = expected == 0
    expected[beyond] = np.exp(-(levels[beyond] - ordered[-1]) / fall)
    level, free = math.inf, area
    for _ in range(2):  # there is less room for noise once the surest particles are known
        within = np.nonzero(free * expected <= false_picks * above)[0]
        if not len(within):
            return level
        level = float(levels[within[0]])
        free = max(area - taken * (1 - false_picks) * float(above[within[0]]), _LITTLE * area)
    return level
