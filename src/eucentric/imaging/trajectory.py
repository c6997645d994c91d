"""The path of the specimen through a movie: smoothing, interpolating and measuring it."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

FloatArray = NDArray[np.float64]

_OUTLIER = 6.0  # robust standard deviations beyond which a point loses its weight
_STIFFNESS = np.logspace(-3, 7, 41)


def smooth_trajectory(shifts: FloatArray, errors: FloatArray) -> FloatArray:
    """Smooth measured shifts as far as their errors allow, and pull in outliers.

    Minimises Σ ((s - d) / e)² + λ Σ (second differences of s)², where λ, the same for all axes, is that of
    the smallest unbiased estimate of the risk (Mallows' Cp: Σ ((s - d) / e)² + 2 × degrees of freedom).
    The path is smoothed only where the measurement cannot tell it from a smooth one; real vibration
    above the errors stays. Fewer than five points are returned as they are.

    Args:
        shifts: Measured shifts [n, axis].
        errors: Standard deviation of each measured shift [n, axis], positive.

    Source: Craven & Wahba (1978), Numer. Math. 31, 377 (smoothing with known error).
    """
    if len(shifts) < 5:
        return shifts.copy()
    paths, risks = zip(*(_smoothed(*axis) for axis in zip(shifts.T, errors.T, strict=True)), strict=True)
    best = int(np.argmin(np.sum(risks, axis=0)))
    return np.stack([path[best] for path in paths], axis=1)


def _smoothed(values: FloatArray, errors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the values [n] of an axis smoothed with every stiffness, [stiffness, n], and the risks of it."""
    second = np.diff(np.eye(len(values)), n=2, axis=0)
    root = np.sqrt(np.where(_spikes(values, errors), 1e-6, 1)) / errors
    # In units of the errors all axes of the problem are alike; one eigenbasis serves every stiffness.
    curvature, basis = np.linalg.eigh((second.T @ second) / np.outer(root, root) * np.median(root**2))
    curvature = np.maximum(curvature, 0)
    target = basis.T @ (root * values)
    shrink = 1 / (1 + _STIFFNESS[:, None] * curvature)
    risks = (((1 - shrink) * target) ** 2).sum(axis=1) + 2 * shrink.sum(axis=1)
    return (shrink * target) @ basis.T / root, risks


def _spikes(values: FloatArray, errors: FloatArray) -> NDArray[np.bool_]:
    """Return which points lie far outside the interval between their neighbours; the ends never do.

    However fast the specimen moves on, each point lies between its neighbours.
    """
    before, after = values[:-2], values[2:]
    inner, error = values[1:-1], errors[1:-1]
    bend = np.abs(inner - (before + after) / 2) / error
    outside = np.maximum(inner - np.maximum(before, after), np.minimum(before, after) - inner) / error
    spikes = outside > _OUTLIER * max(1.0, 1.4826 * float(np.median(bend)))
    return np.concatenate([[False], spikes, [False]])


def interpolate_trajectory(shifts: FloatArray, times: FloatArray, at: FloatArray) -> FloatArray:
    """Return the shifts [m, axis] at the times `at` [m] from those [n, axis] measured at `times` [n].

    By natural cubic spline; beyond the ends the path goes on as it was.
    """
    if len(shifts) == 1:
        return np.repeat(shifts, len(at), axis=0)
    if len(shifts) == 2:
        speed = (shifts[1] - shifts[0]) / (times[1] - times[0])
        return np.asarray(shifts[0] + (at - times[0])[:, None] * speed, dtype=np.float64)
    return np.asarray(CubicSpline(times, shifts, bc_type="natural")(at), dtype=np.float64)
