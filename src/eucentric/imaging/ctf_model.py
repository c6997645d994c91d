"""The model that is fitted to a spectrum in sectors, and what counts as evidence for it.

The model is CTF² times a falling envelope, compared after everything smooth along the frequency (splines) has
been taken out of both, so that no background needs to be known.

What counts is the evidence: the logarithm of how much likelier the spectrum is with the rings than without
them, for noise of the size that is seen. A mild prior on astigmatism stands against it, so that a weak
image does not run to an astigmatism for which it has no evidence.
"""

import math
from typing import NamedTuple

import numpy as np

from eucentric.imaging.ctf import CTFOptics, electron_wavelength
from eucentric.imaging.polar_spectrum import FloatArray, PolarSpectrum

_USUAL_ASTIGMATISM = 500.0  # Å; what a microscope in fair adjustment may have
_CORRELATED_CELLS = (
    1.3  # a Hann window makes each value of a spectrum share in its neighbours'; measured on noise
)
_UNEXPECTED_PHASE = 1e-3  # density of phase shifts far from the expected one, relative to the expected one


class CTFLimits(NamedTuple):
    """Where to search."""

    min_defocus: float
    """Smallest mean defocus, Å"""
    max_defocus: float
    """Largest mean defocus, Å"""
    max_astigmatism: float
    """Largest difference between U and V, Å"""
    min_phase_shift: float
    """Degrees; the same as the largest where it is known"""
    max_phase_shift: float
    """Degrees"""
    expected_phase_shift: tuple[float, float] | None = None
    """Phase shift that others let expect and its standard deviation, degrees; it may turn out otherwise"""

    @property
    def fits_phase_shift(self) -> bool:
        """Whether the phase shift is fitted."""
        return self.max_phase_shift > self.min_phase_shift


class Rings(NamedTuple):
    """One set of parameters of the model."""

    mean: float
    """Mean defocus in Å"""
    cosine: float
    """Half the astigmatism in Å times the cosine of twice its angle"""
    sine: float
    """The same with the sine"""
    phase_shift: float
    """Degrees"""
    envelope: float
    """B of exp(-B k²) in Å²"""

    @property
    def axes(self) -> tuple[float, float, float]:
        """Defocus U and V in Å, and the angle of U in degrees."""
        half = math.hypot(self.cosine, self.sine)
        angle = math.degrees(math.atan2(self.sine, self.cosine) / 2) % 180
        return self.mean + half, self.mean - half, angle


def sector_model(polar: PolarSpectrum, optics: CTFOptics, rings: Rings) -> FloatArray:
    """Return the model [sector, ring] as it compares with the values of a spectrum."""
    direction = 2 * polar.angle[:, None]
    defocus = rings.mean + rings.cosine * np.cos(direction) + rings.sine * np.sin(direction)
    squared = squared_transfer(polar.frequency, defocus, optics._replace(phase_shift=rings.phase_shift))
    return polar.without_smooth(squared * np.exp(-rings.envelope * polar.frequency**2))


def squared_transfer(frequency: FloatArray, defocus: FloatArray, optics: CTFOptics) -> FloatArray:
    """Return CTF² at frequencies (1/Å) for defoci (Å), which broadcast."""
    wavelength = electron_wavelength(optics.voltage)
    square = frequency**2
    constant = math.radians(optics.phase_shift) + math.asin(optics.amplitude_contrast)
    aberration = math.pi / 2 * optics.spherical_aberration * 1e7 * wavelength**3
    phase = (math.pi * wavelength) * defocus * square + (constant - aberration * square**2)
    # The sine in single precision takes a quarter of the time and is right to 5e-5 at the largest phases.
    sine = np.sin(phase.astype(np.float32))
    return np.asarray(sine * sine, dtype=np.float64)


def evidence(agreement: FloatArray | np.float64, noise: float) -> FloatArray:
    """Return the evidence in nats for rings of which the model, of unit length, agrees with the spectrum.

    Args:
        agreement: Sums of the products of spectrum and model.
        noise: Root mean square of the noise in a cell.
    """
    return np.sign(agreement) * np.square(agreement / noise) / (2 * _CORRELATED_CELLS)


def defocus_step(polar: PolarSpectrum, optics: CTFOptics) -> float:
    """Return the step in Å by which the phase of CTF² changes by 0.8 at 4 Å, or at the spectrum's edge."""
    wavelength = electron_wavelength(optics.voltage)
    return 0.8 / (2 * math.pi * wavelength * min(float(polar.frequency[-1]), 0.25) ** 2)


def astigmatism_prior(astigmatism: float) -> float:
    """Return the nats that speak against an astigmatism in Å; slow to grow, for it may be there.

    It stands for how rarely one so large is seen, and for the many more ways in which noise can fit it.
    """
    return 2.5 * math.log1p((astigmatism / _USUAL_ASTIGMATISM) ** 2)


def phase_prior(phase_shift: float, limits: CTFLimits, tolerance: float = 0.0) -> float:
    """Return the nats that speak against a phase shift in degrees, 7 at the most; 0 where none is expected.

    One that is within the tolerance (degrees) of the expected one, or 180° from it, costs nothing.
    """
    if limits.expected_phase_shift is None:
        return 0.0
    expected, deviation = limits.expected_phase_shift
    distance = max(0.0, abs((phase_shift - expected + 90) % 180 - 90) - tolerance)
    return -math.log(math.exp(-((distance / deviation) ** 2) / 2) + _UNEXPECTED_PHASE)


def length_of(values: FloatArray) -> float:
    """Return the root of the sum of squares."""
    # Not np.linalg.norm: for so few numbers the threads of BLAS cost more than the sum.
    return math.sqrt(float(np.square(values).sum()))
