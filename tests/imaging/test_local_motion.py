"""Motion that differs from place to place, against fields that are known."""

import numpy as np
import pytest
import torch

from eucentric.imaging import MotionField, align_movie, correct_and_sum
from eucentric.imaging.dose import dose_basis, dose_weights
from eucentric.imaging.local_motion import patch_grid
from eucentric.imaging.motion_field import field_terms, fit_field, uniform_field
from eucentric.imaging.resample import _add_moved_by_torch, _taps, add_moved, tile_centres
from eucentric.imaging.survey import survey_movie
from imaging_truth import true_movie

PIXEL_SIZE = 2.5
OPTICS = {"pixel_size": PIXEL_SIZE, "voltage": 300.0}
GRID = np.linspace(-0.4, 0.4, 5)
U, V = (axis.ravel() for axis in np.meshgrid(GRID, GRID))


def deformed_movie(
    frames: int, *, dose: float, amount: float, size: int = 768, seed: int = 0
) -> tuple[torch.Tensor, MotionField, torch.Tensor]:
    """Return counts [frame, y, x], the true field, and the specimen at rest."""
    still = true_movie(frames=1, size=size, pixel_size=PIXEL_SIZE, contrast=0.25, seed=seed).specimen
    course = 1 - np.exp(-np.arange(frames) * dose / 4.0)
    coefficients = np.zeros((frames, 6, 2))
    coefficients[:, 0] = course[:, None] * [3.0, -2.0]
    coefficients[:, 1:] = amount * course[:, None, None] * np.random.default_rng(seed).normal(size=(5, 2))
    field = MotionField(coefficients, (size, size))
    x, y = np.meshgrid(np.arange(size, dtype=float), np.arange(size, dtype=float))
    terms = field_terms(x.ravel() / size - 0.5, y.ravel() / size - 0.5)
    generator = torch.Generator().manual_seed(seed)
    counts = []
    for frame in coefficients:
        moved = (terms @ frame).reshape(size, size, 2)
        source = torch.from_numpy(np.stack([x - moved[..., 0], y - moved[..., 1]], axis=-1)).float()
        grid = (2 * source + 1) / size - 1
        image = torch.nn.functional.grid_sample(
            still[None, None], grid[None], mode="bicubic", padding_mode="reflection", align_corners=False
        )[0, 0]
        counts.append(torch.poisson(dose * PIXEL_SIZE**2 * (1 + image).clamp(min=0), generator=generator))
    return torch.stack(counts), field, still


def error_of_field(found: MotionField, true: MotionField) -> float:
    """Root mean square error in pixels over a 5 × 5 grid of points, apart from an offset at each."""
    difference = np.einsum("fta,nt->fna", found.coefficients - true.coefficients, field_terms(U, V))
    return float(np.sqrt(((difference - difference.mean(axis=0)) ** 2).mean()))


@pytest.mark.parametrize("frames", [3, 30])
def test_the_field_is_found(frames: int) -> None:
    counts, true, _ = deformed_movie(frames, dose=30 / frames, amount=1.5)
    aligned = align_movie(counts, None, dose_per_frame=30 / frames, patches=4, **OPTICS)
    whole = align_movie(counts, None, dose_per_frame=30 / frames, patches=0, **OPTICS)
    assert error_of_field(aligned.field, true) < 0.12
    assert error_of_field(whole.field, true) > 2 * error_of_field(aligned.field, true)
    assert aligned.field.local() == pytest.approx(true.local(), rel=0.2)
    assert aligned.patches is not None
    assert aligned.patches.shifts.shape == (16, frames, 2)
    assert whole.patches is None


def test_a_thousand_frames() -> None:
    counts, true, _ = deformed_movie(1000, dose=0.03, amount=1.5, size=256)
    aligned = align_movie(counts, None, dose_per_frame=0.03, patches=2, **OPTICS)
    assert aligned.shifts.shape == (1000, 2)
    assert error_of_field(aligned.field, true) < 0.4


