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


class CTFFit(NamedTuple):
    """The contrast transfer function of one image."""

    defocus_u: float
    """Larger defocus in Å, underfocus positive"""
    defocus_v: float
    """Smaller defocus in Å"""
    defocus_angle: float
    """Angle of U from the x axis, degrees, 0 to less than 180"""
    phase_shift: float
    """Additional phase shift of a phase plate, degrees, as given"""
    score: float
    """Correlation between the spectrum in sectors and the model, -1 to 1"""
    resolution: float
    """Resolution in Å up to which the rings follow the model"""
    profile: RingProfile
    """The curves along the rings"""
    diagnostic: Tensor
    """[n, n], 0 to 1, zero frequency at [n // 2, n // 2]: spectrum on the left, model on the right"""


def estimate_ctf(
    image: Tensor,
    pixel_size: float,
    *,
    voltage: float,
    spherical_aberration: float,
    amplitude_contrast: float,
    phase_shift: float = 0.0,
    min_defocus: float = 3_000.0,
    max_defocus: float = 50_000.0,
    max_astigmatism: float = 3_000.0,
    min_resolution: float = 30.0,
    max_resolution: float = 3.0,
) -> CTFFit:
    """Fit the contrast transfer function to a micrograph [y, x] of `pixel_size` Å.

    Parameters and errors are those of `fit_ctf`.
    """
    spectrum, spectrum_pixel_size = power_spectrum(image, pixel_size)
    return fit_ctf(
        spectrum,
        spectrum_pixel_size,
        voltage=voltage,
        spherical_aberration=spherical_aberration,
        amplitude_contrast=amplitude_contrast,
        phase_shift=phase_shift,
        min_defocus=min_defocus,
        max_defocus=max_defocus,
        max_astigmatism=max_astigmatism,
        min_resolution=min_resolution,
        max_resolution=max_resolution,
    )


def fit_ctf(
    spectrum: Tensor,
    pixel_size: float,
    *,
    voltage: float,
    spherical_aberration: float,
    amplitude_contrast: float,
    phase_shift: float = 0.0,
    min_defocus: float = 3_000.0,
    max_defocus: float = 50_000.0,
    max_astigmatism: float = 3_000.0,
    min_resolution: float = 30.0,
    max_resolution: float = 3.0,
) -> CTFFit:
    """Fit the contrast transfer function to a power spectrum, as `power_spectrum` makes it.

    A spectrum without rings gives a fit of low score and poor resolution.

    Args:
        spectrum: Power [n, n], zero frequency at [n // 2, n // 2].
        pixel_size: Pixel size in Å that the spectrum stands for.
        voltage: Acceleration voltage in kV.
        spherical_aberration: Cs in mm.
        amplitude_contrast: Fraction of amplitude contrast, 0 to 1.
        phase_shift: Additional phase shift of a phase plate, degrees; taken as given, not fitted.
        min_defocus: Smallest mean defocus searched, Å, underfocus positive.
        max_defocus: Largest mean defocus searched, Å.
        max_astigmatism: Largest difference between U and V searched, Å.
        min_resolution: Lowest resolution used, Å.
        max_resolution: Highest resolution used, Å; no more than the spectrum holds.

    Raises:
        ValueError: the limits are not in order, or leave too little of the spectrum to fit.
    """
    if not (0 < min_defocus < max_defocus and 0 < max_resolution < min_resolution and max_astigmatism >= 0):
        raise ValueError(
            f"Defocus from {min_defocus} to {max_defocus} Å, astigmatism to {max_astigmatism} Å and"
            f" resolution from {min_resolution} to {max_resolution} Å leave nothing; mend the limits."
        )
    optics = CTFOptics(voltage, spherical_aberration, amplitude_contrast, phase_shift)
    polar = polar_spectrum(spectrum, pixel_size, 1 / min_resolution, 1 / max_resolution)
    start = _search(polar, optics, min_defocus, max_defocus, max_astigmatism)
    mean, cosine, sine, score = _refine(polar, optics, start)
    half = math.hypot(cosine, sine)
    axes = (mean + half, mean - half, math.degrees(math.atan2(sine, cosine) / 2) % 180)
    profile = ring_profile(polar, *axes, optics)
    return CTFFit(
        *axes,
        phase_shift=phase_shift,
        score=score,
        resolution=profile.resolution,
        profile=profile,
        diagnostic=_diagnostic(polar, pixel_size, axes, optics),
    )


