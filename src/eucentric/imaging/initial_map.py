"""A first map from nothing but particles, or several among which the particles are divided.

At the beginning particles are given orientations at random. Then, again and again, a few of them are
compared with projections of the map in all orientations, laid where they may belong, drawn by the
likelihood, and added up to the next map, while the oldest contributions fade; slowly finer details take part.
Source: online expectation maximisation, Cappé & Moulines (2009), J. R. Stat. Soc. B 71, 593. Stochastic
gradient descent on the same likelihood: Punjani, Rubinstein, Fleet & Brubaker (2017), Nat. Methods 14, 290.
At last all particles are placed, first anywhere, then near where they were, ever finer, each half by a map of
its own: what the halves agree on beyond the coarse map that both began with is then no noise that both
have followed (Scheres & Chen (2012), Nat. Methods 9, 853).

Symmetry is looked for in the map that came without it: a map that is forced to be symmetric from the
beginning easily settles with its axis in a wrong place.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from eucentric.imaging.initial_map_builder import Builder, Explained, InitialMapSettings
from eucentric.imaging.initial_map_classes import chances, draw_classes, shares_of
from eucentric.imaging.initial_map_particles import ParticleSet, join
from eucentric.imaging.initial_map_search import Poses
from eucentric.imaging.initial_map_start import start_maps
from eucentric.imaging.reconstruction import Reconstruction, SliceSums, reconstruct, resolution_at
from eucentric.imaging.symmetry import symmetry_matrices
from eucentric.imaging.volume_alignment import find_axes, place

__all__ = ["InitialMapSettings", "InitialMapState", "keep_particles", "update_initial_map"]

_PASSES = (5, 2)
"""How often all particles are placed for the first maps, and when more particles have come."""
_CONTENDING = 20.0
"""Evidence by which a map may lie behind the best one of a particle and still be tried for it."""


class InitialMapState(NamedTuple):
    """Everything known so far.

    Attributes:
        particles: All particles.
        poses: Where they lie in each map, one draw each; nothing while there are too few for a map.
        classes: Number of the map to which each belongs, [particle].
        maps: One for each class, with the correlation of their halves.
        symmetry_fit: Part of each map's power that was left when it was averaged over the point group, before
            that was imposed: 1 for a symmetric structure, about 1 over the order of the group for others.
    """

    particles: ParticleSet
    poses: tuple[Poses, ...] = ()
    classes: Tensor = torch.zeros(0, dtype=torch.long)
    maps: tuple[Reconstruction, ...] = ()
    symmetry_fit: tuple[float, ...] = ()


def update_initial_map(
    state: InitialMapState | None, batch: ParticleSet | None, settings: InitialMapSettings, seed: int
) -> InitialMapState:
    """Take in more particles, and make the map of the first, or a better one of all.

    The same batches with the same seeds give the same maps, on one machine with one number of threads.

    Args:
        state: What this function returned before; None at first.
        batch: The new particles; None to look once more at those that are there.
        settings: The same as before.
        seed: Of the random choices.

    Raises:
        ValueError: There are no particles at all, or they do not fit those before.
    """
    sets = [each for each in (state and state.particles, batch) if each is not None]
    if not sets:
        raise ValueError("A first map needs particles; none were given.")
    particles = join(*sets) if len(sets) == 2 else sets[0]
    if (state is None or not state.maps) and len(particles.images) < settings.first:
        return InitialMapState(particles)
    rng = np.random.default_rng(seed)
    builder = Builder(particles, settings, rng, symmetry_matrices(settings.symmetry))
    coarse = max(settings.diameter / 6, builder.finest)
    if state is not None and state.maps:
        maps = [builder.masked(found.volume) for found in state.maps]
        return _refine(builder, maps, state, coarse, _PASSES[1])._replace(symmetry_fit=state.symmetry_fit)
    maps, fits = start_maps(particles, settings, coarse, rng), (1.0,) * settings.classes
    maps = [builder.masked(each) for each in maps]
    if len(builder.group) > 1:
        placements = [find_axes(each, builder.group, builder.length / coarse) for each in maps]
        maps = [place(each, found) for each, found in zip(maps, placements, strict=True)]
        fits = tuple(found.score for found in placements)
    return _refine(builder, maps, InitialMapState(particles), coarse, _PASSES[0])._replace(symmetry_fit=fits)


def keep_particles(state: InitialMapState, kept: Tensor) -> InitialMapState:
    """Return a state with only some of its particles, by their numbers; the maps are as before."""
    classes = state.classes[kept] if state.maps else state.classes
    poses = tuple(each.chosen(kept) for each in state.poses)
    return state._replace(particles=state.particles.chosen(kept), poses=poses, classes=classes)


def _refine(
    builder: Builder, maps: list[Tensor], before: InitialMapState, coarse: float, passes: int
) -> InitialMapState:
    """Place the particles without a place anywhere, then all ever finer, and add them up."""
    particles, count = builder.particles, len(maps)
    poses, classes = _placed(builder, maps, before, coarse)
    if before.maps:
        found = before.maps
    else:
        found, passes = _sum_up(builder, poses, classes), passes - 1
    contending = torch.ones((len(classes), count), dtype=torch.bool, device=builder.device)
    for _ in range(passes):
        best = min(resolution_at(each.fsc, builder.box, builder.settings.pixel_size) for each in found)
        compared = max(builder.finest, best)
        points = builder.points.within(builder.length / compared)
        builder.learn_noise(_explained(builder, found, poses, classes), points, 1.0)
        evidence = torch.full(contending.shape, -math.inf, device=builder.device)
        for number, each in enumerate(found):
            for half in (0, 1):
                mine = torch.nonzero(contending[:, number] & (particles.half == half))[:, 0]
                reference = builder.masked(each.references[half])
                moved = builder.search_nearby(reference, mine, compared, poses[number].chosen(mine), 0.25)
                poses[number] = _replaced(poses[number], mine, moved)
                evidence[mine, number] = moved.evidence
        chance = chances(evidence, shares_of(classes, count))
        classes = draw_classes(chance, 1, builder.chances.generator)[:, 0]
        contending = evidence > evidence.amax(dim=1, keepdim=True) - _CONTENDING
        found = _sum_up(builder, poses, classes)
    return InitialMapState(particles, tuple(poses), classes, found)


def _placed(
    builder: Builder, maps: list[Tensor], before: InitialMapState, coarse: float
) -> tuple[list[Poses], Tensor]:
    """Return the places of all particles, and their classes; those of the last ones, which have none, new."""
    new = torch.arange(len(before.classes), len(builder.particles.images), device=builder.device)
    points = builder.points.within(builder.length / coarse)
    poses = []
    for each in maps:
        found = builder.search(each, new, points, coarse, 2)
        poses.append(builder.search_nearby(each, new, coarse, found, 1 / 3))
    shares = torch.full((len(maps),), 1 / len(maps), device=builder.device)
    if len(before.classes):
        shares = shares_of(before.classes, len(maps))
    chance = chances(torch.stack([each.evidence for each in poses], dim=1), shares)
    classes = draw_classes(chance, 1, builder.chances.generator)[:, 0]
    if before.poses:
        pairs = zip(before.poses, poses, strict=True)
        poses = [Poses(*map(torch.cat, zip(old, more, strict=True))) for old, more in pairs]
        classes = torch.cat([before.classes, classes])
    return poses, classes


def _explained(
    builder: Builder, found: tuple[Reconstruction, ...], poses: list[Poses], classes: Tensor
) -> list[Explained]:
    """Return all particles with the maps of their halves."""
    explained = []
    for number, each in enumerate(found):
        for half in (0, 1):
            mine = torch.nonzero((classes == number) & (builder.particles.half == half))[:, 0]
            places, volume = poses[number].chosen(mine), builder.masked(each.references[half])
            explained.append(Explained(volume, mine, places.orientations[:, 0], places.shifts[:, 0]))
    return explained


def _replaced(poses: Poses, which: Tensor, moved: Poses) -> Poses:
    return Poses(*(old.index_copy(0, which, new) for old, new in zip(poses, moved, strict=True)))


def _sum_up(builder: Builder, poses: list[Poses], classes: Tensor) -> tuple[Reconstruction, ...]:
    radius, every = builder.length / builder.finest, torch.arange(len(classes), device=builder.device)
    sums = [SliceSums.empty(radius, builder.device) for _ in poses]
    builder.add(sums, every, poses, classes[:, None], builder.points)
    return tuple(reconstruct(each, builder.box, radius, builder.operators) for each in sums)
