"""Picking against simulated truth, and on two real micrographs."""

import math

import numpy as np
import pytest
import torch

from eucentric.formats import read_image
from eucentric.imaging.picking import pick_particles
from picked_scenes import DIAMETER, PIXEL, SIZE, distances, scene


@pytest.mark.parametrize("defocus", [8_000, 18_000, 30_000])
def test_particles_are_found_where_they_are(defocus):
    truth = scene(defocus=defocus, seed=defocus)
    picks = pick_particles(truth.image, PIXEL, DIAMETER)
    away = distances(picks, truth.centres)
    assert (away < 0.25).mean() > 0.85
    assert np.median(away[away < 0.25]) < 0.06
    assert len(picks.positions) < 1.2 * len(truth.centres)
    assert picks.scores.tolist() == sorted(picks.scores.tolist(), reverse=True)
    assert picks.excluded < 0.05


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_the_diameter_may_be_a_fifth_off(factor):
    truth = scene(seed=3)
    away = distances(pick_particles(truth.image, PIXEL, factor * DIAMETER), truth.centres)
    assert (away < 0.25).mean() > 0.8


def test_in_ice_alone_next_to_nothing_is_found():
    counts = [len(pick_particles(scene(particles=0, seed=s).image, PIXEL, DIAMETER).scores) for s in range(4)]
    assert sum(counts) <= 4


def test_carbon_and_crystals_are_left_out_and_the_rest_is_picked():
    truth = scene(carbon=True, crystal=True, seed=5)
    picks = pick_particles(truth.image, PIXEL, DIAMETER)
    x, y = picks.positions.numpy().T
    assert (x > SIZE / 3).all()
    assert (np.hypot(x - 500, y - 400) > 60).all()
    free = truth.centres[
        (truth.centres[:, 0] > SIZE / 3 + 60) & (np.hypot(*(truth.centres - (500, 400)).T) > 140)
    ]
    assert (distances(picks, free) < 0.25).mean() > 0.8
    assert 0.3 < picks.excluded < 0.55
    everywhere = pick_particles(truth.image, PIXEL, DIAMETER, avoid=False)
    assert everywhere.excluded == 0


def test_noise_that_is_allowed_for_and_the_most_picks_limit_how_many_there_are():
    image = scene(contrast=0.25, seed=7).image
    bold, shy = (pick_particles(image, PIXEL, DIAMETER, false_picks=part) for part in (0.5, 0.01))
    assert len(bold.scores) > len(shy.scores)
    few = pick_particles(image, PIXEL, DIAMETER, false_picks=0.5, most=5)
    assert torch.equal(few.scores, bold.scores[:5])


def test_neither_scale_nor_mean_of_the_grey_values_matters():
    truth = scene(seed=9)
    one = pick_particles(truth.image, PIXEL, DIAMETER)
    other = pick_particles(truth.image * 0.01, PIXEL, DIAMETER)
    assert torch.allclose(one.positions, other.positions, atol=0.1)
    centred = pick_particles(truth.image - truth.image.mean(), PIXEL, DIAMETER)
    assert (distances(centred, truth.centres) < 0.25).mean() > 0.85


def test_an_image_without_any_contrast_has_no_particles():
    assert len(pick_particles(torch.ones(256, 256), PIXEL, DIAMETER).scores) == 0


ROWS, COLUMNS = torch.meshgrid(torch.arange(300.0), torch.arange(260.0), indexing="ij")


@pytest.mark.parametrize(
    "image",
    [
        torch.where(COLUMNS > 130, 1.0, 0.0),
        100 + ROWS + 2 * COLUMNS,
        torch.where((ROWS + COLUMNS) % 2 == 0, 3.0, 1.0),
        torch.where((ROWS == 20) & (COLUMNS == 30), 1e6, 1.0),
        torch.zeros(300, 260),
        -torch.exp(-((ROWS - 150) ** 2 + (COLUMNS - 130) ** 2) / 400),
        torch.where(torch.rand(300, 260, generator=torch.Generator().manual_seed(1)) > 0.5, 1000.0, 0.0),
    ],
    ids=["half black", "slope", "checks", "hot pixel", "black", "blob", "salt and pepper"],
)
def test_no_image_is_too_strange(image):
    picks = pick_particles(image, PIXEL, DIAMETER)
    assert torch.isfinite(picks.positions).all()
    assert torch.isfinite(picks.scores).all()
    assert 0 <= picks.excluded <= 1


@pytest.mark.parametrize("diameter", [9.0, 1_000.0])
def test_a_diameter_that_cannot_be_is_refused(diameter):
    with pytest.raises(ValueError, match="give a diameter between 4 pixels and a third"):
        pick_particles(torch.ones(256, 256), PIXEL, diameter)


def test_the_four_rings_of_a_real_micrograph_are_found(shared):
    """Their middles by eye; the haemocyanins that lie on their side are wider than high and left out."""
    image = torch.from_numpy(read_image(shared / "data" / "KLH_crop.tif").astype(np.float32))
    height = image.shape[0]
    rings = np.array([(212, 238), (515, 142), (487, 597), (237, 750)])  # from the top left of the picture
    rings[:, 1] = height - 1 - rings[:, 1]
    picks = pick_particles(image, 1.0, 145.0)
    assert len(picks.scores) == 4
    away = np.hypot(*(picks.positions.numpy()[None] - rings[:, None]).transpose(2, 0, 1)).min(axis=1)
    assert away.max() < 15


def test_a_real_dense_micrograph_gives_particles_that_look_alike(shared):
    """The mean of half the picks is like that of the other half, and dark in the middle."""
    image = torch.from_numpy(read_image(shared / "data" / "epu2.9_example.mrc").astype(np.float32))
    picks = pick_particles(image, 0.66655, 110.0)
    assert 100 < len(picks.scores) < 400
    assert picks.excluded < 0.05
    reach = 110
    boxes = [
        image[y - reach : y + reach, x - reach : x + reach]
        for x, y in picks.positions.round().int().tolist()
        if reach <= x < 4096 - reach and reach <= y < 4096 - reach
    ]
    halves = [torch.stack(boxes[start::2]).mean(dim=0) for start in (0, 1)]
    coarse = [torch.nn.functional.avg_pool2d(half[None], 10)[0] for half in halves]
    assert np.corrcoef(coarse[0].ravel(), coarse[1].ravel())[0, 1] > 0.8
    middle = slice(reach - 40, reach + 40)
    assert halves[0][middle, middle].mean() < halves[0].mean() - 3 * halves[0].std() / math.sqrt(64)


def test_a_particle_at_the_border_is_not_seen_at_the_opposite_one() -> None:
    """Filters in Fourier space see an image that goes on at its other side."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:600, :640].astype(np.float32)
    image = 100 + rng.standard_normal((600, 640)).astype(np.float32) * 4
    inner = [(80.0 + 120 * column, 150.0 + 110 * row) for column in range(5) for row in range(4)]
    for left, top in [(2.0, 300.0), (320.0, 3.0), *inner]:
        image -= 5 * (np.hypot(x - left, y - top) < 25)
    found = pick_particles(torch.from_numpy(image), 1.0, 50.0).positions.numpy()
    assert (found >= 0).all()
    assert (found <= [639, 599]).all()
    # Wherever the two are told to be, it is once.
    assert (np.abs(found[:, 1] - 300) < 15)[(found[:, 0] < 15) | (found[:, 0] > 624)].sum() == 1
    assert (np.abs(found[:, 0] - 320) < 15)[(found[:, 1] < 15) | (found[:, 1] > 584)].sum() == 1
