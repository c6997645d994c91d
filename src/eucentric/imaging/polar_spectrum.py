"""A power spectrum in sectors, with everything smooth along the frequency taken out."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from torch import Tensor

from eucentric.imaging.spectrum import spectrum_frequencies

FloatArray = NDArray[np.float64]

_SECTORS = 36
_SMOOTH_TERMS = 7  # cubic splines that describe the background from lowest to highest frequency
_FEWEST_RINGS = 24
_NO_POWER = 1e-30  # stands for zero, which has no logarithm


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
    flat: Tensor
    """[n, n]: log power without background, zero outside the range of frequencies"""
    pixel_frequency: tuple[FloatArray, FloatArray]
    """[pixel], (x, y) in 1/Å: of the pixels in the range with y >= 0"""
    pixel_values: FloatArray
    """[pixel]: log power of the same pixels without background"""

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
    # Friedel: the half with y >= 0 holds everything.
    f_x, f_y = spectrum_frequencies(size, pixel_size, spectrum.device)
    half_x, half_y = (f.expand(size, size)[size // 2 :].flatten() for f in (f_x, f_y))
    ring = torch.round(torch.hypot(half_x, half_y) / step).long()
    kept = ((ring >= first) & (ring <= last)).nonzero()[:, 0]
    power = spectrum[size // 2 :].flatten()[kept]
    log_power, x, y = (
        part.double().cpu().numpy()
        for part in (torch.log(power.clamp(min=_NO_POWER)), half_x[kept], half_y[kept])
    )
    place = (ring[kept] - first).cpu().numpy()
    rings = last - first + 1
    background, smooth, weight = _background(log_power, place, rings)
    pixel_values = log_power - background[place]
    sector = np.minimum((np.arctan2(y, x) % math.pi / math.pi * _SECTORS).astype(np.int64), _SECTORS - 1)
    cell = sector * rings + place
    count = np.bincount(cell, minlength=_SECTORS * rings)
    means = np.bincount(cell, pixel_values, minlength=_SECTORS * rings) / np.maximum(count, 1)
    values = means.reshape(_SECTORS, rings) * weight
    values -= (values @ smooth) @ smooth.T
    flat = _flat(spectrum, first, background)
    return PolarSpectrum(
        frequency=(first + np.arange(rings, dtype=np.float64)) * step,
        angle=(np.arange(_SECTORS) + 0.5) * math.pi / _SECTORS,
        values=values,
        weight=weight,
        smooth=smooth,
        flat=flat,
        pixel_frequency=(x, y),
        pixel_values=pixel_values,
    )


def _background(log_power: FloatArray, ring: NDArray[np.int64], rings: int) -> tuple[FloatArray, ...]:
    """Return the background [ring], the orthonormal smooth basis [ring, term] and the weights [ring]."""
    count = np.bincount(ring, minlength=rings)
    mean = np.bincount(ring, log_power, minlength=rings) / np.maximum(count, 1)
    weight = np.sqrt(count / count.mean())
    place = np.linspace(0, 1, rings)
    inner = np.linspace(0, 1, _SMOOTH_TERMS - 2)
    knots = np.concatenate([[0] * 3, inner, [1] * 3])
    splines = BSpline.design_matrix(place, knots, 3).toarray()
    smooth = np.linalg.qr(splines * weight[:, None])[0]
    background = smooth @ (smooth.T @ (mean * weight)) / weight
    return background, smooth, weight


def _flat(spectrum: Tensor, first: int, background: FloatArray) -> Tensor:
    size = spectrum.shape[0]
    axis = torch.arange(size, device=spectrum.device, dtype=torch.float32) - size // 2
    ring = torch.round(torch.hypot(axis[None, :], axis[:, None])).long() - first
    inside = (ring >= 0) & (ring < len(background))
    level = torch.from_numpy(background).to(spectrum)[ring.clamp(0, len(background) - 1)]
    return torch.where(inside, torch.log(spectrum.clamp(min=_NO_POWER)) - level, 0.0)
