"""How motion differs from place to place: a smooth field fitted to what patches of a movie show."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eucentric.imaging.trajectory import interpolate_trajectory, smooth_trajectory

FloatArray = NDArray[np.float64]

_EVIDENCE = 12.0  # by which a term must lower the risk to be believed; patches that overlap add to chance
_COMMON = 1.25  # by which the error of a mean of patches is larger than it seems, since they overlap
_HIGHEST_POWER = 4  # of the course of a deformation
_SETTLING_DOSE = 3.0  # e⁻/Å² over which the first, fast deformation fades
_OUTLIER = 4.0  # standard deviations beyond which a patch loses weight


class MotionField(NamedTuple):
    """Displacement of the specimen in every frame, as a polynomial of second order over the field."""

    coefficients: FloatArray
    """[frame, term, axis], pixels; terms 1, u, v, u² - 1/12, u v, v² - 1/12 with u = x / width - 1/2 and
    v = y / height - 1/2; the last axis is (x, y)"""
    shape: tuple[int, int]
    """Shape (y, x) of the images that the pixels belong to"""

    def at(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return the displacements [frame, n, 2] (x, y) at the points (x [n], y [n]), in pixels."""
        terms = field_terms(x / self.shape[1] - 0.5, y / self.shape[0] - 0.5)
        return np.asarray(np.einsum("fta,nt->fna", self.coefficients, terms), dtype=np.float64)

    def mean(self) -> FloatArray:
        """Return the mean displacement over the field [frame, 2], in pixels."""
        return self.coefficients[:, 0]

    def local(self) -> float:
        """Return the root mean square, over field and frames, of what is not the mean displacement."""
        # Means of u², (u² - 1/12)² and u² v² over the field, and of no other products.
        power = np.array([0, 1 / 12, 1 / 12, 1 / 180, 1 / 144, 1 / 180])
        return float(np.sqrt((self.coefficients**2).sum(axis=2).mean(axis=0) @ power))

    def polynomials(self) -> FloatArray:
        """Return what is not the mean displacement as RELION's model of motion, in pixels.

        Third-order polynomials in time, fitted by least squares to the paths of the terms: coefficients
        [axis, term, power] of t, t², t³ (t = 0 in the first frame) for the terms 1, u, u², v, v², u v. There
        is no constant in that model, which only would lay each path as a whole elsewhere, so the fit has one
        and it is left out. Paths that are steep at first are followed only roughly.

        Source: Zivanov et al. (2019), IUCrJ 6, 5.
        """
        frames = np.arange(len(self.coefficients)) / max(1, len(self.coefficients) - 1)
        powers = frames[:, None] ** np.array([0, 1, 2, 3])
        _, u, v, u2, uv, v2 = np.moveaxis(self.coefficients, 1, 0)
        paths = np.stack([-(u2 + v2) / 12, u, u2, v, v2, uv], axis=1)
        fitted = np.linalg.lstsq(powers, paths.reshape(len(paths), 12), rcond=None)[0][1:]
        fitted /= float(max(1, len(frames) - 1)) ** np.array([[1], [2], [3]])
        return np.moveaxis(fitted.reshape(3, 6, 2), (0, 1, 2), (2, 1, 0))


def uniform_field(shifts: FloatArray, shape: tuple[int, int]) -> MotionField:
    """Return the field in which everything moves alike, by `shifts` [frame, 2] pixels."""
    coefficients = np.zeros((len(shifts), 6, 2))
    coefficients[:, 0] = shifts
    return MotionField(coefficients, shape)


def field_terms(u: FloatArray, v: FloatArray) -> FloatArray:
    """Return the terms of the polynomial [n, 6] at the points (u [n], v [n]), -1/2 to 1/2 over the field."""
    return np.stack([np.ones_like(u), u, v, u**2 - 1 / 12, u * v, v**2 - 1 / 12], axis=1)


def fit_field(places: FloatArray, shifts: FloatArray, errors: FloatArray, course: FloatArray) -> FloatArray:
    """Return the coefficients [group, 6, 2] of the smooth field that explains the shifts of patches.

    At every time a polynomial in space is fitted, weighted by the errors; each of its terms is then a path in
    time. The mean is smoothed as far as its error allows (see `smooth_trajectory`). The other terms are a
    slow deformation of the ice: polynomials of the lowest order in `course` that explain more than
    they cost (Mallows' Cp). A term that does not do so clearly is left out, and the others are fitted anew.

    Args:
        places: Centres (u, v) of the patches, -1/2 to 1/2 over the field, [patch, 2].
        shifts: Measured shifts [patch, group, 2], each patch's with an offset of its own.
        errors: Their standard deviations [patch, group, 2]; infinite where nothing was measured.
        course: A measure of time in which deformation is slow throughout (`beam_course`), [group].

    Sources: Zheng et al. (2017), Nat. Methods 14, 331 (patches and polynomial); Mallows (1973),
    Technometrics 15, 661.
    """
    terms = field_terms(places[:, 0], places[:, 1])
    coefficients = np.zeros((shifts.shape[1], 6, 2))
    spread = np.zeros((shifts.shape[1], 2))
    for axis in range(2):
        coefficients[:, :, axis], spread[:, axis] = _fit_axis(
            terms, shifts[:, :, axis], errors[:, :, axis], course
        )
    coefficients[:, 0] = smooth_trajectory(coefficients[:, 0], spread * _COMMON)
    return coefficients


