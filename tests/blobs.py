"""A structure of Gaussian blobs: its volume and its projections are known exactly."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging import CTFOptics, contrast_transfer, fourier

OPTICS = CTFOptics(voltage=300, spherical_aberration=2.7, amplitude_contrast=0.1)


class Blobs(NamedTuple):
    """Blobs at (x, y, z) px from the middle, [blob, 3], of deviation `width` px and unit height."""

    centres: NDArray[np.float64]
    width: float = 1.5

    def volume(self, box: int) -> Tensor:
        """Return [z, y, x], the origin at the voxel box // 2."""
        z, y, x = (self._along(self.centres[:, axis], box) for axis in (2, 1, 0))
        return torch.einsum("bz,by,bx->zyx", z, y, x)

    def projections(
        self, box: int, orientations: NDArray[np.float64], shifts: NDArray[np.float64] | None = None
    ) -> Tensor:
        """Return the sums along z [particle, y, x] after turning by [particle, 3, 3] and moving by (x, y)."""
        turned = np.einsum("pij,bj->pbi", orientations, self.centres)[..., :2]
        if shifts is not None:
            turned = turned + shifts[:, None]
        x, y = self._along(turned[..., 0], box), self._along(turned[..., 1], box)
        return torch.einsum("pby,pbx->pyx", y, x) * (self.width * (2 * np.pi) ** 0.5)

    def _along(self, centres: NDArray[np.float64], box: int) -> Tensor:
        away = np.arange(box) - box // 2 - centres[..., None]
        return torch.from_numpy(np.exp(-(away**2) / (2 * self.width**2)).astype(np.float32))


def asymmetric(reach: float = 8.0) -> Blobs:
    """Return blobs without symmetry around the middle, within about `reach` px."""
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 1, (14, 3)) * [0.35, 0.5, 0.25] * reach
    centres[0] = [0.8 * reach, 0.5 * reach, 0]
    return Blobs(centres - centres.mean(0))


def ring(group: NDArray[np.float64], reach: float = 8.0) -> Blobs:
    """Return blobs with the symmetry of a group."""
    unit = np.array([[0.8, 0.1, 0.3], [0.5, 0.35, 0.55], [0.95, 0.25, 0.5]]) * reach
    return Blobs(np.concatenate([unit @ operator.T for operator in group]))


def noisy_particles(
    blobs: Blobs,
    orientations: NDArray[np.float64],
    box: int,
    pixel_size: float,
    signal: float,
    rng: np.random.Generator,
) -> tuple[Tensor, NDArray[np.float64]]:
    """Return images [particle, y, x] with contrast transfer and noise of deviation 1, and their defocus.

    Particles are off their middle by up to a pixel or two; four micrographs in turn. `signal` is the ratio of
    the variances of signal and noise.
    """
    count = len(orientations)
    images = blobs.projections(box, orientations, rng.normal(0, 0.7, (count, 2)))
    images = images - images.mean((1, 2), keepdim=True)
    distinct = np.array([[9e3, 8.8e3, 20], [12e3, 11.7e3, 80], [15e3, 15e3, 0], [19e3, 18.6e3, 140]])
    x, y = fourier.frequencies((box, box), pixel_size)
    for number, (u, v, angle) in enumerate(distinct.tolist()):
        transfer = -contrast_transfer(x, y, defocus_u=u, defocus_v=v, defocus_angle=angle, **OPTICS._asdict())
        images[number::4] = fourier.irfft2(fourier.rfft2(images[number::4]) * transfer, (box, box))
    noise = torch.from_numpy(rng.standard_normal(images.shape, dtype=np.float32))
    return images * (signal**0.5 / images.std()) + noise, distinct[np.arange(count) % 4]
