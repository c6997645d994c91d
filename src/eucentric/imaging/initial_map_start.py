"""The way from particles in random orientations to coarse maps."""

import math

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from eucentric.imaging.initial_map_builder import Builder, Explained, InitialMapSettings
from eucentric.imaging.initial_map_classes import chances, draw_classes, even_chances, shares_of
from eucentric.imaging.initial_map_particles import ParticleSet
from eucentric.imaging.initial_map_search import Poses
from eucentric.imaging.reconstruction import SliceSums, reconstruct

_COMPARED = 0.25
"""Coarsest resolution with which maps are compared, and started, as a part of the particle's diameter."""
_EVEN = 0.5
"""Part of the steps in which all maps get equally many particles."""
_FADING = 0.1
"""Part of a map that is new in each step, in the end."""
_ASKED = 300
"""Particles by which starts are judged."""
_PIXELS = 3.0
"""Pixels for each finest detail while the map is coarse."""


def start_maps(
    particles: ParticleSet, settings: InitialMapSettings, coarse: float, rng: np.random.Generator
) -> list[Tensor]:
    """Return maps [z, y, x], one for each class, to a resolution of `coarse` Å, from a random start.

    Of several starts the one is taken whose maps the particles fit best.
    """
    length = particles.points.box * settings.pixel_size
    radius = length / coarse
    box = min(particles.points.box, 2 * int(_PIXELS * radius / 2 + 1))
    small = settings._replace(pixel_size=length / box)
    builder = Builder(particles.coarser(radius, box), small, rng, np.eye(3)[None])
    asked = builder.choose(_ASKED)
    best, highest = None, -math.inf
    for _ in range(settings.starts):
        sums = _started(builder, radius)
        builder.forget_noise()  # so that all starts are judged by the same, and the next begins as this did
        maps = [builder.positive(reconstruct(each, box, radius)) for each in sums]
        found = [builder.search(each, asked, builder.points, coarse, 1).evidence for each in maps]
        evidence = float(torch.stack(found).logsumexp(dim=0).mean())
        if evidence > highest:
            best, highest = sums, evidence
    if best is None:
        raise ValueError("No map fits the particles: their images hold numbers that are not finite.")
    return [reconstruct(each, particles.points.box, radius).volume.clamp(min=0) for each in best]


def _started(builder: Builder, radius: float) -> list[SliceSums]:
    """Return the sums of each map after one start, to `radius` cycles per box in the end."""
    settings, length, last = builder.settings, builder.length, builder.settings.steps - 1
    first = length / (settings.diameter * _COMPARED)
    sums, reach = _random_sums(builder, first), first
    shares = torch.full((settings.classes,), 1 / settings.classes, device=builder.device)
    for step in range(settings.steps):
        maps = [builder.positive(reconstruct(each, builder.box, reach)) for each in sums]
        done = step / max(1, last)
        reach = (1 - done) * first + done * radius
        points = builder.points.within(reach)
        chosen = builder.choose(settings.batch * settings.classes)
        poses = [builder.search(each, chosen, points, length / reach, settings.draws) for each in maps]
        evidence = torch.stack([each.evidence for each in poses], dim=1)
        chance = even_chances(evidence) if done < _EVEN else chances(evidence, shares)
        classes = draw_classes(chance, settings.draws, builder.chances.generator)
        new = max(_FADING, (step + 1) ** -0.6)
        builder.learn_noise(_explained(maps, chosen, poses, classes), points, new)
        shares = 0.9 * shares + 0.1 * shares_of(classes, settings.classes)
        sums = [each.scaled(1 - new) for each in sums]
        builder.add(sums, chosen, poses, classes, points, new / settings.draws)
    return sums


def _explained(maps: list[Tensor], chosen: Tensor, poses: list[Poses], classes: Tensor) -> list[Explained]:
    """Return all places that were drawn, with their maps."""
    found = []
    for number, (volume, places) in enumerate(zip(maps, poses, strict=True)):
        row, draw = torch.nonzero(classes == number, as_tuple=True)
        found.append(Explained(volume, chosen[row], places.orientations[row, draw], places.shifts[row, draw]))
    return found


def _random_sums(builder: Builder, radius: float) -> list[SliceSums]:
    """Add some particles up in random orientations, to each map others."""
    count = builder.settings.classes
    chosen = builder.choose(2 * builder.settings.batch * count)
    matrices = Rotation.random(len(chosen), random_state=builder.rng).as_matrix()[:, None]
    poses = Poses(
        torch.from_numpy(matrices).float().to(builder.device),
        torch.zeros((len(chosen), 1, 2), device=builder.device),
        torch.zeros(len(chosen), device=builder.device),
    )
    classes = torch.arange(len(chosen), device=builder.device)[:, None] % count
    sums = [SliceSums.empty(builder.length / builder.finest, builder.device) for _ in range(count)]
    builder.add(sums, chosen, [poses] * count, classes, builder.points.within(radius))
    return sums
