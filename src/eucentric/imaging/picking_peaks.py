"""Maxima of a filtered micrograph: where they are, how far apart, and how many noise alone has."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

APART = 0.7
"""Smallest distance of two picks, in diameters: particles may overlap a little in projection."""


def find_peaks(response: FloatArray, good: Mask, diameter: float) -> tuple[NDArray[np.float64], FloatArray]:
    """Return places (x, y), to a fraction of a pixel, and heights of maxima that are apart, best first."""
    reach = max(1, int(0.35 * diameter))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    highest = ndimage.maximum_filter(response, footprint=x**2 + y**2 <= reach**2, mode="constant", cval=-99)
    rows, columns = np.nonzero((response == highest) & good & (response > 1))
    heights = response[rows, columns]
    order = np.argsort(-heights, kind="stable")
    rows, columns, heights = rows[order], columns[order], heights[order]
    places = np.stack(
        [columns + _offset(response, rows, columns, 1), rows + _offset(response, rows, columns, 0)], 1
    )
    kept = keep_apart(places, APART * diameter)
    return places[kept], heights[kept]


def _offset(
    response: FloatArray, rows: NDArray[np.int64], columns: NDArray[np.int64], axis: int
) -> NDArray[np.float64]:
    """Return where between -½ and ½ px the parabola through three pixels has its top."""
    before, after = np.roll(response, 1, axis), np.roll(response, -1, axis)
    b, m, a = (each[rows, columns].astype(np.float64) for each in (before, response, after))
    bend = np.minimum(b + a - 2 * m, -1e-9)
    return np.asarray(np.clip((b - a) / (2 * bend), -0.5, 0.5))


def keep_apart(
    places: NDArray[np.float64], distance: float, period: tuple[float, float] = (math.inf, math.inf)
) -> NDArray[np.int64]:
    """Return which places (x, y) are kept when each takes the room of those after it.

    With a period, distances count round the borders as well: filters in Fourier space see an image that
    goes on at its other side, and what lies at one border at the opposite one again.
    """
    kept: list[int] = []
    for index, place in enumerate(places):
        apart = np.abs(places[kept] - place)
        if not kept or (np.minimum(apart, period - apart) ** 2).sum(axis=1).min() >= distance**2:
            kept.append(index)
    return np.array(kept, np.int64)


def threshold(heights: FloatArray, area: int, diameter: float, false_picks: float) -> float:
    """Return the height above which only the given part of the peaks is expected to be noise.

    A Gaussian field that was filtered with something of the size of a particle has about
    area · u · exp(−u²/2) / (2π)^(3/2) / width² maxima above u.
    """
    width = 0.22 * diameter
    levels = np.sort(heights)
    noise = area * levels * np.exp(-(levels**2) / 2) / (2 * math.pi) ** 1.5 / width**2
    above = np.arange(len(levels), 0, -1)
    within = np.nonzero(noise <= false_picks * above)[0]
    return float(levels[within[0]]) if len(within) else math.inf
