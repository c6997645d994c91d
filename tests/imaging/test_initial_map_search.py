"""Placing particles by maps that are known: orientation, shift and class."""

import math

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from blobs import OPTICS, Blobs, asymmetric, noisy_particles, ring
from eucentric.imaging.initial_map_classes import chances, draw_classes, even_chances, shares_of
from eucentric.imaging.initial_map_particles import prepare_particles
from eucentric.imaging.initial_map_search import Chances, Poses, Whitened, search_everywhere, search_nearby
from eucentric.imaging.orientations import nearby_rotations, orientation_grid
from eucentric.imaging.projection import disc, project, shift_factors, volume_transform
from eucentric.imaging.symmetry import symmetry_matrices

BOX, PIXEL_SIZE, COUNT = 32, 6.0, 40


def test_particles_find_their_class_and_orientation() -> None:
    structures = [asymmetric(), ring(symmetry_matrices("C3"))]
    orientations = Rotation.random(COUNT, random_state=2).as_matrix()
    rng = np.random.default_rng(0)
    made = [noisy_particles(each, orientations, BOX, PIXEL_SIZE, 2.0, rng) for each in structures]
    images, defocus = torch.cat([made[0][0], made[1][0]]), np.concatenate([made[0][1], made[1][1]])
    particles = prepare_particles(images, PIXEL_SIZE, 120.0, OPTICS, defocus, finest=24.0)
    noise = BOX * particles.independent**0.5  # of white noise of deviation 1 in the mask
    # The heights of the signal are those of images normalised to deviation 1.
    heights = [float((2.0**0.5) / _contrast(each, orientations, defocus)) for each in structures]
    maps = [
        volume_transform(each.volume(BOX) * height, 8)
        for each, height in zip(structures, heights, strict=True)
    ]
    whitened = Whitened(particles.images / noise, particles.transfer / noise)
    options = Chances(1.5, particles.independent, torch.Generator().manual_seed(0))
    grid = orientation_grid(12, np.eye(3)[None], rng, half_turn=True).reshape(-1, 3, 3)
    shifts = torch.cartesian_prod(torch.arange(-2, 3.0), torch.arange(-2, 3.0))
    turns, matrices = torch.from_numpy(nearby_rotations(4)).float(), torch.from_numpy(grid).float()
    coarse = [
        search_everywhere(each, whitened, particles.points, matrices, shifts, options, draws=2)
        for each in maps
    ]
    fine = [
        search_nearby(each, whitened, particles.points, poses, turns, shifts * 0.25, options)
        for each, poses in zip(maps, coarse, strict=True)
    ]
    for found in (coarse, fine):
        evidence = torch.stack([each.evidence for each in found], dim=1)
        chance = chances(evidence, torch.tensor([0.5, 0.5]))
        classes = draw_classes(chance, 3, options.generator)
        assert classes.shape == (2 * COUNT, 3)
        assert (classes[:COUNT] == 0).float().mean() > 0.9
        assert (classes[COUNT:] == 1).float().mean() > 0.9
        torch.testing.assert_close(shares_of(classes, 2), torch.tensor([0.5, 0.5]), atol=0.1, rtol=0)
    away = [np.median(_away(_of_first(each[0]), orientations)) for each in (coarse, fine)]
    assert away[0] < 10
    assert away[1] < away[0]
    assert fine[0].evidence[:COUNT].mean() > coarse[0].evidence[:COUNT].mean()


def test_a_search_of_no_particles_finds_nothing() -> None:
    points, options = disc(16, 4), Chances(1.5, 1.0, torch.Generator())
    transform, none = volume_transform(torch.ones(16, 16, 16), 4), torch.zeros((0, len(points.x)))
    empty = Whitened(none.to(torch.complex64), none)
    found = search_everywhere(transform, empty, points, torch.eye(3)[None], torch.zeros(1, 2), options, 2)
    assert [each.shape for each in found] == [(0, 2, 3, 3), (0, 2, 2), (0,)]
    again = search_nearby(transform, empty, points, found, torch.eye(3)[None], torch.zeros(1, 2), options)
    assert again.orientations.shape == (0, 1, 3, 3)


def test_places_are_drawn_as_often_as_their_likelihood_says() -> None:
    """One place of eight holds half of the chance, which the evidence counts too."""
    points, options = disc(16, 4), Chances(1e9, 1.0, torch.Generator().manual_seed(1))
    blob = torch.zeros(16, 16, 16)
    blob[8, 8, 8] = 1.0  # looks the same from everywhere: shifts alone differ
    shifts = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0], [3.0, 3.0]])
    transform = volume_transform(blob, 4)
    images = project(transform, torch.eye(3)[None], points)
    # Scaled so that the middle is ln 7 more likely than a place at which nothing fits.
    overlap = [float((images * shift_factors(points, shifts[n : n + 1]).conj()).real.sum()) for n in (0, 1)]
    scale = math.log(7) / (2 * (overlap[0] - overlap[1]))
    whitened = Whitened(images * scale, torch.ones_like(images.real))
    found = search_everywhere(transform, whitened, points, torch.eye(3)[None], shifts[:2], options, 4000)
    middle = (found.shifts[0] == 0).all(dim=1).float().mean()
    assert abs(float(middle) - 7 / 8) < 0.02


def test_maps_get_equally_many_particles_whatever_they_have_gained() -> None:
    generator = torch.Generator().manual_seed(0)
    evidence = torch.randn((300, 3), generator=generator)
    evidence[:, 1] += 12  # a map that is better for all
    even = even_chances(evidence)
    torch.testing.assert_close(even.mean(0), torch.full((3,), 1 / 3), atol=1e-3, rtol=0)
    torch.testing.assert_close(even.sum(1), torch.ones(300))
    prefer = evidence[:, 0] - evidence[:, 2]
    assert ((even[:, 0] > even[:, 2]) == (prefer > prefer.median())).float().mean() > 0.9
    assert float(chances(evidence, torch.full((3,), 1 / 3))[:, 1].min()) > 0.99


def _of_first(poses: Poses) -> np.ndarray:
    return poses.orientations[:COUNT, 0].numpy()


def _contrast(structure: Blobs, orientations: np.ndarray, defocus: np.ndarray) -> float:
    """Return the deviation that the structure's images have after contrast transfer."""
    # So little noise that the images are signal alone, of known deviation.
    signal, _ = noisy_particles(structure, orientations, BOX, PIXEL_SIZE, 1e8, np.random.default_rng(1))
    given, plain = (
        prepare_particles(images, PIXEL_SIZE, 190.0, OPTICS, defocus[: len(orientations)], finest=24.0)
        for images in (signal / 1e4, structure.projections(BOX, orientations))
    )
    power = [(plain.images * plain.transfer).abs().square().mean(), given.images.abs().square().mean()]
    return float((power[0] / power[1]).sqrt())


def _away(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    trace = np.einsum("pij,pij->p", found, wanted)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
