"""The ring of crystalline ice in a power spectrum."""

import math

import numpy as np
from torch import Tensor

from eucentric.imaging.polar_spectrum import spectrum_grid

# In Å, of hexagonal ice: 3.90 (100), 3.67 (002), 3.44 (101); cubic ice has its first ring at 3.67 (111).
_RING = (3.76, 3.58)
_AROUND = ((4.40, 4.05), (3.32, 3.05))
_HIGHEST = 3.2  # Å; a spectrum that ends before it has too little beyond the rings
_FEWEST_RINGS = 4


def ice_ring(spectrum: Tensor, pixel_size: float) -> float | None:
    """Return the power at 3.67 Å over that of the frequencies around it, minus one.

    About 0 where there is nothing, some hundredths in vitreous ice, whose diffuse ring lies there too, and
    more where ice has crystallised; never less than 0. Around means 4.40–4.05 Å and 3.32–3.05 Å, clear
    of the other rings of hexagonal ice at 3.90 and 3.44 Å; between them power is taken to fall
    exponentially. The mean power along a ring counts single bright spots as well.

    Args:
        spectrum: Power [n, n], zero frequency at [n // 2, n // 2].
        pixel_size: Pixel size in Å that the spectrum stands for.

    Returns:
        The figure, or None where the spectrum ends below 1/3.2 Å, or its rings are too few.

    Source: Dowell & Rinfret (1960), Nature 188, 1144, for the spacings of ice.
    """
    size = spectrum.shape[0]
    if 2 * pixel_size > _HIGHEST:
        return None
    extent = size * pixel_size
    first, last = math.ceil(extent / _AROUND[0][0]), min(math.floor(extent / _AROUND[-1][1]), size // 2 - 1)
    grid = spectrum_grid(size, first, last)
    # Summed on the CPU: always in the same order, for the same result.
    power = spectrum[:, size // 2 :].cpu().numpy().ravel()[grid.pixel]
    count, total = grid.counts.sum(axis=0), np.bincount(grid.ring, power, minlength=grid.rings)
    frequency = (first + np.arange(grid.rings)) / extent

    def between(low: float, high: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.flatnonzero((frequency >= 1 / low) & (frequency <= 1 / high) & (count > 0))

    sides, middle = [between(*part) for part in _AROUND], between(*_RING)
    if min(len(part) for part in (*sides, middle)) < _FEWEST_RINGS:
        return None
    middles, level = zip(
        *((frequency[p].mean(), total[p].sum() / count[p].sum()) for p in sides), strict=True
    )
    found = total[middle].sum() / count[middle].sum()
    if min(*level, found) <= 0:
        return None
    expected = np.exp(np.interp(frequency[middle].mean(), middles, np.log(level)))
    return max(0.0, float(found / expected) - 1)
