"""Reconstruction from known orientations, and the correlation of shells."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from blobs import asymmetric, ring
from eucentric.imaging.projection import disc, take_points
from eucentric.imaging.reconstruction import (
    SliceSums,
    fourier_shell_correlation,
    reconstruct,
    resolution_at,
    soft_sphere,
)
from eucentric.imaging.symmetry import symmetry_matrices

BOX, RADIUS = 32, 12.0


def summed(images: torch.Tensor, orientations: np.ndarray) -> SliceSums:
    points, sums = disc(BOX, RADIUS), SliceSums.empty(RADIUS)
    values = take_points(images, points)
    half, matrices = torch.arange(len(images)) % 2, torch.from_numpy(orientations).float()
    sums.add(half, matrices, points, values, torch.ones_like(values.real))
    return sums


def test_a_structure_comes_back_from_its_projections_in_height_and_form() -> None:
    blobs, orientations = asymmetric(), Rotation.random(600, random_state=0).as_matrix()
    sums = summed(blobs.projections(BOX, orientations), orientations)
    found = reconstruct(sums, BOX, RADIUS)
    truth = blobs.volume(BOX)
    inside = soft_sphere(BOX, 24, 2) > 0.5
    assert fourier_shell_correlation(found.volume, truth)[1:12].min() > 0.98
    # Zero frequency is not measured; the height above the mean is.
    slope = np.polyfit(truth[inside].numpy(), found.volume[inside].numpy(), 1)[0]
    assert slope == pytest.approx(1, abs=0.06)
    assert found.fsc[1:12].min() > 0.98
    assert found.fsc[13:].abs().max() == 0


def test_symmetry_makes_up_for_missing_views() -> None:
    group = symmetry_matrices("D3")
    blobs, orientations = ring(group), Rotation.random(40, random_state=0).as_matrix()
    images = blobs.projections(BOX, orientations)
    truth = blobs.volume(BOX)
    sums = summed(images, orientations)
    with_symmetry = reconstruct(sums, BOX, RADIUS, torch.from_numpy(group)).volume
    without = reconstruct(sums, BOX, RADIUS).volume
    # The copies are interpolated, and are yet what adding every image up in all its places gives.
    places = (orientations[:, None] @ group).reshape(-1, 3, 3)
    copies = summed(images.repeat_interleave(len(group), 0), places)
    assert (
        fourier_shell_correlation(with_symmetry, reconstruct(copies, BOX, RADIUS).volume)[1:12].min() > 0.97
    )
    better = fourier_shell_correlation(with_symmetry, truth)[1:12]
    assert better.min() > 0.9
    assert better.mean() > fourier_shell_correlation(without, truth)[1:12].mean() + 0.05


def test_noise_is_filtered_by_what_the_halves_agree_on() -> None:
    rng = np.random.default_rng(1)
    orientations = Rotation.random(600, random_state=0).as_matrix()
    images = asymmetric().projections(BOX, orientations)
    images = images + torch.from_numpy(rng.normal(0, 6 * float(images.std()), images.shape)).float()
    found = reconstruct(summed(images, orientations), BOX, RADIUS)
    truth = asymmetric().volume(BOX)
    raw = found.halves.mean(0)
    assert found.fsc[2] > 0.8 > 0.5 > found.fsc[11]
    apart = [fourier_shell_correlation(half, found.volume) for half in found.references]
    assert min(each[2] for each in apart) > 0.9
    assert found.references[0].square().sum() < 0.7 * found.halves[0].square().sum()
    error, raw_error = ((each - truth).square().mean() for each in (found.volume, raw))
    assert error < 0.7 * raw_error


def test_the_correlation_of_independent_noise_is_near_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn((2, 40, 40, 40), generator=generator)
    assert fourier_shell_correlation(first, second)[3:].abs().max() < 0.15
    torch.testing.assert_close(fourier_shell_correlation(first, 3 * first), torch.ones(21))
    torch.testing.assert_close(fourier_shell_correlation(first, -first), -torch.ones(21))


def test_where_a_curve_falls_below() -> None:
    fsc = torch.tensor([1.0, 1.0, 0.9, 0.6, 0.4, 0.9, 0.1])
    assert resolution_at(fsc, 12, 2.0) == pytest.approx(24 / 3.5)
    assert resolution_at(fsc, 12, 2.0, 0.3) == pytest.approx(24 / 5.75)
    assert resolution_at(torch.ones(7), 12, 2.0) == 4.0
    assert resolution_at(torch.zeros(7), 12, 2.0) == 24.0
