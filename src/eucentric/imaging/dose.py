"""How radiation damage weakens the signal, and how frames are weighted for it."""

import torch
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
