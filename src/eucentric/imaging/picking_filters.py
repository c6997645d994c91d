"""Filters of micrographs that look for one shape, in units of the noise they leave."""

import math
from functools import cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from eucentric.imaging.blur import blur

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

_QUIET = 0.75
"""Diameters over which the quietness of a place is measured."""


def profile_image(shape: tuple[int, ...], profile: FloatArray) -> FloatArray:
    """Return the image that has this profile around its corner pixel [0, 0], wrapped around."""
    y, x = (np.minimum(np.arange(n), n - np.arange(n)).astype(np.float32) for n in shape)
    radius = np.hypot(y[:, None], x[None, :])
    return np.asarray(np.interp(radius, np.arange(len(profile)), profile, right=0), np.float32)


def filtered(
    flat: FloatArray, wanted: FloatArray, good: Mask, diameter: float, whiten: bool = False
) -> FloatArray:
    """Correlate with the wanted image; return the result in units of its deviation in the good part."""
    transform, sought = (scipy.fft.rfft2(each, workers=1) for each in (flat, wanted))
    if whiten:
        sought = sought / smooth_power(transform, flat.shape)
    response = scipy.fft.irfft2(transform * np.conj(sought), s=flat.shape, workers=1)
    middle = float(np.median(response[good]))
    noise = scipy.fft.irfft2(_noise(flat.shape) * np.abs(sought * transform), s=flat.shape, workers=1)
    # Where it is quietest there are fewest particles. Noise alone has quieter places, too: the same is
    # measured on noise of the same spectrum.
    expected = quietest(noise, good, diameter)
    deviation = float(noise[good].std()) * quietest(response - middle, good, diameter) / max(expected, 1e-12)
    return np.asarray((response - middle) / max(deviation, 1e-6), np.float32)


@cache
def _noise(shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """Return the half transform of white noise of unit variance, always the same."""
    white = np.random.default_rng(1).standard_normal(shape, np.float32)
    return scipy.fft.rfft2(white, workers=1) / np.float32(math.sqrt(shape[0] * shape[1]))


def quietest(response: FloatArray, good: Mask, diameter: float) -> float:
    """Return the local deviation that a quarter of the good part falls below."""
    weight = good.astype(np.float32)
    seen = blur(weight, _QUIET * diameter)
    power = blur(response**2 * weight, _QUIET * diameter) / np.maximum(seen, 1e-3)
    chosen = good & (seen > 0.3)
    return math.sqrt(float(np.quantile(power[chosen if chosen.any() else good], 0.25)))


def smooth_power(transform: NDArray[np.complex64], shape: tuple[int, ...]) -> FloatArray:
    """Return the rotational mean of the power spectrum on the half transform, in units of its mean."""
    y, x = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    radius = np.hypot(y, x) * min(shape) / 2
    ring = radius.astype(int)
    power = np.bincount(ring.ravel(), (np.abs(transform) ** 2).ravel()) / np.bincount(ring.ravel())
    smooth = ndimage.gaussian_filter1d(power, 1.0)
    smooth = smooth / max(float(smooth.mean()), 1e-12) + 1e-6
    return np.asarray(np.interp(radius, np.arange(len(smooth)) + 0.5, smooth), np.float32)
