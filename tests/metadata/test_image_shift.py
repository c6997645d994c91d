"""Groups of exposures with one image shift."""

import numpy as np
import pytest

from eucentric.metadata.image_shift import shift_groups


def lattice(side: int, repeats: int, jitter: float, spacing: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Positions of holes around a place of the stage, visited again and again, and which is which."""
    rng = np.random.default_rng(4)
    holes = spacing * np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    which = np.tile(np.arange(len(holes)), repeats)
    return holes[which] + rng.normal(0, jitter, (len(which), 2)), which


@pytest.mark.parametrize("scale", [1.0, 1e-3, 2e4])
@pytest.mark.parametrize("jitter", [0.0, 0.01, 0.04])
def test_holes_of_a_lattice_are_found_in_any_unit(jitter: float, scale: float) -> None:
    points, which = lattice(5, 30, jitter)
    groups = shift_groups(points * scale)
    assert groups is not None
    assert groups[0] == 0
    assert len(np.unique(groups)) == 25
    assert len({(one, two) for one, two in zip(which, groups, strict=True)}) == 25


def test_many_exposures_join_the_groups_of_some() -> None:
    points, which = lattice(3, 700, 0.02)
    groups = shift_groups(points)
    assert groups is not None
    assert len({(one, two) for one, two in zip(which, groups, strict=True)}) == 9


def test_shifts_without_gaps_make_no_groups() -> None:
    rng = np.random.default_rng(1)
    assert shift_groups(rng.uniform(-1, 1, (400, 2))) is None


def test_one_exposure_is_one_group() -> None:
    groups = shift_groups(np.array([[1.0, 2.0]]))
    assert groups is not None
    assert groups.tolist() == [0]
