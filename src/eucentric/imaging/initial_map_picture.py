"""What a map looks like, and from where its particles were seen."""

import math

import numpy as np
import torch
from torch import Tensor

_DIRECTIONS = 2000
_WIDTH = 0.05
"""Half the thickness of a slice in Fourier space, as a part of its distance from zero."""


def sections_and_projections(volume: Tensor) -> Tensor:
    """Return images of a map: its central sections, and its projections, along z, y and x.

    Everything in deviations of its kind above the median, which is the solvent.

    Args:
        volume: Map [z, y, x] with equal sides.

    Returns:
        [kind, axis, row, column]; what is seen along z has x to the right and y up, along y x and z,
        along x y and z.
    """
    middle = len(volume) // 2
    sections = torch.stack([volume[middle], volume[:, middle], volume[:, :, middle]])
    projections = torch.stack([volume.sum(axis) for axis in range(3)])
    kinds = [(each - each.median()) / each.std().clamp(min=1e-20) for each in (sections, projections)]
    return torch.stack(kinds)


def view_histogram(orientations: Tensor, cells: int = 18) -> Tensor:
    """Count from where particles were seen, in cells of equal area of the sphere.

    Args:
        orientations: Matrices [particle, 3, 3].
        cells: Rows.

    Returns:
        Counts [height, azimuth] of `cells` rows and twice as many columns: rows in even steps of the
        direction's z from -1 to 1, columns in even steps of its azimuth from -180° to 180°.
    """
    view = orientations[:, 2]
    height = ((view[:, 2] + 1) / 2 * cells).long().clamp(0, cells - 1)
    azimuth = torch.atan2(view[:, 1], view[:, 0]) / (2 * torch.pi) + 0.5
    column = (azimuth * 2 * cells).long().clamp(0, 2 * cells - 1)
    counts = torch.bincount(height * 2 * cells + column, minlength=2 * cells**2)
    return counts.view(cells, 2 * cells)


def sampling_efficiency(orientations: Tensor, group: Tensor) -> float:
    """Return how evenly views fill Fourier space: 1 where they are even, near 0 of a single view.

    Every view fills the slice across its direction. The harmonic mean of how often each direction is filled,
    over that of even views, is the part of the signal that reaches the map. Source: sampling compensation
    factor, Baldwin & Lyumkis (2020), Prog. Biophys. Mol. Biol. 150, 160.

    Args:
        orientations: Matrices [particle, 3, 3].
        group: Operators of the point group [operator, 3, 3].
    """
    if not len(orientations):
        return 0.0
    index = np.arange(_DIRECTIONS)
    height, azimuth = (index + 0.5) / _DIRECTIONS, index * (math.pi * (3 - 5**0.5))
    ring = np.sqrt(1 - height**2)  # half of the sphere: opposite directions are filled together
    directions = np.stack([ring * np.cos(azimuth), ring * np.sin(azimuth), height], axis=-1)
    where = torch.from_numpy(directions).to(orientations)
    # Turning the directions is as good as turning the views, and there are fewer of them.
    turned = torch.einsum("dj,gij->dgi", where, group.to(orientations))
    filled = torch.stack([((orientations[:, 2] @ each.T).abs() < _WIDTH).float().mean() for each in turned])
    # A direction that nothing fills counts as one that a single particle does.
    least = 1 / (len(orientations) * len(group))
    return min(1.0, float(1 / (_WIDTH / filled.clamp(min=least)).mean()))
