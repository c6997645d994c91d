"""Orientations: RELION's angles, and grids that leave no gap."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eucentric.imaging.orientations import from_euler, nearby_rotations, orientation_grid, to_euler
from eucentric.imaging.symmetry import symmetry_matrices


def relion_matrix(rot: float, tilt: float, psi: float) -> np.ndarray:
    """RELION's Euler_angles2matrix, written out."""
    (ca, cb, cg), (sa, sb, sg) = (f(np.radians([rot, tilt, psi])) for f in (np.cos, np.sin))
    return np.array(
        [
            [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
            [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
            [sb * ca, sb * sa, cb],
        ]
    )


def test_angles_mean_what_they_mean_in_relion() -> None:
    angles = np.random.default_rng(0).uniform([-180, 0, -180], [180, 180, 180], (50, 3))
    for angle, matrix in zip(angles, from_euler(angles), strict=True):
        np.testing.assert_allclose(matrix, relion_matrix(*angle), atol=1e-12)
    np.testing.assert_allclose(to_euler(from_euler(angles)), angles, atol=1e-6)


@pytest.mark.parametrize("tilt", [0.0, 180.0])
def test_angles_along_the_pole_give_the_same_matrix(tilt: float) -> None:
    matrix = from_euler(np.array([[25.0, tilt, 40.0]]))
    np.testing.assert_allclose(from_euler(to_euler(matrix)), matrix, atol=1e-9)


@pytest.mark.parametrize("name", ["C1", "D7"])
def test_a_grid_comes_near_to_every_orientation(name: str) -> None:
    group = symmetry_matrices(name)
    grid = orientation_grid(12, group, np.random.default_rng(0)).reshape(-1, 3, 3)
    assert len(grid) == pytest.approx(4 * np.pi / np.radians(12) ** 2 * 30 / len(group), rel=0.15)
    wanted = Rotation.random(100, random_state=1).as_matrix()
    away = np.full(100, 180.0)
    for operator in group:
        trace = np.einsum("gij,wij->wg", grid @ operator, wanted)
        angle = np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
        away = np.minimum(away, angle.min(axis=1))
    assert away.max() < 14
    assert away.mean() < 8


def test_the_other_half_of_the_turns_is_left_out() -> None:
    whole = orientation_grid(20, symmetry_matrices("C1"), np.random.default_rng(3))
    half = orientation_grid(20, symmetry_matrices("C1"), np.random.default_rng(3), half_turn=True)
    assert half.shape[1] * 2 == whole.shape[1]
    np.testing.assert_allclose(whole[:, : half.shape[1]], half)
    np.testing.assert_allclose(whole[:, half.shape[1] :, :2], -half[:, :, :2], atol=1e-12)


def test_nearby_rotations_are_the_steps_and_none() -> None:
    near = nearby_rotations(2.0)
    angles = np.degrees(Rotation.from_matrix(near).magnitude())
    assert np.sort(angles) == pytest.approx([0] + [2] * 6 + [8**0.5] * 12 + [12**0.5] * 8)
