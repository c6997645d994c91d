"""CTF fits against simulated truth, and against what other programs find in a real micrograph."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

from eucentric.imaging import CTFFit, estimate_ctf
from imaging_truth import OPTICS, transferred_noise

TRUTHS = [
    # voltage, mean defocus, astigmatism, angle
    (300, 3_000, 250, 70),
    (300, 8_000, 600, 5),
    (300, 15_000, 1_500, 120),
    (300, 27_000, 300, 45),
    (300, 40_000, 800, 160),
    (200, 5_000, 400, 90),
    (200, 20_000, 250, 30),
    (100, 3_000, 250, 150),
    (100, 12_000, 2_000, 80),
    (100, 30_000, 0, 0),
]


@pytest.mark.parametrize(("voltage", "mean", "astigmatism", "angle"), TRUTHS)
def test_the_truth_is_found(voltage: float, mean: float, astigmatism: float, angle: float) -> None:
    optics = OPTICS | {"voltage": voltage}
    axes = (mean + astigmatism / 2, mean - astigmatism / 2, angle)
    image = transferred_noise(1024, 1.2, defocus=axes, signal=1, seed=int(mean), **optics)
    fit = estimate_ctf(image, 1.2, **optics, min_defocus=2_000)
    assert (fit.defocus_u + fit.defocus_v) / 2 == pytest.approx(mean, abs=50)
    assert fit.defocus_u - fit.defocus_v == pytest.approx(astigmatism, abs=100)
    assert 0 <= fit.defocus_angle < 180
    if astigmatism > 200:
        assert abs((fit.defocus_angle - angle + 90) % 180 - 90) < 3
    assert fit.score > 0.35
    # The tiles of so small an image, 600 Å wide, blur the rings of the last truth beyond this.
    assert fit.resolution < 6.5


def test_a_phase_plate_is_taken_into_account() -> None:
    image = transferred_noise(768, 1.2, defocus=(9_000, 9_000, 0), signal=1, seed=1, phase_shift=90)
    with_plate = estimate_ctf(image, 1.2, **OPTICS, phase_shift=90)
    without = estimate_ctf(image, 1.2, **OPTICS)
    assert with_plate.defocus_u == pytest.approx(9_000, abs=60)
    assert with_plate.score > without.score
    assert with_plate.phase_shift == 90


@pytest.fixture(scope="module")
def fits_by_signal() -> list[CTFFit]:
    images = [
        transferred_noise(768, 1.2, defocus=(15_200, 14_800, 30), signal=s, seed=5) for s in (0.25, 0.5, 1, 2)
    ]
    return [estimate_ctf(image, 1.2, **OPTICS) for image in images]


def test_resolution_and_score_grow_with_the_signal(fits_by_signal: list[CTFFit]) -> None:
    resolutions = [fit.resolution for fit in fits_by_signal]
    scores = [fit.score for fit in fits_by_signal]
    assert resolutions == sorted(resolutions, reverse=True)
    assert resolutions[0] > 1.5 * resolutions[-1]
    assert scores == sorted(scores)


def test_curves_and_picture_belong_together(fits_by_signal: list[CTFFit]) -> None:
    fit = fits_by_signal[-1]
    lengths = {len(curve) for curve in fit.profile[:4]}
    assert len(lengths) == 1
    assert fit.profile.resolution == fit.resolution
    assert np.all(np.diff(fit.profile.frequency) > 0)
    assert fit.diagnostic.min() >= 0
    assert fit.diagnostic.max() <= 1
    size = fit.diagnostic.shape[0]
    left = torch.flip(fit.diagnostic[1:, 1 : size // 2], (0, 1))
    right = fit.diagnostic[1:, size // 2 + 1 :]
    assert torch.corrcoef(torch.stack([left.flatten(), right.flatten()]))[0, 1] > 0.6


@pytest.mark.parametrize("kind", ["noise", "empty", "constant"])
def test_an_image_without_rings_scores_low(kind: str) -> None:
    noise = torch.randn(768, 768, generator=torch.Generator().manual_seed(2))
    image = {"noise": noise, "empty": torch.zeros(768, 768), "constant": torch.full((768, 768), 7.0)}[kind]
    fit = estimate_ctf(image, 1.2, **OPTICS)
    assert fit.score < 0.12
    assert fit.resolution > 15
    assert np.isfinite([fit.defocus_u, fit.defocus_v, fit.defocus_angle, fit.score]).all()


def test_limits_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="mend the limits"):
        estimate_ctf(torch.zeros(512, 512), 1.2, **OPTICS, min_defocus=9_000, max_defocus=8_000)


def test_too_narrow_a_range_is_refused() -> None:
    with pytest.raises(ValueError, match="too few rings"):
        estimate_ctf(torch.zeros(512, 512), 1.2, **OPTICS, min_resolution=10, max_resolution=9.5)


def test_a_real_micrograph_agrees_with_two_other_programs(shared: Path) -> None:
    with mrcfile.mmap(shared / "data" / "epu2.9_example.mrc", permissive=True) as file:
        image = torch.from_numpy(file.data.astype(np.float32))
    fit = estimate_ctf(image, 0.66655, voltage=300, spherical_aberration=2.7, amplitude_contrast=0.07)
    assert fit.defocus_u == pytest.approx(27_270, abs=100)
    assert fit.defocus_v == pytest.approx(27_170, abs=100)
    assert fit.resolution < 4
    assert fit.score > 0.4
