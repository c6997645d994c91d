"""What several pickers agree on: one-to-one matching of their picks, whatever their order.

Pairs of picks of different pickers are joined to groups, the nearest pair first, as in hierarchical
clustering with complete linkage (Defays 1977, Comput. J. 20, 364), with one condition more: a group has at
most one pick of each picker. That what several pickers agree on is better than what any of them finds was
shown by Sanchez-Garcia et al. (2018), IUCrJ 5, 854; matching picker after picker, as is done there, depends
on who comes first, and this does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import rankdata

Points = NDArray[np.float64]


@dataclass(frozen=True)
class PickerStatistics:
    """How one picker stands to the others.

    Attributes:
        picks: Places that it picked.
        agreed: Those of them that are in the consensus.
        precision: The part of its picks that is in the consensus; 0 without picks.
        recall: The part of the consensus that it has; 0 where there is none.
        distance: Mean distance of its agreed picks from the consensus' positions, px; 0 where there are none.
    """

    picks: int
    agreed: int
    precision: float
    recall: float
    distance: float


@dataclass(frozen=True)
class PickConsensus:
    """Groups of picks that are of one particle each.

    Attributes:
        positions: [group, 2] (x, y), px: the mean of the group's picks. Groups that more pickers have come
            first, then those with better scores.
        scores: [group], 0 to 1: the sum of the picks' ranks within their pickers (1 for the best), over the
            number of pickers.
        members: [group, picker], index of each picker's pick, -1 where it has none there.
    """

    positions: Points
    scores: NDArray[np.float64]
    members: NDArray[np.int64]

    @property
    def votes(self) -> NDArray[np.int64]:
        """How many pickers have each group, [group]."""
        return np.asarray((self.members >= 0).sum(axis=1), np.int64)

    def agreed(self, least: int) -> "PickConsensus":
        """Return the groups that at least so many pickers have."""
        kept = self.votes >= least
        return PickConsensus(self.positions[kept], self.scores[kept], self.members[kept])


def match_picks(
    picks: Sequence[Points], radius: float, scores: Sequence[NDArray[np.float64] | None] | None = None
) -> PickConsensus:
    """Join the picks of several pickers to groups that lie within a radius.

    The result depends neither on the order of the pickers nor on that of their picks. A place that a picker
    names twice counts once, with the better score.

    Args:
        picks: For each picker, [pick, 2] (x, y), px.
        radius: Largest distance, px, between any two picks of a group.
        scores: For each picker, [pick], larger is better, in any unit, since only their order is used; None
            where it gives none: its picks then have the same, middle rank.

    Returns:
        Every group, those of a single pick too.

    Raises:
        ValueError: The radius is not positive, there is no picker, or a shape is wrong.
    """
    if not radius > 0 or not picks:
        raise ValueError(
            f"{len(picks)} pickers cannot be matched within {radius} px; give one or more, and a radius > 0."
        )
    scores = scores or [None] * len(picks)
    for number, (places, values) in enumerate(zip(picks, scores, strict=True)):
        if places.ndim != 2 or places.shape[1] != 2 or (values is not None and len(values) != len(places)):
            raise ValueError(f"Picker {number} needs picks [pick, 2], and one score for each or no scores.")
    ranks = [_ranks(len(places), values) for places, values in zip(picks, scores, strict=True)]
    single = [_first_of_each(places, rank) for places, rank in zip(picks, ranks, strict=True)]
    picker = np.repeat(np.arange(len(picks)), [len(each) for each in single])
    places = np.concatenate([each[kept] for each, kept in zip(picks, single, strict=True)]).astype(np.float64)
    groups = _join(places, picker, radius)
    return _sorted_groups(groups, places, picker, np.concatenate(single), ranks)


def picker_statistics(
    everything: PickConsensus, least: int, picks: Sequence[Points]
) -> tuple[list[PickerStatistics], NDArray[np.int64]]:
    """Return how each picker stands to the consensus, and how many groups each two of them share.

    Args:
        everything: What `match_picks` returned.
        least: How many pickers must have a group for it to be in the consensus.
        picks: What was matched.

    Returns:
        For each picker its statistics; and [picker, picker], number of groups that both have, with the number
        of each picker's own groups on the diagonal.
    """
    agreed = everything.agreed(least)
    statistics = []
    for number, places in enumerate(picks):
        has = agreed.members[:, number] >= 0
        away = places[agreed.members[has, number]] - agreed.positions[has]
        total = len(np.unique(places, axis=0))
        statistics.append(
            PickerStatistics(
                picks=total,
                agreed=int(has.sum()),
                precision=has.sum() / total if total else 0.0,
                recall=float(has.mean()) if len(has) else 0.0,
                distance=float(np.hypot(*away.T).mean()) if has.any() else 0.0,
            )
        )
    present = (everything.members >= 0).astype(np.int64)
    return statistics, present.T @ present


def _ranks(count: int, scores: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return ranks from 0 to 1, 1 for the best; equal scores have their middle rank."""
    if count == 0:
        return np.zeros(0)
    return np.asarray(rankdata(np.zeros(count) if scores is None else scores), np.float64) / count