def _search(
    polar: PolarSpectrum, optics: CTFOptics, min_defocus: float, max_defocus: float, max_astigmatism: float
) -> FloatArray:
    """Return mean defocus, the two components of astigmatism (Å) and envelope (Å²) of the best coarse fit."""
    wavelength = electron_wavelength(optics.voltage)
    # The phase of CTF² changes by no more than 0.8 from one defocus to the next at 4 Å, or at the edge.
    step = 0.8 / (2 * math.pi * wavelength * min(polar.frequency[-1], 0.25) ** 2)
    margin = math.ceil(max_astigmatism / 2 / step)
    means = np.arange(min_defocus, max_defocus + step, step)
    table_defocus = min_defocus + step * np.arange(-margin, len(means) + margin)
    halves = np.arange(0, margin + 1) * step
    astigmatisms = [(0.0, 0.0), *((h, a * math.pi / _ANGLES) for h in halves[1:] for a in range(_ANGLES))]
    squared = _squared_transfer(polar.frequency[None, :], np.zeros((1, 1)), table_defocus[:, None], optics)
    best, found = -math.inf, np.zeros(4)
    for envelope in _ENVELOPES:
        model = polar.without_smooth(squared * np.exp(-envelope * polar.frequency**2))
        model /= np.linalg.norm(model, axis=1, keepdims=True)
        table = model @ polar.values.T
        for half, angle in astigmatisms:
            local = np.rint(half / step * np.cos(2 * (polar.angle - angle))).astype(np.int64) + margin
            columns = [table[first : first + len(means), sector] for sector, first in enumerate(local)]
            scores = np.sum(columns, axis=0)
            place = int(np.argmax(scores))
            if scores[place] > best:
                best = float(scores[place])
                mean, components = means[place], (half * math.cos(2 * angle), half * math.sin(2 * angle))
                found = np.array([mean, *components, envelope])
    return found


def _refine(polar: PolarSpectrum, optics: CTFOptics, start: FloatArray) -> tuple[float, float, float, float]:
    """Return mean defocus, the two components of astigmatism (Å) and the score at the best correlation."""
    x = polar.frequency * np.cos(polar.angle)[:, None]
    y = polar.frequency * np.sin(polar.angle)[:, None]
    direction = 2 * polar.angle[:, None]
    data = polar.values / max(_length(polar.values), 1e-6)

    def loss(scaled: FloatArray) -> float:
        mean, cosine, sine = start[:3] + 100 * scaled[:3]
        defocus = mean + cosine * np.cos(direction) + sine * np.sin(direction)
        envelope = np.exp(-start[3] * np.exp(scaled[3]) * polar.frequency**2)
        model = polar.without_smooth(_squared_transfer(x, y, defocus, optics) * envelope)
        return -float((model * data).sum() / _length(model))

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


def _length(values: FloatArray) -> float:
    # Not np.linalg.norm: for so few numbers the threads of BLAS cost more than the sum.
    return math.sqrt(float(np.square(values).sum()))


def _squared_transfer(x: FloatArray, y: FloatArray, defocus: FloatArray, optics: CTFOptics) -> FloatArray:
    """Return CTF² at frequencies (1/Å) for a defocus (Å) that is an array like them."""
    wavelength = electron_wavelength(optics.voltage)
    square = x**2 + y**2
    constant = math.radians(optics.phase_shift) + math.asin(optics.amplitude_contrast)
    aberration = math.pi / 2 * optics.spherical_aberration * 1e7 * wavelength**3
    phase = math.pi * wavelength * defocus * square - aberration * square**2 + constant
    return np.asarray(np.sin(phase) ** 2, dtype=np.float64)


def _diagnostic(
    polar: PolarSpectrum, pixel_size: float, axes: tuple[float, float, float], optics: CTFOptics
) -> Tensor:
    flat = polar.flat
    size = flat.shape[0]
    x, y = spectrum_frequencies(size, pixel_size, flat.device)
    transfer = contrast_transfer(
        x, y, defocus_u=axes[0], defocus_v=axes[1], defocus_angle=axes[2], **optics._asdict()
    )
    frequency = torch.hypot(x, y)
    inside = (frequency >= polar.frequency[0]) & (frequency <= polar.frequency[-1])
    low, high = (torch.quantile(flat[inside][:: max(1, flat.numel() // 100_000)], q) for q in (0.02, 0.98))
    shown = ((flat - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
    left = torch.arange(size, device=flat.device)[None, :] < size // 2
    return torch.where(inside, torch.where(left, shown, transfer.square()), 0.0)
