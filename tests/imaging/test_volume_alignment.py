"""Maps laid on each other and on their axes."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from blobs import Blobs, asymmetric, ring
from eucentric.imaging.reconstruction import fourier_shell_correlation
from eucentric.imaging.symmetry import symmetry_matrices
from eucentric.imaging.volume_alignment import align, find_axes, mirror, place

BOX = 32
TURN = Rotation.from_euler("ZYZ", [40, 70, 130], degrees=True).as_matrix()


def moved(blobs: Blobs) -> torch.Tensor:
    return Blobs(blobs.centres @ TURN.T + [1.5, -1.0, 0.5], blobs.width).volume(BOX)


@pytest.mark.parametrize("other_hand", [False, True])
def test_a_turned_and_moved_map_is_laid_back(other_hand: bool) -> None:
    truth = asymmetric().volume(BOX)
    volume = moved(asymmetric())
    volume = mirror(volume) if other_hand else volume
    placement = align(volume, truth, 5)
    assert placement.mirrored == other_hand
    assert placement.score > 0.99
    assert fourier_shell_correlation(place(volume, placement), truth)[1:8].min() > 0.97


def test_mirroring_twice_changes_nothing() -> None:
    volume = asymmetric().volume(BOX)
    torch.testing.assert_close(mirror(mirror(volume)), volume)
    flipped = Blobs(asymmetric().centres * [1, 1, -1]).volume(BOX)
    torch.testing.assert_close(mirror(volume), flipped, atol=1e-5, rtol=0)


def test_axes_are_found() -> None:
    group = symmetry_matrices("D3")
    volume = moved(ring(group))
    placement = find_axes(volume, group, 5)
    assert placement.score > 0.97
    placed = place(volume, placement)
    for operator in group[1:]:
        turned = place(placed, placement._replace(orientation=operator, centre=torch.zeros(3)))
        assert fourier_shell_correlation(placed, turned)[1:8].min() > 0.95


def test_a_map_without_symmetry_says_so() -> None:
    placement = find_axes(asymmetric().volume(BOX), symmetry_matrices("D3"), 5)
    assert placement.score < 0.9
    assert np.allclose(placement.orientation @ placement.orientation.T, np.eye(3))
