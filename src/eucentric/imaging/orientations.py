"""Orientations of particles: even grids of them, and RELION's angles.

An orientation is the rotation matrix that turns the structure, as it lies in the map, into the position that
is projected along z: its first two rows are the image's x and y axes in the map's frame, the third is the
direction of view.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eucentric.imaging.symmetry import asymmetric_unit

FloatArray = NDArray[np.float64]


def to_euler(matrices: FloatArray) -> FloatArray:
    """Return RELION's angles (rot, tilt, psi) in degrees, [..., 3], of orientations [..., 3, 3]."""
    flat = matrices.reshape(-1, 3, 3)
    tilt = np.arctan2(np.hypot(flat[:, 2, 0], flat[:, 2, 1]), flat[:, 2, 2])
    rot = np.arctan2(flat[:, 2, 1], flat[:, 2, 0])
    psi = np.arctan2(flat[:, 1, 2], -flat[:, 0, 2])
    # Along z the two in-plane angles are one: all of it is given to psi.
    polar = np.hypot(flat[:, 2, 0], flat[:, 2, 1]) < 1e-7
    rot[polar] = 0
    psi[polar] = np.arctan2(-flat[polar, 1, 0] * np.sign(flat[polar, 2, 2]), flat[polar, 1, 1])
    angles: FloatArray = np.degrees(np.stack([rot, tilt, psi], axis=-1))
    return angles.reshape(*matrices.shape[:-2], 3)


def from_euler(angles: FloatArray) -> FloatArray:
    """Return orientations [..., 3, 3] of RELION's angles (rot, tilt, psi) in degrees, [..., 3].

    Source: Heymann, Chagoyen & Belnap (2005), J. Struct. Biol. 151, 196: turn by rot around z, by tilt around
    the new y and by psi around the new z.
    """
    flat = np.asarray(angles, np.float64).reshape(-1, 3)
    matrices = Rotation.from_euler("ZYZ", flat, degrees=True).as_matrix().transpose(0, 2, 1)
    return matrices.reshape(*np.shape(angles)[:-1], 3, 3)


def orientation_grid(
    step: float, group: FloatArray, rng: np.random.Generator, *, half_turn: bool = False
) -> FloatArray:
    """Return orientations about `step` degrees apart that cover the asymmetric unit of a group once.

    Directions of view lie on a spiral (Rakhmanov, Saff & Zhou (1994), Math. Res. Lett. 1, 647, with the
    golden angle), which is turned at random: from call to call, every direction is met equally often.

    Args:
        step: Degrees between neighbours.
        group: Operators of the point group, [operator, 3, 3].
        rng: Source of randomness.
        half_turn: Leave out the second half of the in-plane turns: an image turned by 180° has the conjugate
            transform.

    Returns:
        Matrices [direction, turn, 3, 3].
    """
    count = max(4, math.ceil(4 * math.pi / math.radians(step) ** 2))
    index = np.arange(count)
    height = 1 - (2 * index + 1) / count
    azimuth = index * (math.pi * (3 - 5**0.5))
    ring = np.sqrt(1 - height**2)
    directions = np.stack([ring * np.cos(azimuth), ring * np.sin(azimuth), height], axis=-1)
    directions = directions @ Rotation.random(random_state=rng).as_matrix()
    directions = directions[asymmetric_unit(directions, group)]
    turns = 2 * math.ceil(180 / step)
    psi = (np.arange(turns // 2 if half_turn else turns) + rng.random()) * (360 / turns)
    rot = np.degrees(np.arctan2(directions[:, 1], directions[:, 0]))
    tilt = np.degrees(np.arccos(np.clip(directions[:, 2], -1, 1)))
    angles = np.empty((len(directions), len(psi), 3))
    angles[..., 0], angles[..., 1], angles[..., 2] = rot[:, None], tilt[:, None], psi
    return from_euler(angles)


def nearby_rotations(step: float) -> FloatArray:
    """Return the 27 small rotations [27, 3, 3] of -1, 0 and 1 `step` (degrees) around x, y and z."""
    grid = np.stack(np.meshgrid(*[(-1.0, 0.0, 1.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return Rotation.from_rotvec(np.radians(step) * grid).as_matrix()
