"""Templates from class averages and from maps: centred, and projected from all sides."""

import math

import numpy as np
import torch
from torch import Tensor

from eucentric.imaging import fourier
from eucentric.imaging.extraction import even_size
from eucentric.imaging.orientations import from_euler
from eucentric.imaging.projection import disc, project, shift_factors, volume_transform

_ACROSS = 24
"""Pixels of a diameter in projections: a little finer than micrographs are picked at."""
_BOX = 2.0
"""Box of a projection in diameters."""


def centred(images: Tensor) -> Tensor:
    """Move the centres of mass of white particles on zero [image, y, x] to the pixel [box // 2, box // 2].

    Where classes are averaged, nothing holds them in the middle of the box.
    """
    box = images.shape[-1]
    mass = images.clamp(min=0)
    axis = torch.arange(box, device=images.device, dtype=images.dtype) - box // 2
    total = mass.sum(dim=(1, 2)).clamp(min=1e-12)
    x, y = (mass * axis).sum(dim=(1, 2)) / total, (mass * axis[:, None]).sum(dim=(1, 2)) / total
    moved = [
        fourier.shift_image(image, (-dx, -dy))
        for image, dx, dy in zip(images, x.tolist(), y.tolist(), strict=True)
    ]
    return torch.stack(moved)


def map_projections(
    volume: Tensor, voxel_size: float, diameter: float, spacing: float
) -> tuple[Tensor, float]:
    """Project a map from half of all sides; their mirror images are the views from the other half.

    Args:
        volume: Map [z, y, x], a cube, particle white, in its middle.
        voxel_size: Å.
        diameter: Of the particle, Å.
        spacing: Degrees between neighbouring directions of view, about.

    Returns:
        Projections [view, y, x], zero around the particle, and their pixel size.

    Raises:
        ValueError: The particle is larger than the map.
    """
    edge = volume.shape[-1]
    if diameter > edge * voxel_size:
        raise ValueError(
            f"The map is {edge * voxel_size:.0f} Å wide, and a particle {diameter:.0f} Å; give the particle's"
            " diameter, or the map's pixel size."
        )
    box = even_size(_BOX * _ACROSS)
    pixel_size = _BOX * diameter / box
    small = _resampled(volume - volume[0].median(), voxel_size / pixel_size, box)
    points = disc(box, box / 2 - 1, volume.device)
    views = _directions(max(1, round(2 * math.pi / math.radians(spacing) ** 2)))
    slices = project(volume_transform(small, box / 2 - 1), torch.from_numpy(views).to(small), points)
    slices = slices * shift_factors(points, torch.full((1, 2), box // 2, device=volume.device))[0]
    transform = slices.new_zeros((len(views), box, box // 2 + 1))
    transform[:, points.y.long() % box, points.x.long()] = slices
    mirrored = points.x == 0
    transform[:, -points.y[mirrored].long() % box, 0] = slices[:, mirrored].conj()
    images = fourier.irfft2(transform, (box, box))
    border = images[:, 0].mean(dim=1)
    return images - border[:, None, None], pixel_size


def _directions(count: int) -> np.ndarray:
    """Return orientations [view, 3, 3] that look from half a sphere evenly, along a golden spiral."""
    number = np.arange(count) + 0.5
    tilt = np.degrees(np.arccos(1 - number / count))
    rot = np.degrees(math.pi * (1 + math.sqrt(5)) * number) % 360
    matrices: np.ndarray = from_euler(np.stack([rot, tilt, np.zeros(count)], axis=-1))
    return matrices


def _resampled(volume: Tensor, scale: float, box: int) -> Tensor:
    """Return the middle of a volume on other voxels [z, y, x]: what is finer than two of them is left out.

    `scale` is the size of a voxel in new ones.
    """
    edge = volume.shape[-1]
    if scale < 1:
        frequency = torch.fft.fftfreq(edge, device=volume.device)
        kept = (frequency.abs() <= 0.5 * scale)[:, None, None] & (frequency.abs() <= 0.5 * scale)[:, None]
        kept = kept & (torch.fft.rfftfreq(edge, device=volume.device) <= 0.5 * scale)
        volume = torch.fft.irfftn(torch.fft.rfftn(volume) * kept, s=volume.shape)
    axis = ((torch.arange(box, device=volume.device) - box // 2) / scale + edge // 2) * (2 / (edge - 1)) - 1
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    grid = torch.stack([x, y, z], dim=-1)[None]
    sampled: Tensor = torch.nn.functional.grid_sample(volume[None, None], grid, align_corners=True)[0, 0]
    return sampled
