"""CTF estimation: accuracy on simulated micrographs, agreement on a real one, and time.

Run alone on an idle machine: `python benchmarks/ctf.py [micrograph.mrc]`. Prints a Markdown table.
The micrograph is read at 0.66655 Å per pixel, 300 kV, as the real one that the tests use.
"""

import argparse
import time
from pathlib import Path

import mrcfile
import numpy as np
import torch
from torch import Tensor

from eucentric.imaging import CTFFit, contrast_transfer, estimate_ctf, fourier

DEFOCUS = (3_000, 5_000, 8_000, 12_000, 18_000, 26_000, 40_000)
SIGNALS = (1.0, 0.5)


def simulated(
    size: int, pixel_size: float, axes: tuple[float, float, float], signal: float, **optics: float
) -> Tensor:
    """Ice noise under the CTF with an envelope of B = 40 Å², in white noise of unit variance."""
    generator = torch.Generator().manual_seed(round(axes[0]))
    x, y = fourier.frequencies((size, size), pixel_size)
    square = x**2 + y**2
    transfer = contrast_transfer(x, y, defocus_u=axes[0], defocus_v=axes[1], defocus_angle=axes[2], **optics)
    envelope = torch.exp(-10 * square) * (1 + 3 / (1 + square * 50**2))
    ice = fourier.rfft2(torch.randn(size, size, generator=generator)) * transfer * envelope
    return signal * fourier.irfft2(ice, (size, size)) + torch.randn(size, size, generator=generator)


def timed(image: Tensor, pixel_size: float, **optics: float) -> tuple[CTFFit, float, float]:
    """Return the fit, wall seconds and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    fit = estimate_ctf(image, pixel_size, **optics)
    return fit, time.perf_counter() - wall, time.process_time() - cpu


def accuracy(voltage: float, signal: float) -> str:
    """Return one row: errors over the range of defocus."""
    optics = {"voltage": voltage, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
    random = np.random.default_rng(0)
    means, astigmatisms, angles, resolutions, seconds = [], [], [], [], []
    for mean in DEFOCUS:
        astigmatism, angle = random.uniform(250, 1_500), random.uniform(0, 180)
        image = simulated(
            2048, 1.1, (mean + astigmatism / 2, mean - astigmatism / 2, angle), signal, **optics
        )
        fit, _, cpu = timed(image, 1.1, **optics, min_defocus=2_000)
        means.append(abs((fit.defocus_u + fit.defocus_v) / 2 - mean))
        astigmatisms.append(abs(fit.defocus_u - fit.defocus_v - astigmatism))
        angles.append(abs((fit.defocus_angle - angle + 90) % 180 - 90))
        resolutions.append(fit.resolution)
        seconds.append(cpu)
    return (
        f"| {voltage:.0f} kV, signal {signal} | {max(means):.0f} Å | {max(astigmatisms):.0f} Å"
        f" | {max(angles):.1f}° | {min(resolutions):.1f}–{max(resolutions):.1f} Å"
        f" | {np.mean(seconds):.2f} s |"
    )


def main() -> None:
    """Print accuracy on simulated images, and the fit of a real one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("micrograph", nargs="?", type=Path)
    arguments = parser.parse_args()
    print("| simulated, 2048², 0.3–4 µm | worst mean defocus | astigmatism | angle | resolution | CPU |")
    print("| --- | --- | --- | --- | --- | --- |")
    for voltage in (100.0, 200.0, 300.0):
        for signal in SIGNALS:
            print(accuracy(voltage, signal))
    if arguments.micrograph is not None:
        with mrcfile.mmap(arguments.micrograph, permissive=True) as file:
            image = torch.from_numpy(file.data.astype(np.float32))
        optics = {"voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.07}
        timed(image, 0.66655, **optics)
        fit, wall, cpu = timed(image, 0.66655, **optics)
        print("\n| micrograph | U | V | angle | resolution | score | wall | CPU |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        print(
            f"| {arguments.micrograph.name} | {fit.defocus_u:.0f} Å | {fit.defocus_v:.0f} Å"
            f" | {fit.defocus_angle:.0f}° | {fit.resolution:.2f} Å | {fit.score:.2f}"
            f" | {wall:.2f} s | {cpu:.2f} s |"
        )


if __name__ == "__main__":
    main()
