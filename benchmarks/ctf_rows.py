"""Rows of tables about the accuracy of our own fits, for `benchmarks/ctf.py`."""

import math

import numpy as np
import torch

from ctf_simulated import DEFOCUS, SPECIMENS, Specimen, Truth, angle_error, fitted, simulated
from eucentric.imaging import estimate_ctf, fourier


def sweep(optics: str, specimen: str) -> str:
    """Return one row: errors over the range of defocus."""
    random = np.random.default_rng(0)
    means, turns, resolutions, confidences, seconds = [], [], [], [], []
    for mean in DEFOCUS:
        truth = Truth(optics, mean, random.uniform(250, 1_500), random.uniform(0, 180))
        image = simulated(2048, 1.1, truth.axes, SPECIMENS[specimen], **truth.settings)
        fit, cpu = fitted(image, 1.1, fit_tilt=True, min_defocus=2_000, **truth.settings)
        means.append(abs((fit.defocus_u + fit.defocus_v) / 2 - mean))
        turns.append(angle_error(fit.defocus_angle, truth.angle))
        resolutions.append(fit.resolution)
        confidences.append(fit.confidence)
        seconds.append(cpu)
    return (
        f"| {optics}, {specimen} | {np.median(means):.0f} / {max(means):.0f} Å | {max(turns):.1f}°"
        f" | {min(resolutions):.1f}–{max(resolutions):.1f} Å | {min(confidences):.2f}"
        f" | {np.mean(seconds):.2f} s |"
    )


def phase_plate(mean: float) -> str:
    """Return one row: errors of fitted phase shifts from 20° to 160°, and how they go with the defocus's."""
    optics = {"voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
    phases, defoci, seconds = [], [], []
    for phase in range(20, 161, 20):
        # Another defocus each time, since the noise follows from it.
        true = mean + phase
        axes = (true + 100, true - 100, 30)
        image = simulated(1536, 1.1, axes, SPECIMENS["ice"], **optics, phase_shift=phase)
        fit, cpu = fitted(image, 1.1, **optics, phase_shift=(0, 180))
        phases.append(fit.phase_shift - phase)
        defoci.append((fit.defocus_u + fit.defocus_v) / 2 - true)
        seconds.append(cpu)
    slope = np.polyfit(phases, defoci, 1)[0]
    return (
        f"| {mean / 1e4:.1f} µm | {np.std(phases):.1f}° | {np.std(defoci):.0f} Å"
        f" | {slope:.1f} Å/° | {np.corrcoef(phases, defoci)[0, 1]:.2f} | {np.mean(seconds):.2f} s |"
    )


def dose_series() -> str:
    """Return rows: one specimen, of which the noise becomes less as the dose grows."""
    optics = {"voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
    axes = (15_200.0, 14_800.0, 30.0)
    ice = SPECIMENS["ice"]
    specimen, empty = (simulated(1024, 1.1, axes, ice._replace(signal=each), **optics) for each in (1.0, 0.0))
    specimen -= empty
    generator = torch.Generator().manual_seed(1)
    total, dose, rows = torch.zeros(1024, 1024), 0, []
    for more in (1, 1, 2, 4, 8, 16, 32):
        total += 0.15 * more * specimen + more**0.5 * torch.randn(1024, 1024, generator=generator)
        dose += more
        fit = estimate_ctf(total, 1.1, **optics)
        error = (fit.defocus_u + fit.defocus_v) / 2 - 15_000
        rows.append(
            f"| {dose} | {error:+.0f} Å | {fit.defocus_u - fit.defocus_v:.0f} Å | {fit.resolution:.1f} Å"
            f" | {fit.score:.2f} | {fit.confidence:.2f} |"
        )
    return "\n".join(rows)


def ice(crystalline: float) -> str:
    """Return one row: the figure of the ice ring, of vitreous ice with hexagonal crystals in it."""
    optics = {"voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
    size, pixel_size = 1024, 0.9
    x, y = fourier.frequencies((size, size), pixel_size)
    frequency = torch.hypot(x, y)
    power = 0.1 * torch.exp(-(((frequency - 1 / 3.7) / 0.03) ** 2))
    for spacing in (3.90, 3.67, 3.44):
        power = power + crystalline * torch.exp(-(((frequency - 1 / spacing) / 0.002) ** 2))
    found = []
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        scattered = fourier.rfft2(torch.randn(size, size, generator=generator)) * power.sqrt()
        image = simulated(size, pixel_size, (15_100.0 + seed, 14_900.0, 0), SPECIMENS["ice"], **optics)
        fit = estimate_ctf(image + fourier.irfft2(scattered, (size, size)), pixel_size, **optics)
        found.append(fit.ice_ring if fit.ice_ring is not None else math.nan)
    return f"| {crystalline} | {np.mean(found):.2f} | {np.std(found):.2f} |"


def weak(number: int) -> str:
    """Return rows: small weak images, how many are within 50 Å and 3°, by what the fit says of itself."""
    random = np.random.default_rng(4)
    rows = []
    for _ in range(number):
        truth = Truth(
            "300 kV", random.uniform(6_000, 30_000), random.uniform(250, 1_000), random.uniform(0, 180)
        )
        signal = math.exp(random.uniform(math.log(0.2), math.log(1.2)))
        image = simulated(768, 1.2, truth.axes, Specimen(signal, 60, 3), **truth.settings)
        fit, _ = fitted(image, 1.2, **truth.settings)
        off = abs((fit.defocus_u + fit.defocus_v) / 2 - truth.mean)
        rows.append((fit.confidence, fit.defocus_error, off, angle_error(fit.defocus_angle, truth.angle)))
    confidence, told, off, turned = np.array(rows).T
    lines = []
    groups = {
        "confidence below 0.5": confidence < 0.5,
        "0.5–0.95": (confidence >= 0.5) & (confidence < 0.95),
        "from 0.95, defocus ± 25 Å or worse": (confidence >= 0.95) & (told >= 25),
        "from 0.95, defocus better than ± 25 Å": (confidence >= 0.95) & (told < 25),
    }
    for name, chosen in groups.items():
        if chosen.any():
            there = chosen & (off < 300)
            scaled = np.sqrt(np.mean((off[there] / told[there]) ** 2)) if there.any() else math.nan
            right, straight = np.mean(off[chosen] < 50), np.mean(turned[chosen] < 3)
            lines.append(
                f"| {name} | {chosen.sum()} | {right:.0%} | {straight:.0%}"
                f" | {np.median(off[chosen]):.0f} Å | {scaled:.1f} |"
            )
    return "\n".join(lines)
