"""How the phase shift of a phase plate goes on from exposure to exposure.

A phase plate is charged by the beam: at one position its phase shift drifts slowly; when another position is
taken it jumps. Single fits of it are noisy, a few are wrong, and a shift by 180° does not show. So the phase
is followed as a hidden state on a circle of 180°: from exposure to exposure it takes a random step of some
size, or, rarely, jumps anywhere; and what is fitted is the state with the fit's own error, or, rarely,
anything. All that can be said of it follows from passing once forwards and once backwards over the exposures;
size of steps, errors and frequency of jumps are those that make the series likeliest.

Sources: Danev et al. (2014), PNAS 111, 15635 (the Volta phase plate); Rabiner (1989), Proc. IEEE 77, 257
(hidden Markov models).
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_PERIOD = 180.0  # degrees
_BINS = 180
_STEPS = (0.2, 0.5, 1.0, 2.0, 4.0)  # degrees from exposure to exposure
_JUMPS = (1 / 200, 1 / 40)  # of a plate, an exposure
_ERRORS = (0.6, 1.0, 1.5, 2.5)  # times what the fits say
_TOLD_BY = 500  # exposures, the last ones, tell the size of steps and errors
_WRONG = 0.05  # of the fits
_LEAST_ERROR = 1.0  # degrees; a bin
_LONGEST_PAUSE = 10  # exposures; while nothing is exposed nothing is charged


class PhaseTrend(NamedTuple):
    """What a series says about the phase shift at each of its exposures."""

    phase: FloatArray
    """[exposure]: the trend in degrees, 0 to less than 180, by all exposures"""
    error: FloatArray
    """[exposure]: how far off it may be with a probability of 68 %, degrees; 61 where nothing is known"""
    expected: FloatArray
    """[exposure]: the same by all other exposures, without its own fit"""
    expected_error: FloatArray
    """[exposure]"""
    jump: FloatArray
    """[exposure]: probability that the plate was moved just before it"""
    step: float
    """Standard deviation of the steps from exposure to exposure, degrees"""
    error_factor: float
    """By how much the fits are worse than they say"""


def phase_trend(phase: FloatArray, error: FloatArray, pause: FloatArray) -> PhaseTrend:
    """Follow the phase shift through a series of exposures.

    Args:
        phase: Fitted phase shifts [exposure] in degrees, in the order of time; 180° more is the same.
        error: Their standard deviations [exposure] in degrees.
        pause: Time since the exposure before, in usual intervals [exposure]; the first does not count.

    Raises:
        ValueError: there are no exposures.
    """
    if len(phase) == 0:
        raise ValueError("There are no exposures to follow a phase shift through; give one or more.")
    lengths = _lengths(pause)
    step, jumps, factor = _likeliest(phase[-_TOLD_BY:], error[-_TOLD_BY:], lengths[-_TOLD_BY:])
    likelihood = _likelihoods(phase, error * factor)
    kernels, jump = _moves(lengths, np.array([step]), np.array([jumps]))
    kernels, jump = kernels[:, 0], jump[:, 0]
    before = _forwards(likelihood, kernels, jump)
    after = _backwards(likelihood, kernels, jump)
    expected, all_told = before * after, before * likelihood * after
    # What has come by a jump is spread over all bins; before the first there is no plate to move.
    jumped = (jump / _BINS) * (likelihood * after).sum(axis=1) / all_told.sum(axis=1)
    jumped[0] = 0.0
    return PhaseTrend(*_moments(all_told), *_moments(expected), jumped, step, factor)


def _lengths(pause: FloatArray) -> FloatArray:
    """Return for how many exposures' steps a pause counts."""
    return np.clip(np.round(pause), 1, _LONGEST_PAUSE)


def _grid() -> FloatArray:
    return (np.arange(_BINS) + 0.5) * _PERIOD / _BINS


