"""Images and movies of known motion and contrast transfer."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from eucentric.imaging import contrast_transfer, fourier

OPTICS = {"voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


def transferred_noise(
    size: int,
    pixel_size: float,
    *,
    defocus: tuple[float, float, float],
    signal: float,
    seed: int,
    b_factor: float = 30.0,
    **optics: float,
) -> Tensor:
    """White noise of unit variance plus `signal` times ice: noise filtered by the CTF and an envelope."""
    generator = torch.Generator().manual_seed(seed)
    x, y = fourier.frequencies((size, size), pixel_size)
    square = x**2 + y**2
    transfer = contrast_transfer(
        x, y, defocus_u=defocus[0], defocus_v=defocus[1], defocus_angle=defocus[2], **(OPTICS | optics)
    )
    # Particles add power at low resolution, as in a real micrograph.
    envelope = torch.exp(-b_factor / 4 * square) * (1 + 3 / (1 + square * 50**2))
    ice = fourier.rfft2(torch.randn(size, size, generator=generator)) * transfer * envelope
    return signal * fourier.irfft2(ice, (size, size)) + torch.randn(size, size, generator=generator)


class TrueMovie(NamedTuple):
    """Counts of electrons through a moving specimen."""

    frames: Tensor
    shifts: Tensor
    gain: Tensor
    specimen: Tensor


def true_movie(
    *,
    frames: int = 16,
    size: int = 384,
    pixel_size: float = 2.5,
    dose: float = 1.0,
    motion: float = 4.0,
    jitter: float = 0.0,
    contrast: float = 0.12,
    gain_spread: float = 0.0,
    seed: int = 0,
) -> TrueMovie:
    """Poisson counts of a specimen that moves by `motion` pixels, slowing down, divided by the gain."""
    generator = torch.Generator().manual_seed(seed)
    shape = (size, size)
    x, y = fourier.frequencies(shape, pixel_size)
    square = x**2 + y**2
    transfer = contrast_transfer(x, y, defocus_u=15_000.0, defocus_v=14_000.0, defocus_angle=20.0, **OPTICS)
    spectrum = torch.exp(-25 * square) * (0.15 + 1 / (1 + square * 60**2)) * transfer
    transform = fourier.rfft2(torch.randn(shape, generator=generator)) * spectrum
    specimen = fourier.irfft2(transform, shape)
    scale = contrast / float(specimen.std())
    time = torch.arange(frames, dtype=torch.float64)
    path = torch.stack([1 - torch.exp(-time / 4), -0.5 + 0.5 * torch.exp(-time / 3)], dim=1) * motion
    path = path + jitter * torch.randn(frames, 2, generator=generator, dtype=torch.float64)
    path = path - path[0]
    gain = torch.exp(gain_spread * torch.randn(shape, generator=generator))
    counts = []
    for shift in path:
        phase_x, phase_y = fourier.shift_phases(shape, (float(shift[0]), float(shift[1])), gain.device)
        moved = fourier.irfft2(transform * phase_x * phase_y, shape) * scale
        expected = dose * pixel_size**2 * (1 + moved).clamp(min=0)
        counts.append(torch.poisson(expected, generator=generator) / gain)
    return TrueMovie(torch.stack(counts), path, gain, specimen * scale)


def error_of_shifts(found: Tensor, true: Tensor) -> float:
    """Root mean square error (pixels) of shifts, apart from a common offset."""
    error = found - true
    return float((error - error.mean(dim=0)).square().mean().sqrt())


def tilted_noise(
    size: int,
    pixel_size: float,
    *,
    defocus: tuple[float, float, float],
    tilt: float,
    axis: float,
    signal: float,
    seed: int,
    b_factor: float = 30.0,
    **optics: float,
) -> Tensor:
    """As `transferred_noise`, of a specimen whose defocus grows to the left of an axis through the middle.

    The image is put together from ones of equal defocus, 40 Å apart, between which it is interpolated.
    """
    generator = torch.Generator().manual_seed(seed)
    x, y = fourier.frequencies((size, size), pixel_size)
    square = x**2 + y**2
    envelope = torch.exp(-b_factor / 4 * square) * (1 + 3 / (1 + square * 50**2))
    ice = fourier.rfft2(torch.randn(size, size, generator=generator)) * envelope
    place = (torch.arange(size) - (size - 1) / 2) * pixel_size
    way = math.radians(axis + 90)
    height = math.tan(math.radians(tilt)) * (math.cos(way) * place[None, :] + math.sin(way) * place[:, None])
    image = torch.zeros(size, size)
    for number in range(math.floor(float(height.min()) / 40), math.ceil(float(height.max()) / 40) + 1):
        level = 40.0 * number
        share = (1 - (height - level).abs() / 40).clamp(min=0)
        transfer = contrast_transfer(
            x, y, defocus_u=defocus[0] + level, defocus_v=defocus[1] + level, defocus_angle=defocus[2],
            **(OPTICS | optics),
        )  # fmt: skip
        image += share * fourier.irfft2(ice * transfer, (size, size))
    return signal * image + torch.randn(size, size, generator=generator)
