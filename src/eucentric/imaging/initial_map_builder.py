"""What every step towards a first map does: compare particles with maps, and add them up to new ones."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging.initial_map_particles import ParticleSet
from eucentric.imaging.initial_map_search import (
    Chances,
    Poses,
    Whitened,
    search_everywhere,
    search_nearby,
)
from eucentric.imaging.orientations import nearby_rotations, orientation_grid
from eucentric.imaging.projection import Disc, project, shift_factors, volume_transform
from eucentric.imaging.reconstruction import Reconstruction, SliceSums, shell_means, soft_sphere

_BLOCK = 1000
"""Particles that are added up at a time."""


class InitialMapSettings(NamedTuple):
    """What a first map is made with.

    Attributes:
        pixel_size: Å/px of the particles.
        diameter: Of the particle, Å.
        symmetry: Point group, as `symmetry_matrices` names them.
        classes: Number of maps among which the particles are divided.
        first: Particles with which the first map is made.
        starts: Random starts, of which the best is taken.
        steps: Steps of each start.
        batch: Particles in each step, for each map.
        draws: Places drawn for each particle in a step.
        finest: Å; finer details are neither compared nor reconstructed.
        reach: Largest shift of a particle from the middle of its image, Å.
    """

    pixel_size: float
    diameter: float
    symmetry: str = "C1"
    classes: int = 1
    first: int = 1000
    starts: int = 3
    steps: int = 60
    batch: int = 150
    draws: int = 4
    finest: float = 12.0
    reach: float = 16.0


class Explained(NamedTuple):
    """Particles, a map that they show, and where they are in it.

    Attributes:
        volume: The map, [z, y, x].
        chosen: Numbers of the particles.
        orientations: Matrices [particle, 3, 3].
        shifts: (x, y) in px, [particle, 2].
    """

    volume: Tensor
    chosen: Tensor
    orientations: Tensor
    shifts: Tensor


class Builder:
    """Particles with what is needed to place them and to add them up.

    Attributes:
        particles: The particles.
        settings: Of the same pixel size as the particles.
        length: Edge of the box, Å.
        finest: Finest resolution of the particles, Å.
        rng: Source of randomness.
    """

    def __init__(
        self,
        particles: ParticleSet,
        settings: InitialMapSettings,
        rng: np.random.Generator,
        group: NDArray[np.float64],
    ) -> None:
        self.particles, self.settings, self.rng = particles, settings, rng
        self.points, self.box = particles.points, particles.points.box
        self.device = particles.images.device
        self.length = self.box * settings.pixel_size
        self.finest = max(settings.finest, self.length / _radius(self.points))
        self.group = group
        self.operators = torch.from_numpy(group).float().to(self.device)
        self._reach = settings.reach / settings.pixel_size
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        self.chances = Chances(self._reach / 2, particles.independent, generator)
        self._sphere = soft_sphere(self.box, 1.05 * settings.diameter / settings.pixel_size, 4, self.device)
        self._power = shell_means(particles.images.abs().square().mean(0), self.points.shell)
        self.forget_noise()

    def forget_noise(self) -> None:
        """Take all power of the particles for noise, as long as nothing of them is explained by a map."""
        self._noise_power = self._power.clone()

    def learn_noise(self, explained: list[Explained], points: Disc, new: float) -> None:
        """Let the power of the noise follow what maps leave unexplained of particles.

        Source: the noise of expectation maximisation, Scheres (2012), J. Mol. Biol. 415, 406. As it begins
        with all power, particles are placed the more sharply, the more of them the maps explain.

        Args:
            explained: Particles, their maps, and where they are in these.
            points: Points that were compared; beyond them the noise stays as it is.
            new: Part of the new value in the mean with the one before.
        """
        count = len(points.x)
        total = torch.zeros(count, device=self.device)
        for each in explained:
            transform = volume_transform(each.volume, _radius(points))
            for start in range(0, len(each.chosen), _BLOCK):
                part = slice(start, start + _BLOCK)
                expected = project(transform, each.orientations[part], points)
                expected *= shift_factors(points, each.shifts[part])
                expected *= self.particles.transfer[each.chosen[part], :count]
                left = self.particles.images[each.chosen[part], :count] - expected
                total += left.abs().square().sum(0)
        number = sum(len(each.chosen) for each in explained)
        power = shell_means(total / number, points.shell)
        power = torch.minimum(power, self._power[: len(power)])
        self._noise_power[: len(power)].lerp_(power, new)

    def masked(self, volume: Tensor) -> Tensor:
        """Return a map without what lies outside the particle."""
        return volume * self._sphere

    def positive(self, found: Reconstruction) -> Tensor:
        """Return the map without solvent: at these resolutions protein is denser than ice everywhere."""
        return self.masked(found.volume).clamp(min=0)

    def choose(self, count: int) -> Tensor:
        """Draw particles, each at most once."""
        count = min(count, len(self.particles.images))
        return torch.from_numpy(self.rng.choice(len(self.particles.images), count, replace=False))

    def search(self, volume: Tensor, chosen: Tensor, points: Disc, resolution: float, draws: int) -> Poses:
        """Place particles anywhere in a map [z, y, x], as finely as a resolution in Å demands."""
        step = math.degrees(resolution / self.settings.diameter)
        grid = orientation_grid(step, self.group, self.rng, half_turn=True)
        return search_everywhere(
            volume_transform(volume, _radius(points)),
            self._whitened(chosen, len(points.x)),
            points,
            torch.from_numpy(grid.reshape(-1, 3, 3)).float().to(self.device),
            _shift_grid(self._step(resolution), self._reach).to(self.device),
            self.chances,
            draws,
        )

    def search_nearby(
        self, volume: Tensor, chosen: Tensor, resolution: float, poses: Poses, part: float
    ) -> Poses:
        """Place particles anew near to where they are in a map [z, y, x].

        Args:
            volume: The map.
            chosen: Numbers of the particles.
            resolution: Å to which they are compared.
            poses: Where these particles are.
            part: Of the step that the resolution demands, by which they are turned and moved.
        """
        points = self.points.within(self.length / resolution)
        turn, move = part * math.degrees(resolution / self.settings.diameter), part * self._step(resolution)
        return search_nearby(
            volume_transform(volume, _radius(points)),
            self._whitened(chosen, len(points.x)),
            points,
            poses,
            torch.from_numpy(nearby_rotations(turn)).float().to(self.device),
            _shift_grid(move, 1.5 * move).to(self.device),
            self.chances,
        )

    def add(
        self,
        sums: list[SliceSums],
        chosen: Tensor,
        poses: list[Poses],
        classes: Tensor,
        points: Disc,
        factor: float = 1.0,
    ) -> None:
        """Add particles where they lie to the sums of the maps to which they belong.

        Args:
            sums: Of each map, changed in place.
            chosen: Numbers of the particles.
            poses: Where these particles are in each map.
            classes: Number of the map, [particle, draw].
            points: Points that are added.
            factor: How much each counts.
        """
        for start in range(0, len(chosen), _BLOCK):
            part = slice(start, start + _BLOCK)
            whitened = self._whitened(chosen[part], len(points.x))
            half = self.particles.half[chosen[part]]
            for number, (each, places) in enumerate(zip(sums, poses, strict=True)):
                row, draw = torch.nonzero(classes[part] == number, as_tuple=True)
                matrices, shifts = places.orientations[part][row, draw], places.shifts[part][row, draw]
                transfer = whitened.transfer[row]
                matched = whitened.images[row] * transfer * shift_factors(points, shifts).conj()
                each.add(half[row], matrices, points, matched * factor, transfer**2 * factor)

    def _whitened(self, chosen: Tensor, count: int) -> Whitened:
        noise = self._noise_power[self.points.shell[:count]].sqrt()
        images, transfer = self.particles.images[chosen, :count], self.particles.transfer[chosen, :count]
        return Whitened(images / noise, transfer / noise)

    def _step(self, resolution: float) -> float:
        """Return in px how far apart shifts are tried at a resolution in Å."""
        return resolution / (4 * self.settings.pixel_size)


def _radius(points: Disc) -> float:
    return float(torch.hypot(points.x[-1], points.y[-1]))


def _shift_grid(step: float, reach: float) -> Tensor:
    """Return shifts (x, y) `step` apart within `reach`, [shift, 2]."""
    along = torch.arange(-int(reach / step), int(reach / step) + 1).float() * step
    shifts = torch.cartesian_prod(along, along)
    return shifts[shifts.square().sum(1) <= reach**2 * 1.0001]