def _likelihoods(phase: FloatArray, error: FloatArray) -> FloatArray:
    """Return how likely each fit is for each phase [exposure, bin]."""
    distance = (phase[:, None] - _grid() + _PERIOD / 2) % _PERIOD - _PERIOD / 2
    spread = np.maximum(error, _LEAST_ERROR)[:, None]
    density = np.exp(-((distance / spread) ** 2) / 2) / (spread * math.sqrt(2 * math.pi))
    return np.asarray((1 - _WRONG) * density + _WRONG / _PERIOD, dtype=np.float64)


def _likeliest(phase: FloatArray, error: FloatArray, lengths: FloatArray) -> tuple[float, float, float]:
    """Return the size of steps, the frequency of jumps and the factor of errors that fit a series best."""
    choices = np.array(list(itertools.product(_STEPS, _JUMPS)))
    kernels, jump = _moves(lengths, *choices.T)
    best, found = -math.inf, (*choices[0].tolist(), _ERRORS[0])
    for factor in _ERRORS:
        likelihood = _likelihoods(phase, error * factor)
        before = np.full((len(choices), _BINS), 1 / _BINS)
        total = np.zeros(len(choices))
        for i in range(len(phase)):
            if i:
                before = _after_move(before, kernels[i], jump[i, :, None])
            before = before * likelihood[i]
            sums = before.sum(axis=1, keepdims=True)
            total += np.log(sums[:, 0])
            before /= sums
        if total.max() > best:
            best, found = float(total.max()), (*choices[np.argmax(total)].tolist(), factor)
    return found


def _moves(lengths: FloatArray, step: FloatArray, jumps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what steps and jumps of several kinds do in a series.

    Args:
        lengths: Number of steps before each exposure [exposure].
        step: Size of one in degrees [kind].
        jumps: Probability of a jump in one [kind].

    Returns:
        Transforms of the steps [exposure, kind, frequency], and probabilities of jumps [exposure, kind].
    """
    frequency = np.arange(_BINS // 2 + 1) * 2 * math.pi / _PERIOD
    spread = step * np.sqrt(lengths)[:, None]
    return np.exp(-((frequency * spread[..., None]) ** 2) / 2), 1 - (1 - jumps) ** lengths[:, None]


def _after_move(density: FloatArray, kernel: FloatArray, jump: FloatArray | float) -> FloatArray:
    """Return a density [..., bin] after a random step [..., frequency] or a jump."""
    moved = np.maximum(np.fft.irfft(np.fft.rfft(density) * kernel, _BINS), 0)
    return np.asarray((1 - jump) * moved + jump / _BINS, dtype=np.float64)


def _forwards(likelihood: FloatArray, kernels: FloatArray, jump: FloatArray) -> FloatArray:
    """Return what the exposures before each say of it [exposure, bin]."""
    before = np.full_like(likelihood, 1 / _BINS)
    for i in range(1, len(likelihood)):
        density = before[i - 1] * likelihood[i - 1]
        before[i] = _after_move(density / density.sum(), kernels[i], float(jump[i]))
    return before


def _backwards(likelihood: FloatArray, kernels: FloatArray, jump: FloatArray) -> FloatArray:
    """Return what the exposures after each say of it [exposure, bin]."""
    after = np.full_like(likelihood, 1 / _BINS)
    for i in range(len(likelihood) - 1, 0, -1):
        density = after[i] * likelihood[i]
        after[i - 1] = _after_move(density / density.sum(), kernels[i], float(jump[i]))
    return after


def _moments(weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the means on the circle of densities [exposure, bin], and how far 68 % of them lie from these.

    Not the standard deviation: the few per cent of jumps and wrong fits would make it meaningless.
    """
    grid = _grid()
    share = weight / weight.sum(axis=1, keepdims=True)
    mean = np.angle(share @ np.exp(2j * math.pi * grid / _PERIOD)) / (2 * math.pi) * _PERIOD % _PERIOD
    distance = np.abs((grid - mean[:, None] + _PERIOD / 2) % _PERIOD - _PERIOD / 2)
    order = np.argsort(distance, axis=1)
    reached = np.cumsum(np.take_along_axis(share, order, axis=1), axis=1)
    distance = np.take_along_axis(distance, order, axis=1)
    return mean, np.array([np.interp(0.683, *each) for each in zip(reached, distance, strict=True)])
