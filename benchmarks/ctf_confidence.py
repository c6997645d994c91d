"""The calibration of the confidence of a CTF fit, on simulated micrographs with and without rings.

`python benchmarks/ctf_confidence.py [NUMBER] [--seed N]` simulates that many (2000) images, a tenth as many
seconds on one core, and prints how often a fit is right in each bin of confidence, as a Markdown table,
and the best slope and offset of the logistic regression. Those of seed 0 are constants of
`eucentric.imaging.ctf_confidence`; the table of another seed tests them.

The images: shot noise under a detector's fall-off; in three of four, ice and particles of random signal
under a random CTF and envelope, a third of them drifting by 3–25 Å; in the fourth, nothing, or structure
without rings. Most are weak: strong ones are always right, and the table is about those that may be wrong.
"""

import argparse
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from eucentric.imaging import contrast_transfer, fourier, power_spectrum
from eucentric.imaging.ctf import CTFOptics
from eucentric.imaging.ctf_confidence import defocus_margin, fit_confidence
from eucentric.imaging.ctf_model import CTFLimits
from eucentric.imaging.ctf_search import find_rings
from eucentric.imaging.polar_spectrum import polar_spectrum

PIXEL_SIZE = 1.2  # Å
RIGHT = 300.0  # Å
LIMITS = CTFLimits(3_000, 50_000, 3_000, 0, 0)


class Outcome(NamedTuple):
    """What came of one image."""

    kind: str
    right: bool
    margin: float
    confidence: float


def noise(size: int, random: np.random.Generator) -> Tensor:
    """Return the transform of white noise."""
    generator = torch.Generator().manual_seed(int(random.integers(1 << 31)))
    return fourier.rfft2(torch.randn(size, size, generator=generator))


def form_factor(frequency: Tensor, radius: float) -> Tensor:
    """Return the magnitude of a sphere's form factor: structure that is not smooth."""
    q = (2 * math.pi * radius * frequency).clamp(min=1e-3)
    return (3 * (torch.sin(q) - q * torch.cos(q)) / q**3).abs()


def rings(
    x: Tensor, y: Tensor, kind: str, mean: float, optics: CTFOptics, random: np.random.Generator
) -> Tensor:
    """Return the amplitude of ice and particles under a CTF of the mean defocus."""
    square = x**2 + y**2
    half, angle = min(random.exponential(250), 2_000) / 2, random.uniform(0, 180)
    transfer = contrast_transfer(
        x, y, defocus_u=mean + half, defocus_v=mean - half, defocus_angle=angle, **optics._asdict()
    )
    envelope = torch.exp(-random.uniform(20, 150) / 4 * square)
    if kind == "drift":
        drift, way = random.uniform(3, 25), random.uniform(0, 2 * math.pi)
        envelope = envelope * torch.sinc((x * math.cos(way) + y * math.sin(way)) * drift)
    particles = form_factor(square.sqrt(), random.uniform(40, 90)) * torch.exp(-30 * square)
    specimen = 1 + random.uniform(0, 60) * particles + random.uniform(0, 4) / (1 + square * 2500)
    return math.exp(random.uniform(math.log(0.06), math.log(1.2))) * transfer * envelope * specimen


def outcomes(number: int, seed: int) -> Iterator[Outcome]:
    """Simulate and fit images."""
    random = np.random.default_rng(seed)
    for _ in range(number):
        kind, size = (
            str(random.choice(["ice", "ice", "drift", "blank"])),
            int(random.choice([768, 1024, 1536])),
        )
        optics = CTFOptics(float(random.choice([200, 300])), 2.7, 0.1)
        x, y = fourier.frequencies((size, size), PIXEL_SIZE)
        square = x**2 + y**2
        mean = math.exp(random.uniform(math.log(5_000), math.log(35_000)))
        fall = torch.exp(-random.uniform(0, 4) * square)
        transform = noise(size, random) * fall * (1 + random.uniform(0, 0.5) * torch.exp(-200 * square))
        if kind != "blank":
            transform = transform + noise(size, random) * rings(x, y, kind, mean, optics, random)
        elif random.random() < 0.5:
            structure = form_factor(square.sqrt(), random.uniform(20, 90))
            transform = transform + noise(size, random) * random.uniform(0, 20) * structure
        spectrum, pixel_size = power_spectrum(fourier.irfft2(transform, (size, size)), PIXEL_SIZE)
        polar = polar_spectrum(spectrum, pixel_size, 1 / 30, 1 / 3)
        fit = find_rings(polar, optics, LIMITS)
        yield Outcome(
            kind,
            kind != "blank" and abs(fit.rings.mean - mean) < RIGHT,
            defocus_margin(polar, optics, LIMITS, fit),
            fit_confidence(polar, optics, LIMITS, fit),
        )


def regression(found: list[Outcome]) -> tuple[float, float]:
    """Return slope and offset of the likeliest logistic curve."""
    margin, right = np.array([o.margin for o in found]), np.array([o.right for o in found])

    def loss(line: np.ndarray) -> float:
        return float(np.logaddexp(0, np.where(right, -1, 1) * (line[0] * margin + line[1])).mean())

    slope, offset = minimize(loss, np.zeros(2)).x
    return float(slope), float(offset)


def main() -> None:
    """Print the table and the regression."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", nargs="?", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = list(outcomes(arguments.number, arguments.seed))
    print("| confidence | images | right | of them without rings |")
    print("| --- | --- | --- | --- |")
    edges = (0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0001)
    for low, high in itertools.pairwise(edges):
        inside = [o for o in found if low <= o.confidence < high]
        right = np.mean([o.right for o in inside]) if inside else 0
        blank = sum(o.kind == "blank" for o in inside)
        print(f"| {low}–{min(high, 1)} | {len(inside)} | {right:.0%} | {blank} |")
    slope, offset = regression(found)
    print(f"\nBest slope {slope:.2f}, offset {offset:.2f}")


if __name__ == "__main__":
    main()
