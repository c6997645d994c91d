"""Projections of a volume by the central-slice theorem, and the adjoint that puts images back into a volume.

The Fourier transform of a projection is a central slice of the transform of the volume. The slice is read by
linear interpolation from the transform of the volume padded to twice its size; what that interpolation
does to the volume, a multiplication with sinc² along every axis, is undone beforehand (Scheres (2012),
J. Struct. Biol. 180, 519). Writing is the adjoint of reading.

Of an image only the half plane of its transform is kept, as a list of points in order of their frequency: a
lower resolution is the beginning of the list.
"""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

from eucentric.imaging import fourier

PADDING = 2
"""How much finer the transform of a volume is sampled than those of the images."""


class Disc(NamedTuple):
    """The points of half a plane of frequencies, nearest to zero first.

    Attributes:
        box: Rows and columns of the images.
        x: Index along x, in cycles per box, [point].
        y: Index along y, [point].
        shell: Distance from zero, rounded, [point].
    """

    box: int
    x: Tensor
    y: Tensor
    shell: Tensor

    def upto(self, radius: float) -> int:
        """Return how many points lie within `radius` cycles per box."""
        return int((self.x**2 + self.y**2 <= radius**2 + 1e-4).sum())

    def within(self, radius: float) -> "Disc":
        """Return the points within `radius` cycles per box: the beginning of the list."""
        count = self.upto(radius)
        return Disc(self.box, self.x[:count], self.y[:count], self.shell[:count])


_BLOCK = 100_000
"""Points that are inserted at a time."""


def disc(box: int, radius: float, device: torch.device | str = "cpu") -> Disc:
    """Return the points within `radius` cycles per box, one of each pair of opposite ones, without zero.

    Raises:
        ValueError: The radius does not lie between 1 and half the box, less 1.
    """
    if not 1 <= radius <= box / 2 - 1:
        raise ValueError(
            f"A radius of {radius:g} cycles does not lie between 1 and {box / 2 - 1:g}, the limit of a box of"
            f" {box} px."
        )
    reach = int(radius)
    y, x = torch.meshgrid(torch.arange(-reach, reach + 1), torch.arange(reach + 1), indexing="ij")
    x, y = x.flatten(), y.flatten()
    square = x**2 + y**2
    kept = (square <= radius**2) & ((x > 0) | (y > 0))
    # The sum of the squares ranks; rows and columns break ties, so that the order is always the same.
    order = torch.argsort(square[kept], stable=True)
    x, y, square = (values[kept][order].float().to(device) for values in (x, y, square))
    return Disc(box, x, y, square.sqrt().round().long())


def take_points(images: Tensor, points: Disc) -> Tensor:
    """Return the transforms [image, point] of images [image, y, x], whose origin is the pixel box // 2."""
    transforms = fourier.rfft2(images.float())
    taken = transforms[:, points.y.long() % points.box, points.x.long()]
    middle = torch.full((1, 2), -(points.box // 2), device=images.device)
    centred: Tensor = taken * shift_factors(points, middle)[0]
    return centred


def shift_factors(points: Disc, shifts: Tensor) -> Tensor:
    """Return factors [shift, point] that move images by `shifts` (x, y) in pixels, [shift, 2]."""
    turns = (shifts[:, :1].double() * points.x + shifts[:, 1:].double() * points.y) / points.box
    angle = -2 * torch.pi * torch.frac(turns)
    return torch.complex(angle.cos().float(), angle.sin().float())


def volume_transform(volume: Tensor, radius: float) -> Tensor:
    """Return what `project` reads: the centred transform of a volume within `radius`.

    Args:
        volume: Volume [z, y, x], a cube with its origin at the voxel box // 2.
        radius: Cycles per box to which slices will be read.

    Returns:
        Complex cube [z, y, x]; zero frequency in the middle voxel, `PADDING` points for each cycle per box.
    """
    box = volume.shape[-1]
    corrected = volume / _interpolation_blur(box, volume.device)
    size = PADDING * box
    padded = volume.new_zeros((size, size, size))
    start = size // 2 - box // 2
    padded[start : start + box, start : start + box, start : start + box] = corrected
    spectrum = torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(padded)))
    middle, reach = size // 2, grid_size(radius) // 2
    kept = slice(middle - reach, middle + reach + 1)
    inner: Tensor = spectrum[kept, kept, kept].contiguous()
    return inner


