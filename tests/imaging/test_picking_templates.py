"""Picking by templates against simulated truth."""

import numpy as np
import pytest
import torch

from eucentric.imaging.ctf import CTFOptics
from eucentric.imaging.picking_noise import noise_threshold
from eucentric.imaging.picking_templates import MicrographOptics, pick_by_templates
from eucentric.imaging.specimen import molecule_volume
from eucentric.imaging.template_images import centred, map_projections
from eucentric.microscope.simulate import groel
from picked_scenes import DIAMETER, PIXEL, distances, scene

OPTICS = CTFOptics(300, 2.7, 0.1)


@pytest.fixture(scope="module")
def templates():
    volume = torch.from_numpy(molecule_volume(groel(), 72, 4.0))
    return map_projections(volume, 4.0, DIAMETER, 40)


def pick(truth, templates, defocus, **more):
    imaging = MicrographOptics(OPTICS, defocus, defocus, 0)
    return pick_by_templates(truth.image, PIXEL, DIAMETER, *templates, imaging, **more)


@pytest.mark.parametrize("defocus", [8_000, 18_000, 30_000])
def test_particles_are_found_where_they_are(defocus, templates):
    truth = scene(defocus=defocus, seed=defocus)
    picks = pick(truth, templates, defocus)
    away = distances(picks, truth.centres)
    assert (away < 0.25).mean() > 0.9
    assert np.median(away[away < 0.25]) < 0.05
    assert len(picks.positions) < 1.3 * len(truth.centres)
    assert picks.scores.tolist() == sorted(picks.scores.tolist(), reverse=True)


def test_where_contrast_is_low_templates_find_more_than_discs_do(templates):
    truth = scene(contrast=0.22, seed=4)
    shares = []
    for kind in (templates, (templates[0].flip(1).roll(9, 2) * -1, templates[1])):
        picks = pick(truth, kind, 18_000, false_picks=0.1)
        shares.append((distances(picks, truth.centres) < 0.25).mean() if len(picks.scores) else 0.0)
    assert shares[0] > 0.5
    assert shares[0] > shares[1] + 0.3


def test_the_ctf_is_that_of_the_micrograph(templates):
    """With the CTF of another micrograph particles do not stand out as far."""
    truth = scene(contrast=0.25, seed=5, defocus=30_000)
    here, there = (pick(truth, templates, defocus) for defocus in (30_000, 4_000))
    assert (distances(here, truth.centres) < 0.25).mean() > 0.9
    assert here.scores[:40].median() > there.scores[:40].median() + 1


def test_in_ice_alone_next_to_nothing_is_found(templates):
    counts = [len(pick(scene(particles=0, seed=seed), templates, 18_000).scores) for seed in range(3)]
    assert sum(counts) <= 6


def test_carbon_and_crystals_are_left_out(templates):
    truth = scene(carbon=True, crystal=True, seed=5)
    x, y = pick(truth, templates, 18_000).positions.numpy().T
    assert (x > 768 / 3).all()
    assert (np.hypot(x - 500, y - 400) > 60).all()


def test_templates_may_be_drawn_on_any_pixels(templates):
    images, pixel_size = templates
    fine = torch.nn.functional.interpolate(images[:, None], scale_factor=2, mode="bicubic")[:, 0]
    # The middle of interpolated pixels lies a quarter of an old pixel off.
    truth = scene(seed=6)
    away = distances(pick(truth, (fine, pixel_size / 2), 18_000), truth.centres)
    assert (away < 0.25).mean() > 0.9
    assert np.median(away[away < 0.25]) < 0.06


def test_the_same_image_gives_the_same_picks_and_no_image_is_too_strange(templates):
    truth = scene(seed=8, particles=10)
    one, other = (pick(truth, templates, 18_000) for _ in range(2))
    assert torch.equal(one.positions, other.positions)
    rows, columns = torch.meshgrid(torch.arange(300.0), torch.arange(260.0), indexing="ij")
    for image in (
        torch.ones(300, 260),
        torch.where(columns > 130, 1.0, 0.0),
        100 + rows,
        torch.where((rows == 20) & (columns == 30), 1e6, 1.0),
    ):
        picks = pick(truth._replace(image=image), templates, 18_000)
        assert torch.isfinite(picks.positions).all()
        assert torch.isfinite(picks.scores).all()


def test_without_templates_it_says_so():
    with pytest.raises(ValueError, match="There are no templates"):
        pick(scene(particles=0), (torch.zeros(0, 32, 32), 4.0), 18_000)


def test_averages_are_moved_to_the_middle_of_their_boxes():
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    images = torch.stack(
        [torch.exp(-((x - a) ** 2 + (y - b) ** 2) / 30) for a, b in ((24, 24), (28.5, 21), (20, 27.25))]
    )
    moved = centred(images)
    assert torch.allclose(moved, images[:1].expand(3, -1, -1), atol=0.02)


def test_a_projection_is_the_sum_along_its_direction_of_view():
    axis = torch.arange(64.0) - 32
    z, y, x = axis[:, None, None], axis[:, None], axis
    volume = torch.exp(-(z**2 / 60 + y**2 / 30 + x**2 / 15))  # deviations of 11, 7.7 and 5.5 Å
    images, pixel_size = map_projections(volume, 2.0, 60.0, 20)
    assert (images.shape[1:], pixel_size) == ((48, 48), 2.5)
    masses = images.sum(dim=(1, 2)) * pixel_size**3
    assert torch.allclose(masses, volume.sum() * 8, rtol=0.03)
    # The first view is nearly along z: it shows the two narrower widths, others the widest too.
    offset = (torch.arange(48.0) - 24) * pixel_size
    square = offset**2 + offset[:, None] ** 2
    inner = images * (square < 45**2)
    spread = (inner * square).sum(dim=(1, 2)) / inner.sum(dim=(1, 2))
    assert float(spread.min()) == pytest.approx(60 + 30, rel=0.1)
    assert float(spread.max()) == pytest.approx(120 + 60, rel=0.1)
    with pytest.raises(ValueError, match="give the particle's diameter"):
        map_projections(volume, 2.0, 200.0, 20)


def test_the_threshold_is_where_noise_is_the_wanted_part():
    rng = np.random.default_rng(0)
    noise, more = rng.standard_normal(500).astype(np.float32), rng.standard_normal(500).astype(np.float32)
    found = np.concatenate([more, 6 + rng.standard_normal(50)]).astype(np.float32)
    level = noise_threshold(found, noise, 1.0, 0.0, 0.2)
    above = found > level
    assert 0.05 < above[:500].sum() / above.sum() < 0.35
    assert above[500:].mean() > 0.95
    assert noise_threshold(found, noise, 1.0, 0.0, 0.01) > level
    assert (noise_threshold(more - 3, noise, 1.0, 0.0, 0.2) > (more - 3)).all()
