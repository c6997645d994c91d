"""Turning and moving one map onto another, or onto the axes of its point group.

Both are a search over all orientations, 10° apart, around the centre of mass of what is positive in the map;
the best few are refined together with the centre, in ever smaller steps. Everything is compared in Fourier
space, within a chosen resolution.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging.orientations import nearby_rotations, orientation_grid
from eucentric.imaging.projection import PADDING, volume_transform

_STEPS = (4.5, 3.0, 2.0, 1.2, 0.7, 0.4, 0.2)
"""Degrees, and a quarter as many voxels, by which orientation and centre are refined."""

_Score = Callable[[NDArray[np.float64], Tensor], Tensor]


class Placement(NamedTuple):
    """How a map must be turned and moved.

    Attributes:
        orientation: Matrix [3, 3] that turns the map into place.
        centre: Point (x, y, z) of the map that comes to the middle, in voxels from the middle.
        mirrored: Whether the map must be mirrored (`mirror`) before.
        score: How well it then fits, at most 1.
    """

    orientation: NDArray[np.float64]
    centre: Tensor
    mirrored: bool
    score: float


def find_axes(volume: Tensor, group: NDArray[np.float64], radius: float) -> Placement:
    """Find how a map must be turned and moved for its axes to lie as `symmetry_matrices` has them.

    Args:
        volume: Map [z, y, x].
        group: Operators of the point group, [operator, 3, 3].
        radius: Cycles per box up to which the map is compared with its turned copies.

    Returns:
        The placement; its score is the part of the map's power that is left when it is averaged over the
        group: 1 for a symmetric map, about 1 over the order of the group for one without symmetry.
    """
    transform, points = volume_transform(volume, radius), _ball(radius, volume.device)

    def score(orientations: NDArray[np.float64], centres: Tensor) -> Tensor:
        operators = orientations.transpose(0, 2, 1)[:, None] @ group @ orientations[:, None]
        where = points @ torch.from_numpy(operators).to(points).transpose(-1, -2)
        copies = _read(transform, where)  # [orientation, operator, point]
        phases = torch.einsum("ogpi,ci->cogp", where, centres) * (2 * torch.pi / len(volume))
        left = (copies * _unit(phases)).mean(dim=2).abs().square().sum(-1)
        return (left / copies.abs().square().mean(dim=1).sum(-1)).T

    return _search(score, _centre_of_mass(volume), group)


def align(volume: Tensor, reference: Tensor, radius: float) -> Placement:
    """Find how a map must be turned, moved and possibly mirrored to lie on another.

    Args:
        volume: Map [z, y, x].
        reference: Map [z, y, x] of the same size.
        radius: Cycles per box up to which the maps are compared.

    Returns:
        The placement, its score the correlation with the reference; `place` applies it.
    """
    points = _ball(radius, volume.device)
    wanted = _read(volume_transform(reference, radius), points)
    wanted = wanted / wanted.abs().square().sum().sqrt()
    middle = _centre_of_mass(reference)
    placements = []
    for mirrored in (False, True):
        moving = mirror(volume) if mirrored else volume
        transform = volume_transform(moving, radius)

        def score(
            orientations: NDArray[np.float64], centres: Tensor, transform: Tensor = transform
        ) -> Tensor:
            where = points @ torch.from_numpy(orientations).to(points)
            read = _read(transform, where)  # [orientation, point]
            read = read / read.abs().square().sum(-1, keepdim=True).sqrt()
            phases = torch.einsum("opi,ci->cop", where, centres) * (2 * torch.pi / len(volume))
            phases = phases - (points @ middle) * (2 * torch.pi / len(volume))
            return (read * _unit(phases) * wanted.conj()).real.sum(-1).T

        best = _search(score, _centre_of_mass(moving), np.eye(3)[None])
        back = middle @ torch.from_numpy(best.orientation).to(middle)
        placements.append(best._replace(mirrored=mirrored, centre=best.centre - back))
    return max(placements, key=lambda placement: placement.score)


def place(volume: Tensor, placement: Placement) -> Tensor:
    """Return a map [z, y, x] turned and moved, by trilinear interpolation."""
    moving = mirror(volume) if placement.mirrored else volume
    box = len(volume)
    along = (torch.arange(box, device=volume.device) - box // 2).float()
    z, y, x = torch.meshgrid(along, along, along, indexing="ij")
    matrix = torch.from_numpy(placement.orientation).to(along)
    source = torch.stack([x, y, z], dim=-1) @ matrix + placement.centre
    scaled = (source + box // 2) * (2 / (box - 1)) - 1
    read = torch.nn.functional.grid_sample(
        moving[None, None], scaled[None], mode="bilinear", align_corners=True
    )
    return read[0, 0]


def mirror(volume: Tensor) -> Tensor:
    """Return a map [z, y, x] of the other hand: z turned round, the middle voxel kept."""
    flipped = volume.flip(0)
    return flipped if len(volume) % 2 else flipped.roll(1, 0)


def _search(score: _Score, centre: Tensor, group: NDArray[np.float64]) -> Placement:
    """Try all orientations; of those that an operator of the group makes of each other, one."""
    grid = orientation_grid(10, group, np.random.default_rng(0)).reshape(-1, 3, 3).transpose(0, 2, 1)
    blocks = np.array_split(grid, math.ceil(len(grid) / 50))
    scores = torch.cat([score(block, centre[None])[:, 0] for block in blocks])
    starts = scores.topk(3).indices.tolist()
    return max((_refined(score, grid[start], centre) for start in starts), key=lambda found: found.score)


def _refined(score: _Score, orientation: NDArray[np.float64], centre: Tensor) -> Placement:
    along = torch.arange(-1, 2, device=centre.device).float()
    moves = torch.cartesian_prod(along, along, along)
    best = 0.0
    for step in _STEPS:
        turned = nearby_rotations(step) @ orientation
        orientation = turned[int(score(turned, centre[None])[:, 0].argmax())]
        moved = centre + moves * (step / 4)
        scores = score(orientation[None], moved)[0]
        centre, best = moved[int(scores.argmax())], float(scores.max())
    return Placement(orientation, centre, False, best)


def _read(transform: Tensor, where: Tensor) -> Tensor:
    """Read a centred transform at frequencies (x, y, z) in cycles per box, [..., 3]."""
    scaled = where * (PADDING * 2 / (transform.shape[-1] - 1))
    stacked = torch.view_as_real(transform).permute(3, 0, 1, 2)[None]
    flat = scaled.reshape(1, 1, 1, -1, 3)
    read = torch.nn.functional.grid_sample(stacked, flat, mode="bilinear", align_corners=True)
    return torch.complex(read[0, 0, 0, 0], read[0, 1, 0, 0]).view(where.shape[:-1])


def _unit(phases: Tensor) -> Tensor:
    return torch.polar(torch.ones_like(phases), phases)


def _ball(radius: float, device: torch.device) -> Tensor:
    """Return the whole frequencies (x, y, z) of half a ball, without zero, [point, 3]."""
    along = torch.arange(-int(radius), int(radius) + 1, device=device).float()
    points = torch.cartesian_prod(along, along, along)
    points = points[(points**2).sum(1) <= radius**2]
    return points[: len(points) // 2]


def _centre_of_mass(volume: Tensor) -> Tensor:
    """Return the centre (x, y, z) of what is positive, in voxels from the middle."""
    mass = volume.clamp(min=0)
    along = (torch.arange(len(volume), device=volume.device) - len(volume) // 2).float()
    sums = [mass.sum((0, 1)), mass.sum((0, 2)), mass.sum((1, 2))]
    return torch.stack([(total * along).sum() for total in sums]) / mass.sum()