def volume_of(transform: Tensor, box: int) -> Tensor:
    """Return the volume [z, y, x] of `box` voxels of a centred transform that was filled by `insert`.

    Linear interpolation, this time of the values spread over the grid, is undone here too.
    """
    size, reach = PADDING * box, transform.shape[-1] // 2
    padded = transform.new_zeros((size, size, size))
    middle = size // 2
    kept = slice(middle - reach, middle + reach + 1)
    padded[kept, kept, kept] = transform
    volume = torch.fft.fftshift(torch.fft.ifftn(torch.fft.ifftshift(padded)).real)
    start = middle - box // 2
    inner = volume[start : start + box, start : start + box, start : start + box]
    corrected: Tensor = inner / _interpolation_blur(box, transform.device)
    return corrected


def grid_size(radius: float) -> int:
    """Return the edge, odd, of the cube that holds all that linear interpolation touches within `radius`."""
    return 2 * (int(PADDING * radius) + 1) + 1


def project(transform: Tensor, orientations: Tensor, points: Disc) -> Tensor:
    """Read central slices.

    Args:
        transform: Centred transform as of `volume_transform`, complex [z, y, x].
        orientations: Matrices [orientation, 3, 3].
        points: Points of the image plane.

    Returns:
        Transforms [orientation, point] of projections along z; a volume's sum along z has this transform.
    """
    size = transform.shape[-1]
    where = _positions(orientations, points) * (PADDING * 2 / (size - 1))  # -1 to 1 across the cube
    stacked = torch.view_as_real(transform).permute(3, 0, 1, 2)[None]
    read = torch.nn.functional.grid_sample(stacked, where[None, None], mode="bilinear", align_corners=True)
    return torch.complex(read[0, 0, 0], read[0, 1, 0])


def insert(
    sums: tuple[Tensor, Tensor], orientations: Tensor, points: Disc, values: Tensor, weights: Tensor
) -> None:
    """Add slices to a volume in place, the adjoint of `project`.

    Args:
        sums: Real cubes [z, y, x, 2] for the values (real, imaginary) and [z, y, x] for the weights.
        orientations: Matrices [orientation, 3, 3].
        points: Points of the image plane.
        values: Complex [orientation, point].
        weights: Real [orientation, point].
    """
    # In blocks that stay in the cache, several times as fast as all at once.
    block = max(1, _BLOCK // len(points.x))
    for start in range(0, len(orientations), block):
        part = slice(start, start + block)
        _insert(sums, orientations[part], points, values[part], weights[part])


def _insert(
    sums: tuple[Tensor, Tensor], orientations: Tensor, points: Disc, values: Tensor, weights: Tensor
) -> None:
    numerator, denominator = sums[0].view(-1), sums[1].view(-1)
    size = sums[1].shape[-1]
    where = (_positions(orientations, points) * PADDING + size // 2).reshape(-1, 3).T.contiguous()
    below = where.floor()
    upper = where - below
    lower = 1 - upper
    first = below.long()
    corner = (first[2] * size + first[1]) * size + first[0]
    real, imaginary, weight = values.real.flatten(), values.imag.flatten(), weights.flatten()
    for z, y, x in itertools.product((0, 1), repeat=3):
        share = (upper if x else lower)[0] * (upper if y else lower)[1] * (upper if z else lower)[2]
        index = corner + (z * size + y) * size + x
        numerator.index_add_(0, 2 * index, share * real)
        numerator.index_add_(0, 2 * index + 1, share * imaginary)
        denominator.index_add_(0, index, share * weight)


def _positions(orientations: Tensor, points: Disc) -> Tensor:
    """Return frequencies (x, y, z) in cycles per box in the volume's frame, [orientation, point, 3]."""
    plane = torch.stack([points.x, points.y], dim=-1)
    return plane @ orientations[:, :2].to(plane.dtype)


def _interpolation_blur(box: int, device: torch.device) -> Tensor:
    """Return what linear interpolation in Fourier space multiplies a volume with, sinc² along each axis."""
    along = torch.sinc((torch.arange(box, device=device) - box // 2) / (PADDING * box)) ** 2
    return along[:, None, None] * along[:, None] * along
