"""Images as rings of their Fourier transforms, where turning an image is a phase for every angular mode.

A ring of the transform of a real image has f(θ + π) = conj f(θ), so half of it is held, and of its angular
modes f(θ) = Σ a_m exp(imθ) those of m ≥ 0. The correlation of two rings at all rotations at once is then
one inverse transform of a_m conj b_m (Joyeux & Penczek (2002), Ultramicroscopy 92, 33).
"""

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor

_FINER = 2
"""The transform is sampled at half cycles per box, so that linear interpolation between them is accurate."""
_AT_ONCE = 200
"""Images that are transformed at once."""


class PolarGrid(NamedTuple):
    """Points of half the plane of frequencies, on rings 1 to `rings` cycles per box.

    Attributes:
        box: Rows and columns of the images.
        rings: Number of rings.
        angles: Number of points on a whole ring, a multiple of 16; half of them are held.
        corners: Where in the transform the four neighbours of a point lie [4, point].
        weights: Their weights in linear interpolation [4, point].
        across: What takes rows of an image to columns of its transform [x, frequency].
        down: What takes columns to rows of the transform [frequency, y].
        x: Frequencies of the points, cycles per box [ring, angle].
        y: The same along y.
    """

    box: int
    rings: int
    angles: int
    corners: Tensor
    weights: Tensor
    across: Tensor
    down: Tensor
    x: Tensor
    y: Tensor


