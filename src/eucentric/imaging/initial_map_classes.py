"""To which of several maps each particle belongs, by the evidence that it finds in them."""

import torch
from torch import Tensor

_ROUNDS = 30
_LEAST = 0.01
"""Smallest share of a map, so that none is lost for good."""


def even_chances(evidence: Tensor) -> Tensor:
    """Return the chances of each map for each particle with which all maps get equally many particles.

    What a map has gained already, being smoother or stronger than the others, then counts no more: only
    which particles prefer it to the others. From a random start one map takes nearly all particles without.
    Source: iterative proportional fitting, Deming & Stephan (1940), Ann. Math. Stat. 11, 427.

    Args:
        evidence: Logarithms of likelihoods, [particle, map].

    Returns:
        Chances that sum up to 1 for each particle, and to equal sums for the maps, [particle, map].
    """
    offset = torch.zeros_like(evidence[0])
    for _ in range(_ROUNDS):
        found = (evidence + offset).softmax(dim=1).mean(dim=0).clamp(min=1e-6)
        offset = offset - found.log() - torch.tensor(float(len(found))).log()
    return (evidence + offset).softmax(dim=1)


def chances(evidence: Tensor, shares: Tensor) -> Tensor:
    """Return the chances [particle, map] of maps that hold known shares [map] of the particles."""
    return (evidence + shares.log()).softmax(dim=1)


def shares_of(classes: Tensor, count: int) -> Tensor:
    """Return the share of the particles that each of `count` maps holds; `classes` [particle, ...]."""
    share = torch.bincount(classes.flatten(), minlength=count) / max(1, classes.numel())
    return share.clamp(min=_LEAST)


def draw_classes(chance: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """Draw maps by their chances [particle, map]; return their numbers [particle, draw]."""
    random = torch.rand((len(chance), draws), generator=generator).to(chance.device)
    summed = chance.cumsum(dim=1)
    return torch.searchsorted(summed, random * summed[:, -1:]).clamp(max=chance.shape[1] - 1)
