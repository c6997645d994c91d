"""Rounds of classification: compare, fold in, and change the number of classes to what the data hold."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from eucentric.imaging.classification import (
    ClassificationState,
    ParticleBatch,
    Poses,
    empty_state,
    fold_in,
    reference_modes,
    rings_to_use,
)
from eucentric.imaging.classification_moves import (
    Split,
    merge_classes,
    propose_merger,
    propose_split,
    split_class,
)
from eucentric.imaging.classification_polar import PolarGrid
from eucentric.imaging.classification_search import assign

_RINGS_OF_MOVES = 12
"""Splits and mergers are judged on the strongest rings: the view, not its last details."""
_FIRST_ROUNDS = 9
_LATER_ROUNDS = 2
_FORGETTING = 0.3
"""Part of the old sums that stays in the first rounds, where poses soon become better."""


class ClassificationSettings(NamedTuple):
    """What a classification is asked for.

    Attributes:
        classes: Most classes; there are less while few particles differ.
        radius: Of the circle around every particle, px.
        largest_shift: How far particles may lie off the middle along each axis, px.
        fewest: Particles on average in a class, below which no more classes are made.
    """

    classes: int
    radius: float
    largest_shift: float
    fewest: int = 20


class Update(NamedTuple):
    """What a batch has changed.

    Attributes:
        state: The averages.
        renumbered: New number of every class there was before [class]; of those merged, that of the other.
        poses: Class and pose of every particle of the batch.
    """

    state: ClassificationState
    renumbered: Tensor
    poses: Poses


def update(
    state: ClassificationState | None,
    batch: ParticleBatch,
    grid: PolarGrid,
    settings: ClassificationSettings,
    generator: torch.Generator,
    *,
    total: int,
) -> Update:
    """Classify a batch, and let it sharpen the averages.

    The first batch starts from one class, which is split again and again. Every later one replaces the part
    of the sums that it is of all particles, so particles that never come again fade.

    Args:
        state: The averages so far; None at first.
        batch: New particles, and older ones to see again.
        grid: The grid of their rings.
        settings: What is asked for; it may differ from batch to batch.
        generator: Draws who takes part in a round; with the same one, one thread gives the same result.
        total: Number of particles there are, those of the batch among them.

    Raises:
        ValueError: The batch is empty.
    """
    count = len(batch.rings)
    if count == 0:
        raise ValueError("There are no particles to classify; give a batch of at least one.")
    first = state is None
    present = begin(batch, grid, generator) if state is None else state
    renumbered = torch.arange(present.sizes.numel(), device=present.noise.device)
    size = min(count, max(500, 60 * settings.classes))
    share = size / max(total, count)
    for number in range(_FIRST_ROUNDS if first else _LATER_ROUNDS):
        chosen = torch.randperm(count, generator=generator)[:size].to(renumbered.device)
        early = first and number < _FIRST_ROUNDS - 2
        kept = min(1 - share, _FORGETTING) if early else 1 - share
        present, step = improve(present, batch.part(chosen), grid, settings, kept=kept)
        renumbered = step[renumbered]
    references = reference_modes(present, grid, settings.radius)
    rings = rings_to_use(present)
    poses = assign(batch, references, present.noise, grid, rings=rings, largest_shift=settings.largest_shift)
    present = fold_in(present, batch, poses, references, grid, kept=1 - count / max(total, count))
    return Update(present, renumbered, poses)


def begin(batch: ParticleBatch, grid: PolarGrid, generator: torch.Generator) -> ClassificationState:
    """Return a state of one class: the sum of all particles, each turned at random."""
    count = len(batch.rings)
    state = empty_state(grid, 1, batch.rings.device)
    state = state._replace(noise=batch.rings.abs().square().mean(dim=(0, 2)))
    angle = 2 * math.pi * torch.rand(count, generator=generator).to(batch.rings.device)
    poses = Poses(batch.half * 0, angle, angle.new_zeros((count, 2)), angle * 0)
    return fold_in(state, batch, poses, torch.zeros_like(state.sums[0]), grid, kept=0.0)


def improve(
    state: ClassificationState,
    batch: ParticleBatch,
    grid: PolarGrid,
    settings: ClassificationSettings,
    *,
    kept: float,
) -> tuple[ClassificationState, Tensor]:
    """Do one round: compare a batch with the averages, fold it in, and split and merge classes.

    Args:
        state: The averages so far.
        batch: Particles, new ones and such as were seen before.
        grid: The grid of their rings.
        settings: What is asked for.
        kept: Part of the old sums that stays, 0 to 1.

    Returns:
        The new state, and the new number of every old class [class].
    """
    references = reference_modes(state, grid, settings.radius)
    rings = rings_to_use(state)
    poses = assign(batch, references, state.noise, grid, rings=rings, largest_shift=settings.largest_shift)
    state = fold_in(state, batch, poses, references, grid, kept=kept)
    references = reference_modes(state, grid, settings.radius)
    rings = min(rings, _RINGS_OF_MOVES)
    splits = {
        label: propose_split(batch, poses, references, state.noise, grid, label=label, rings=rings)
        for label in range(len(references))
    }
    splits = {label: split for label, split in splits.items() if split.gain > 0}
    wanted = max(1, min(settings.classes, int(state.sizes.sum()) // settings.fewest))
    state, renumbered = _merge(state, grid, splits, wanted, rings, settings.largest_shift)
    for label in sorted(splits, key=lambda label: -splits[label].gain):
        if state.sizes.numel() < wanted:
            state = split_class(state, batch, poses, grid, int(renumbered[label]), splits[label])
    return state, renumbered


def _merge(
    state: ClassificationState,
    grid: PolarGrid,
    splits: dict[int, Split],
    wanted: int,
    rings: int,
    largest_shift: float,
) -> tuple[ClassificationState, Tensor]:
    """Merge classes that are too many, do not differ, or are worth less than a split; forget their splits."""
    renumbered = torch.arange(state.sizes.numel(), device=state.noise.device)
    while state.sizes.numel() > 1:
        mergers = [
            propose_merger(state, grid, label=label, rings=rings, largest_shift=largest_shift)
            for label in range(state.sizes.numel())
        ]
        label = min(range(len(mergers)), key=lambda label: (mergers[label].loss, float(state.sizes[label])))
        pair = {label, mergers[label].near}
        apart = {old: split for old, split in splits.items() if int(renumbered[old]) not in pair}
        full = state.sizes.numel() >= wanted
        worth = max((split.gain for split in apart.values()), default=0.0) if full else 0.0
        if mergers[label].loss > worth and state.sizes.numel() <= wanted:
            break
        state, step = merge_classes(state, grid, label, mergers[label])
        renumbered = step[renumbered]
        for old in set(splits) - set(apart):
            del splits[old]
    return state, renumbered
