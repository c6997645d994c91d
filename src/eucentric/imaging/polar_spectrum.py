"""A power spectrum in sectors, with everything smooth along the frequency taken out."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from torch import Tensor

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SECTORS = 36
_SMOOTH_TERMS = 7  # cubic splines that describe the background from lowest to highest frequency
_FEWEST_RINGS = 24
_NO_POWER = 1e-30  # stands for zero, which has no logarithm


class SpectrumGrid(NamedTuple):
    """Which pixels of the half with x >= 0 of a centred spectrum count, and where they lie."""

    size: int
    """Edge of the whole spectrum"""
    first: int
    """Radius in pixels of the first ring"""
    rings: int
    """Number of rings"""
    pixel: IntArray
    """[pixel]: place in the half [n, n // 2], flattened"""
    ring: IntArray
    """[pixel]: number of its ring"""
    cell: IntArray
    """[pixel]: number of its sector times the number of rings, plus that of its ring"""
    counts: FloatArray
    """[sector, ring]: number of pixels"""

    def frequencies(self, step: float) -> tuple[FloatArray, FloatArray]:
        """Return the frequencies (x, y) of the pixels in 1/Å, for a `step` in 1/Å from pixel to pixel."""
        row, column = np.divmod(self.pixel, self.size // 2)
        return column * step, (row - self.size // 2) * step


class PolarSpectrum(NamedTuple):
    """The logarithm of a power spectrum in sectors, and pixel by pixel."""

    frequency: FloatArray
    """[ring], 1/Å"""
    angle: FloatArray
    """[sector], radians from the x axis"""
    values: FloatArray
    """[sector, ring]: log power without background, times the square root of the rings' weights"""
    weight: FloatArray
    """[ring]: square roots of the rings' weights"""
    smooth: FloatArray
    """[ring, term]: orthonormal basis of what is taken out"""
    background: FloatArray
    """[ring]: the smooth part of the log power"""
    grid: SpectrumGrid
    """The pixels"""
    pixel_values: FloatArray
    """[pixel]: log power of the pixels of the grid without background"""

    def without_smooth(self, model: FloatArray) -> FloatArray:
        """Return a model [..., ring], weighted and without its smooth part, to compare with `values`."""
        weighted = model * self.weight
        return np.asarray(weighted - (weighted @ self.smooth) @ self.smooth.T, dtype=np.float64)


def polar_spectrum(spectrum: Tensor, pixel_size: float, lowest: float, highest: float) -> PolarSpectrum:
    """Average a spectrum [n, n] (zero frequency at [n // 2, n // 2]) in sectors of 5°.

    Rings are one pixel wide, from the frequency `lowest` to `highest` (1/Å), or to what the spectrum holds.
    The arrays are small and lie on the CPU in double precision wherever the spectrum lies.

    Raises:
        ValueError: the range holds fewer than 24 rings.
    """
    size = spectrum.shape[0]
    step = 1 / (size * pixel_size)
    first, last = math.ceil(lowest / step), min(math.floor(highest / step), size // 2 - 2)
    if last - first + 1 < _FEWEST_RINGS:
        raise ValueError(
            f"Between {1 / lowest:.1f} and {1 / highest:.1f} Å a spectrum of {size} pixels of"
            f" {pixel_size:.2f} Å has too few rings to fit; widen the range or use larger tiles."
        )
    grid = spectrum_grid(size, first, last)
    # Friedel: the half with x >= 0 holds everything.
    log_power = torch.log(spectrum[:, size // 2 :].clamp(min=_NO_POWER)).cpu().numpy().ravel()
    pixel_values = log_power[grid.pixel].astype(np.float64)
    background, smooth, weight = _background(pixel_values, grid)
    pixel_values -= background[grid.ring]
    total = np.bincount(grid.cell, pixel_values, minlength=grid.counts.size)
    values = total.reshape(grid.counts.shape) / np.maximum(grid.counts, 1) * weight
    values -= (values @ smooth) @ smooth.T
    return PolarSpectrum(
        frequency=(first + np.arange(grid.rings, dtype=np.float64)) * step,
        angle=(np.arange(SECTORS) + 0.5) * math.pi / SECTORS,
        values=values,
        weight=weight,
        smooth=smooth,
        background=background,
        grid=grid,
        pixel_values=pixel_values,
    )


@lru_cache(maxsize=4)
def spectrum_grid(size: int, first: int, last: int) -> SpectrumGrid:
    """Return the pixels of rings `first` to `last` of a spectrum [size, size]; a session has few kinds."""
    half = size // 2
    y, x = np.arange(size)[:, None] - half, np.arange(half)[None, :]
    radius = np.rint(np.hypot(x, y)).astype(np.int64).ravel()
    pixel = np.flatnonzero((radius >= first) & (radius <= last))
    ring, rings = radius[pixel] - first, last - first + 1
    row, column = np.divmod(pixel, half)
    angle = np.arctan2(row - half, column) % math.pi
    sector = np.minimum((angle / math.pi * SECTORS).astype(np.int64), SECTORS - 1)
    cell = sector * rings + ring
    count = np.bincount(cell, minlength=SECTORS * rings).reshape(SECTORS, rings).astype(np.float64)
    return SpectrumGrid(size, first, rings, pixel, ring, cell, count)


def _background(log_power: FloatArray, grid: SpectrumGrid) -> tuple[FloatArray, ...]:
    """Return the background [ring], the orthonormal smooth basis [ring, term] and the weights [ring]."""
    count = grid.counts.sum(axis=0)
    mean = np.bincount(grid.ring, log_power, minlength=grid.rings) / np.maximum(count, 1)
    weight = np.sqrt(count / count.mean())
    place = np.linspace(0, 1, grid.rings)
    inner = np.linspace(0, 1, _SMOOTH_TERMS - 2)
    knots = np.concatenate([[0] * 3, inner, [1] * 3])
    splines = BSpline.design_matrix(place, knots, 3).toarray()
    smooth = np.linalg.qr(splines * weight[:, None])[0]
    background = smooth @ (smooth.T @ (mean * weight)) / weight
    return background, smooth, weight
