"""Hot and dead pixels are found among Poisson counts, and nothing else is."""

import numpy as np
import scipy.ndimage
import torch

from eucentric.imaging import find_bad_pixels, replace_bad_pixels
from eucentric.imaging.bad_pixels import bin_bad_pixels, join_bad_pixels

SHAPE = (200, 240)
FRAMES = 40


def mean_counts(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.poisson(torch.full(SHAPE, float(FRAMES)), generator=generator) / FRAMES


def test_a_good_camera_has_no_bad_pixels() -> None:
    assert len(find_bad_pixels(mean_counts(), frames=FRAMES).positions) == 0


def test_hot_pixels_and_a_dead_column_are_found_and_replaced() -> None:
    mean = mean_counts()
    hot = [0, 5, 240 * 100 + 17, 240 * 100 + 18, 240 * 200 - 1]
    mean.view(-1)[hot] += 5
    mean[:, 120] = 0
    bad = find_bad_pixels(mean, frames=FRAMES)
    dead = [row * 240 + 120 for row in range(200)]
    assert set(bad.positions.tolist()) == {*hot, *dead}
    assert not set(bad.sources.tolist()) & set(bad.positions.tolist())
    replace_bad_pixels(mean, bad)
    assert mean.max() < 2
    assert mean.min() > 0.3


def test_the_edge_of_a_bead_is_kept() -> None:
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(240.0), indexing="ij")
    mean = 1000 + 150 * (mean_counts() - 1)
    mean[torch.hypot(x - 100, y - 100) < 20] *= 0.4
    assert len(find_bad_pixels(mean).positions) == 0


def test_a_constant_image_has_no_bad_pixels() -> None:
    assert len(find_bad_pixels(torch.zeros(SHAPE)).positions) == 0


def test_a_bad_pixel_makes_its_binned_pixel_bad() -> None:
    mean = mean_counts()
    mean[42, 81] += 5
    binned = bin_bad_pixels(find_bad_pixels(mean, frames=FRAMES), SHAPE, 4)
    assert binned.positions.tolist() == [10 * 60 + 20]
    assert binned.sources.tolist() == [10 * 60 + 21]


def test_the_nearest_good_pixel_stands_in_for_a_defect() -> None:
    generator = torch.Generator().manual_seed(1)
    defects = torch.rand(SHAPE, generator=generator) < 0.1
    defects[:, 50:60] = True
    defects[:12, :9] = True
    joined = join_bad_pixels(None, defects)
    assert joined.positions.tolist() == defects.flatten().nonzero()[:, 0].tolist()
    assert not defects.flatten()[joined.sources].any()
    here, there = (torch.stack((each // SHAPE[1], each % SHAPE[1])) for each in joined)
    distance = (here - there).double().norm(dim=0).numpy()
    expected = scipy.ndimage.distance_transform_edt(defects.numpy()).flatten()[joined.positions]
    assert np.allclose(distance, expected)
    nothing = join_bad_pixels(None, torch.zeros(SHAPE, dtype=torch.bool))
    assert len(nothing.positions) == 0
