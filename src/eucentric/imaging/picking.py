"""Finding particles without templates, from nothing but their diameter.

1. The micrograph is reduced until a particle is 20 pixels wide, and what is no ice is left out.
2. A first round looks for dark discs: soft discs of about the diameter with a bright surround.
3. What the best of these have in common, their mean and its radial profile, is what particles look like in
   this micrograph, with its defocus. The second round is the matched filter for it: the profile divided
   by the noise's power spectrum (North (1963), Proc. IEEE 51, 1016).
4. Peaks of the filtered image stand in units of its own deviation, and Gaussian noise has known numbers
   of peaks of every height (Adler (1981), The Geometry of Random Fields, chapter 6): where more are
   found than noise explains, they are particles. The threshold is the height above which the wanted part
   of the picks may be noise.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from eucentric.imaging.picking_discs import FEWEST, Discs
from eucentric.imaging.picking_filters import filtered, profile_image
from eucentric.imaging.picking_ground import Ground, Picks, prepare
from eucentric.imaging.picking_peaks import APART, find_peaks, keep_apart, threshold

FloatArray = NDArray[np.float32]

_LEARNT = 200
"""Most discs that the profile is learnt from."""


def pick_particles(
    micrograph: Tensor,
    pixel_size: float,
    diameter: float,
    *,
    false_picks: float = 0.2,
    most: int | None = None,
    avoid: bool = True,
) -> Picks:
    """Find the particles of a micrograph, dark on bright.

    Args:
        micrograph: Image [y, x].
        pixel_size: Å/px.
        diameter: Of the particles, Å.
        false_picks: Part of the picks that may be noise, 0 to 1.
        most: Most picks; the best are kept.
        avoid: Whether to look for carbon, ice crystals, dirt and gold, and leave them out.

    Raises:
        ValueError: The diameter is less than 4 pixels, or more than a third of the micrograph.
    """
    ground = prepare(micrograph, pixel_size, diameter, avoid=avoid)
    if ground.discs is None:
        return ground.none()
    places, heights = _second_round(ground, ground.discs, false_picks)
    kept = keep_apart(places, APART * ground.across, ground.flat.shape[::-1])[:most]
    return ground.picks(places[kept], heights[kept])


def _second_round(ground: Ground, seen: Discs, false_picks: float) -> tuple[NDArray[np.float64], FloatArray]:
    """Return places (x, y) and heights of what looks as the best discs do, best first.

    Where too few of those stand out, nothing can be learnt from them, and they themselves are returned.
    """
    places, heights = seen.places, seen.heights
    if seen.clear >= FEWEST:
        learnt = profile_image(ground.flat.shape, _profile(ground.flat, places[:_LEARNT], seen.width))
        response = filtered(ground.flat, learnt, ground.good, ground.across, whiten=True)
        places, heights = find_peaks(response, ground.good, ground.across)
    chosen = heights >= threshold(heights, int(ground.good.sum()), seen.width, false_picks)
    return places[chosen], heights[chosen]


def _profile(flat: FloatArray, places: NDArray[np.float64], diameter: float) -> FloatArray:
    """Return the radial mean of the image around the places, as far as 1.1 diameters, tapered to zero."""
    reach = int(1.1 * diameter)
    padded = np.pad(flat, reach + 1)
    boxes = [
        padded[row : row + 2 * reach + 1, column : column + 2 * reach + 1]
        for column, row in np.round(places).astype(int) + 1
    ]
    mean = np.mean(boxes, axis=0)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    ring = np.round(np.hypot(x, y)).astype(int)
    profile = ndimage.mean(mean, ring, np.arange(reach + 1))
    taper = np.cos(np.clip((np.arange(reach + 1) / diameter - 0.7) / 0.4, 0, 1) * np.pi / 2) ** 2
    return np.asarray((profile - profile[-1]) * taper, np.float32)