def polar_grid(box: int, rings: int, device: torch.device | str = "cpu") -> PolarGrid:
    """Return a grid whose points lie no further apart on its outermost ring than its rings do.

    Raises:
        ValueError: The rings do not lie between 2 and half the box.
    """
    if not 2 <= rings < box // 2:
        raise ValueError(
            f"{rings} rings do not fit an image of {box} px; take at least 2, and less than {box // 2}."
        )
    angles = 16 * math.ceil(2 * math.pi * rings / 16)
    angle = 2 * math.pi * torch.arange(angles // 2, dtype=torch.float64) / angles - math.pi / 2
    radius = torch.arange(1, rings + 1, dtype=torch.float64)[:, None]
    x, y = (radius * angle.cos()).clamp(min=0), radius * angle.sin()
    outermost = _FINER * rings + 1
    first_x, first_y = (_FINER * x).floor(), (_FINER * y).floor()
    part_x, part_y = _FINER * x - first_x, _FINER * y - first_y
    corners, weights = [], []
    for step_y in (0, 1):
        for step_x in (0, 1):
            row = first_y.long() + step_y + outermost
            corners.append(row * (outermost + 1) + first_x.long() + step_x)
            weights.append((part_x if step_x else 1 - part_x) * (part_y if step_y else 1 - part_y))
    return PolarGrid(
        box,
        rings,
        angles,
        torch.stack(corners).flatten(1).to(device),
        torch.stack(weights).flatten(1).float().to(device),
        _waves(box, torch.arange(outermost + 1)).T.contiguous().to(device),
        _waves(box, torch.arange(-outermost, outermost + 1)).to(device),
        x.float().to(device),
        y.float().to(device),
    )


def _waves(box: int, steps: Tensor) -> Tensor:
    """Return exp(−2πi f y) for frequencies of so many steps [frequency, y], with the origin at box // 2.

    They make up for linear interpolation, which darkens images away from their origin.
    """
    place = (torch.arange(box, dtype=torch.float64) - box // 2) / (_FINER * box)
    turns = steps[:, None] * place
    waves = torch.polar(1 / torch.sinc(place).square().expand_as(turns), -2 * math.pi * turns)
    return waves.to(torch.complex64)


def take_rings(images: Tensor, grid: PolarGrid) -> Tensor:
    """Return the rings [image, ring, angle] of images [image, y, x]; white noise of variance 1 keeps it.

    The origin is the pixel box // 2. Of the transform only the part within the rings is made, as two
    matrix products.
    """
    rings = []
    for some in torch.split(images.float(), _AT_ONCE):
        rows = torch.view_as_complex((some @ _pairs(grid.across)).reshape(len(some), grid.box, -1, 2))
        transform = (grid.down @ rows).flatten(1)
        points = transform.index_select(1, grid.corners[0]) * grid.weights[0]
        for corner, weight in zip(grid.corners[1:], grid.weights[1:], strict=True):
            points += transform.index_select(1, corner) * weight
        rings.append((points / grid.box).reshape(len(some), grid.rings, -1))
    return torch.cat(rings)


def _pairs(matrix: Tensor) -> Tensor:
    """Return a complex matrix [row, column] as a real one [row, column × (real, imaginary)]."""
    return torch.view_as_real(matrix).flatten(1)


def images_of(rings: Tensor, grid: PolarGrid) -> Tensor:
    """Return the images [image, y, x] that have these rings [image, ring, angle] and the mean zero.

    Every point counts for the area of the plane around it, so what lies within about half the box of the
    origin is true to the scale of `take_rings`.
    """
    area = 2 * math.pi / grid.angles * torch.arange(1, grid.rings + 1, device=rings.device)
    values = (rings * area[:, None]).flatten(1)
    plane = values.new_zeros((len(rings), len(grid.down) * grid.across.shape[1]))
    for corner, weight in zip(grid.corners, grid.weights, strict=True):
        plane.index_add_(1, corner, values * weight)
    rows = plane.reshape(len(rings), len(grid.down), -1) @ grid.across.mH
    images: Tensor = (grid.down.mH @ rows).real * (2 / grid.box)
    return images


def angular_modes(rings: Tensor) -> Tensor:
    """Return the modes m = 0 to angles / 2 of rings [..., angle], of which half are given.

    As a matrix product, which is several times faster here than short transforms.
    """
    half = rings.shape[-1]
    modes = torch.view_as_real(rings).flatten(-2) @ _analysis(half, rings.device)
    return torch.view_as_complex(modes.reshape(*modes.shape[:-1], half + 1, 2))


def rings_of(modes: Tensor) -> Tensor:
    """Return the rings that have these angular modes: the inverse of `angular_modes`."""
    half = modes.shape[-1] - 1
    sign = 1 - 2 * (torch.arange(1, half, device=modes.device) % 2)
    negative = (modes[..., 1:half].conj() * sign).flip(-1)
    rings: Tensor = torch.fft.ifft(torch.cat([modes, negative], dim=-1), norm="forward")[..., :half]
    return rings


def at_rotations(products: Tensor) -> Tensor:
    """Return real correlations [..., rotation] at all turns from products of modes [..., m]."""
    count = products.shape[-1]
    return torch.view_as_real(products).flatten(-2) @ _synthesis(count - 1, products.device)


@functools.lru_cache(maxsize=32)
def _analysis(half: int, device: torch.device) -> Tensor:
    """Return the matrix from half a ring's points (real, imaginary) to its modes (real, imaginary)."""
    points = torch.eye(half, dtype=torch.complex128)
    points = torch.stack([points, 1j * points], dim=1).flatten(0, 1)  # each number of a ring alone
    modes = torch.fft.fft(torch.cat([points, points.conj()], dim=-1), norm="forward")[:, : half + 1]
    return torch.view_as_real(modes).flatten(1).float().to(device)


@functools.lru_cache(maxsize=32)
def _synthesis(half: int, device: torch.device) -> Tensor:
    """Return the matrix from the modes of a real function (real, imaginary) to its values."""
    modes = torch.eye(half + 1, dtype=torch.complex128)
    modes = torch.stack([modes, 1j * modes], dim=1).flatten(0, 1)
    values: Tensor = torch.fft.irfft(modes, n=2 * half, norm="forward")
    return values.float().to(device)


def mode_power(modes: Tensor, other: Tensor | None = None) -> Tensor:
    """Return the mean over whole rings of Re f conj g [..., ring], from modes [..., ring, m]."""
    product = (modes * (modes if other is None else other).conj()).real
    return 2 * product.sum(-1) - product[..., 0] - product[..., -1]


def turn(modes: Tensor, angle: Tensor) -> Tensor:
    """Turn images by −`angle` (radians, from x towards y) [image]; modes [image, ring, m]."""
    order = torch.arange(modes.shape[-1], device=modes.device)
    return modes * torch.polar(torch.ones_like(angle)[:, None], angle[:, None] * order)[:, None]


def shift_rings(grid: PolarGrid, shifts: Tensor, rings: int, every: int = 1) -> Tensor:
    """Return the factors [..., ring, angle] that move images by `shifts` (x, y) px [..., 2].

    For the innermost `rings`, and every so-manyth angle.
    """
    x, y = grid.x[:rings, ::every], grid.y[:rings, ::every]
    turns = shifts[..., :1, None] * x + shifts[..., 1:, None] * y
    angle = turns * (-2 * math.pi / grid.box)
    return torch.complex(angle.cos(), angle.sin())
