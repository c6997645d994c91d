"""First maps of simulated particles, against the truth."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from blobs import OPTICS, Blobs, asymmetric, noisy_particles, ring
from eucentric.imaging.initial_map import InitialMapSettings, InitialMapState, update_initial_map
from eucentric.imaging.initial_map_particles import ParticleSet, join, prepare_particles
from eucentric.imaging.initial_map_picture import sections_and_projections, view_histogram
from eucentric.imaging.reconstruction import fourier_shell_correlation, resolution_at
from eucentric.imaging.symmetry import symmetry_matrices
from eucentric.imaging.volume_alignment import Placement, align, place

BOX, PIXEL_SIZE, DIAMETER = 32, 6.0, 120.0
SETTINGS = InitialMapSettings(
    PIXEL_SIZE, DIAMETER, first=200, starts=2, steps=25, batch=50, finest=14.0, reach=9
)


def particles(blobs: Blobs, count: int, seed: int, finest: float = 14.0) -> ParticleSet:
    orientations = Rotation.random(count, random_state=seed).as_matrix()
    rng = np.random.default_rng(seed)
    images, defocus = noisy_particles(blobs, orientations, BOX, PIXEL_SIZE, 1.0, rng)
    return prepare_particles(images, PIXEL_SIZE, DIAMETER, OPTICS, defocus, finest=finest)


def true_resolution(state: InitialMapState, blobs: Blobs) -> float:
    truth, found = blobs.volume(BOX), state.maps[0].volume
    placed = place(found, align(found, truth, 5))
    return resolution_at(fourier_shell_correlation(placed, truth), BOX, PIXEL_SIZE)


@pytest.fixture(scope="module")
def stream() -> list[InitialMapState]:
    """Return the states after 100, 250 and 400 particles."""
    states: list[InitialMapState] = []
    for seed, count in enumerate((100, 150, 150)):
        state = states[-1] if states else None
        states.append(update_initial_map(state, particles(asymmetric(), count, seed), SETTINGS, seed))
    return states


def test_the_first_map_waits_for_enough_particles(stream: list[InitialMapState]) -> None:
    assert stream[0].maps == ()
    assert stream[0].poses == ()
    assert len(stream[1].maps) == 1
    assert len(stream[1].classes) == len(stream[1].poses[0].evidence) == 250


def test_the_map_is_the_structure_and_becomes_better(stream: list[InitialMapState]) -> None:
    first, later = (true_resolution(state, asymmetric()) for state in stream[1:])
    assert first < 23
    assert later <= min(first, 21.5)
    assert resolution_at(stream[2].maps[0].fsc, BOX, PIXEL_SIZE) < 24


def test_views_of_a_map_are_even(stream: list[InitialMapState]) -> None:
    counts = view_histogram(stream[2].poses[0].orientations[:, 0], cells=4)
    assert counts.shape == (4, 8)
    assert int(counts.sum()) == 400
    assert counts.max() < 4 * counts.float().mean()
    picture = sections_and_projections(stream[2].maps[0].volume)
    assert picture.shape == (2, 3, BOX, BOX)
    assert bool(picture.isfinite().all())


def test_the_same_seed_gives_the_same_map() -> None:
    # Finer than the pixels allow: all that there is takes part.
    settings = SETTINGS._replace(first=50, steps=2, batch=20, finest=8.0)
    batch = particles(asymmetric(), 60, 3, finest=8.0)
    state, again = (update_initial_map(None, batch, settings, 1) for _ in range(2))
    other = update_initial_map(None, batch, settings, 2)
    torch.testing.assert_close(state.maps[0].volume, again.maps[0].volume, rtol=0, atol=0)
    assert not torch.equal(state.maps[0].volume, other.maps[0].volume)


def test_the_axes_of_a_symmetric_structure_are_found() -> None:
    group = symmetry_matrices("D3")
    state = update_initial_map(None, particles(ring(group), 200, 3), SETTINGS._replace(symmetry="D3"), 1)
    volume = state.maps[0].volume
    for operator in group[1:]:
        turned = place(volume, Placement(operator, torch.zeros(3), False, 1.0))
        assert fourier_shell_correlation(volume, turned)[1:8].min() > 0.95
    assert true_resolution(state, ring(group)) < 20.5


def test_particles_that_do_not_fit_are_refused() -> None:
    images, defocus = torch.zeros((2, 16, 16)), np.array([[1e4, 1e4, 0]] * 2)
    with pytest.raises(ValueError, match="larger boxes"):
        prepare_particles(images, 2.0, 100.0, OPTICS, defocus)
    with pytest.raises(ValueError, match="square"):
        prepare_particles(images[:, :8], 2.0, 20.0, OPTICS, defocus)
    with pytest.raises(ValueError, match="one row for each"):
        prepare_particles(images, 2.0, 20.0, OPTICS, defocus[:1])
    small = prepare_particles(images, 2.0, 20.0, OPTICS, defocus)
    large = prepare_particles(torch.zeros((2, 20, 20)), 2.0, 20.0, OPTICS, defocus)
    with pytest.raises(ValueError, match="same box"):
        join(small, large)


def test_phase_flipped_particles_have_a_transfer_without_signs() -> None:
    images, defocus = torch.zeros((1, 32, 32)), np.array([[2e4, 2e4, 0]])
    plain = prepare_particles(images, 4.0, 100.0, OPTICS, defocus)
    flipped = prepare_particles(images, 4.0, 100.0, OPTICS, defocus, phase_flipped=True)
    assert plain.transfer.min() < -0.5
    torch.testing.assert_close(flipped.transfer, plain.transfer.abs())
    assert (plain.transfer[:, :4] > 0).all()
