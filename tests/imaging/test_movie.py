"""Whole movies: gain, bad pixels, motion, sums and spectrum together."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from eucentric.imaging import align_movie, correct_and_sum, dose_weights, fit_ctf, fourier
from imaging_truth import TrueMovie, error_of_shifts, true_movie

OPTICS = {"pixel_size": 2.5, "dose_per_frame": 1.0, "voltage": 300.0}


@pytest.fixture(scope="module")
def movie() -> TrueMovie:
    return true_movie(gain_spread=0.2, frames=20)


def test_the_raw_movie_is_corrected_for_gain_and_aligned(movie: TrueMovie) -> None:
    aligned = align_movie(movie.frames.numpy(), movie.gain.numpy(), **OPTICS)
    assert error_of_shifts(aligned.shifts, movie.shifts) < 0.06
    assert aligned.mean_counts == pytest.approx(6.25, rel=0.01)
    assert aligned.bad_pixels == 0
    # The sum shows the specimen where it lies in the first frame.
    correlation = torch.corrcoef(torch.stack([aligned.unweighted.flatten(), movie.specimen.flatten()]))[0, 1]
    blurred = (movie.frames * movie.gain).sum(dim=0)
    unaligned = torch.corrcoef(torch.stack([blurred.flatten(), movie.specimen.flatten()]))[0, 1]
    assert correlation > 0.7
    assert correlation > unaligned + 0.1


def test_frames_corrected_before_and_here_give_the_same_sum(movie: TrueMovie) -> None:
    flat = align_movie(movie.frames * movie.gain, None, **OPTICS)
    corrected = align_movie(movie.frames, movie.gain, **OPTICS)
    assert torch.allclose(flat.unweighted, corrected.unweighted, atol=1e-2)


def test_hot_pixels_do_not_hold_the_shifts_at_zero(movie: TrueMovie) -> None:
    frames = (movie.frames * movie.gain).clone()
    hot = torch.randperm(frames[0].numel(), generator=torch.Generator().manual_seed(3))[:150]
    frames.view(len(frames), -1)[:, hot] += 40
    aligned = align_movie(frames, None, **OPTICS)
    assert aligned.bad_pixels == 150
    assert error_of_shifts(aligned.shifts, movie.shifts) < 0.06
    assert aligned.unweighted.max() < 250


def test_frames_of_little_dose_are_grouped() -> None:
    movie = true_movie(frames=120, dose=0.1)
    aligned = align_movie(movie.frames, None, pixel_size=2.5, dose_per_frame=0.1, voltage=300)
    assert aligned.shifts.shape == (120, 2)
    assert aligned.shifts[0].tolist() == [0, 0]
    assert error_of_shifts(aligned.shifts, movie.shifts) < 0.15


def test_weights_are_those_of_the_formula(movie: TrueMovie) -> None:
    frames = movie.frames[:4]
    sums = correct_and_sum(frames, None, torch.zeros(4, 2), **OPTICS)
    x, y = fourier.frequencies((384, 384), 2.5)
    weights = dose_weights((x**2 + y**2).sqrt(), 4, dose_per_frame=1.0, voltage=300.0)
    expected = fourier.irfft2((weights * fourier.rfft2(frames)).sum(dim=0), (384, 384))
    assert float((sums.weighted - expected).std()) < 0.002 * float(expected.std())
    assert torch.allclose(sums.unweighted, frames.sum(dim=0), atol=2e-3)


def test_without_a_dose_nothing_is_weighted(movie: TrueMovie) -> None:
    sums = correct_and_sum(movie.frames[:3], None, torch.zeros(3, 2), **(OPTICS | {"dose_per_frame": 0.0}))
    assert torch.equal(sums.weighted, sums.unweighted)


def test_binning_keeps_the_mean_and_the_picture(movie: TrueMovie) -> None:
    full = correct_and_sum(movie.frames, movie.gain, movie.shifts, **OPTICS)
    half = correct_and_sum(movie.frames, movie.gain, movie.shifts, binning=2, **OPTICS)
    assert half.unweighted.shape == (192, 192)
    assert torch.allclose(half.unweighted, fourier.resize(full.unweighted, (192, 192)), atol=2e-3)


def test_the_spectrum_shows_the_defocus() -> None:
    movie = true_movie(contrast=0.3, frames=12, size=512)
    aligned = align_movie(movie.frames, None, **OPTICS)
    fit = fit_ctf(
        aligned.spectrum,
        aligned.spectrum_pixel_size,
        voltage=300,
        spherical_aberration=2.7,
        amplitude_contrast=0.1,
        max_resolution=6,
    )
    assert (fit.defocus_u + fit.defocus_v) / 2 == pytest.approx(14_500, abs=150)


def test_frames_may_come_from_a_function_and_be_counted_late(movie: TrueMovie) -> None:
    def opened() -> Iterator[np.ndarray]:
        return iter(movie.frames[:3].numpy().astype(np.uint16))

    fractions: list[float] = []
    aligned = align_movie(opened, None, progress=fractions.append, **OPTICS)
    assert aligned.shifts.shape == (3, 2)
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)


def test_the_callers_frames_are_left_as_they_are(movie: TrueMovie) -> None:
    before = movie.frames.clone()
    align_movie(movie.frames, movie.gain, **OPTICS)
    assert torch.equal(movie.frames, before)


def test_a_generator_is_refused(movie: TrueMovie) -> None:
    with pytest.raises(ValueError, match="twice"):
        align_movie((frame for frame in movie.frames), None, **OPTICS)


def test_no_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="no frames"):
        align_movie([], None, **OPTICS)


def test_a_gain_of_another_shape_is_refused(movie: TrueMovie) -> None:
    with pytest.raises(ValueError, match="gain reference"):
        align_movie(movie.frames, movie.gain[:-1], **OPTICS)


def test_more_shifts_than_frames_are_refused(movie: TrueMovie) -> None:
    with pytest.raises(ValueError, match="5 shifts but 3 frames"):
        correct_and_sum(movie.frames[:3], None, torch.zeros(5, 2), **OPTICS)


def test_parameters_out_of_range_are_refused(movie: TrueMovie) -> None:
    with pytest.raises(ValueError, match="binning"):
        align_movie(movie.frames, None, binning=0.5, **OPTICS)
