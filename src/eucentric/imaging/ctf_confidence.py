"""How sure a fit of the contrast transfer function is: by how much the second best defocus is worse."""

import math

import numpy as np

from eucentric.imaging.ctf import CTFOptics
from eucentric.imaging.ctf_model import (
    CTFLimits,
    astigmatism_prior,
    defocus_step,
    evidence,
    squared_transfer,
)
from eucentric.imaging.ctf_refine import RingFit
from eucentric.imaging.polar_spectrum import FloatArray, PolarSpectrum

# Logistic regression on 2000 simulated images, a third of them fitted rightly (benchmarks/ctf_confidence.py).
_SLOPE, _OFFSET = 1.18, -3.55


def fit_confidence(polar: PolarSpectrum, optics: CTFOptics, limits: CTFLimits, fit: RingFit) -> float:
    """Return the probability, 0 to 1, that a fit's mean defocus is right within 300 Å.

    Its margin is turned into a probability by a calibration on simulated micrographs, some with rings and
    some without.
    """
    margin = defocus_margin(polar, optics, limits, fit)
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, _SLOPE * margin + _OFFSET))))


def defocus_margin(polar: PolarSpectrum, optics: CTFOptics, limits: CTFLimits, fit: RingFit) -> float:
    """Return by how many standard deviations of the noise a fit beats the second best mean defocus.

    Noise without rings agrees with some defocus too, and nearly as well with others. So the fit is
    compared with the same rings at every other mean defocus within the limits, beyond its own peak. What
    speaks against so large an astigmatism is taken off.
    """
    defocus, strength = scan_defocus(polar, optics, limits, fit)
    peak = int(np.argmin(np.abs(defocus - fit.rings.mean)))
    rising, falling = np.diff(strength[: peak + 1]) < 0, np.diff(strength[peak:]) > 0
    # The peak ends where the curve turns up again: at the rings next to it begin the other answers.
    left = int(np.flatnonzero(rising)[-1]) + 1 if rising.any() else 0
    right = peak + int(np.flatnonzero(falling)[0]) if falling.any() else len(strength) - 1
    others = np.concatenate([strength[:left], strength[right + 1 :]])
    against = astigmatism_prior(2 * math.hypot(fit.rings.cosine, fit.rings.sine))
    best = math.sqrt(max(0.0, max(0.0, float(strength[peak])) ** 2 - 2 * against))
    return best - float(others.max(initial=0.0))


def scan_defocus(
    polar: PolarSpectrum, optics: CTFOptics, limits: CTFLimits, fit: RingFit
) -> tuple[FloatArray, FloatArray]:
    """Return mean defoci [n] in Å over the limits, and how well the fit's rings agree at each.

    The agreement [n] is in standard deviations of what noise without rings would give; astigmatism, phase
    shift and envelope are those of the fit. One of the defoci is the fit's.
    """
    rings = fit.rings
    step = defocus_step(polar, optics) / 2
    before = max(0, math.floor((rings.mean - limits.min_defocus) / step))
    after = max(0, math.floor((limits.max_defocus - rings.mean) / step))
    count = before + 1 + after
    local = rings.cosine * np.cos(2 * polar.angle) + rings.sine * np.sin(2 * polar.angle)
    offset = np.rint(local / step).astype(np.int64)
    margin = int(np.abs(offset).max())
    places = np.arange(-before - margin, after + margin + 1, dtype=np.float64)
    defocus: FloatArray = rings.mean + step * places
    squared = squared_transfer(
        polar.frequency[None, :], defocus[:, None], optics._replace(phase_shift=rings.phase_shift)
    )
    model = polar.without_smooth(squared * np.exp(-rings.envelope * polar.frequency**2)) * fit.weight
    table = (model @ (polar.values * fit.weight).T).T
    length = np.square(model).sum(axis=1)
    first = offset + margin
    agreement: FloatArray = np.sum(
        [row[at : at + count] for row, at in zip(table, first, strict=True)], axis=0
    )
    agreement /= np.sqrt(np.sum([length[at : at + count] for at in first], axis=0))
    nats = evidence(agreement, fit.noise)
    return defocus[margin : margin + count], np.sign(nats) * np.sqrt(2 * np.abs(nats))
