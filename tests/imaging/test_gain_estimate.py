"""The gain that is estimated from simulated movies, against the camera's."""

import numpy as np
import pytest
import torch

from camera_truth import camera, halves
from eucentric.imaging.gain_estimate import (
    estimate_sensitivity,
    gain_figures,
    match_pattern,
)
from eucentric.imaging.gain_verdict import LIMITS, exceeded

SHAPE = (384, 416)


def estimate(sums, gain=None):
    first, second = torch.from_numpy(sums if gain is None else sums * gain)
    return estimate_sensitivity(first, second)


def without_waves(sensitivity):
    """A camera's sensitivity without what varies slowly, which nobody can tell from the beam."""
    both = torch.from_numpy(np.stack((sensitivity, sensitivity > 0)).astype(np.float32))[None]
    smooth = torch.nn.functional.avg_pool2d(both, 33, 1, 16, count_include_pad=False)[0].numpy()
    return sensitivity / smooth[0] * smooth[1]


@pytest.mark.parametrize(("variation", "dose"), [(0.04, 40), (0.08, 40), (0.08, 5)])
def test_rows_columns_and_pixels_are_found_as_well_as_the_electrons_allow(variation, dose):
    made = camera(SHAPE, variation)
    found = estimate(halves(made, np.random.default_rng(1), dose, 8))
    single = variation / np.sqrt(3)  # the camera's rows, pixels and waves have equal parts
    chance = 1 / np.sqrt(8 * dose)
    assert found.chance == pytest.approx(chance, rel=0.15)
    assert found.pattern == pytest.approx(single, rel=0.15, abs=0.006)
    good = (found.image.numpy() > 0) & (made.sensitivity > 0)
    true = without_waves(made.sensitivity)
    left = found.image.numpy()[good] / true[good]
    best = single * chance / np.hypot(single, chance)  # of any linear estimate of the single pixels
    assert left.std() / left.mean() < 1.3 * best + 0.003
    assert (found.image.numpy()[:, made.dead_columns] == 0).all()
    assert (found.image.numpy()[made.hot[:, 1], made.hot[:, 0]] == 0).all()
    assert good.mean() > 0.99


def test_a_pixel_that_counts_double_is_no_chance_even_with_few_electrons():
    rng = np.random.default_rng(2)
    sums = rng.poisson(100, (2, *SHAPE)).astype(np.float32)
    sums[:, 100, 50] *= 1.7
    found = estimate(sums)
    assert found.pattern == 0
    assert found.image[100, 50] == 0 or found.image[100, 50] == pytest.approx(1.7, rel=0.1)
    assert float(found.image[200:, 100:].std()) < 0.002


@pytest.mark.parametrize("dose", [1, 40])
def test_the_right_reference_leaves_nothing(dose):
    made = camera(SHAPE)
    found = estimate(halves(made, np.random.default_rng(3), dose, 8), made.gain)
    assert found.pattern < 0.005
    assert found.figures.deviation < 0.005
    assert exceeded(found.figures) == ()


def test_specimens_do_not_pass_for_a_camera():
    found = estimate(halves(camera(SHAPE, 0.0), np.random.default_rng(4), 40, 8))
    assert found.pattern < 0.004
    assert found.figures.deviation < 0.004


def test_a_reference_is_recognised_in_the_orientation_in_which_it_lies():
    made = camera((384, 384))
    first, second = torch.from_numpy(halves(made, np.random.default_rng(5), 10, 4))
    sensitivity = torch.from_numpy(made.sensitivity)
    right = match_pattern(first, second, sensitivity)
    assert abs(right.slope - 1) < 4 * right.error < 0.2
    for turns in range(4):
        for flipped in (False, True):
            other = torch.rot90(sensitivity.flip(1) if flipped else sensitivity, turns)
            if turns or flipped:
                # Upside down its columns are the same, so that is a part of the pattern.
                assert match_pattern(first, second, other).slope < 0.7
    upside_down = match_pattern(first, second, 1 / sensitivity.clamp(min=0.1) * (sensitivity > 0))
    assert upside_down.slope < -0.8
    assert match_pattern(first, second, torch.ones(384, 384)).error == np.inf


def test_figures_of_a_known_distribution():
    figures = gain_figures(torch.linspace(0.8, 1.2, 100_001))
    assert figures.deviation == pytest.approx(0.4 / np.sqrt(12), rel=1e-4)
    assert figures.range_ratio == pytest.approx(1.19 / 0.81, rel=1e-4)
    assert figures.peak_ratio == pytest.approx(1.2 / 1.19, rel=1e-4)
    assert exceeded(figures) == ("deviation", "range_ratio")
    assert exceeded(figures._replace(deviation=0, range_ratio=1, peak_ratio=5)) == ("peak_ratio",)
    assert exceeded(LIMITS) == ()


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(ValueError, match="must be alike"):
        estimate_sensitivity(torch.ones(100, 100), torch.ones(100, 90))
    with pytest.raises(ValueError, match="without counts"):
        estimate_sensitivity(torch.ones(100, 100), torch.zeros(100, 100))
    with pytest.raises(ValueError, match="must be alike"):
        match_pattern(torch.ones(100, 100), torch.ones(100, 100), torch.ones(50, 50))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_same_on_a_graphics_card():
    first, second = torch.from_numpy(halves(camera(SHAPE), np.random.default_rng(6), 20, 4))
    there = estimate_sensitivity(first.cuda(), second.cuda())
    here = estimate_sensitivity(first, second)
    assert there.pattern == pytest.approx(here.pattern, rel=1e-3)
    torch.testing.assert_close(there.image.cpu(), here.image, rtol=1e-3, atol=1e-3)