def _first_of_each(places: Points, ranks: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the indices of the places, each once, of equal ones the best."""
    order = np.lexsort((-ranks, places[:, 1], places[:, 0]))
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(places[order], axis=0) != 0).any(axis=1)
    return np.asarray(order[new], np.int64)


def _join(places: Points, picker: NDArray[np.int64], radius: float) -> list[list[int]]:
    """Join picks [pick, 2] to groups, the nearest pair first.

    Pairs at the same distance come in the order of their coordinates. Picks of different pickers at the same
    place are pairs at distance 0, so they are one group before any other pair could tell them apart: the
    result has no room for the order in which picks are given.
    """
    pairs = (
        cKDTree(places).query_pairs(radius, output_type="ndarray") if len(places) else np.zeros((0, 2), int)
    )
    pairs = pairs[picker[pairs[:, 0]] != picker[pairs[:, 1]]]
    one, other = places[pairs[:, 0]], places[pairs[:, 1]]
    swapped = (one[:, 0] > other[:, 0]) | ((one[:, 0] == other[:, 0]) & (one[:, 1] > other[:, 1]))
    one, other = np.where(swapped[:, None], other, one), np.where(swapped[:, None], one, other)
    square = ((one - other) ** 2).sum(axis=1)
    group = list(range(len(places)))
    members = [[number] for number in group]
    for pair in np.lexsort((other[:, 1], other[:, 0], one[:, 1], one[:, 0], square)):
        first, second = (group[number] for number in pairs[pair])
        if first != second and _belong(members[first], members[second], places, picker, radius):
            for number in members[second]:
                group[number] = first
            members[first] += members[second]
            members[second] = []
    return [each for each in members if each]


def _belong(
    one: list[int], other: list[int], places: Points, picker: NDArray[np.int64], radius: float
) -> bool:
    """Tell whether two groups have no picker in common and lie within the radius as a whole."""
    if set(picker[one].tolist()) & set(picker[other].tolist()):
        return False
    away = places[one][:, None] - places[other][None]
    return bool(((away**2).sum(axis=2) <= radius**2).all())


def _sorted_groups(
    groups: list[list[int]],
    places: Points,
    picker: NDArray[np.int64],
    index: NDArray[np.int64],
    ranks: list[NDArray[np.float64]],
) -> PickConsensus:
    positions, scores = np.zeros((len(groups), 2)), np.zeros(len(groups))
    members = np.full((len(groups), len(ranks)), -1)
    for number, group in enumerate(groups):
        # Sums of floating-point numbers depend on their order, in the last digit.
        inside = places[group]
        positions[number] = inside[np.lexsort((inside[:, 1], inside[:, 0]))].mean(axis=0)
        scores[number] = sum(sorted(ranks[picker[each]][index[each]] for each in group)) / len(ranks)
        members[number, picker[group]] = index[group]
    order = np.lexsort((positions[:, 1], positions[:, 0], -scores, -(members >= 0).sum(axis=1)))
    return PickConsensus(positions[order], scores[order], members[order])
