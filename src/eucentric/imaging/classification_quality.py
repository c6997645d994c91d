"""How good class averages are."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from eucentric.imaging.classification import ClassificationState, half_correlation
from eucentric.imaging.classification_polar import PolarGrid, mode_power

_RESOLVED = 0.143
_LEAST_DETAIL = 25.0
"""Bits of a particle's detail below which a class is as likely to be noise, whose classes reach 15."""


class ClassQuality(NamedTuple):
    """What is known of every class.

    Attributes:
        size: Particles in the sums [class].
        resolution: Å, where the correlation of halves falls below 0.143 [class].
        snr: Power of the average's signal over that of its noise [class, ring].
        score: 0 to 1: detail that a particle of the class carries, relative to the best [class].
        correlation: Correlation of the averages of two halves [class, ring].
    """

    size: Tensor
    resolution: Tensor
    snr: Tensor
    score: Tensor
    correlation: Tensor


def class_quality(
    state: ClassificationState, grid: PolarGrid, pixel_size: float, diameter: float
) -> ClassQuality:
    """Judge the averages of all classes.

    The score counts the bits that one particle tells about its view at frequencies finer than half its
    diameter, as far as the halves of the average agree (Shannon's capacity, π k modes on the ring k). Noise,
    ice and dirt have none there; a blob has size, but no detail. The best class has 1, unless even it
    has less than what classes of noise reach.

    Args:
        state: What was seen.
        grid: The grid of its rings.
        pixel_size: Å/px.
        diameter: Of the particles, Å.
    """
    correlation = half_correlation(state)
    clipped = correlation.clamp(0, 0.999)
    snr = 2 * clipped / (1 - clipped)
    resolved = torch.cummin((correlation > _RESOLVED).float(), dim=1).values.sum(dim=1).clamp(min=1)
    resolution = grid.box * pixel_size / resolved
    radius = torch.arange(1, grid.rings + 1, device=snr.device)
    halves = state.sums / state.weights.clamp(min=1e-6)[..., None]
    signal = mode_power(halves[0], halves[1]).clamp(min=0) / state.noise
    transferred = state.weights.sum(dim=0) / state.sizes.clamp(min=1)[:, None]
    counted = math.pi * radius * (radius > 2 * grid.box * pixel_size / diameter)
    seen = radius <= resolved[:, None]
    detail = (counted * torch.log2(1 + signal * transferred) * seen).sum(dim=1)
    score = detail / detail.max().clamp(min=_LEAST_DETAIL)
    return ClassQuality(state.sizes, resolution, snr, score, correlation)
