"""The best rings near some others, and how exactly a spectrum tells them."""

import itertools
import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from eucentric.imaging.ctf import CTFOptics, electron_wavelength
from eucentric.imaging.ctf_model import (
    CTFLimits,
    Rings,
    astigmatism_prior,
    evidence,
    length_of,
    phase_prior,
    sector_model,
)
from eucentric.imaging.polar_spectrum import FloatArray, PolarSpectrum

_CURVATURE_STEP = 0.05  # 5 Å, 5 % of the envelope, 1.5°


class RingFit(NamedTuple):
    """The best rings, and what the spectrum says about others."""

    rings: Rings
    score: float
    """Correlation between the spectrum in sectors and the model, -1 to 1"""
    weight: FloatArray
    """[ring]: how much the rings count beside their weights in the spectrum: less where they are so strong
    that not noise but the specimen's own spectrum limits them"""
    noise: float
    """Root mean square of what the model leaves in the spectrum"""


class Loss:
    """What speaks against rings near some others: the priors less the evidence, in nats.

    Its parameters are scaled so that 1 is about equally large a change of the model in each: 100 Å, e in the
    envelope, 30°. A step of the phase shift moves the defocus against it, so that the rings in the middle
    stay where they are: the two are then as independent as they can be.
    """

    def __init__(
        self,
        polar: PolarSpectrum,
        optics: CTFOptics,
        limits: CTFLimits,
        start: Rings,
        weight: FloatArray,
        noise: float,
    ) -> None:
        self.polar, self.optics, self.limits, self.start = polar, optics, limits, start
        self.weight, self.noise, self.data = weight, noise, polar.values * weight
        self.count = 5 if limits.fits_phase_shift else 4
        middle = (float(polar.frequency[0]) ** 2 + min(float(polar.frequency[-1]), 0.2) ** 2) / 2
        self.per_degree = math.radians(1) / (math.pi * electron_wavelength(optics.voltage) * middle)

    def rings(self, scaled: FloatArray) -> Rings:
        """Return the rings that the scaled parameters [4 or 5] mean."""
        start, limits = self.start, self.limits
        phase = start.phase_shift
        if limits.fits_phase_shift:
            phase = float(np.clip(phase + 30 * scaled[4], limits.min_phase_shift, limits.max_phase_shift))
        return Rings(
            start.mean + 100 * float(scaled[0]) - (phase - start.phase_shift) * self.per_degree,
            start.cosine + 100 * float(scaled[1]),
            start.sine + 100 * float(scaled[2]),
            phase,
            start.envelope * math.exp(float(scaled[3])),
        )

    def __call__(self, scaled: FloatArray) -> float:
        """Return the nats."""
        tried = self.rings(scaled)
        model = sector_model(self.polar, self.optics, tried) * self.weight
        agreement = float((model * self.data).sum()) / max(length_of(model), 1e-12)
        astigmatism = 2 * math.hypot(tried.cosine, tried.sine)
        beyond = max(0.0, astigmatism - self.limits.max_astigmatism)
        prior = astigmatism_prior(astigmatism) + phase_prior(tried.phase_shift, self.limits)
        return prior + beyond - float(evidence(np.float64(agreement), self.noise))


def refine_rings(loss: Loss, *, first: float) -> Rings:
    """Return the rings of least loss near its start, by the simplex method of Nelder and Mead."""
    count = loss.count
    result = minimize(
        loss,
        np.zeros(count),
        method="Nelder-Mead",
        bounds=([(-10, 10)] * 3 + [(-3, 3), (-4, 4)])[:count],
        options={
            "initial_simplex": np.vstack([np.zeros(count), first * np.eye(count)]),
            "xatol": 0.01,
            "fatol": 0.01,
            "maxiter": 100 * count,
        },
    )
    return loss.rings(result.x)


class RingErrors(NamedTuple):
    """Standard deviations of what was fitted, all else being fitted with it."""

    mean: float
    """Of the mean defocus, Å"""
    phase_shift: float | None
    """Of the phase shift in degrees, no more than 52°, that of one of which nothing is known; None of a given
    one"""


def ring_errors(polar: PolarSpectrum, optics: CTFOptics, limits: CTFLimits, fit: RingFit) -> RingErrors:
    """Return how exactly a spectrum tells its rings, if they are the right ones.

    From the curvature of the evidence (Laplace's method), without what was expected of the phase shift.
    """
    loss = Loss(polar, optics, limits._replace(expected_phase_shift=None), fit.rings, fit.weight, fit.noise)
    step = _CURVATURE_STEP * np.eye(loss.count)
    origin = np.zeros(loss.count)
    if limits.fits_phase_shift:
        # Beyond a limit the rings do not change with the phase shift: the curvature is that within.
        inwards = fit.rings.phase_shift < (limits.min_phase_shift + limits.max_phase_shift) / 2
        origin[4] = _CURVATURE_STEP * (1.01 if inwards else -1.01)
    here = loss(origin)
    ahead, behind = ([loss(origin + sign * each) for each in step] for sign in (1, -1))
    hessian = np.diag([a + b - 2 * here for a, b in zip(ahead, behind, strict=True)])
    for i, j in itertools.combinations(range(loss.count), 2):
        both = sum(loss(origin + sign * (step[i] + step[j])) for sign in (1, -1))
        mixed = both + 2 * here - ahead[i] - behind[i] - ahead[j] - behind[j]
        hessian[i, j] = hessian[j, i] = mixed / 2
    values, vectors = np.linalg.eigh(hessian / _CURVATURE_STEP**2)
    covariance = (vectors / np.maximum(values, 1e-3)) @ vectors.T
    if not limits.fits_phase_shift:
        return RingErrors(100 * math.sqrt(covariance[0, 0]), None)
    # A change of the phase shift moves the defocus too.
    moves = np.array([100.0, 0, 0, 0, -30 * loss.per_degree])
    phase = min(30 * math.sqrt(covariance[4, 4]), 180 / math.sqrt(12))
    return RingErrors(math.sqrt(float(moves @ covariance @ moves)), phase)
