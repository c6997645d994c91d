"""CTF fits against simulated truth, and against what other programs find in a real micrograph."""

from itertools import pairwise
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

from eucentric.imaging import CTFFit, contrast_transfer, estimate_ctf, fourier
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


@pytest.mark.parametrize(("mean", "phase", "signal"), [(6_000, 30, 1), (9_000, 70, 0.5), (20_000, 150, 0.5)])
def test_a_phase_shift_is_found(mean: float, phase: float, signal: float) -> None:
    axes = (mean + 100, mean - 100, 40)
    image = transferred_noise(1024, 1.2, defocus=axes, signal=signal, seed=int(mean), phase_shift=phase)
    fit = estimate_ctf(image, 1.2, **OPTICS, phase_shift=(0, 180))
    assert fit.phase_shift == pytest.approx(phase, abs=6)
    assert (fit.defocus_u + fit.defocus_v) / 2 == pytest.approx(mean, abs=80)


def test_a_fitted_phase_shift_stays_in_its_range() -> None:
    image = transferred_noise(768, 1.2, defocus=(9_000, 9_000, 0), signal=1, seed=1, phase_shift=90)
    fit = estimate_ctf(image, 1.2, **OPTICS, phase_shift=(20, 60))
    assert 20 <= fit.phase_shift <= 60


@pytest.mark.parametrize("phases", [(90, 30), (0, 200)])
def test_a_range_of_phase_shifts_that_makes_no_sense_is_refused(phases: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="give a range in order, no wider than 180°"):
        estimate_ctf(torch.zeros(512, 512), 1.2, **OPTICS, phase_shift=phases)


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


def test_resolution_does_not_fall_as_the_dose_grows() -> None:
    """One specimen, exposed longer and longer: what came first is part of what comes later."""
    axes = (15_200, 14_800, 30)
    specimen, empty = (transferred_noise(768, 1.2, defocus=axes, signal=s, seed=3) for s in (1, 0))
    generator = torch.Generator().manual_seed(7)
    total, dose, resolutions = torch.zeros(768, 768), 0, []
    for more in (1, 1, 2, 4, 8, 16, 32):
        total = total + 0.2 * more * (specimen - empty)
        total = total + more**0.5 * torch.randn(768, 768, generator=generator)
        dose += more
        resolutions.append(estimate_ctf(total, 1.2, **OPTICS).resolution)
    assert resolutions[0] > 12  # of so weak an image nothing is claimed
    assert resolutions[-1] < 3.3
    for before, after in pairwise(resolutions):
        assert after < 1.1 * before


def test_the_form_factor_of_particles_does_not_move_the_defocus() -> None:
    """Dense round particles, whose own spectrum has maxima of its own at low resolution."""
    size, axes = 1536, (20_050, 19_950, 60)
    x, y = fourier.frequencies((size, size), 1.1)
    square = x**2 + y**2
    q = (2 * np.pi * 55 * square.sqrt()).clamp(min=1e-3)
    form = 3 * (torch.sin(q) - q * torch.cos(q)) / q**3
    transfer = contrast_transfer(x, y, defocus_u=axes[0], defocus_v=axes[1], defocus_angle=axes[2], **OPTICS)
    amplitude = (0.5 + 60 * form.abs()) * torch.exp(-15 * square) * transfer
    generator = torch.Generator().manual_seed(4)
    specimen, noise = (torch.randn(size, size, generator=generator) for _ in range(2))
    image = fourier.irfft2(fourier.rfft2(specimen) * amplitude, (size, size)) + noise
    fit = estimate_ctf(image, 1.1, **OPTICS)
    assert (fit.defocus_u + fit.defocus_v) / 2 == pytest.approx(20_000, abs=15)
    assert fit.defocus_u - fit.defocus_v == pytest.approx(100, abs=30)


def test_curves_and_picture_belong_together(fits_by_signal: list[CTFFit]) -> None:
    fit = fits_by_signal[-1]
    lengths = {len(curve) for curve in fit.profile[:4]}
    assert len(lengths) == 1
    assert fit.profile.resolution == fit.resolution
    assert np.all(np.diff(fit.profile.frequency) > 0)
    assert fit.diagnostic.min() >= 0
    assert fit.diagnostic.max() <= 1
    picture = fit.diagnostic
    size = picture.shape[0]
    assert picture.shape == (512, 512)
    spectrum = torch.flip(picture[1:, 1 : size // 2], (0, 1))
    right = picture[1:, size // 2 + 1 :]
    half = size // 2 - 1
    spectra, average, model = spectrum[half:], right[half:], right[:half]
    for first, second in ((spectra, average), (spectrum[:half], model)):
        assert torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1] > 0.6


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
    assert fit.defocus_u == pytest.approx(27_270, abs=35)
    assert fit.defocus_v == pytest.approx(27_170, abs=35)
    assert fit.resolution < 4
    assert fit.score > 0.4
