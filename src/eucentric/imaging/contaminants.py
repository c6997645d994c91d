"""Where a micrograph shows carbon, ice crystals, dirt or gold instead of particles in ice.

Nothing is known beforehand but the diameter of the particles. Ice is what most of the image is: a
brightness that varies smoothly. Whatever is much darker or brighter over more than the size of a particle,
or has more texture, is something else.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eucentric.imaging.blur import blur

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

_DEVIATIONS = 6.0
"""How far brightness may be from that of ice, in deviations of blocks half a particle wide."""
_WIDER = 0.35
"""Diameters from what is bad to the nearest centre of a particle that is not touched by it much."""
_DRAWS = 300
"""Planes that are tried: three blocks of ice are among them for certain, even where half is carbon."""


def find_contaminants(image: FloatArray, diameter: float) -> Mask:
    """Return where over more than the size of a particle there is something else than particles in ice.

    Args:
        image: Micrograph [y, x], resampled so that a particle is about 20 pixels wide; positive.
        diameter: Of the particles in pixels of this image.

    Returns:
        True where no particle should be picked [y, x], a little wider than what was seen.
    """
    brightness = np.log(np.maximum(image, 0.05 * image.mean()))
    bad = _opened(np.abs(_unlike_most(brightness, 0.35 * diameter, diameter)) > 1, 0.7 * diameter)
    bad |= _opened(_unlike_most(_texture(image, diameter), 0.5 * diameter, diameter) > 1, 1.2 * diameter)
    return _widened(bad, _WIDER * diameter)


def find_dirt(image: FloatArray, good: Mask, places: NDArray[np.float64], diameter: float) -> Mask:
    """Return where it is much darker than anywhere in most of the particles: dirt, gold, heaps of particles.

    Args:
        image: Micrograph [y, x] as above.
        good: Where there are no contaminants that are known already [y, x].
        places: Where particles seem to be, (x, y) in px [place, 2].
        diameter: Of the particles in pixels of this image.

    Returns:
        True where no particle should be picked [y, x], a little wider than what was seen.
    """
    logarithm = np.log(np.maximum(image, 0.05 * image.mean()))
    weight = good.astype(np.float32)
    seen = np.maximum(blur(weight, 1.2 * diameter), 1e-3)
    dark = blur(logarithm * weight, 1.2 * diameter) / seen
    dark -= ndimage.gaussian_filter(logarithm, 0.12 * diameter)
    columns, rows = np.round(places).astype(int).T
    around = ndimage.maximum_filter(dark, footprint=_disc(0.35 * diameter))
    darkest = around[np.clip(rows, 0, image.shape[0] - 1), np.clip(columns, 0, image.shape[1] - 1)]
    middle = float(np.median(darkest))
    deviation = 1.4826 * float(np.median(np.abs(darkest - middle)))
    return _widened((dark > max(middle + 6 * deviation, 2 * middle)) & good, _WIDER * diameter)


def _unlike_most(values: FloatArray, scale: float, diameter: float) -> FloatArray:
    """Return how far values are, over a length of `scale`, from the smooth surface that fits most of them.

    In units of the limit. Values far beyond it count as twice the limit, so that what they cover, and not
    their neighbourhood, is beyond the limit once they are smoothed.
    """
    smooth = blur(values, scale)
    step = max(1, round(diameter / 2))
    rows, columns = (np.arange(step // 2, length, step) for length in values.shape)
    surface, deviation = _surface(smooth[np.ix_(rows, columns)])
    rest = ndimage.gaussian_filter(values, 0.1 * diameter) - _evaluate(surface, values.shape, rows, columns)
    return blur(np.clip(rest / (_DEVIATIONS * deviation), -2, 2), scale)


def _terms(rows: NDArray[np.float64], columns: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    terms = [np.ones(np.broadcast(rows, columns).shape), rows + 0 * columns, columns + 0 * rows]
    if order == 2:
        terms += [rows**2 + 0 * columns, rows * columns, columns**2 + 0 * rows]
    return np.stack(terms)


def _surface(coarse: FloatArray) -> tuple[NDArray[np.float64], float]:
    """Fit a surface of second order to most of the values; return its terms and the deviation from it.

    First the plane through three values that has most values near it (Fischler & Bolles (1981), Commun.
    ACM 24, 381), then least squares over those near it.
    """
    steps = np.concatenate([np.diff(coarse, axis=0).ravel(), np.diff(coarse, axis=1).ravel()])
    noise = max(float(np.median(np.abs(steps))) * 1.05, 1e-6)  # 1.4826 / √2
    rows, columns = np.linspace(-1, 1, coarse.shape[0])[:, None], np.linspace(-1, 1, coarse.shape[1])[None, :]
    flat = coarse.ravel().astype(np.float64)
    plane = _terms(rows, columns, 1).reshape(3, -1)
    rng = np.random.default_rng(1)
    best, most = np.zeros(flat.size, bool), -1
    for _ in range(_DRAWS):
        three = rng.choice(flat.size, 3, replace=False)
        try:
            near = np.abs(np.linalg.solve(plane[:, three].T, flat[three]) @ plane - flat) < 3 * noise
        except np.linalg.LinAlgError:
            continue  # three blocks in a line
        if (count := int(near.sum())) > most:
            best, most = near, count
    curved = _terms(rows, columns, 2).reshape(6, -1)
    for _ in range(4):
        surface = np.linalg.lstsq(curved[:, best].T, flat[best], rcond=None)[0]
        rest = flat - surface @ curved
        deviation = max(float(np.median(np.abs(rest[best]))) * 1.4826, noise)
        best = np.abs(rest) < 3 * deviation
    return np.asarray(surface, np.float64), deviation


def _evaluate(
    surface: NDArray[np.float64],
    shape: tuple[int, ...],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> FloatArray:
    """Return the surface at every pixel, from its terms in units of the coarse grid."""
    y, x = (
        2 * (np.arange(length) - grid[0]) / max(1, grid[-1] - grid[0]) - 1
        for length, grid in zip(shape, (rows, columns), strict=True)
    )
    return np.tensordot(surface, _terms(y[:, None], x[None, :], 2), 1).astype(np.float32)


def _texture(image: FloatArray, diameter: float) -> FloatArray:
    """Return the logarithm of the local power of detail finer than a fifth of a particle."""
    detail = image - ndimage.gaussian_filter(image, 0.08 * diameter)
    power = blur(detail**2, 0.3 * diameter)
    return np.asarray(np.log(power + 1e-6 * float(power.mean()) + 1e-30), np.float32)


def _opened(mask: Mask, radius: float) -> Mask:
    """Return those parts of a mask that a disc fits in; it may reach over the edge of the image."""
    edge = int(radius) + 1
    wide = np.pad(mask, edge, mode="edge")
    inner = _eroded(wide, radius)
    if not inner.any():
        return np.zeros_like(mask)
    return _widened(inner, radius)[edge:-edge, edge:-edge]


def _eroded(mask: Mask, radius: float) -> Mask:
    return mask if mask.all() else np.asarray(ndimage.distance_transform_edt(mask) > radius)


def _disc(radius: float) -> Mask:
    reach = max(1, int(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(x**2 + y**2 <= radius**2)


def _widened(mask: Mask, radius: float) -> Mask:
    if not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask) <= radius)
