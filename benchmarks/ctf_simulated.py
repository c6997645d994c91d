"""Simulated micrographs of known contrast transfer, and what the benchmarks of the CTF share."""

import math
import time
from typing import Any, NamedTuple

import torch
from torch import Tensor

from eucentric.imaging import CTFFit, contrast_transfer, estimate_ctf, fourier

DEFOCUS = (3_000, 5_000, 8_000, 12_000, 18_000, 26_000, 40_000)
OPTICS = {
    "100 kV": (100.0, 2.7),
    "200 kV": (200.0, 2.7),
    "300 kV": (300.0, 2.7),
    "300 kV, Cs 0.01 mm": (300.0, 0.01),
}


class Specimen(NamedTuple):
    """What scatters: how strong it is against the noise, how its strength falls, and what particles add."""

    signal: float
    b_factor: float
    particles: float


SPECIMENS = {"ice": Specimen(0.5, 40, 3), "carbon": Specimen(1.5, 120, 0), "low dose": Specimen(0.25, 40, 3)}


class Truth(NamedTuple):
    """The contrast transfer of one simulated micrograph."""

    optics: str
    mean: float
    astigmatism: float
    angle: float

    @property
    def settings(self) -> dict[str, float]:
        """The optics by name."""
        voltage, aberration = OPTICS[self.optics]
        return {"voltage": voltage, "spherical_aberration": aberration, "amplitude_contrast": 0.1}

    @property
    def axes(self) -> tuple[float, float, float]:
        """U, V in Å, and the angle of U."""
        return self.mean + self.astigmatism / 2, self.mean - self.astigmatism / 2, self.angle


def simulated(
    size: int,
    pixel_size: float,
    axes: tuple[float, float, float],
    specimen: Specimen,
    **optics: float,
) -> Tensor:
    """Noise of the specimen under CTF and envelope, in white noise of unit variance."""
    generator = torch.Generator().manual_seed(round(axes[0]))
    x, y = fourier.frequencies((size, size), pixel_size)
    square = x**2 + y**2
    transfer = contrast_transfer(x, y, defocus_u=axes[0], defocus_v=axes[1], defocus_angle=axes[2], **optics)
    envelope = torch.exp(-specimen.b_factor / 4 * square) * (1 + specimen.particles / (1 + square * 50**2))
    scattered = fourier.rfft2(torch.randn(size, size, generator=generator)) * transfer * envelope
    noise = torch.randn(size, size, generator=generator)
    return specimen.signal * fourier.irfft2(scattered, (size, size)) + noise


def tilted(
    size: int, pixel_size: float, truth: Truth, specimen: Specimen, tilt: float, axis: float, seed: int
) -> Tensor:
    """As `simulated`, of a specimen whose defocus grows to the left of an axis through the middle.

    The image is put together from ones of equal defocus, 40 Å apart, between which it is interpolated.
    """
    generator = torch.Generator().manual_seed(seed)
    x, y = fourier.frequencies((size, size), pixel_size)
    square = x**2 + y**2
    envelope = torch.exp(-specimen.b_factor / 4 * square) * (1 + specimen.particles / (1 + square * 50**2))
    scattered = fourier.rfft2(torch.randn(size, size, generator=generator)) * envelope
    place = (torch.arange(size) - (size - 1) / 2) * pixel_size
    way, steepness = math.radians(axis + 90), math.tan(math.radians(tilt))
    height = steepness * (math.cos(way) * place[None, :] + math.sin(way) * place[:, None])
    image = torch.zeros(size, size)
    for number in range(math.floor(float(height.min()) / 40), math.ceil(float(height.max()) / 40) + 1):
        share = (1 - (height - 40 * number).abs() / 40).clamp(min=0)
        u, v, angle = truth.axes
        transfer = contrast_transfer(
            x, y, defocus_u=u + 40 * number, defocus_v=v + 40 * number, defocus_angle=angle, **truth.settings
        )
        image += share * fourier.irfft2(scattered * transfer, (size, size))
    return specimen.signal * image + torch.randn(size, size, generator=generator)


def fitted(image: Tensor, pixel_size: float, **options: Any) -> tuple[CTFFit, float]:
    """Return the fit and its CPU seconds."""
    begin = time.process_time()
    fit = estimate_ctf(image, pixel_size, **options)
    return fit, time.process_time() - begin


def angle_error(found: float, true: float) -> float:
    """Return by how many degrees two directions of astigmatism differ, 0 to 90."""
    return abs((found - true + 90) % 180 - 90)


def table(*head: str) -> None:
    """Print the head of a table."""
    print(f"\n| {' | '.join(head)} |\n|{' --- |' * len(head)}", flush=True)
