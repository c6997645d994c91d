"""Fitting the contrast transfer function to the rings in a power spectrum.

The logarithm of the spectrum is averaged in sectors. A model, CTF² times a falling envelope, is compared
with it after everything smooth (a spline along the frequency) has been taken out of both, so that
no background needs to be known. Because the correlation is a sum over sectors, one table of sector against
defocus serves a search over all astigmatisms at once; the best is then refined.

Sources: Rohou & Grigorieff (2015), J. Struct. Biol. 192, 216 (CTFFIND4); Zhang (2016), J. Struct. Biol. 193,
1 (Gctf: averaging along rings of equal phase); Tegunov & Cramer (2019), Nat. Methods 16, 1146 (Warp).
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from eucentric.imaging.ctf import CTFOptics, contrast_transfer, electron_wavelength
from eucentric.imaging.polar_spectrum import FloatArray, PolarSpectrum, polar_spectrum
from eucentric.imaging.ring_profile import RingProfile, ring_profile
from eucentric.imaging.spectrum import power_spectrum, spectrum_frequencies

_ENVELOPES = (2.0, 8.0, 30.0, 100.0)  # Å²; B of exp(-B k²), from rings to 2 Å to rings to 10 Å
_ANGLES = 12  # directions of astigmatism tried, 15° apart


class CTFSearch(NamedTuple):
    """Where to look for the contrast transfer function."""

    min_defocus: float = 3_000.0
    """Smallest mean defocus, Å"""
    max_defocus: float = 50_000.0
    """Largest mean defocus, Å"""
    max_astigmatism: float = 3_000.0
    """Largest difference between U and V searched for, Å"""
    min_resolution: float = 30.0
    """Lowest resolution used, Å"""
    max_resolution: float = 3.0
    """Highest resolution used, Å; no more than the spectrum holds"""


class CTFFit(NamedTuple):
    """The contrast transfer function of one image."""

    defocus_u: float
    """Larger defocus in Å, underfocus positive"""
    defocus_v: float
    """Smaller defocus in Å"""
    defocus_angle: float
    """Angle of U from the x axis, degrees, 0 to less than 180"""
    score: float
    """Correlation between the spectrum in sectors and the model, -1 to 1"""
    resolution: float
    """Resolution in Å up to which the rings follow the model"""
    profile: RingProfile
    """The curves along the rings"""
    diagnostic: Tensor
    """[n, n], 0 to 1, zero frequency at [n // 2, n // 2]: spectrum on the left, model on the right"""


_DEFAULT_SEARCH = CTFSearch()


def estimate_ctf(
    image: Tensor, pixel_size: float, optics: CTFOptics, search: CTFSearch = _DEFAULT_SEARCH
) -> CTFFit:
    """Fit the contrast transfer function to a micrograph [y, x] of `pixel_size` Å; see `fit_ctf`."""
    spectrum, spectrum_pixel_size = power_spectrum(image, pixel_size)
    return fit_ctf(spectrum, spectrum_pixel_size, optics, search)


def fit_ctf(
    spectrum: Tensor, pixel_size: float, optics: CTFOptics, search: CTFSearch = _DEFAULT_SEARCH
) -> CTFFit:
    """Fit the contrast transfer function to a power spectrum, as `power_spectrum` makes it.

    The phase shift is taken as given, not fitted. A spectrum without rings gives a fit of low score and
    poor resolution.

    Args:
        spectrum: Power [n, n], zero frequency at [n // 2, n // 2].
        pixel_size: Pixel size in Å that the spectrum stands for.
        optics: What is known about the microscope.
        search: Where to look.

    Raises:
        ValueError: the limits of the search are not in order, or leave too little of the spectrum to fit.
    """
    if not (
        0 < search.min_defocus < search.max_defocus and 0 < search.max_resolution < search.min_resolution
    ):
        raise ValueError(
            f"Defocus from {search.min_defocus} to {search.max_defocus} Å at resolutions from"
            f" {search.min_resolution} to {search.max_resolution} Å is no range to search; mend the limits."
        )
    polar = polar_spectrum(spectrum, pixel_size, 1 / search.min_resolution, 1 / search.max_resolution)
    mean, cosine, sine, score = _refine(polar, optics, _search(polar, optics, search))
    half = math.hypot(cosine, sine)
    axes = (mean + half, mean - half, math.degrees(math.atan2(sine, cosine) / 2) % 180)
    profile = ring_profile(polar, *axes, optics)
    return CTFFit(
        *axes,
        score=score,
        resolution=profile.resolution,
        profile=profile,
        diagnostic=_diagnostic(polar.flat, pixel_size, axes, optics),
    )


def _search(polar: PolarSpectrum, optics: CTFOptics, search: CTFSearch) -> FloatArray:
    """Return mean defocus, the two components of astigmatism (Å) and envelope (Å²) of the best coarse fit."""
    wavelength = electron_wavelength(optics.voltage)
    # The phase of CTF² changes by no more than 0.8 from one defocus to the next at 4 Å, or at the edge.
    step = 0.8 / (2 * math.pi * wavelength * min(polar.frequency[-1], 0.25) ** 2)
    margin = math.ceil(search.max_astigmatism / 2 / step)
    means = np.arange(search.min_defocus, search.max_defocus + step, step)
    table_defocus = search.min_defocus + step * np.arange(-margin, len(means) + margin)
    squared = _squared_transfer(polar.frequency[None, :], np.zeros((1, 1)), table_defocus[:, None], optics)
    best, found = -math.inf, np.zeros(4)
    for envelope in _ENVELOPES:
        model = polar.without_smooth(squared * np.exp(-envelope * polar.frequency**2))
        model /= np.linalg.norm(model, axis=1, keepdims=True)
        table = model @ polar.values.T
        for half in np.arange(0, search.max_astigmatism / 2 + step, step):
            for angle in np.arange(_ANGLES if half else 1) * math.pi / _ANGLES:
                local = np.rint(half / step * np.cos(2 * (polar.angle - angle))).astype(np.int64)
                place = np.arange(len(means))[:, None] + margin + np.clip(local, -margin, margin)
                scores = table[place, np.arange(len(polar.angle))].sum(axis=1)
                if scores.max() > best:
                    best, mean = float(scores.max()), means[int(scores.argmax())]
                    found = np.array([mean, half * math.cos(2 * angle), half * math.sin(2 * angle), envelope])
    return found


def _refine(polar: PolarSpectrum, optics: CTFOptics, start: FloatArray) -> tuple[float, float, float, float]:
    """Return mean defocus, the two components of astigmatism (Å) and the score at the best correlation."""
    x = polar.frequency * np.cos(polar.angle)[:, None]
    y = polar.frequency * np.sin(polar.angle)[:, None]
    direction = 2 * polar.angle[:, None]
    data = polar.values / np.linalg.norm(polar.values)

    def loss(scaled: FloatArray) -> float:
        mean, cosine, sine = start[:3] + 100 * scaled[:3]
        defocus = mean + cosine * np.cos(direction) + sine * np.sin(direction)
        envelope = np.exp(-start[3] * np.exp(scaled[3]) * polar.frequency**2)
        model = polar.without_smooth(_squared_transfer(x, y, defocus, optics) * envelope)
        return -float((model * data).sum() / np.linalg.norm(model))

    # Steps of 100 Å and of e in the envelope are about equally large changes of the model.
    simplex = np.vstack([np.zeros(4), 0.5 * np.eye(4)])
    result = minimize(
        loss,
        np.zeros(4),
        method="Nelder-Mead",
        bounds=[(-10, 10)] * 3 + [(-3, 3)],
        options={"initial_simplex": simplex, "xatol": 0.01, "fatol": 1e-6, "maxiter": 400},
    )
    mean, cosine, sine = start[:3] + 100 * result.x[:3]
    return float(mean), float(cosine), float(sine), -float(result.fun)


def _squared_transfer(x: FloatArray, y: FloatArray, defocus: FloatArray, optics: CTFOptics) -> FloatArray:
    """Return CTF² at frequencies (1/Å) for a defocus (Å) that is an array like them."""
    wavelength = electron_wavelength(optics.voltage)
    square = x**2 + y**2
    constant = math.radians(optics.phase_shift) + math.asin(optics.amplitude_contrast)
    aberration = math.pi / 2 * optics.spherical_aberration * 1e7 * wavelength**3
    phase = math.pi * wavelength * defocus * square - aberration * square**2 + constant
    return np.asarray(np.sin(phase) ** 2, dtype=np.float64)


def _diagnostic(
    flat: Tensor, pixel_size: float, axes: tuple[float, float, float], optics: CTFOptics
) -> Tensor:
    size = flat.shape[0]
    x, y = spectrum_frequencies(size, pixel_size, flat.device)
    transfer = contrast_transfer(
        x, y, defocus_u=axes[0], defocus_v=axes[1], defocus_angle=axes[2], **optics._asdict()
    )
    inside = flat != 0
    low, high = (torch.quantile(flat[inside][:: max(1, flat.numel() // 100_000)], q) for q in (0.02, 0.98))
    shown = ((flat - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
    left = torch.arange(size, device=flat.device)[None, :] < size // 2
    return torch.where(inside, torch.where(left, shown, transfer.square()), 0.0)
