"""Volumes from projections whose orientations are known, and how well two volumes agree.

Direct Fourier inversion: slices are added up where they lie, weighted with their contrast transfer over the
noise, and divided by the sum of the squared weights (Wiener filter; Scheres (2012), J. Mol. Biol. 415, 406).
The images of two halves are added up apart: how well the halves agree tells the signal, hence the filter.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from eucentric.imaging.projection import PADDING, Disc, grid_size, insert, volume_of


class SliceSums(NamedTuple):
    """Sums of slices, of two halves of the images.

    Attributes:
        numerator: Images times contrast transfer over the noise, [half, z, y, x, real and imaginary].
        denominator: Squared contrast transfer over the noise, [half, z, y, x].
    """

    numerator: Tensor
    denominator: Tensor

    @classmethod
    def empty(cls, radius: float, device: torch.device | str = "cpu") -> "SliceSums":
        """Return sums of nothing, with room for slices to `radius` cycles per box."""
        size = grid_size(radius)
        return cls(
            torch.zeros((2, size, size, size, 2), device=device),
            torch.zeros((2, size, size, size), device=device),
        )

    def add(self, half: Tensor, orientations: Tensor, points: Disc, values: Tensor, weights: Tensor) -> None:
        """Add slices.

        Args:
            half: 0 or 1 for each slice, [slice].
            orientations: Matrices [slice, 3, 3].
            points: The slices' points.
            values: Complex [slice, point].
            weights: Real [slice, point].
        """
        for which in (0, 1):
            mine = half == which
            sums = (self.numerator[which], self.denominator[which])
            insert(sums, orientations[mine], points, values[mine], weights[mine])

    def scaled(self, factor: float) -> "SliceSums":
        """Return the sums as if every slice counted `factor` as much."""
        return SliceSums(self.numerator * factor, self.denominator * factor)


class Reconstruction(NamedTuple):
    """A volume and the correlation of its halves.

    Attributes:
        volume: [z, y, x], Wiener-filtered.
        fsc: Fourier shell correlation of the halves, for 0, 1, ... cycles per box.
        halves: The two halves' volumes, not filtered, [half, z, y, x].
        references: The same, Wiener-filtered.
    """

    volume: Tensor
    fsc: Tensor
    halves: Tensor
    references: Tensor


def reconstruct(sums: SliceSums, box: int, radius: float, group: Tensor | None = None) -> Reconstruction:
    """Return the volume of the sums within `radius` cycles per box.

    The filter's signal-to-noise ratio follows from the halves' correlation F, as 2 F / (1 - F).

    Args:
        sums: What was added up.
        box: Edge of the volume in voxels.
        radius: Where it ends, in cycles per box.
        group: Operators of the point group [operator, 3, 3], the identity first; None for none.
    """
    size = sums.denominator.shape[-1]
    shell = _shells(size, sums.denominator.device)
    inside = shell <= radius * PADDING
    transforms = torch.view_as_complex(sums.numerator)
    # Only half of every plane was added; the other half is the conjugate, at the opposite points.
    transforms = (transforms + transforms.flip(1, 2, 3).conj()) * inside
    weights = (sums.denominator + sums.denominator.flip(1, 2, 3)) * inside
    if group is not None and len(group) > 1:
        transforms, weights = _symmetrised(transforms, weights, group, inside)
    level = shell_means(weights.mean(0), shell)
    floor = 0.01 * level[shell]
    halves = _volumes(transforms, weights, floor / 2, box)
    fsc = fourier_shell_correlation(halves[0], halves[1])
    fsc[int(radius) + 1 :] = 0
    ratio = (2 * fsc / (1 - fsc)).clamp(min=0.02, max=1000).nan_to_num(0.02)
    per_shell = torch.nn.functional.interpolate(
        ratio[None, None], size=PADDING * (len(ratio) - 1) + 1, mode="linear", align_corners=True
    )[0, 0]
    per_shell = torch.nn.functional.pad(per_shell, (0, size), value=0.02)
    regular = 2 * level[shell] / per_shell[shell]
    volume = _volumes(transforms.sum(0)[None], weights.sum(0)[None], regular + floor, box)[0]
    return Reconstruction(volume, fsc, halves, _volumes(transforms, weights, regular + floor / 2, box))


def _volumes(transforms: Tensor, weights: Tensor, regular: Tensor, box: int) -> Tensor:
    return torch.stack(
        [volume_of(n / (w + regular + 1e-20), box) for n, w in zip(transforms, weights, strict=True)]
    )


def _symmetrised(transforms: Tensor, weights: Tensor, group: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return sums as if every slice had been added in all its symmetric places too.

    They are read there by linear interpolation, once for each operator, however many slices there are.
    """
    size = len(inside)
    z, y, x = torch.nonzero(inside, as_tuple=True)
    where = (torch.stack([x, y, z], dim=-1) - size // 2) / (size // 2)  # -1 to 1 across the cube
    stacked = torch.cat([torch.view_as_real(transforms).movedim(-1, 1), weights[:, None]], dim=1)
    total = stacked[:, :, inside]
    for operator in group[1:]:
        there = (where @ operator.to(where)).expand(2, 1, 1, -1, 3)
        read = torch.nn.functional.grid_sample(stacked, there, mode="bilinear", align_corners=True)
        total = total + read[:, :, 0, 0]
    stacked = torch.zeros_like(stacked)
    stacked[:, :, inside] = total
    return torch.complex(stacked[:, 0], stacked[:, 1]), stacked[:, 2]


def fourier_shell_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Return the correlation of two volumes [z, y, x] in Fourier shells of 0, 1, ... cycles per box.

    Source: Harauz & van Heel (1986), Optik 73, 146.
    """
    box = first.shape[-1]
    shell = _shells(box, first.device, centred=False)
    a, b = torch.fft.fftn(first), torch.fft.fftn(second)
    counted = shell <= box // 2

    def total(values: Tensor) -> Tensor:
        return torch.bincount(shell[counted], values[counted], box // 2 + 1)

    both = total((a * b.conj()).real)
    scale = (total(a.abs() ** 2) * total(b.abs() ** 2)).sqrt()
    return (both / scale.clamp(min=1e-20)).float()


def resolution_at(fsc: Tensor, box: int, pixel_size: float, threshold: float = 0.5) -> float:
    """Return the resolution in Å where a curve first falls below a threshold, between shells linearly.

    Twice the pixel size where it never does; the length of the box where it is below from the first shell.
    """
    values: list[float] = fsc.tolist()
    for shell in range(1, len(values)):
        if values[shell] < threshold:
            if shell == 1:
                return box * pixel_size
            above = values[shell - 1]
            crossing = shell - 1 + (above - threshold) / (above - values[shell])
            return box * pixel_size / crossing
    return 2 * pixel_size


def soft_sphere(box: int, diameter: float, edge: float, device: torch.device | str = "cpu") -> Tensor:
    """Return a mask [z, y, x], 1 within `diameter` (voxels) and falling to 0 over `edge` voxels."""
    along = (torch.arange(box, device=device) - box // 2).float() ** 2
    radius = (along[:, None, None] + along[:, None] + along).sqrt()
    return soft_edge(radius, diameter / 2, edge)


def soft_edge(radius: Tensor, limit: float, edge: float) -> Tensor:
    """Return 1 where `radius` is below `limit`, and a half cosine to 0 over `edge` beyond."""
    return 0.5 + 0.5 * torch.cos(torch.pi * ((radius - limit) / edge).clamp(0, 1))


def shell_means(values: Tensor, shell: Tensor) -> Tensor:
    """Return the mean of values in each shell (an integer for each value)."""
    total = torch.bincount(shell.flatten(), values.flatten())
    return (total / torch.bincount(shell.flatten()).clamp(min=1)).float()


def _shells(size: int, device: torch.device, *, centred: bool = True) -> Tensor:
    """Return the rounded distance of every point of a cube from zero frequency."""
    along = torch.arange(size, device=device) - size // 2
    along = (along if centred else torch.fft.ifftshift(along)).float() ** 2
    return (along[:, None, None] + along[:, None] + along).sqrt().round().long()
