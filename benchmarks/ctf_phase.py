"""Phase plates: a session on several positions of a plate, fitted one by one and then with the trend.

`python benchmarks/ctf_phase.py [NUMBER]` simulates that many exposures (120), every third of them weak, fits
each by itself, follows the phase shift through them, and fits again what is uncertain. Markdown tables.
"""

import argparse
import math

import numpy as np
import torch

from ctf_simulated import Specimen, Truth, fitted, simulated, table
from eucentric.imaging.phase_trend import phase_trend

SIZE, PIXEL = 768, 1.5
ON_ONE_POSITION = 40
GOOD_ERROR = 6.0  # degrees, as the default of refit-phase-shift


def main() -> None:
    """Print errors of single fits, of the trend, and of second fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", nargs="?", type=int, default=120)
    number = parser.parse_args().number
    torch.set_num_threads(1)
    random = np.random.default_rng(2)
    images, truths, first = [], [], []
    for exposure in range(number):
        age = exposure % ON_ONE_POSITION
        start = (20.0, 110.0, 40.0)[exposure // ON_ONE_POSITION % 3]
        phase = start + 70 * (1 - math.exp(-age / 25))
        truth = Truth("300 kV", random.uniform(5_000, 15_000), 200, 30)
        signal = random.uniform(0.2, 0.4) if exposure % 3 == 1 else random.uniform(0.5, 1)
        optics = truth.settings | {"phase_shift": phase}
        image = simulated(SIZE, PIXEL, truth.axes, Specimen(signal, 60, 3), **optics)
        fit, _ = fitted(image, PIXEL, phase_shift=(0.0, 180.0), **truth.settings)
        images.append(image)
        truths.append((truth, phase))
        first.append(fit)
    part = np.array([fit.confidence > 0.5 for fit in first])
    phases = np.array([fit.phase_shift for fit in first])
    told = np.array([fit.phase_shift_error for fit in first])
    # What took no part lies between others: the nearest one tells what to expect of it.
    trend = phase_trend(phases[part], told[part], np.ones(int(part.sum())))
    nearest = [int(np.argmin(np.abs(np.flatnonzero(part) - each))) for each in range(number)]
    last = []
    for each in range(number):
        place = nearest[each]
        expected, error = (
            (trend.expected[place], trend.expected_error[place])
            if part[each]
            else (trend.phase[place], math.hypot(trend.error[place], trend.step))
        )
        off = abs((phases[each] - expected + 90) % 180 - 90)
        if (told[each] <= GOOD_ERROR and off <= 3 * math.hypot(told[each], error)) or error > 20:
            last.append(first[each])
            continue
        fit, _ = fitted(
            images[each],
            PIXEL,
            phase_shift=(0.0, 180.0),
            expected_phase_shift=(float(expected), float(error)),
            **truths[each][0].settings,
        )
        last.append(fit)
    again = np.array([new is not old for new, old in zip(last, first, strict=True)])
    table(
        f"{number} exposures",
        "number",
        "phase RMS / worst",
        "defocus median / worst",
        "wrong by > 300 Å",
        "and sure",
    )
    for name, fits, chosen in (
        ("certain at once", first, ~again),
        ("uncertain, by themselves", first, again),
        ("the same, with the trend", last, again),
    ):
        print(errors(name, fits, truths, chosen))
    positions, moved = 1 + int((trend.jump > 0.5).sum()), math.ceil(number / ON_ONE_POSITION)
    print(f"\n{positions} positions of the plate are told, of {moved}.")


def errors(name: str, fits: list, truths: list, chosen: np.ndarray) -> str:
    """Return one row."""
    phase = np.array([(f.phase_shift - p + 90) % 180 - 90 for f, (_, p) in zip(fits, truths, strict=True)])
    off = np.array(
        [abs((f.defocus_u + f.defocus_v) / 2 - t.mean) for f, (t, _) in zip(fits, truths, strict=True)]
    )
    sure = np.array([fit.confidence > 0.5 for fit in fits])[chosen]
    phase, off = phase[chosen], off[chosen]
    return (
        f"| {name} | {len(off)} | {np.sqrt(np.mean(phase**2)):.1f} / {np.abs(phase).max():.0f}°"
        f" | {np.median(off):.0f} / {off.max():.0f} Å | {(off > 300).sum()} | {(sure & (off > 300)).sum()} |"
    )


if __name__ == "__main__":
    main()
