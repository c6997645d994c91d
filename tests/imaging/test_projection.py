"""Central slices: against projections known exactly, and against their adjoint."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from blobs import asymmetric
from eucentric.imaging.projection import (
    disc,
    grid_size,
    insert,
    project,
    shift_factors,
    take_points,
    volume_transform,
)

ORIENTATIONS = Rotation.random(20, random_state=4).as_matrix()


@pytest.mark.parametrize("box", [32, 33])
def test_slices_are_the_transforms_of_projections(box: int) -> None:
    blobs, points = asymmetric(), disc(box, 12)
    slices = project(volume_transform(blobs.volume(box), 12), torch.from_numpy(ORIENTATIONS).float(), points)
    wanted = take_points(blobs.projections(box, ORIENTATIONS), points)
    error = (slices - wanted).abs().square().sum() / wanted.abs().square().sum()
    assert error < 3e-4


def test_insertion_is_the_adjoint_of_projection() -> None:
    generator = torch.Generator().manual_seed(0)
    points, size = disc(20, 8), grid_size(8)
    transform = torch.randn((size,) * 3, dtype=torch.complex64, generator=generator)
    values = torch.randn((20, len(points.x)), dtype=torch.complex64, generator=generator)
    matrices = torch.from_numpy(ORIENTATIONS).float()
    sums = (torch.zeros((size,) * 3 + (2,)), torch.zeros((size,) * 3))
    insert(sums, matrices, points, values, torch.ones_like(values.real))
    there = (project(transform, matrices, points) * values.conj()).sum()
    back = (transform * torch.view_as_complex(sums[0]).conj()).sum()
    torch.testing.assert_close(there, back, rtol=1e-4, atol=1e-2)
    assert float(sums[1].sum()) == pytest.approx(values.numel(), rel=1e-4)


def test_shifts_move_towards_larger_x_and_y() -> None:
    blobs, points = asymmetric(), disc(32, 12)
    still = take_points(blobs.projections(32, ORIENTATIONS[:1]), points)
    moved = take_points(blobs.projections(32, ORIENTATIONS[:1], np.array([[1.3, -2.1]])), points)
    expected = still * shift_factors(points, torch.tensor([[1.3, -2.1]]))
    torch.testing.assert_close(moved, expected, atol=1e-3 * float(still.abs().max()), rtol=0)


def test_points_are_in_order_and_one_of_each_pair() -> None:
    points = disc(16, 6)
    both = {(int(x), int(y)) for x, y in zip(points.x, points.y, strict=True)}
    assert not both & {(-x, -y) for x, y in both}
    every = {(x, y) for x in range(-6, 7) for y in range(-6, 7) if 0 < x * x + y * y <= 36}
    assert both | {(-x, -y) for x, y in both} == every
    near = points.within(4)
    assert len(near.x) == points.upto(4) == sum(x * x + y * y <= 16 for x, y in both)
    torch.testing.assert_close(points.x[: len(near.x)], near.x)


@pytest.mark.parametrize("radius", [0.5, 8])
def test_a_radius_beyond_the_box_is_refused(radius: float) -> None:
    with pytest.raises(ValueError, match="radius"):
        disc(16, radius)
