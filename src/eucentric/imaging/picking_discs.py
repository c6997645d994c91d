"""Dark discs of about a particle's width: the first look at a micrograph of which nothing is known."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from eucentric.imaging.picking_filters import filtered, profile_image
from eucentric.imaging.picking_peaks import find_peaks, threshold

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

FEWEST = 8
"""Fewest discs, clear of the noise, that anything can be learnt from."""
_WIDTHS = (1.0, 0.65, 0.8, 1.2)
"""Widths of the discs, in diameters."""
_BEST = 20
"""How many of the highest tell which width suits best."""
_LEAST = 3.0
"""Least height of a disc that is kept."""


class Discs(NamedTuple):
    """What was found.

    Attributes:
        places: Their middles (x, y) in px [disc, 2], best first.
        heights: How far they stand out, in deviations of the filtered noise [disc].
        width: Their width in px.
        clear: How many of them stand out of the noise.
    """

    places: NDArray[np.float64]
    heights: FloatArray
    width: float
    clear: int


def find_discs(flat: FloatArray, good: Mask, diameter: float) -> Discs:
    """Look for dark discs of several widths; return those of the width at which the best are highest.

    What looks darkest is often narrower than the diameter that people give: the outline of a projection
    is thin.
    """
    rounds = []
    for width in _WIDTHS:
        disc = profile_image(flat.shape, _disc_profile(width * diameter))
        places, heights = find_peaks(filtered(flat, disc, good, diameter), good, diameter)
        clear = int((heights >= threshold(heights, int(good.sum()), width * diameter, 0.1)).sum())
        rounds.append(Discs(places, heights, width * diameter, clear))
    found = max(rounds, key=lambda each: float(np.sort(each.heights)[-_BEST:].sum()))
    high = found.heights > _LEAST
    return found._replace(places=found.places[high], heights=found.heights[high])


def _disc_profile(diameter: float) -> FloatArray:
    """Return the radial profile of a soft disc with a surround that makes its sum zero."""
    radius = np.arange(int(1.5 * diameter), dtype=np.float32)
    inner = special.expit((0.45 * diameter - radius) / (0.04 * diameter))
    outer = special.expit((0.75 * diameter - radius) / (0.04 * diameter)) - inner
    area = 2 * np.pi * np.maximum(radius, 0.25)
    return np.asarray(inner - outer * (inner * area).sum() / (outer * area).sum(), np.float32)
