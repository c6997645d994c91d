"""How well picked particles agree with those that are known to be there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Points = NDArray[np.float64]

_TOLERANCE = 0.4  # of the diameter, between the centres of a particle and of its pick


class PickScore(NamedTuple):
    """Counts, which add up over micrographs.

    Attributes:
        hits: Particles that were picked.
        picks: Picks, less those that nothing is asked of.
        particles: Particles, less those that nothing is asked of.
    """

    hits: int
    picks: int
    particles: int

    @property
    def precision(self) -> float:
        """Part of the picks that are particles."""
        return self.hits / self.picks if self.picks else 0.0

    @property
    def recall(self) -> float:
        """Part of the particles that were picked."""
        return self.hits / self.particles if self.particles else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        total = self.picks + self.particles
        return 2 * self.hits / total if total else 0.0


def score_picks(
    picks: Points, visible: Points, hidden: Points, shape: tuple[int, int], diameter: float
) -> PickScore:
    """Match picks with particles, nearest first, each at most once.

    Nothing is asked of particles that are hidden or reach over the edge: whether they are picked or not
    does not count.

    Args:
        picks: Centres (x, y) in px that were picked, [pick, 2].
        visible: Centres of the particles that can be seen, [particle, 2].
        hidden: Centres of those that carbon or ice hides, [particle, 2].
        shape: Height and width of the micrograph in px.
        diameter: Of the particles, px.
    """
    last = np.array([shape[1] - 1, shape[0] - 1])
    whole = ((visible >= diameter / 2) & (visible <= last - diameter / 2)).all(axis=1)
    every = np.concatenate((visible, hidden))
    asked = np.concatenate((whole, np.zeros(len(hidden), bool)))
    if not len(every):
        return PickScore(0, len(picks), 0)
    matched = _match(picks, every, _TOLERANCE * diameter)
    hits = int(asked[matched[matched >= 0]].sum())
    spared = int((~asked[matched[matched >= 0]]).sum())
    return PickScore(hits, len(picks) - spared, int(asked.sum()))


def _match(picks: Points, particles: Points, reach: float) -> NDArray[np.int64]:
    """Return which particle each pick is, -1 for none, [pick]."""
    matched = np.full(len(picks), -1)
    near = cKDTree(picks).sparse_distance_matrix(cKDTree(particles), reach, output_type="coo_matrix")
    taken: set[int] = set()
    for pair in np.argsort(near.data, kind="stable"):
        pick, particle = int(near.row[pair]), int(near.col[pair])
        if matched[pick] < 0 and particle not in taken:
            matched[pick] = particle
            taken.add(particle)
    return matched