def _fit_axis(
    terms: FloatArray, shifts: FloatArray, errors: FloatArray, course: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients [group, 6] of an axis, the mean as measured, and that one's errors [group]."""
    weights = 1 / errors**2
    offset = (weights * shifts).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-30)
    shifts = shifts - offset[:, None]
    # As many terms as the patches could ever tell apart.
    possible = range(6 if len(terms) >= 9 else 3 if len(terms) >= 4 else 1)
    kept = list(possible)
    weights = _without_outliers(terms[:, kept], shifts, weights)
    for _ in possible:
        found, spread = _polynomials(terms[:, kept], shifts, weights)
        paths, gains = [found[:, 0]], [np.inf]
        for column in range(1, len(kept)):
            path, gain = _deformation(found[:, column], spread[:, column], course)
            paths.append(path)
            gains.append(gain)
        worst = int(np.argmin(gains))
        if gains[worst] > _EVIDENCE:
            break
        kept.pop(worst)
    result = np.zeros((shifts.shape[1], 6))
    result[:, kept] = np.stack(paths, axis=1)
    return result, spread[:, 0]


def _polynomials(terms: FloatArray, shifts: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients [group, term] fitted at every time, and their standard deviations."""
    normal = np.einsum("pt,pg,ps->gts", terms, weights, terms)
    normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(terms.shape[1]) + 1e-12
    inverse = np.linalg.inv(normal)
    found = np.einsum("gts,ps,pg,pg->gt", inverse, terms, weights, shifts)
    return found, np.sqrt(np.maximum(np.diagonal(inverse, axis1=1, axis2=2), 1e-18))


def _without_outliers(terms: FloatArray, shifts: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weights, less where a patch disagrees with all others, and scaled to the true scatter."""
    robust = weights
    measured = weights > 0
    if not measured.any():
        return weights
    freedom = max(1 - terms.shape[1] / len(terms), 0.2)
    for _ in range(3):
        found, _ = _polynomials(terms, shifts, robust)
        deviation = np.abs(shifts - terms @ found.T) * np.sqrt(weights)
        scale = max(1.0, 1.4826 * float(np.median(deviation[measured])) / freedom**0.5)
        robust = weights / scale**2 * np.minimum(1, _OUTLIER * scale / np.maximum(deviation, 1e-9))
    return robust


def _deformation(values: FloatArray, errors: FloatArray, course: FloatArray) -> tuple[FloatArray, float]:
    """Return the path of one coefficient [group], and by how much it beats no deformation at all."""
    powers = (course - course.mean())[:, None] ** np.arange(min(_HIGHEST_POWER + 1, len(course)))
    best, lowest, still = np.zeros_like(values), np.inf, 0.0
    for power in range(powers.shape[1]):
        basis = powers[:, : power + 1] / errors[:, None]
        path = powers[:, : power + 1] @ np.linalg.lstsq(basis, values / errors, rcond=None)[0]
        risk = float((((values - path) / errors) ** 2).sum()) + 2 * power
        if power == 0:
            still = risk
        elif risk < lowest:
            best, lowest = path, risk
    return best, still - lowest


def beam_course(doses: FloatArray) -> FloatArray:
    """Return a measure of time in which deformation under the beam is slow throughout, [group].

    Ice deforms fast at first, over a few e⁻/Å², and slower and slower after. The logarithm of the dose
    follows this, and low orders of a polynomial in it are enough. Time itself is taken where it is not known.

    Args:
        doses: Dose in the middle of each group, e⁻/Å², or zeros, [group].
    """
    if not doses.any():
        return np.linspace(0, 1, len(doses))
    return np.log1p(doses / _SETTLING_DOSE)


def interpolate_field(coefficients: FloatArray, times: FloatArray, frames: int) -> FloatArray:
    """Return the coefficients [frame, 6, 2] of every frame, relative to the first, from those of groups.

    Args:
        coefficients: [group, 6, 2].
        times: Middle of each group, in frames counted from 0, [group].
        frames: Number of frames.
    """
    flat = coefficients.reshape(len(coefficients), 12)
    found = interpolate_trajectory(flat, times, np.arange(frames, dtype=np.float64))
    return np.asarray((found - found[0]).reshape(frames, 6, 2), dtype=np.float64)
