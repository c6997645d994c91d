"""Tilted specimens: how well tilt, axis and the defocus of a place are found; and do flat ones stay flat.

`python benchmarks/ctf_tilt.py [--flat NUMBER]` takes a quarter of an hour on one core; Markdown tables.
"""

import argparse
import math

import numpy as np
import torch

from ctf_simulated import SPECIMENS, Specimen, Truth, fitted, simulated, table, tilted

SIZE, PIXEL = 1536, 2.0


def row(tilt: float, specimen: str) -> str:
    """Return one row: a tilt about axes in four directions."""
    random = np.random.default_rng(int(tilt))
    place = (np.arange(8) + 0.5) / 8 * SIZE * PIXEL - SIZE * PIXEL / 2
    x, y = np.meshgrid(place, place)
    found, angles, axes, off, flat_off, seconds, reached = 0, [], [], [], [], [], []
    for number, axis in enumerate((10.0, 100.0, 215.0, 320.0)):
        mean, astigmatism = random.uniform(8_000, 25_000), random.uniform(100, 500)
        truth = Truth("300 kV", mean, astigmatism, random.uniform(0, 180))
        image = tilted(SIZE, PIXEL, truth, SPECIMENS[specimen], tilt, axis, seed=number)
        fit, cpu = fitted(image, PIXEL, fit_tilt=True, **truth.settings)
        way = math.radians(axis + 90)
        true = truth.mean + math.tan(math.radians(tilt)) * (x * math.cos(way) + y * math.sin(way))
        flat_off.append(np.sqrt(np.mean((true - truth.mean) ** 2)))
        map_of = np.full_like(true, (fit.defocus_u + fit.defocus_v) / 2)
        if fit.tilt is not None:
            found += 1
            angles.append(abs(fit.tilt.angle - tilt))
            axes.append(abs((fit.tilt.axis - axis + 180) % 360 - 180))
            way, steepness = math.radians(fit.tilt.axis + 90), math.tan(math.radians(fit.tilt.angle))
            map_of += steepness * (x * math.cos(way) + y * math.sin(way))
        off.append(np.sqrt(np.mean((map_of - true) ** 2)))
        seconds.append(cpu)
        reached.append(fit.resolution)
    worst = f"{max(angles):.1f}° / {max(axes):.1f}°" if angles and tilt else "–"
    return (
        f"| {tilt:.0f}°, {specimen} | {found} of 4 | {worst} | {np.mean(off):.0f} / {max(off):.0f} Å"
        f" | {np.mean(flat_off):.0f} Å | {np.mean(reached):.1f} Å | {np.mean(seconds):.2f} s |"
    )


def flat(number: int) -> str:
    """Return one row: flat specimens of all kinds, some partly on carbon, some without rings."""
    random, gains, believed = np.random.default_rng(9), [], 0
    for seed in range(number):
        truth = Truth(
            "300 kV", random.uniform(5_000, 30_000), random.exponential(200), random.uniform(0, 180)
        )
        signal = 0.0 if seed % 8 == 7 else math.exp(random.uniform(math.log(0.12), math.log(2)))
        specimen = Specimen(signal, random.uniform(20, 120), 3)
        image = simulated(1024, 2.5, truth.axes, specimen, **truth.settings)
        if seed % 3 == 1:
            carbon = simulated(1024, 2.5, truth.axes, Specimen(2 * signal, 150, 0), **truth.settings)
            edge = torch.sigmoid((torch.arange(1024) - random.uniform(200, 800)) / 20)
            image = image * (1 - edge) + (1.1 * carbon + 5) * edge
        fit, _ = fitted(image, 2.5, fit_tilt=True, **truth.settings)
        believed += fit.tilt is not None
        gains += [fit.tilt.gain] if fit.tilt is not None else []
    return f"| {number} flat specimens | {believed} | {max(gains, default=0):.1f} nats |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flat", type=int, default=160, help="number of flat specimens")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table(
        f"{SIZE}², {PIXEL} Å/px",
        "found tilted",
        "worst tilt / axis",
        "defocus of places, RMS, mean / worst",
        "if taken for flat",
        "rings to",
        "CPU",
    )
    for specimen in ("ice", "low dose"):
        for tilt in (0.0, 15.0, 30.0, 40.0):
            print(row(tilt, specimen), flush=True)
    table("", "taken for tilted", "most evidence for it")
    print(flat(arguments.flat))


if __name__ == "__main__":
    main()
