"""Motion against simulated movies whose motion is known."""

import pytest
import torch

from eucentric.imaging import estimate_global_motion
from imaging_truth import error_of_shifts, true_movie

PIXEL_SIZE = 2.5


def test_sub_pixel_motion_at_one_electron_per_square_angstrom() -> None:
    movie = true_movie()
    shifts = estimate_global_motion(movie.frames, PIXEL_SIZE)
    assert error_of_shifts(shifts, movie.shifts) < 0.05
    assert shifts[0].tolist() == [0, 0]
    assert shifts[-1, 0] > 3
    assert shifts[-1, 1] < -1.5


def test_the_reference_frame_has_no_shift() -> None:
    movie = true_movie(frames=6)
    first = estimate_global_motion(movie.frames, PIXEL_SIZE)
    last = estimate_global_motion(movie.frames, PIXEL_SIZE, reference=-1)
    assert torch.allclose(last, first - first[-1], atol=1e-6)


@pytest.mark.parametrize(("frames", "limit"), [(2, 0.15), (3, 0.15), (5, 0.1)])
def test_few_frames(frames: int, limit: float) -> None:
    movie = true_movie(frames=frames)
    assert error_of_shifts(estimate_global_motion(movie.frames, PIXEL_SIZE), movie.shifts) < limit


def test_one_frame_does_not_move() -> None:
    assert estimate_global_motion(true_movie(frames=1).frames, PIXEL_SIZE).tolist() == [[0, 0]]


def test_no_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        estimate_global_motion([], PIXEL_SIZE)


def test_motion_of_many_pixels() -> None:
    movie = true_movie(motion=25)
    assert error_of_shifts(estimate_global_motion(movie.frames, PIXEL_SIZE), movie.shifts) < 0.05


def test_vibration_is_followed() -> None:
    movie = true_movie(jitter=0.4)
    assert error_of_shifts(estimate_global_motion(movie.frames, PIXEL_SIZE), movie.shifts) < 0.06


def test_smoothing_helps_where_frames_are_noisy() -> None:
    movie = true_movie(frames=40, dose=0.2, contrast=0.08)
    rough = estimate_global_motion(movie.frames, PIXEL_SIZE, smooth=False)
    smooth = estimate_global_motion(movie.frames, PIXEL_SIZE)
    assert error_of_shifts(smooth, movie.shifts) < 0.8 * error_of_shifts(rough, movie.shifts)
    assert error_of_shifts(smooth, movie.shifts) < 0.2


def test_what_is_left_of_the_gain_does_not_hold_the_shifts_at_zero() -> None:
    movie = true_movie(gain_spread=0.03)
    assert error_of_shifts(estimate_global_motion(movie.frames, PIXEL_SIZE), movie.shifts) < 0.1


def test_illumination_that_does_not_move_is_ignored() -> None:
    movie = true_movie()
    light = 1 + 0.3 * torch.linspace(-1, 1, movie.frames.shape[2])[None, :]
    shifts = estimate_global_motion(movie.frames * light, PIXEL_SIZE)
    assert error_of_shifts(shifts, movie.shifts) < 0.06


def test_frames_of_odd_and_unequal_sides() -> None:
    movie = true_movie()
    shifts = estimate_global_motion(movie.frames[:, :301, :350], PIXEL_SIZE)
    assert error_of_shifts(shifts, movie.shifts) < 0.08


@pytest.mark.parametrize("frames", [3, 8, 30])
def test_frames_of_noise_alone_have_no_shift(frames: int, caplog: pytest.LogCaptureFixture) -> None:
    counts = torch.poisson(
        torch.full((frames, 256, 256), 3.0), generator=torch.Generator().manual_seed(frames)
    )
    assert not estimate_global_motion(counts, 3.0).any()
    assert "nothing that moves together" in caplog.text
