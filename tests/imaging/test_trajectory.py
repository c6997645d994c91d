"""Smoothing a path by what its errors allow."""

import numpy as np
import pytest

from eucentric.imaging.trajectory import interpolate_trajectory, smooth_trajectory

TIMES = np.arange(40.0)
PATH = np.stack([5 * (1 - np.exp(-TIMES / 10)), 0.05 * TIMES], axis=1)


def test_noise_is_smoothed_away() -> None:
    noisy = PATH + np.random.default_rng(0).normal(0, 0.3, PATH.shape)
    smooth = smooth_trajectory(noisy, np.full(PATH.shape, 0.3))
    assert np.abs(smooth - PATH).std() < 0.5 * np.abs(noisy - PATH).std()


def test_vibration_above_the_errors_stays() -> None:
    vibrating = PATH + np.random.default_rng(0).normal(0, 0.3, PATH.shape)
    smooth = smooth_trajectory(vibrating, np.full(PATH.shape, 0.01))
    assert np.abs(smooth - vibrating).max() < 0.05


def test_an_outlier_is_pulled_in() -> None:
    measured = PATH + np.random.default_rng(0).normal(0, 0.05, PATH.shape)
    measured[17] += 20
    smooth = smooth_trajectory(measured, np.full(PATH.shape, 0.05))
    assert np.abs(smooth - PATH).max() < 0.3


def test_a_short_path_is_left_alone() -> None:
    path = np.random.default_rng(0).normal(size=(4, 2))
    assert np.array_equal(smooth_trajectory(path, np.ones((4, 2))), path)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_interpolation_passes_through_the_points(count: int) -> None:
    points = np.random.default_rng(0).normal(size=(count, 2))
    times = 1.5 + 4.0 * np.arange(count)
    assert np.allclose(interpolate_trajectory(points, times, times), points)


def test_interpolation_goes_on_beyond_the_ends() -> None:
    line = np.stack([TIMES, -2 * TIMES], axis=1)
    found = interpolate_trajectory(line[2:9:3], TIMES[2:9:3], TIMES[:11])
    assert np.allclose(found, line[:11])
