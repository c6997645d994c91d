"""Contrast, motion and counting, each against what it should be by definition."""

import math

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from scipy.stats import poisson

from eucentric.imaging.image_formation import (
    ImagingConditions,
    contrast_spectrum,
    count_electrons,
    frequency_magnitude,
    interaction_constant,
    resample,
    shift_spectrum,
)

OPTICS = ImagingConditions(
    pixel_size=1.5,
    voltage=300,
    spherical_aberration=2.7,
    amplitude_contrast=0.1,
    defocus_u=15_000,
    defocus_v=15_000,
    defocus_angle=0,
    b_factor=0,
)


def _smooth(shape: tuple[int, int], sigma: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape)
    return scipy.ndimage.gaussian_filter(noise, sigma, mode="wrap").astype(np.float32)


@pytest.mark.parametrize(("voltage", "expected"), [(100, 0.9244e-3), (200, 0.7288e-3), (300, 0.6526e-3)])
def test_interaction_constant(voltage: float, expected: float) -> None:
    """Kirkland (2010), table of σ in rad/(V·Å)."""
    assert interaction_constant(voltage) == pytest.approx(expected, rel=1e-3)


def test_a_grating_is_imaged_by_the_transfer_at_its_frequency() -> None:
    period = 16 * OPTICS.pixel_size
    x = np.arange(64, dtype=np.float32)
    potential = np.tile(10 * np.cos(2 * np.pi * x / 16), (32, 1)).astype(np.float32)
    image = scipy.fft.irfft2(contrast_spectrum(potential, OPTICS), s=potential.shape)
    wavelength = 0.019687
    phase = math.pi * wavelength * 15_000 / period**2 - math.pi / 2 * 2.7e7 * wavelength**3 / period**4
    transfer = -math.sin(phase + math.asin(0.1))
    np.testing.assert_allclose(image, 2 * 0.6526e-3 * transfer * potential, rtol=2e-3, atol=1e-6)


def test_dense_matter_is_dark_in_an_underfocused_image() -> None:
    y, x = np.mgrid[:128, :128]
    disc = (100 * np.exp(-((x - 64) ** 2 + (y - 64) ** 2) / 200)).astype(np.float32)
    image = scipy.fft.irfft2(contrast_spectrum(disc, OPTICS), s=disc.shape)
    assert image[64, 64] < -0.005
    assert abs(image.mean()) < 1e-7


def test_the_envelope_takes_its_part() -> None:
    potential = _smooth((64, 64), 1)
    sharp = contrast_spectrum(potential, OPTICS)
    soft = contrast_spectrum(potential, OPTICS._replace(b_factor=80))
    expected = np.exp(-80 / 4 * frequency_magnitude(potential.shape, 1.5) ** 2)
    np.testing.assert_allclose(np.abs(soft), np.abs(sharp) * expected, rtol=1e-3, atol=1e-6)


def test_a_shift_moves_features_to_larger_coordinates() -> None:
    image = _smooth((48, 64), 2)
    spectrum = scipy.fft.rfft2(image)
    moved = scipy.fft.irfft2(shift_spectrum(spectrum, image.shape, (5, 3)), s=image.shape)
    np.testing.assert_allclose(moved, np.roll(image, (3, 5), axis=(0, 1)), atol=1e-6)


def test_resampling_without_motion_cuts_out_the_inner_part() -> None:
    image = _smooth((80, 96), 2)
    inner = resample(image, np.zeros((60, 76, 2), np.float32), 10)
    np.testing.assert_allclose(inner, image[10:70, 10:86], atol=1e-5)


def test_resampling_moves_features_with_their_displacement() -> None:
    image = _smooth((80, 96), 3)
    displacement = np.zeros((60, 76, 2), np.float32)
    displacement[..., 0], displacement[..., 1] = 2.4, -1.7
    expected = scipy.ndimage.shift(image, (-1.7, 2.4), order=5, mode="wrap")[10:70, 10:86]
    # Bicubic interpolation is true to a few per cent; a displacement of 0.2 px more is told apart.
    resampled = resample(image, displacement, 10)
    np.testing.assert_allclose(resampled, expected, atol=0.06 * image.std())
    further = resample(image, displacement + np.float32(0.2), 10)
    assert np.abs(further - expected).max() > 0.1 * image.std()


@pytest.mark.parametrize("mean", [0.05, 1.0, 3.6, 40.0])
def test_counts_follow_the_poisson_distribution(mean: float) -> None:
    counts = count_electrons(np.full((500, 400), mean, np.float32), np.random.default_rng(7))
    values = np.arange(counts.max() + 1)
    expected = poisson.pmf(values, mean)
    found = np.bincount(counts.reshape(-1)) / counts.size
    deviation = np.sqrt(expected * (1 - expected) / counts.size)
    assert (np.abs(found - expected) < 5 * deviation + 1.5 / counts.size).all()
    assert counts.mean() == pytest.approx(mean, abs=5 * math.sqrt(mean / counts.size))
    assert counts.var() == pytest.approx(mean, rel=0.03)


def test_each_pixel_counts_around_its_own_mean() -> None:
    expected = np.tile(np.array([-1, 0, 2, 30], np.float32), (3000, 1))
    counts = count_electrons(expected, np.random.default_rng(8))
    np.testing.assert_allclose(counts.mean(axis=0), [0, 0, 2, 30], atol=0.4)
    assert counts[:, :2].max() == 0
