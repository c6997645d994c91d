"""Point groups: as many operators as the group's order, closed, with the axes where RELION has them."""

import re
import subprocess

import numpy as np
import pytest

from eucentric.imaging.symmetry import asymmetric_unit, symmetry_matrices
from outside_programs import require_relion


@pytest.mark.parametrize(
    ("name", "order"),
    [("C1", 1), ("c7", 7), ("D2", 4), ("D7", 14), ("T", 12), ("O", 24), ("I", 60), ("I1", 60), ("I2", 60)],
)
def test_a_group_is_closed(name: str, order: int) -> None:
    group = symmetry_matrices(name)
    assert group.shape == (order, 3, 3)
    np.testing.assert_allclose(group[0], np.eye(3), atol=1e-12)
    products = (group[:, None] @ group).reshape(-1, 1, 9)
    nearest = np.abs(products - group.reshape(1, -1, 9)).max(-1).min(1)
    assert nearest.max() < 1e-6
    np.testing.assert_allclose(np.linalg.det(group), 1)


@pytest.mark.parametrize("name", ["C4", "D7", "T", "O", "I", "I1", "I2"])
def test_axes_lie_as_in_relion(name: str) -> None:
    require_relion()
    told = subprocess.run(
        ["relion_refine", "--sym", name, "--print_symmetry_ops"], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in told.splitlines() if re.fullmatch(r"[-+.e\d\s]+", line) and line.strip()]
    theirs = np.array(rows, float).reshape(-1, 1, 9)
    ours = symmetry_matrices(name).reshape(1, -1, 9)
    assert len(theirs) == ours.shape[1]
    assert np.abs(theirs - ours).max(-1).min(1).max() < 1e-3


@pytest.mark.parametrize("name", ["C3", "D7", "T", "O", "I"])
def test_an_asymmetric_unit_is_its_share_of_the_sphere_and_meets_every_orbit(name: str) -> None:
    group = symmetry_matrices(name)
    directions = np.random.default_rng(0).normal(size=(20_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert asymmetric_unit(directions, group).mean() == pytest.approx(1 / len(group), rel=0.15)
    copies = np.einsum("gij,dj->gdi", group, directions[:200])
    inside = [asymmetric_unit(copy, group) for copy in copies]
    np.testing.assert_array_equal(np.sum(inside, axis=0), 1)


@pytest.mark.parametrize("name", ["", "C0", "E", "D", "I9", "C-1"])
def test_unknown_groups_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="point group"):
        symmetry_matrices(name)
