"""Two-dimensional classification of a stream of particle images.

Every batch is compared with the present averages at all turns and at shifts from coarse to fine (maximum
likelihood in noise whose power is estimated ring by ring, Scheres (2012), J. Mol. Biol. 415, 406, with only
the best pose kept), and its sums replace a part of the old ones (stochastic expectation maximisation,
Cappé & Moulines (2009), J. R. Stat. Soc. B 71, 593). So the averages sharpen as particles come, and what
has been withdrawn fades. Averages are weighted by the correlation of their halves, a Wiener filter.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from eucentric.imaging.classification_polar import (
    PolarGrid,
    angular_modes,
    images_of,
    mode_power,
    rings_of,
    shift_rings,
    take_rings,
    turn,
)
from eucentric.imaging.ctf import CTFOptics, contrast_transfer

_FIRST_RINGS = 6
"""Rings used before any average has halves that agree."""
_AHEAD = 2
"""Rings used beyond the last at which the halves of the best average agree."""
_AGREE = 0.3
"""Correlation of halves at which a ring is taken for seen."""


class ClassificationState(NamedTuple):
    """All that is remembered of the particles seen: small, whatever their number.

    Attributes:
        sums: Sums of aligned images times CTF, as angular modes, of two halves [half, class, ring, mode].
        weights: Sums of the squared CTF [half, class, ring].
        counts: Particles in the sums [half, class].
        noise: Power of the noise [ring].
    """

    sums: Tensor
    weights: Tensor
    counts: Tensor
    noise: Tensor

    @property
    def sizes(self) -> Tensor:
        """Particles in the sums of every class [class]."""
        return self.counts.sum(dim=0)


class ParticleBatch(NamedTuple):
    """Particles ready for comparison.

    Attributes:
        rings: Rings of the images [particle, ring, angle].
        transfer: CTF on the rings, positive where white stays white [curve, ring, angle].
        curve: Which CTF belongs to a particle [particle].
        half: Which half of the sums it belongs to, 0 or 1, for good [particle].
    """

    rings: Tensor
    transfer: Tensor
    curve: Tensor
    half: Tensor

    def part(self, chosen: Tensor) -> "ParticleBatch":
        """Return some of the particles."""
        return self._replace(rings=self.rings[chosen], curve=self.curve[chosen], half=self.half[chosen])


class Poses(NamedTuple):
    """How particles lie on the averages.

    Attributes:
        label: The best class [particle].
        angle: Radians by which the particle is turned, from x towards y [particle].
        shift: Pixels (x, y) by which it lies off the middle [particle, 2].
        gain: Log-likelihood of the class over that of nothing but noise [particle].
    """

    label: Tensor
    angle: Tensor
    shift: Tensor
    gain: Tensor

    def part(self, chosen: Tensor) -> "Poses":
        """Return some of the particles."""
        return Poses(*(values[chosen] for values in self))


def ring_transfer(
    grid: PolarGrid,
    pixel_size: float,
    optics: CTFOptics,
    *,
    defocus_u: float,
    defocus_v: float,
    defocus_angle: float,
    phase_flipped: bool = False,
) -> Tensor:
    """Return the CTF of white particles on the rings [ring, angle]; lengths in Å, angles in degrees."""
    scale = 1 / (grid.box * pixel_size)
    transfer = -contrast_transfer(
        grid.x * scale,
        grid.y * scale,
        defocus_u=defocus_u,
        defocus_v=defocus_v,
        defocus_angle=defocus_angle,
        **optics._asdict(),
    )
    return transfer.abs() if phase_flipped else transfer


def empty_state(grid: PolarGrid, classes: int, device: torch.device | str = "cpu") -> ClassificationState:
    """Return a state that has seen nothing."""
    modes = grid.angles // 2 + 1
    return ClassificationState(
        torch.zeros((2, classes, grid.rings, modes), dtype=torch.complex64, device=device),
        torch.zeros((2, classes, grid.rings), device=device),
        torch.zeros((2, classes), device=device),
        torch.ones(grid.rings, device=device),
    )


def half_correlation(state: ClassificationState) -> Tensor:
    """Return the correlation of the averages of two halves [class, ring], smoothed over three rings."""
    halves = state.sums / state.weights.clamp(min=1e-6)[..., None]
    cross = mode_power(halves[0], halves[1])
    power = (mode_power(halves[0]) * mode_power(halves[1])).sqrt()
    correlation = cross / power.clamp(min=1e-20)
    padded = torch.cat([correlation[:, :1], correlation, correlation[:, -1:]], dim=1)
    return (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4


def averages(state: ClassificationState, grid: PolarGrid, radius: float) -> Tensor:
    """Return the filtered averages as images [class, y, x].

    Args:
        state: What was seen.
        grid: The grid of its rings.
        radius: Of the circle in px beyond which averages fade to zero, since no particle reaches there.
    """
    agreement = half_correlation(state).clamp(0, 1)
    seen = torch.cummin((agreement > 0.143).float(), dim=1).values
    seen[:, :3] = 1  # the first rings are kept whatever a few particles' halves happen to say
    agreement[:, :3] = agreement[:, :3].clamp(min=0.2)
    filtered = 2 * agreement / (1 + agreement) * seen
    total = state.sums.sum(dim=0) / state.weights.sum(dim=0).clamp(min=1e-6)[..., None]
    images = images_of(rings_of(total * filtered[..., None]), grid)
    disc = _soft_disc(grid.box, radius, images.device)
    border = (disc > 0) & (disc < 1)
    # The rings do not tell the mean; around the particle there is ice, and ice is zero.
    return (images - images[:, border].mean(dim=1)[:, None, None]) * disc


def _soft_disc(box: int, radius: float, device: torch.device) -> Tensor:
    axis = torch.arange(box, device=device) - box // 2
    distance = (axis[:, None] ** 2 + axis**2).float().sqrt()
    edge = max(3.0, 0.1 * radius)
    return 0.5 + 0.5 * torch.cos(math.pi * ((distance - radius) / edge).clamp(0, 1))


def rings_to_use(state: ClassificationState) -> int:
    """Return how many rings are worth comparing: a few more than the best averages are sure of."""
    agreement = half_correlation(state)
    populous = state.sizes >= state.sizes.mean() / 2
    seen = torch.cummin((agreement > _AGREE).float(), dim=1).values.sum(dim=1)
    best = int(seen[populous].max()) if bool(populous.any()) else 0
    return min(state.noise.numel(), max(_FIRST_RINGS, best + _AHEAD))


def aligned_modes(batch: ParticleBatch, poses: Poses, grid: PolarGrid) -> tuple[Tensor, Tensor]:
    """Return images times CTF, brought onto the averages, as modes [particle, ring, mode]; and the mean
    square of their CTFs [particle, ring].
    """
    transfer = batch.transfer[batch.curve]
    moved = batch.rings * transfer * shift_rings(grid, -poses.shift, grid.rings)
    return turn(angular_modes(moved), poses.angle), transfer.square().mean(dim=-1)


def fold_in(
    state: ClassificationState,
    batch: ParticleBatch,
    poses: Poses,
    references: Tensor,
    grid: PolarGrid,
    *,
    kept: float,
) -> ClassificationState:
    """Return the state with a batch added to the part `kept` (0 to 1) of what it was."""
    classes = state.sizes.numel()
    sums, weights = torch.zeros_like(state.sums).flatten(0, 1), torch.zeros_like(state.weights).flatten(0, 1)
    counts = torch.zeros_like(state.counts).flatten()
    residual, seen = torch.zeros_like(state.noise), 0
    for first in range(0, len(poses.label), 500):
        chosen = torch.arange(first, min(first + 500, len(poses.label)), device=sums.device)
        part, pose = batch.part(chosen), poses.part(chosen)
        modes, squares = aligned_modes(part, pose, grid)
        place = part.half * classes + pose.label
        sums.index_add_(0, place, modes)
        weights.index_add_(0, place, squares)
        counts.index_add_(0, place, torch.ones_like(pose.gain))
        fitted = references[pose.label]
        explained = 2 * mode_power(fitted, modes) - squares * mode_power(fitted)
        residual += (part.rings.abs().square().mean(dim=-1) - explained).sum(dim=0)
        seen += len(chosen)
    noise = (residual / max(seen, 1)).clamp(min=1e-3 * float(state.noise.max()))
    share = seen / (kept * float(state.counts.sum()) + seen)
    return ClassificationState(
        kept * state.sums + sums.reshape(state.sums.shape),
        kept * state.weights + weights.reshape(state.weights.shape),
        kept * state.counts + counts.reshape(state.counts.shape),
        (1 - share) * state.noise + share * noise,
    )


def reference_modes(state: ClassificationState, grid: PolarGrid, radius: float) -> Tensor:
    """Return the averages as particles are compared with them, angular modes [class, ring, mode]."""
    return angular_modes(take_rings(averages(state, grid, radius), grid))
