"""A micrograph made ready for picking: reduced, without what is no ice, and flat."""

from typing import NamedTuple

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging.blur import blur
from eucentric.imaging.contaminants import find_contaminants, find_dirt
from eucentric.imaging.picking_discs import FEWEST, Discs, find_discs

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

ACROSS = 20
"""Pixels of a diameter in the reduced micrograph."""
LOCAL = 1.2
"""Deviation, in diameters, of the Gaussian whose local mean is taken away."""
_ENOUGH = 0.02
"""Part of the micrograph that must be ice."""


class Picks(NamedTuple):
    """What was found on a micrograph.

    Attributes:
        positions: Centres (x, y) in px of the micrograph [pick, 2], best first.
        scores: Peak heights, in deviations of the filtered noise [pick].
        excluded: Part of the micrograph that was taken for carbon, ice or dirt, 0 to 1.
    """

    positions: Tensor
    scores: Tensor
    excluded: float


class Ground(NamedTuple):
    """What particles are looked for on.

    Attributes:
        flat: The reduced micrograph [y, x], particles positive, of mean 0 and deviation 1 where it is good.
        good: Where there may be particles [y, x].
        across: Diameter of a particle in pixels of it.
        discs: Dark discs on it; None where next to nothing is good.
        shape: Rows and columns of the micrograph.
        excluded: Part of it that was taken for carbon, ice or dirt, 0 to 1.
    """

    flat: FloatArray
    good: Mask
    across: float
    discs: Discs | None
    shape: tuple[int, int]
    excluded: float

    def picks(self, places: NDArray[np.float64], scores: FloatArray) -> Picks:
        """Return places (x, y) [pick, 2] on the reduced micrograph as picks on the micrograph."""
        scale = [whole / small for whole, small in zip(self.shape[::-1], self.flat.shape[::-1], strict=True)]
        # The centre of the first pixel is (0, 0) in both images.
        positions = np.clip((places + 0.5) * scale - 0.5, 0, np.array(self.shape[::-1]) - 1)
        return Picks(torch.from_numpy(positions), torch.from_numpy(scores), self.excluded)

    def none(self) -> Picks:
        """Return no picks."""
        return self.picks(np.zeros((0, 2)), np.zeros(0, np.float32))


def prepare(micrograph: Tensor, pixel_size: float, diameter: float, *, avoid: bool = True) -> Ground:
    """Reduce a micrograph until a particle is 20 pixels wide, and leave out what is no ice.

    Args:
        micrograph: Image [y, x], particles dark.
        pixel_size: Å/px.
        diameter: Of the particles, Å.
        avoid: Whether to look for carbon, ice crystals, dirt and gold, and leave them out.

    Raises:
        ValueError: The diameter is less than 4 pixels, or more than a third of the micrograph.
    """
    pixels = diameter / pixel_size
    shape = (micrograph.shape[0], micrograph.shape[1])
    if not 4 <= pixels <= min(shape) / 3:
        raise ValueError(
            f"A particle of {diameter:g} Å is {pixels:.1f} pixels wide on a micrograph of {shape[1]} ×"
            f" {shape[0]} pixels; give a diameter between 4 pixels and a third of the micrograph."
        )
    image = _reduced(micrograph, min(1.0, ACROSS / pixels))
    across = pixels * (image.shape[0] / shape[0] + image.shape[1] / shape[1]) / 2
    bad = find_contaminants(image, across) if avoid else np.zeros(image.shape, bool)
    flat, discs = image, None
    if 1 - bad.mean() >= _ENOUGH:
        flat = _flattened(image, ~bad, across)
        discs = find_discs(flat, ~bad, across)
        if avoid and len(discs.places) >= FEWEST:
            dirt = find_dirt(image, ~bad, discs.places, across)
            if dirt.any():
                bad = bad | dirt
                flat, discs = image, None
    if discs is None and 1 - bad.mean() >= _ENOUGH:
        flat = _flattened(image, ~bad, across)
        discs = find_discs(flat, ~bad, across)
    return Ground(flat, ~bad, across, discs, shape, float(bad.mean()))


def _reduced(micrograph: Tensor, factor: float) -> FloatArray:
    """Return the micrograph as a small positive image of mean 1."""
    # Lengths that are quick to transform.
    rows, columns = (min(n, scipy.fft.next_fast_len(round(n * factor), real=True)) for n in micrograph.shape)
    image = micrograph[None, None].float()
    small = torch.nn.functional.interpolate(image, size=(rows, columns), mode="bilinear", antialias=True)
    reduced: FloatArray = small[0, 0].cpu().numpy()
    middle = float(np.median(reduced))
    if middle <= 5 * float(reduced.std()):  # the mean was taken away, or never was there
        reduced = reduced - middle + 10 * max(float(reduced.std()), 1e-20)
        middle = float(np.median(reduced))
    return np.asarray(reduced / np.float32(middle), np.float32)


def _flattened(image: FloatArray, good: Mask, diameter: float) -> FloatArray:
    """Return the image, particles positive, with mean 0 and deviation 1 all over the good part."""
    weight = good.astype(np.float32)
    mean = blur(image * weight, LOCAL * diameter) / np.maximum(blur(weight, LOCAL * diameter), 1e-3)
    rest = ((mean - image) * weight).astype(np.float32)
    power = blur(rest**2, 2 * diameter) / np.maximum(blur(weight, 2 * diameter), 1e-3)
    flat = rest / np.sqrt(np.maximum(power, 1e-12))
    return np.clip(flat, -6, 6).astype(np.float32)
