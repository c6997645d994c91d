"""Point groups: the rotations that bring a symmetric structure back onto itself."""

import re

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

_Axis = tuple[int, tuple[float, float, float]]

_GOLDEN = (1 + 5**0.5) / 2
_AXES: dict[str, list[_Axis]] = {
    "T": [(3, (0, 0, 1)), (2, (0, (2 / 3) ** 0.5, (1 / 3) ** 0.5))],
    "O": [(3, (1, 1, 1)), (4, (0, 0, 1))],
    "I": [(2, (0, 0, 1)), (5, (1, 0, _GOLDEN)), (3, (0, _GOLDEN - 1, _GOLDEN))],
}
_ORDERS = {"T": 12, "O": 24, "I": 60}


def symmetry_matrices(group: str) -> NDArray[np.float64]:
    """Return the rotations of a point group as matrices [operator, 3, 3], the identity first.

    The axes lie as in RELION: the main axis of C and D along z, a two-fold of D along x; a three-fold of T
    and a four-fold of O along z; of I, which is I2, two-folds along x, y and z and a five-fold between x and
    z, nearer to z; I1 is turned by 90° around z.

    Args:
        group: C1, C2, ..., D1, D2, ..., T, O, I (or I2) or I1; capital letters or small ones.

    Raises:
        ValueError: The name is none of these.
    """
    name = group.strip().upper()
    if axial := re.fullmatch(r"([CD])([1-9]\d?)", name):
        fold = int(axial[2])
        generators: list[_Axis] = [(fold, (0.0, 0.0, 1.0))]
        if axial[1] == "D":
            generators.append((2, (1.0, 0.0, 0.0)))
        return _closure(generators, fold * len(generators))
    turned = name == "I1"
    name = "I" if name in ("I1", "I2") else name
    if name not in _AXES:
        raise ValueError(
            f"There is no point group {group!r}; give one such as C1, C4, D7, T, O or I, as RELION"
            " names them."
        )
    matrices = _closure(_AXES[name], _ORDERS[name])
    if turned:
        quarter = Rotation.from_euler("z", 90, degrees=True).as_matrix()
        matrices = quarter @ matrices @ quarter.T
    return matrices


def asymmetric_unit(directions: NDArray[np.float64], group: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which directions [direction, 3] lie in one asymmetric unit of the group [operator, 3, 3].

    It is the part of the sphere that is nearer to one chosen point than to the point's symmetric copies.
    """
    chosen = np.array([0.6119, 0.2310, 0.7564])  # on no axis and no plane between axes
    nearness = directions @ (group @ chosen).T
    unit: NDArray[np.bool_] = nearness[:, 0] >= nearness.max(axis=1) - 1e-12
    return unit


def _closure(generators: list[_Axis], order: int) -> NDArray[np.float64]:
    """Multiply rotations with each other until nothing new comes."""
    steps = []
    for fold, axis in generators:
        unit = np.asarray(axis, np.float64) / np.linalg.norm(axis)
        steps.append(Rotation.from_rotvec(unit * (2 * np.pi / fold)).as_matrix())
    found = [np.eye(3)]
    for matrix in found:  # grows while it is walked through
        for step in steps:
            product = step @ matrix
            if not any(np.allclose(product, known, atol=1e-6) for known in found):
                found.append(product)
    if len(found) != order:
        raise AssertionError(f"a group of {order} operators has {len(found)}")
    return np.stack(found)
