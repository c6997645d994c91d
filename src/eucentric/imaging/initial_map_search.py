"""How particles may lie in a map: orientations and shifts, drawn with the chance each has.

For every particle the likelihood of an orientation and a shift is that of white Gaussian noise (Sigworth
(1998), J. Struct. Biol. 122, 328). Instead of adding a particle up in all places, weighted, a few places are
drawn at random by these chances (stochastic EM: Celeux & Diebolt (1985), Comput. Stat. Q. 2, 73): while the
map is poor they scatter widely, which keeps it from settling too early; when it is good they are one.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from eucentric.imaging.projection import Disc, project, shift_factors

_CHUNK = 1 << 22
"""Likelihoods that are held at a time."""
_LEAST = -80.0
"""Smallest logarithm of a chance against the best place; below -87 processors compute exponentials slowly."""


class Whitened(NamedTuple):
    """Particles, divided by the deviation of the noise at each frequency.

    Attributes:
        images: Transforms [particle, point].
        transfer: Contrast transfer over the noise's deviation, [particle, point].
    """

    images: Tensor
    transfer: Tensor


class Chances(NamedTuple):
    """What the likelihood of a place is made of.

    Attributes:
        shift_deviation: Expected deviation of the shifts, px.
        sharpness: What the logarithms of the likelihoods are multiplied with: below 1 for correlated noise.
        generator: Source of randomness, on the CPU.
    """

    shift_deviation: float
    sharpness: float
    generator: torch.Generator


class Poses(NamedTuple):
    """Where particles may lie in one map: `draw` places for each of them.

    Attributes:
        orientations: Matrices [particle, draw, 3, 3].
        shifts: Shift (x, y) in px of the image from the projection of the map, [particle, draw, 2].
        evidence: Logarithm of the mean likelihood of the places that were tried, less that of noise alone,
            [particle]. Of several maps it tells which one a particle shows.
    """

    orientations: Tensor
    shifts: Tensor
    evidence: Tensor

    def chosen(self, which: Tensor) -> "Poses":
        """Return those of some particles, given by their numbers or by yes and no."""
        return Poses(*(values[which] for values in self))


def search_everywhere(
    transform: Tensor,
    particles: Whitened,
    points: Disc,
    orientations: Tensor,
    shifts: Tensor,
    chances: Chances,
    draws: int,
) -> Poses:
    """Draw places among all orientations of a grid and all shifts.

    Args:
        transform: The map's transform.
        particles: Points as in `points`.
        points: Points that are compared.
        orientations: Matrices [orientation, 3, 3] with the in-plane turns of 0 to 180° only: the others
            are tried as the conjugates.
        shifts: Shifts (x, y) in px, [shift, 2].
        chances: What the likelihood is made of.
        draws: Places drawn for each particle.
    """
    references, scale = project(transform, orientations, points), 2 * chances.sharpness
    power = (references.abs().square() * chances.sharpness).T
    # The prior of the shifts is one more point, at which every reference is 1.
    real = torch.cat([references.real.T * scale, torch.ones_like(references.real[:, :1].T)])
    imaginary = (references.imag * scale).T.contiguous()
    back = shift_factors(points, shifts).conj()
    prior = _log_prior(shifts, chances)[None, :, None]
    chunk = max(1, _CHUNK // (2 * len(references) * len(shifts)))
    parts = []
    for first in range(0, len(particles.images), chunk):
        part = slice(first, first + chunk)
        images, transfer = particles.images[part], particles.transfer[part]
        matched = (images * transfer)[:, None] * back
        even = torch.cat([matched.real, prior.expand(len(images), -1, 1)], dim=-1) @ real
        odd = matched.imag @ imaginary
        even -= (transfer**2 @ power)[:, None]
        parts.append(_draw(torch.stack([even + odd, even.sub_(odd)]), draws, chances.generator))
    if not parts:
        empty = orientations.new_empty((0, draws, 3, 3))
        return Poses(empty, empty[..., 0, :2], empty[:, 0, 0, 0])
    flipped, shift, reference, evidence = (torch.cat(values) for values in zip(*parts, strict=True))
    matrices = orientations[reference]
    half_turn = torch.tensor([-1.0, -1.0, 1.0], device=matrices.device)[:, None]
    matrices = torch.where((flipped == 1)[..., None, None], matrices * half_turn, matrices)
    return Poses(matrices, shifts[shift], evidence)


def search_nearby(
    transform: Tensor,
    particles: Whitened,
    points: Disc,
    poses: Poses,
    turns: Tensor,
    steps: Tensor,
    chances: Chances,
) -> Poses:
    """Draw one place near to given ones; arguments as for `search_everywhere`.

    Args:
        transform: The map's transform.
        particles: Points as in `points`.
        points: Points that are compared.
        poses: The places to begin from.
        turns: Small rotations to try, [turn, 3, 3].
        steps: Small shifts (x, y) to try, in px, [step, 2].
        chances: What the likelihood is made of.
    """
    factors = shift_factors(points, steps)
    starts = poses.shifts.shape[1]
    chunk = max(1, _CHUNK // (2 * starts * len(turns) * len(points.x)))
    parts = [Poses(poses.orientations[:0, :1], poses.shifts[:0, :1], poses.evidence[:0])]
    for first in range(0, len(particles.images), chunk):
        part = slice(first, first + chunk)
        images, transfer = particles.images[part], particles.transfer[part]
        matrices = turns @ poses.orientations[part][:, :, None]  # [particle, start, turn, 3, 3]
        references = project(transform, matrices.reshape(-1, 3, 3), points).view(*matrices.shape[:3], -1)
        back = shift_factors(points, poses.shifts[part].reshape(-1, 2)).conj()
        matched = (images * transfer)[:, None] * back.view(len(images), starts, -1)
        product = matched[:, :, None] * references.conj()
        score = product.real @ factors.real.T + product.imag @ factors.imag.T
        expected = torch.einsum("pstk,pk->pst", references.abs().square(), transfer**2)
        shifts = poses.shifts[part][:, :, None] + steps
        score = (2 * score - expected[..., None]) * chances.sharpness
        score += _log_prior(shifts, chances)[:, :, None]
        start, turn, step, evidence = _draw(score.transpose(0, 1), 1, chances.generator)
        row = torch.arange(len(images), device=start.device)[:, None]
        parts.append(Poses(matrices[row, start, turn], shifts[row, start, step], evidence))
    return Poses(*(torch.cat(values) for values in zip(*parts, strict=True)))


def _log_prior(shifts: Tensor, chances: Chances) -> Tensor:
    return -shifts.square().sum(-1) / (2 * chances.shift_deviation**2)


def _draw(score: Tensor, draws: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw places of each particle by the exponential of the score, which is overwritten.

    Args:
        score: [first, particle, second, third].
        draws: Places for each particle.
        generator: Source of randomness.

    Returns:
        First, second and third index, [particle, draw] each, and the logarithm of the mean of the
        exponentials, [particle].
    """
    count, seconds = score.shape[1:3]
    highest = score.amax(dim=(0, 2, 3))
    weights = score.sub_(highest[:, None, None]).clamp_(min=_LEAST).exp_()
    # First a row of the table, then a place in the row: only the rows that were drawn are summed up.
    rows = weights.sum(-1).transpose(0, 1).flatten(1).cumsum(1)
    random = torch.rand((2, count, draws), generator=generator).to(score.device)
    row = torch.searchsorted(rows, random[0] * rows[:, -1:]).clamp(max=rows.shape[1] - 1)
    first, second = row // seconds, row % seconds
    along = weights[first, torch.arange(count, device=row.device)[:, None], second].cumsum(-1)
    third = torch.searchsorted(along, (random[1][..., None] * along[..., -1:])).clamp(max=along.shape[-1] - 1)
    evidence = highest + rows[:, -1].log() - math.log(rows.shape[1] * along.shape[-1])
    return first, second, third[..., 0], evidence
