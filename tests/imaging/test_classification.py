"""Classification against stacks whose views, turns and shifts are known."""

import math

import pytest
import torch

from classified_views import OPTICS, TrueParticles, adjusted_rand_index, true_particles, view_images
from eucentric.imaging.classification import (
    ClassificationState,
    ParticleBatch,
    averages,
    reference_modes,
    ring_transfer,
    rings_to_use,
)
from eucentric.imaging.classification_polar import PolarGrid, polar_grid, take_rings
from eucentric.imaging.classification_quality import class_quality
from eucentric.imaging.classification_search import assign
from eucentric.imaging.classification_stream import ClassificationSettings, Update, update
from eucentric.imaging.ctf import CTFOptics

BOX, PIXEL, DIAMETER = 32, 7.0, 170.0
SETTINGS = ClassificationSettings(classes=4, radius=13.0, largest_shift=2.0)


@pytest.fixture(scope="module")
def grid() -> PolarGrid:
    return polar_grid(BOX, 13)


@pytest.fixture(scope="module")
def particles() -> TrueParticles:
    return true_particles(320, view_images(4, BOX, PIXEL, 1), PIXEL, snr=0.3, seed=2, largest_shift=1.5)


def as_batch(particles: TrueParticles, grid: PolarGrid, *, phase_flipped: bool = False) -> ParticleBatch:
    curves = [
        ring_transfer(
            grid,
            PIXEL,
            CTFOptics(**OPTICS),
            defocus_u=u,
            defocus_v=v,
            defocus_angle=angle,
            phase_flipped=phase_flipped,
        )
        for u, v, angle in particles.defocus.tolist()
    ]
    half = torch.arange(len(particles.view)) % 2
    return ParticleBatch(take_rings(particles.images, grid), torch.stack(curves), particles.micrograph, half)


@pytest.fixture(scope="module")
def batch(particles: TrueParticles, grid: PolarGrid) -> ParticleBatch:
    return as_batch(particles, grid)


def classify(batch: ParticleBatch, grid: PolarGrid, settings: ClassificationSettings = SETTINGS) -> Update:
    return update(None, batch, grid, settings, torch.Generator().manual_seed(0), total=len(batch.rings))


@pytest.fixture(scope="module")
def found(batch: ParticleBatch, grid: PolarGrid) -> Update:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    result = classify(batch, grid)
    torch.set_num_threads(before)
    return result


def test_particles_of_a_view_come_together(particles: TrueParticles, found: Update) -> None:
    assert adjusted_rand_index(found.poses.label, particles.view) > 0.95
    assert found.state.sizes.min() > 40


def test_turns_and_shifts_are_the_true_ones(particles: TrueParticles, found: Update) -> None:
    """But for one turn and one shift of the average itself, which are free."""
    for label in range(4):
        mine = found.poses.label == label
        view = particles.view[mine].mode().values
        mine &= particles.view == view
        away = torch.polar(torch.ones(1), found.poses.angle[mine] - particles.turn[mine])
        assert away.mean().abs() > 0.98, "the turns differ by more than the average's own"
        error = torch.view_as_complex(found.poses.shift[mine] - particles.shift[mine])
        own = error * torch.polar(torch.ones(1), -found.poses.angle[mine])
        assert (own - own.mean()).abs().square().mean().sqrt() < 0.6


