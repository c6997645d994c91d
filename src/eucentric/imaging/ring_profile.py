"""The average of a power spectrum along rings of equal phase, and how far it follows the model."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from eucentric.imaging.ctf import CTFOptics, ctf_phase, electron_wavelength
from eucentric.imaging.polar_spectrum import PolarSpectrum

FloatArray = NDArray[np.float64]

_THRESHOLD = 0.5
_SHORTEST_WINDOW = 21  # rings; fewer correlate by chance


class RingProfile(NamedTuple):
    """Curves along the frequency after averaging along rings of equal phase."""

    frequency: FloatArray
    """[n], 1/Å, of the rings at the mean defocus"""
    spectrum: FloatArray
    """[n], log power without background"""
    model: FloatArray
    """[n], CTF², averaged over the same pixels"""
    correlation: FloatArray
    """[n], correlation of the two curves around each frequency, -1 to 1"""
    resolution: float
    """Resolution in Å up to which the correlation stays above 0.5"""


def ring_profile(
    polar: PolarSpectrum, defocus_u: float, defocus_v: float, defocus_angle: float, optics: CTFOptics
) -> RingProfile:
    """Average a spectrum along rings of equal phase and correlate it piece by piece with CTF².

    A piece spans one and a half rings to either side, and at least 21 samples. The resolution is where
    the correlation first falls below 0.5; the lowest resolution of the spectrum where it never reaches that.

    Source: Zhang (2016), J. Struct. Biol. 193, 1; Rohou & Grigorieff (2015), J. Struct. Biol. 192, 216.
    """
    x, y = polar.grid.frequencies(float(polar.frequency[1] - polar.frequency[0]))
    phase = _phase(x, y, (defocus_u, defocus_v, defocus_angle), optics)
    mean = (defocus_u + defocus_v) / 2
    frequency = polar.frequency
    step = frequency[1] - frequency[0]
    ring = np.rint(_frequency_of_phase(phase, x**2 + y**2, mean, optics) / step - frequency[0] / step)
    inside = (ring >= 0) & (ring < len(frequency))
    ring = ring[inside].astype(np.int64)
    count = np.maximum(np.bincount(ring, minlength=len(frequency)), 1)
    spectrum = np.bincount(ring, polar.pixel_values[inside], minlength=len(frequency)) / count
    model = np.bincount(ring, np.sin(phase[inside]) ** 2, minlength=len(frequency)) / count
    period = 1 / (2 * electron_wavelength(optics.voltage) * mean * frequency) / step
    correlation = _local_correlation(spectrum, model, np.ceil(1.5 * period).astype(np.int64))
    below = np.flatnonzero(correlation < _THRESHOLD)
    last = len(frequency) - 1 if len(below) == 0 else max(int(below[0]) - 1, 0)
    return RingProfile(frequency, spectrum, model, correlation, float(1 / frequency[last]))


def ring_frequency(
    x: FloatArray, y: FloatArray, axes: tuple[float, float, float], optics: CTFOptics
) -> FloatArray:
    """Return the frequency (1/Å) of the rings on which frequencies (x, y) lie, as in `RingProfile`.

    Args:
        x: Frequencies along x in 1/Å.
        y: Frequencies along y, of the same shape.
        axes: Defocus U and V in Å, and the angle of U in degrees.
        optics: The rest of the optics.
    """
    mean = (axes[0] + axes[1]) / 2
    return _frequency_of_phase(_phase(x, y, axes, optics), x**2 + y**2, mean, optics)


def _phase(x: FloatArray, y: FloatArray, axes: tuple[float, float, float], optics: CTFOptics) -> FloatArray:
    phase = ctf_phase(
        torch.from_numpy(x),
        torch.from_numpy(y),
        defocus_u=axes[0],
        defocus_v=axes[1],
        defocus_angle=axes[2],
        **optics._asdict(),
    )
    return np.asarray(phase.numpy(), dtype=np.float64)


def _frequency_of_phase(
    phase: FloatArray, square: FloatArray, mean_defocus: float, optics: CTFOptics
) -> FloatArray:
    """Return the frequency (1/Å) at which the mean defocus has the phase that each pixel has.

    With u = k² the phase is a u - b u² + constant; the root that is k² itself without astigmatism is taken.
    """
    wavelength = electron_wavelength(optics.voltage)
    a = math.pi * wavelength * mean_defocus
    b = math.pi / 2 * optics.spherical_aberration * 1e7 * wavelength**3
    constant = math.radians(optics.phase_shift) + math.asin(optics.amplitude_contrast)
    if b == 0:
        return np.sqrt(np.maximum((phase - constant) / a, 0))
    root = np.sqrt(np.maximum(a**2 - 4 * b * (phase - constant), 0))
    # Beyond its maximum the phase falls again, and the other root is the one at the pixel's own frequency.
    signed = np.where(2 * b * square > a, -root, root)
    return np.sqrt(np.maximum((a - signed) / (2 * b), 0))


def _local_correlation(first: FloatArray, second: FloatArray, reach: NDArray[np.int64]) -> FloatArray:
    """Return the correlation of two curves [n] within `reach` [n] samples to either side of each sample."""
    length = len(first)
    half = np.clip(reach, _SHORTEST_WINDOW // 2, length // 2)
    start = np.maximum(np.arange(length) - half, 0)
    stop = np.minimum(np.arange(length) + half + 1, length)

    def mean(values: FloatArray) -> FloatArray:
        running = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray((running[stop] - running[start]) / (stop - start), dtype=np.float64)

    covariance = mean(first * second) - mean(first) * mean(second)
    variances = (mean(first**2) - mean(first) ** 2) * (mean(second**2) - mean(second) ** 2)
    return np.asarray(covariance / np.sqrt(np.maximum(variances, 1e-24)), dtype=np.float64)
