"""Splitting classes that hold two views, and merging classes that hold the same one.

Expectation maximisation gets stuck where one average serves two views while two serve another. Moves from
there (Ueda et al. (2000), Neural Comput. 12, 2109) are judged by what they explain: a split by the difference
it makes in rings that had no say in who goes where, a merger by the difference of the two averages that is
lost. Growing by splits keeps all classes filled (Sorzano et al. (2010), J. Struct. Biol. 171, 197).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from eucentric.imaging.classification import (
    ClassificationState,
    ParticleBatch,
    Poses,
    aligned_modes,
)
from eucentric.imaging.classification_polar import (
    PolarGrid,
    angular_modes,
    mode_power,
    rings_of,
    shift_rings,
    turn,
)
from eucentric.imaging.classification_search import assign

_MOST = 300
"""Particles of a class looked at to see how it would split."""
_FEWEST = 12
"""Particles of a class that can be split."""
_SURE = 2.0
"""Standard deviations above what chance explains, from which a difference is believed."""
_ALONE = 3.0
"""Particles below which a class is none."""


class Split(NamedTuple):
    """How a class would be divided.

    Attributes:
        gain: By how much the log-likelihood grows beyond what chance explains; 0 where there is no more.
        leave: Numbers of the particles in the batch that would leave [particle].
        looked: Number of particles that were looked at.
    """

    gain: float
    leave: Tensor
    looked: int


class Merger(NamedTuple):
    """The class most like another one.

    Attributes:
        loss: By how much the log-likelihood falls beyond what chance explains; 0 where there is no more.
        near: Number of that class.
        pose: How the other lies on it.
    """

    loss: float
    near: int
    pose: Poses


def propose_split(
    batch: ParticleBatch,
    poses: Poses,
    references: Tensor,
    noise: Tensor,
    grid: PolarGrid,
    *,
    label: int,
    rings: int,
) -> Split:
    """Divide the particles of a class along the direction in which they differ most.

    Args:
        batch: Particles.
        poses: Their classes and poses.
        references: Modes of the averages [class, ring, mode].
        noise: Power of the noise [ring].
        grid: The grid of the rings.
        label: The class.
        rings: How many of the rings to look at.
    """
    members = torch.nonzero(poses.label == label)[:, 0]
    looked = members[:_MOST]
    n = len(looked)
    if n < _FEWEST:
        return Split(0.0, looked[:0], n)
    modes, squares = aligned_modes(batch.part(looked), poses.part(looked), grid)
    radius = torch.arange(1, rings + 1, device=noise.device)
    # Turns and CTF leave variance 1 to every complex mode; those that a particle within 0.35 boxes of the
    # middle cannot have are noise alone and left out.
    rest = modes[:, :rings] - squares[:, :rings, None] * references[label, :rings]
    scale = 2 * math.pi * radius / noise[:rings] / squares[:, :rings].mean(dim=0)
    possible = torch.arange(rest.shape[-1], device=noise.device) <= 0.35 * 2 * math.pi * radius[:, None]
    rest = rest * scale.sqrt()[:, None] * possible
    decide, judge = (torch.view_as_real(rest[:, part::2]).flatten(1) for part in (1, 0))
    side = _two_groups(decide)
    smaller = side if 2 * int(side.sum()) <= n else ~side
    leaving = int(smaller.sum())
    if leaving < 0.1 * n:
        return Split(0.0, looked[:0], n)
    difference = judge[smaller].mean(dim=0) - judge[~smaller].mean(dim=0)
    numbers = float(possible[0::2].sum())
    explained = leaving * (n - leaving) / n * float(difference.square().sum()) - numbers
    if explained < _SURE * math.sqrt(numbers):
        return Split(0.0, looked[:0], n)
    return Split(explained * len(members) / n, looked[smaller], n)


def _two_groups(vectors: Tensor) -> Tensor:
    """Return which vectors [vector, number] fall to the second of two groups (two means)."""
    centred = vectors - vectors.mean(dim=0)
    products = centred @ centred.T
    side: Tensor = torch.linalg.eigh(products.double()).eigenvectors[:, -1] > 0
    for _ in range(5):
        one, other = side.float(), (~side).float()
        one, other = one / one.sum().clamp(min=1), other / other.sum().clamp(min=1)
        middle = (one @ products @ one - other @ products @ other) / 2
        side = torch.gt(products @ (one - other), middle)
    return side


def split_class(
    state: ClassificationState, batch: ParticleBatch, poses: Poses, grid: PolarGrid, label: int, split: Split
) -> ClassificationState:
    """Return the state with one class more, the last, to which a part of a class has gone."""
    chosen = batch.part(split.leave)
    modes, squares = aligned_modes(chosen, poses.part(split.leave), grid)
    sums, weights, counts = state.sums.clone(), state.weights.clone(), state.counts.clone()
    share = float(counts[:, label].sum()) / split.looked
    parted = [torch.zeros_like(values[:, label]) for values in (sums, weights, counts)]
    ones = torch.ones(len(squares), device=squares.device)
    for old, new, values in zip((sums, weights, counts), parted, (modes, squares, ones), strict=True):
        new.index_add_(0, chosen.half, values * share)
        old[:, label] -= new
    weights.clamp_(min=0)
    counts.clamp_(min=0)
    return ClassificationState(
        torch.cat([sums, parted[0][:, None]], dim=1),
        torch.cat([weights, parted[1][:, None]], dim=1),
        torch.cat([counts, parted[2][:, None]], dim=1),
        state.noise,
    )


def propose_merger(
    state: ClassificationState, grid: PolarGrid, *, label: int, rings: int, largest_shift: float
) -> Merger:
    """Find the class that is most like one, at any turn and shift (px)."""
    noise, weights = state.noise, state.weights.sum(dim=0)
    means = state.sums.sum(dim=0) / weights.clamp(min=1e-6)[..., None]
    others = torch.tensor([n for n in range(len(means)) if n != label], device=noise.device)
    alone = _as_batch(means[label : label + 1], grid)
    pose = assign(alone, means[others], noise, grid, rings=rings, largest_shift=largest_shift)
    near = int(others[pose.label[0]])
    aligned, _ = aligned_modes(alone, pose, grid)
    radius = torch.arange(1, rings + 1, device=noise.device)
    both = weights[label] * weights[near] / (weights[label] + weights[near]).clamp(min=1e-6)
    distance = mode_power(aligned[0] - means[near])[:rings]
    loss = float((math.pi * radius / noise[:rings] * both[:rings] * distance).sum())
    numbers = float(math.pi * radius.sum())
    sure = loss > numbers and float(state.sizes[label]) >= _ALONE
    return Merger(loss - numbers if sure else 0.0, near, pose)


def _as_batch(modes: Tensor, grid: PolarGrid) -> ParticleBatch:
    none = torch.zeros(len(modes), dtype=torch.long, device=modes.device)
    flat = torch.ones((1, grid.rings, grid.angles // 2), device=modes.device)
    return ParticleBatch(rings_of(modes), flat, none, none)


def merge_classes(
    state: ClassificationState, grid: PolarGrid, label: int, merger: Merger
) -> tuple[ClassificationState, Tensor]:
    """Return the state with one class less, and the new number of every old class [class]."""
    moved = rings_of(state.sums[:, label]) * shift_rings(grid, -merger.pose.shift, grid.rings)
    sums, weights, counts = state.sums.clone(), state.weights.clone(), state.counts.clone()
    sums[:, merger.near] += turn(angular_modes(moved), merger.pose.angle.expand(2))
    weights[:, merger.near] += weights[:, label]
    counts[:, merger.near] += counts[:, label]
    old = torch.arange(counts.shape[1], device=counts.device)
    kept = old[old != label]
    renumbered = old - (old > label).long()
    renumbered[label] = renumbered[merger.near]
    return ClassificationState(sums[:, kept], weights[:, kept], counts[:, kept], state.noise), renumbered