def test_the_sum_is_sharper_along_the_field() -> None:
    counts, true, still = deformed_movie(12, dose=2.0, amount=3.0)
    inner = (slice(40, -40), slice(40, -40))

    def likeness(field: MotionField) -> float:
        sums = correct_and_sum(counts, None, field, dose_per_frame=0, **OPTICS)
        return float(
            torch.corrcoef(torch.stack([sums.unweighted[inner].flatten(), still[inner].flatten()]))[0, 1]
        )

    assert likeness(true) > likeness(uniform_field(true.mean(), true.shape)) + 0.05


@pytest.mark.parametrize("seed", range(4))
def test_what_does_not_differ_is_not_made_to(seed: int) -> None:
    counts, _, _ = deformed_movie(16, dose=1.0, amount=0.0, size=512, seed=seed)
    aligned = align_movie(counts, None, dose_per_frame=1.0, patches=3, **OPTICS)
    assert aligned.field.local() < 0.06


def test_an_empty_hole_has_no_motion() -> None:
    noise = torch.poisson(torch.full((12, 512, 512), 2.0), generator=torch.Generator().manual_seed(1))
    aligned = align_movie(noise, None, dose_per_frame=1.0, patches=3, **OPTICS)
    assert not aligned.field.coefficients.any()


def test_a_patch_that_disagrees_is_not_believed() -> None:
    rng = np.random.default_rng(3)
    places = np.stack([U, V], axis=1)
    course = np.linspace(0, 1, 20)
    true = np.zeros((20, 6, 2))
    true[:, 1, 0] = 2 * course
    shifts = np.einsum("gta,pt->pga", true, field_terms(U, V)) + 0.05 * rng.normal(size=(25, 20, 2))
    shifts[7] += 30 * rng.normal(size=(20, 2))
    errors = np.full(shifts.shape, 0.05)
    errors[3] = np.inf
    shifts[3] = 0
    found = fit_field(places, shifts, errors, course)
    assert np.abs((found - found[0]) - true)[:, 1:].max() < 0.3
    assert not found[:, [2, 3, 4, 5], 1].any()


def test_relions_polynomial_is_the_field() -> None:
    rng = np.random.default_rng(1)
    time = np.arange(10.0)[:, None] ** np.array([1, 2, 3])
    coefficients = np.zeros((10, 6, 2))
    coefficients[:, 1:] = np.einsum(
        "fz,zta->fta", time, rng.normal(size=(3, 5, 2)) / np.array([9, 81, 729])[:, None, None]
    )
    field = MotionField(coefficients, (200, 300))
    model = field.polynomials()
    terms = np.stack([np.ones_like(U), U, U**2, V, V**2, U * V], axis=1)
    found = np.einsum("fz,asz,ns->fna", time, model, terms)
    assert np.allclose(found, field.at((U + 0.5) * 300, (V + 0.5) * 200), atol=1e-8)


def test_local_motion_is_its_mean_over_the_field() -> None:
    coefficients = np.random.default_rng(2).normal(size=(5, 6, 2))
    field = MotionField(coefficients, (400, 400))
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(400) + 0.5, np.arange(400) + 0.5))
    rest = field.at(x, y) - field.mean()[:, None]
    assert field.local() == pytest.approx(np.sqrt((rest**2).sum(axis=2).mean()), rel=1e-3)


def test_both_ways_to_interpolate_agree() -> None:
    rng = np.random.default_rng(0)
    frames = torch.from_numpy(rng.poisson(3, (3, 150, 201)).astype(np.uint8))
    gain = torch.from_numpy(rng.uniform(0.9, 1.1, (150, 201)).astype(np.float32))
    shifts = rng.normal(0, 20, (3, len(tile_centres((150, 201))[0]), 2))
    factors = rng.normal(size=(3, 2)).astype(np.float32)
    one, other = torch.zeros(2, 150, 201), torch.zeros(2, 150, 201)
    add_moved(one, frames, gain, shifts, factors)
    whole = np.floor(shifts).astype(np.int64)
    _add_moved_by_torch(other, frames, gain, whole, _taps(shifts - whole), factors, np.zeros(2, np.bool_))
    assert torch.allclose(one, other, atol=1e-4)


