"""Which exposures were taken with one image shift, and so have one beam tilt: RELION's optics groups.

Programs that shift beam and image between holes (EPU's aberration-free image shift, SerialEM's multiple
records) go to the same few positions around every place of the stage, but for the corrections that each
hole needs. The groups are those that stand apart: single-linkage clusters, cut where the distances between
neighbours leap the most.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eucentric.metadata.readings import Origin, Reading

if TYPE_CHECKING:
    from eucentric.metadata.knowledge import Resolved

LEAP = 3.0
"""Groups are told apart where the distance between them is so many times that within them, at least."""

_MOST = 1500
"""Exposures that the groups are found from; the others join the nearest."""

_SHIFTS = (
    ("exposure.beam_shift_x", "exposure.beam_shift_y"),
    ("exposure.image_shift_x", "exposure.image_shift_y"),
)


def grouped_by_shift(exposures: "Iterable[Resolved]") -> None:
    """Give exposures the number of their group, from 1, where groups stand apart.

    Exposures that have one by their own files keep it. All with the same shift are one group; where shifts
    vary without any gaps, no groups are told.
    """
    members = list(exposures)
    for terms in _SHIFTS:
        pairs = [tuple(each.value(term) for term in terms) for each in members]
        having = [number for number, pair in enumerate(pairs) if None not in pair]
        points = np.array([pairs[number] for number in having], dtype=float).reshape(-1, 2)
        if len(points) == 0 or not (points != points[0]).any():
            continue
        groups = shift_groups(points)
        if groups is None:
            return
        for number, group in zip(having, groups, strict=True):
            _assign(members[number], int(group) + 1, terms[0])
        return


def _assign(exposure: "Resolved", group: int, term: str) -> None:
    shift = exposure.readings[term, ""].origin
    origin = Origin("derived", shift.file, shift.key, "", "cluster of shifts")
    key = ("exposure.image_shift_group", "")
    if key not in exposure.readings or exposure.readings[key].origin.source == "derived":
        exposure.readings[key] = Reading(key[0], group, origin)


def shift_groups(points: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return the group of every point, numbered by their first member; None where no groups stand apart.

    Args:
        points: Image shifts (x, y), one row each.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial import KDTree

    if len(points) < 2:
        return np.zeros(len(points), dtype=np.int64)
    step = -(-len(points) // _MOST)
    some = points[::step]
    tree = linkage(some, "single")
    height = _cut(tree[:, 2])
    if height is None:
        return None
    labels = fcluster(tree, height, "distance")
    if step > 1:
        labels = labels[KDTree(some).query(points)[1]]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return order[inverse].astype(np.int64)


def _cut(heights: NDArray[np.float64]) -> float | None:
    """Return a distance between those within groups and those between; None where nothing leaps."""
    floor = heights[-1] * 1e-3  # equal shifts differ by rounding only
    ordered = np.maximum(heights, floor)
    leaps = ordered[1:] / ordered[:-1]
    if len(leaps) == 0:
        return None
    where = int(np.argmax(leaps))
    return float(np.sqrt(ordered[where] * ordered[where + 1])) if leaps[where] >= LEAP else None
