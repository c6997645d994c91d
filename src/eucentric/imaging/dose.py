"""How radiation damage weakens the signal, and how frames are weighted for it."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging.ctf import electron_speed


def critical_dose(frequency: Tensor, voltage: float) -> Tensor:
    """Return the dose in e⁻/Å² after which the amplitude at `frequency` (1/Å) has fallen to exp(-1/2).

    N_e(k) = 0.24499 k^-1.6649 + 2.8141, measured at 300 kV; infinite at zero frequency. Damage is done by
    inelastic scattering, whose cross-section goes with 1/β², where β is the electron's speed over that
    of light. The critical dose therefore scales with β²: 0.80 at 200 kV (the factor in common use)
    and 0.50 at 100 kV.

    Source: Grant & Grigorieff (2015), eLife 4, e06980.
    """
    relative = (electron_speed(voltage) / electron_speed(300.0)) ** 2
    return relative * (0.24499 * frequency.pow(-1.6649) + 2.8141)


def dose_weights(
    frequency: Tensor,
    frames: int,
    *,
    dose_per_frame: float,
    voltage: float,
    pre_exposure: float = 0.0,
    flat_noise: bool = True,
) -> Tensor:
    """Return the weight [frame, ...] of every frame at every `frequency` (1/Å, any shape).

    A frame is weighted by exp(-N / (2 N_e)) for the dose N at its end: the fraction of the amplitude that
    the dose has left. With `flat_noise` the weights are divided by the square root of the mean of their
    squares over the frames, so that the noise in a sum over the frames keeps the power it has without
    weights. The dose that the specimen received before the first frame is then a factor common to all
    frames and cancels; it acts where weights of several movies are compared (`flat_noise=False`).

    Raises:
        ValueError: a dose is negative, or there is no frame.

    Source: Grant & Grigorieff (2015), eLife 4, e06980.
    """
    if frames < 1 or dose_per_frame < 0 or pre_exposure < 0:
        raise ValueError(
            f"Dose weights of {frames} frames, {dose_per_frame} e⁻/Å² each after {pre_exposure} e⁻/Å²,"
            " make no sense; give at least one frame and doses of zero or more."
        )
    index = torch.arange(1, frames + 1, device=frequency.device, dtype=frequency.dtype)
    # Where noise is flat, doses count from the first frame: the ratio of two vanishing weights stays exact.
    dose = (index - 1) * dose_per_frame if flat_noise else pre_exposure + index * dose_per_frame
    dose = dose.reshape(-1, *(1,) * frequency.dim())
    weights = torch.exp(-dose / (2 * critical_dose(frequency, voltage)))
    return weights / weights.square().mean(dim=0).sqrt() if flat_noise else weights


class DoseBasis(NamedTuple):
    """Dose weights w[frame](k) as mixtures Σ factors[frame, n] · functions[n](k) of a few functions."""

    factors: NDArray[np.float64]
    """[frame, n]; those of the first function are 1"""
    functions: Tensor
    """[n, step], at frequencies of 0, 1 / scale, 2 / scale, ... 1/Å"""
    scale: float
    """Steps per 1/Å"""


def dose_basis(
    frames: int, highest: float, *, dose_per_frame: float, voltage: float, tolerance: float = 5e-3
) -> DoseBasis:
    """Return functions of frequency of which the dose weights of all frames are mixtures.

    The weights (see `dose_weights`, with flat noise) are smooth functions of dose and frequency, so four
    functions make those of forty frames to half a percent, which costs less than 1/10,000 of the signal
    (five make them to 0.04 %). They come from the singular values of all weights,
    once their mean over the frames, the first function, is taken out.

    Args:
        frames: Number of frames.
        highest: Highest frequency along an axis, in 1/Å; the diagonal reaches √2 further.
        dose_per_frame: e⁻/Å²; zero gives a single function, 1.
        voltage: Acceleration voltage in kV.
        tolerance: Largest error of a weight.
    """
    steps = 8192
    scale = (steps - 2) / (1.42 * highest)
    if dose_per_frame == 0:
        return DoseBasis(np.ones((frames, 1)), torch.ones(1, steps), scale)
    frequency = torch.arange(steps, dtype=torch.float64) / scale
    weights = dose_weights(frequency, frames, dose_per_frame=dose_per_frame, voltage=voltage).numpy()
    mean = weights.mean(axis=0)
    left, sizes, _ = np.linalg.svd((weights - mean)[:, ::8], full_matrices=False)
    for count in range(len(sizes) + 1):
        chosen = left[:, :count]
        rest = weights - mean - chosen @ (chosen.T @ (weights - mean))
        if np.abs(rest).max() < tolerance:
            break
    functions = np.concatenate([mean[None], chosen.T @ (weights - mean)])
    factors = np.concatenate([np.ones((frames, 1)), chosen], axis=1)
    return DoseBasis(factors, torch.from_numpy(functions).float(), scale)