def test_averages_are_the_true_views(particles: TrueParticles, found: Update, grid: PolarGrid) -> None:
    """Each average, put over its true view in the best way, correlates with it."""
    views = view_images(4, BOX, PIXEL, 1)[:, ::2, ::2]
    flat = torch.ones((1, grid.rings, grid.angles // 2))
    none = torch.zeros(4, dtype=torch.long)
    truth = ParticleBatch(take_rings(views, grid), flat, none, none)
    references = reference_modes(found.state, grid, 13.0)
    rings = rings_to_use(found.state)
    pose = assign(truth, references, torch.ones(grid.rings), grid, rings=rings, largest_shift=2.0)
    assert sorted(pose.label.tolist()) == [0, 1, 2, 3]
    pictures = averages(found.state, grid, 13.0)
    assert pictures.shape == (4, BOX, BOX)
    # The centre is white, as particles are, and the corners are empty.
    assert pictures[:, 12:20, 12:20].mean() > 0
    assert pictures[:, 0, 0].abs().max() < 1e-3 * pictures.abs().max()


def test_phase_flipped_particles(particles: TrueParticles, grid: PolarGrid) -> None:
    """Images whose CTF's signs were corrected need the absolute CTF, and give the same classes."""
    batch = as_batch(particles, grid)
    signs = batch.transfer.sign()[batch.curve]
    flipped = as_batch(particles, grid, phase_flipped=True)._replace(rings=batch.rings * signs)
    assert adjusted_rand_index(classify(flipped, grid).poses.label, particles.view) > 0.95


def test_the_same_seed_gives_the_same_classes(batch: ParticleBatch, grid: PolarGrid, found: Update) -> None:
    torch.set_num_threads(1)
    again = classify(batch, grid)
    assert torch.equal(again.state.sums, found.state.sums)
    assert torch.equal(again.poses.angle, found.poses.angle)


def test_a_stream_sharpens_and_new_particles_are_assigned(
    particles: TrueParticles, batch: ParticleBatch, grid: PolarGrid
) -> None:
    generator = torch.Generator().manual_seed(1)
    state: ClassificationState | None = None
    resolutions = []
    for seen in (120, 200, 320):
        fresh = batch.part(torch.arange(seen - 120, seen))
        step = update(state, fresh, grid, SETTINGS, generator, total=seen)
        state = step.state
        resolutions.append(float(class_quality(state, grid, PIXEL, DIAMETER).resolution.mean()))
    assert resolutions[-1] <= resolutions[0]
    newest = particles.view[200:]
    assert adjusted_rand_index(step.poses.label, newest) > 0.9


def test_the_number_of_classes_changes_in_flight(
    batch: ParticleBatch, grid: PolarGrid, found: Update
) -> None:
    generator = torch.Generator().manual_seed(1)
    fewer = update(found.state, batch, grid, SETTINGS._replace(classes=2), generator, total=320)
    assert fewer.state.sizes.numel() == 2
    assert fewer.renumbered.shape == (4,)
    assert set(fewer.renumbered.tolist()) == {0, 1}
    more = update(fewer.state, batch, grid, SETTINGS, generator, total=320)
    assert more.state.sizes.numel() == 4


def test_no_class_is_empty(grid: PolarGrid) -> None:
    """One view and room for eight classes: they share its particles, or are not made."""
    one = true_particles(200, view_images(1, BOX, PIXEL, 3), PIXEL, snr=0.3, seed=4, largest_shift=1.0)
    found = classify(as_batch(one, grid), grid, SETTINGS._replace(classes=8))
    assert found.state.sizes.min() >= 10
    assert found.state.sizes.sum() == pytest.approx(200, rel=1e-4)


def test_noise_has_no_detail(particles: TrueParticles, grid: PolarGrid) -> None:
    """Classes of noise score far below those of particles."""
    generator = torch.Generator().manual_seed(5)
    images = particles.images.clone()
    images[:120] = torch.randn(120, BOX, BOX, generator=generator)
    mixed = as_batch(particles._replace(images=images), grid)
    found = classify(mixed, grid, SETTINGS._replace(classes=6))
    quality = class_quality(found.state, grid, PIXEL, DIAMETER)
    noise = torch.stack(
        [
            (found.poses.label[:120] == n).sum() / (found.poses.label == n).sum()
            for n in range(len(quality.score))
        ]
    )
    assert (noise > 0.5).any()
    assert quality.score[noise > 0.5].max() < 0.3
    assert quality.score[noise < 0.2].min() > 0.4


def test_rings_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="take at least 2"):
        polar_grid(32, 16)


def test_nothing_to_classify(batch: ParticleBatch, grid: PolarGrid) -> None:
    with pytest.raises(ValueError, match="no particles"):
        classify(batch.part(torch.arange(0)), grid)


def test_angles_of_the_grid_are_fine_enough(grid: PolarGrid) -> None:
    assert grid.angles % 4 == 0
    assert grid.angles >= 2 * math.pi * 13