def test_a_shift_keeps_frequencies_below_a_third() -> None:
    x = torch.arange(256.0)
    wave = torch.cos(2 * np.pi * 0.3 * x)[None, :].expand(256, 256).contiguous()
    moved = torch.zeros(1, 256, 256)
    shifts = np.zeros((1, 16, 2))
    shifts[..., 0] = 2.5
    add_moved(moved, wave[None], torch.ones(256, 256), shifts, np.ones((1, 1), np.float32))
    true = torch.cos(2 * np.pi * 0.3 * (x + 2.5))
    assert (moved[0, 128, 10:-10] - true[10:-10]).abs().max() < 0.01


@pytest.mark.parametrize(("frames", "dose"), [(1, 40.0), (3, 15.0), (40, 1.0), (200, 0.3)])
def test_few_functions_make_all_dose_weights(frames: int, dose: float) -> None:
    basis = dose_basis(frames, 0.6, dose_per_frame=dose, voltage=300.0)
    frequency = torch.arange(basis.functions.shape[1], dtype=torch.float64) / basis.scale
    weights = dose_weights(frequency, frames, dose_per_frame=dose, voltage=300.0).numpy()
    assert np.abs(basis.factors @ basis.functions.numpy() - weights).max() < 6e-3
    assert len(basis.functions) <= 5


def test_halves_are_parts_of_the_whole() -> None:
    movie = true_movie(frames=5)
    sums = correct_and_sum(
        movie.frames, None, movie.shifts, dose_per_frame=1.0, halves=True, binning=2, **OPTICS
    )
    assert sums.halves is not None
    assert torch.allclose(sums.halves[0] + sums.halves[1], sums.unweighted, atol=1e-3)
    odd = correct_and_sum(movie.frames[::2], None, movie.shifts[::2], dose_per_frame=0, binning=2, **OPTICS)
    assert torch.allclose(sums.halves[0], odd.unweighted, atol=1e-2)


def test_the_dark_reference_is_subtracted_and_defects_are_replaced() -> None:
    movie = true_movie(frames=6)
    dark = torch.full((384, 384), 5.0)
    defects = torch.zeros(384, 384, dtype=torch.bool)
    defects[:, 100:103] = True
    raw = movie.frames + dark
    raw[:, defects] = 900
    aligned = align_movie(raw, torch.ones(384, 384), dark=dark, defects=defects, dose_per_frame=1.0, **OPTICS)
    assert aligned.bad_pixels == 3 * 384
    assert aligned.mean_counts == pytest.approx(float(movie.frames.mean()), rel=0.01)
    assert aligned.unweighted.max() < 3 * aligned.unweighted.mean()


def test_movies_are_grouped_by_dose_but_never_into_many_groups() -> None:
    frames = torch.ones(200, 64, 64)
    assert len(survey_movie(frames, None, 1, dose_per_frame=0.1).groups) == 50
    assert len(survey_movie(frames, None, 1, dose_per_frame=0.01).groups) == 5
    assert len(survey_movie(frames, None, 1).groups) == 50
    assert survey_movie(frames, None, 1, dose_per_frame=0.1).times[:2].tolist() == [1.5, 5.5]


def test_patches_suit_the_field() -> None:
    assert patch_grid((4096, 4096), 0.85) == (6, 6)
    assert patch_grid((4092, 5760), 0.85) == (6, 8)
    assert patch_grid((300, 300), 1.0) == (1, 1)
    assert patch_grid((2000, 4000), 1.0, 4) == (2, 4)
