"""Finding the class and the pose of particles: all of them coarsely, then the most likely ones ever finer.

The inner rings tell a few classes in which a particle may be, with a turn and a shift each: those are all
compared, as matrix products. From there on only turns and shifts around the guesses are looked at, with
twice the rings and at half the steps every time, and fewer and fewer guesses.
"""

import math

import torch
from torch import Tensor

from eucentric.imaging.classification import ParticleBatch, Poses
from eucentric.imaging.classification_polar import (
    PolarGrid,
    angular_modes,
    at_rotations,
    mode_power,
    rings_of,
    shift_rings,
)

_INNER = 8
"""Rings on which all classes, turns and shifts are compared."""
_GUESSES = 6
"""Classes that are looked at more closely; half as many at every further step."""
_WAVELENGTHS = 0.3
"""Step of the shifts in wavelengths of the outermost ring."""
_BLOCK = 1 << 21
"""Most numbers in one table of likelihoods."""


def assign(
    batch: ParticleBatch,
    references: Tensor,
    noise: Tensor,
    grid: PolarGrid,
    *,
    rings: int,
    largest_shift: float,
    besides: Tensor | None = None,
) -> Poses:
    """Find the most likely class and pose of every particle.

    Args:
        batch: The particles.
        references: Angular modes of the averages [class, ring, mode].
        noise: Power of the noise [ring].
        grid: The grid of the rings.
        rings: How many of them to compare.
        largest_shift: Pixels that a particle may lie off the middle along each axis.
        besides: A class for every particle that it may not have [particle].
    """
    inner = min(rings, _INNER)
    count = math.ceil(largest_shift / (_WAVELENGTHS * grid.box / inner))
    axis = torch.linspace(-largest_shift, largest_shift, 2 * count + 1, device=noise.device)
    step = float(axis[1] - axis[0])
    guesses = min(_GUESSES, len(references))
    found = _look_everywhere(
        batch, references, noise, grid, inner, torch.cartesian_prod(axis, axis), guesses, besides
    )
    while inner < rings or step > _WAVELENGTHS * grid.box / rings:
        step, inner = step / 2, min(rings, 2 * inner)
        found = _look_closer(batch, found, references, noise, grid, inner, step)
        guesses = max(1, guesses // 2)
        best = found.gain.topk(guesses, dim=1).indices
        found = Poses(
            found.label.gather(1, best),
            found.angle.gather(1, best),
            found.shift.gather(1, best[..., None].expand(-1, -1, 2)),
            found.gain.gather(1, best),
        )
    return Poses(found.label[:, 0], found.angle[:, 0], found.shift[:, 0], found.gain[:, 0])


def _ring_weights(noise: Tensor, rings: int) -> Tensor:
    """Return what a mean over a ring counts [ring]: its points in half the plane over the noise's power."""
    return math.pi * torch.arange(1, rings + 1, device=noise.device) / noise[:rings]


def _look_everywhere(
    batch: ParticleBatch,
    references: Tensor,
    noise: Tensor,
    grid: PolarGrid,
    rings: int,
    shifts: Tensor,
    guesses: int,
    besides: Tensor | None,
) -> Poses:
    """Return the best pose in each of the likeliest classes [particle, guess], of all turns and `shifts`."""
    every = _thinning(grid, rings)
    modes = grid.angles // every // 2 + 1
    weight = _ring_weights(noise, rings)
    patterns = (references[:, :rings, :modes].conj() * weight[:, None]).permute(2, 1, 0).contiguous()
    transfer = batch.transfer[:, :rings, ::every]
    norm = transfer.square().mean(dim=-1) @ (mode_power(references[:, :rings]) * weight).T  # [curve, class]
    moves = shift_rings(grid, -shifts, rings, every)
    found = []
    block = max(1, _BLOCK // (len(shifts) * len(references) * 2 * modes))
    for chosen in torch.split(torch.arange(len(batch.rings), device=noise.device), block):
        curve = batch.curve[chosen]
        points = batch.rings[chosen, :rings, ::every] * transfer[curve]
        moved = angular_modes(points[:, None] * moves).flatten(0, 1)
        products = torch.bmm(moved.permute(2, 0, 1), patterns)  # [mode, particle × shift, class]
        best, turned = at_rotations(products.permute(1, 2, 0).contiguous()).max(dim=-1)
        gain, shift = best.reshape(len(chosen), len(shifts), -1).max(dim=1)  # [particle, class]
        angle = turned.reshape(len(chosen), len(shifts), -1).gather(1, shift[:, None])[:, 0]
        gain = 2 * gain - norm[curve]
        if besides is not None:
            gain.scatter_(1, besides[chosen, None], -math.inf)
        gain, label = gain.topk(guesses, dim=1)
        turns = angle.gather(1, label) * (math.pi / (modes - 1))
        found.append(Poses(label, turns, shifts[shift.gather(1, label)], gain))
    return Poses(*(torch.cat(values) for values in zip(*found, strict=True)))


def _look_closer(
    batch: ParticleBatch,
    guesses: Poses,
    references: Tensor,
    noise: Tensor,
    grid: PolarGrid,
    rings: int,
    step: float,
) -> Poses:
    """Return the best poses around `guesses` [particle, guess]: shifts by `step` px, turns by one point."""
    every = _thinning(grid, rings)
    half = grid.angles // every // 2
    weight = _ring_weights(noise, rings)
    around = torch.tensor([-step, 0.0, step], device=noise.device)
    nearby = torch.cartesian_prod(around, around)
    # Rings lie innermost in memory, so that a turned average is one piece of it.
    moves = shift_rings(grid, -nearby, rings, every).mT.flatten(1)
    moves = torch.stack([moves.real, -moves.imag], dim=-1).flatten(1).T  # [point × (real, imaginary), shift]
    turned = _unrolled(references[:, :rings], weight / half, every)
    power = mode_power(references[:, :rings]) * weight
    transfer = batch.transfer[:, :rings, ::every]
    norm = transfer.square().mean(dim=-1) @ power.T  # [curve, class]
    each = guesses.label.shape[1]
    found = []
    block = max(1, _BLOCK // (3 * 2 * half * rings))
    for chosen in torch.split(torch.arange(guesses.label.numel(), device=noise.device), block):
        particle = chosen // each
        label, shift = guesses.label.flatten()[chosen], guesses.shift.flatten(0, 1)[chosen]
        curve = batch.curve[particle]
        points = batch.rings[particle, :rings, ::every] * transfer[curve]
        points = (points * shift_rings(grid, -shift, rings, every)).mT.flatten(1)
        middle = (guesses.angle.flatten()[chosen] * (half / math.pi)).round().long()
        # The average turned by j points begins j points earlier.
        first = (-middle - 1) % (2 * half)
        windows = turned.unfold(1, (half + 2) * rings, rings)[label, first].unfold(1, half * rings, rings)
        products = torch.view_as_real(points[:, None] * windows).flatten(2)
        likelihood = 2 * (products @ moves).flatten(1)  # [guess, turn × shift]
        gain, best = likelihood.max(dim=1)
        angle = (middle + 1 - best // len(nearby)) * (math.pi / half)
        found.append(Poses(label, angle, shift + nearby[best % len(nearby)], gain - norm[curve, label]))
    together = Poses(*(torch.cat(values) for values in zip(*found, strict=True)))
    return Poses(*(values.reshape(-1, each, *values.shape[1:]) for values in together))


def _unrolled(references: Tensor, weight: Tensor, every: int) -> Tensor:
    """Return weighted conjugate averages [class, angle × ring], so far that all turns of half a ring fit."""
    rings = rings_of(references)[..., ::every].conj() * weight[:, None]
    again = torch.cat([rings, rings.conj(), rings, rings[..., :2].conj()], dim=-1)
    return again.mT.flatten(1).contiguous()


def _thinning(grid: PolarGrid, rings: int) -> int:
    """Return which every n-th angle of the grid is enough for the innermost rings."""
    return 1 << max(0, min(int(grid.rings / rings).bit_length() - 1, 3))
