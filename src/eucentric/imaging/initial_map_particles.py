"""Particles as they are compared with projections: their transforms, and their contrast transfer."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging.ctf import CTFOptics, contrast_transfer
from eucentric.imaging.projection import Disc, disc, take_points
from eucentric.imaging.reconstruction import soft_edge


class ParticleSet(NamedTuple):
    """Particles of one box and one pixel size.

    Attributes:
        points: The points of their transforms that are kept.
        images: Transforms, [particle, point].
        transfer: Contrast transfer, positive where protein is bright, [particle, point].
        half: Half of the particles, 0 or 1, to which each belongs for good, [particle].
        independent: Part of the box inside the mask: that much of the points is independent.
    """

    points: Disc
    images: Tensor
    transfer: Tensor
    half: Tensor
    independent: float

    def chosen(self, which: Tensor) -> "ParticleSet":
        """Return some of the particles, by their numbers."""
        return self._replace(images=self.images[which], transfer=self.transfer[which], half=self.half[which])

    def coarser(self, radius: float, box: int) -> "ParticleSet":
        """Return all particles as far as `radius` cycles per box, of as few pixels as `box`."""
        points = self.points.within(radius)
        count = len(points.x)
        return self._replace(
            points=points._replace(box=box), images=self.images[:, :count], transfer=self.transfer[:, :count]
        )


def prepare_particles(
    images: Tensor,
    pixel_size: float,
    diameter: float,
    optics: CTFOptics,
    defocus: NDArray[np.float64],
    *,
    finest: float = 12.0,
    phase_flipped: bool = False,
) -> ParticleSet:
    """Mask particles and transform them; they take turns in belonging to the first and the second half.

    Args:
        images: Particles, protein bright, background of mean 0 and deviation 1, [particle, y, x].
        pixel_size: Å/px.
        diameter: Of the particle, Å.
        optics: Voltage, aberration, amplitude contrast and phase shift.
        defocus: U and V in Å and the angle of U in degrees, [particle, 3].
        finest: Å; finer details are left out.
        phase_flipped: Whether the signs of the contrast transfer are corrected in the images.

    Raises:
        ValueError: Images and defocus differ in number, the images are not square, or they are too small for
            the diameter.
    """
    count, rows, box = images.shape
    if rows != box or len(defocus) != count:
        raise ValueError(
            f"{count} images of {rows} by {box} px with {len(defocus)} rows of defocus do not fit; give"
            " square images and one row for each."
        )
    points = points_to(finest, box, pixel_size, images.device)
    mask = particle_mask(box, pixel_size, diameter, images.device)
    transfer = particle_transfer(points, pixel_size, optics, defocus, phase_flipped=phase_flipped)
    half = torch.arange(count, device=images.device) % 2
    return ParticleSet(points, take_points(images * mask, points), transfer, half, independent_part(mask))


def points_to(finest: float, box: int, pixel_size: float, device: torch.device | str = "cpu") -> Disc:
    """Return the points of transforms to a resolution in Å, or as far as the pixels reach."""
    return disc(box, min(box * pixel_size / finest, box / 2 - 1), device)


def particle_mask(box: int, pixel_size: float, diameter: float, device: torch.device | str = "cpu") -> Tensor:
    """Return the mask [y, x] of a particle: 0 where it lies 10 % further out than the diameter (Å).

    Raises:
        ValueError: The images are too small for the diameter.
    """
    if diameter > box * pixel_size:
        raise ValueError(
            f"A particle of {diameter:g} Å does not fit in a box of {box * pixel_size:g} Å; extract larger"
            " boxes."
        )
    along = (torch.arange(box, device=device) - box // 2).float() ** 2
    return soft_edge((along[:, None] + along).sqrt(), 0.55 * diameter / pixel_size, 4)


def independent_part(mask: Tensor) -> float:
    """Return which part of the points of a transform of masked noise is independent."""
    return float(mask.square().mean())


def particle_transfer(
    points: Disc,
    pixel_size: float,
    optics: CTFOptics,
    defocus: NDArray[np.float64],
    *,
    phase_flipped: bool = False,
) -> Tensor:
    """Return the contrast transfer of each particle [particle, point]; see `prepare_particles`.

    It is computed once for those of one micrograph.
    """
    x, y = points.x / (points.box * pixel_size), points.y / (points.box * pixel_size)
    distinct, which = np.unique(defocus, axis=0, return_inverse=True)
    each = [
        -contrast_transfer(x, y, defocus_u=u, defocus_v=v, defocus_angle=angle, **optics._asdict())
        for u, v, angle in distinct.tolist()
    ]
    transfer = torch.stack(each)[torch.from_numpy(which.reshape(-1)).to(x.device)]
    return transfer.abs() if phase_flipped else transfer


def join(first: ParticleSet, second: ParticleSet) -> ParticleSet:
    """Return the particles of both.

    Raises:
        ValueError: They differ in box or resolution.
    """
    if first.points.box != second.points.box or len(first.points.x) != len(second.points.x):
        raise ValueError(
            f"Particles of {first.points.box} and of {second.points.box} px, or of other resolutions, cannot"
            " make one map; extract them with the same box and pixel size."
        )
    return first._replace(
        images=torch.cat([first.images, second.images]),
        transfer=torch.cat([first.transfer, second.transfer]),
        half=torch.cat([first.half, second.half]),
    )
