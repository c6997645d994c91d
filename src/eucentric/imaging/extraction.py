"""Cutting particles out of micrographs and bringing them to one scale of grey.

The result is what RELION's extraction gives (Scheres (2012), J. Struct. Biol. 180, 519): the window around
the rounded position, resampled by cropping its Fourier transform, less a plane fitted to the background,
with the background at mean 0 and deviation 1. The background is what lies outside the circle of the
particle's diameter.
"""

import math

import scipy.fft
import torch
from torch import Tensor

from eucentric.imaging import fourier
from eucentric.imaging.ctf import CTFOptics, contrast_transfer

_MARGIN = 1.5
"""Box over diameter: room for the delocalised signal and for the background around the particle."""


def box_size(diameter: float, pixel_size: float) -> int:
    """Return the even number of pixels, quick to transform, of a box 1.5 times as wide as a particle.

    Args:
        diameter: Of the particle, Å.
        pixel_size: Å/px.
    """
    return even_size(_MARGIN * diameter / pixel_size)


def even_size(pixels: float) -> int:
    """Return the next even length that is quick to transform (its half has no large prime factor)."""
    return 2 * scipy.fft.next_fast_len(max(1, math.ceil(pixels / 2)), real=True)


def flip_phases(
    micrograph: Tensor,
    pixel_size: float,
    optics: CTFOptics,
    *,
    defocus_u: float,
    defocus_v: float,
    defocus_angle: float,
) -> Tensor:
    """Turn the signs of the CTF, so that particles are dark at all frequencies, as at the lowest ones.

    On the whole micrograph: a box would cut off what defocus has carried out of it.

    Args:
        micrograph: Image [y, x], particles dark.
        pixel_size: Å/px.
        optics: Voltage, aberration, amplitude contrast, phase shift.
        defocus_u: Å, underfocus positive, along the axis at `defocus_angle`.
        defocus_v: Å, across.
        defocus_angle: Degrees of U from the x axis.

    Returns:
        Image [y, x].
    """
    shape = (micrograph.shape[0], micrograph.shape[1])
    x, y = fourier.frequencies(shape, pixel_size, micrograph.device)
    transfer = contrast_transfer(
        x, y, defocus_u=defocus_u, defocus_v=defocus_v, defocus_angle=defocus_angle, **optics._asdict()
    )
    transform = fourier.rfft2(micrograph)
    return fourier.irfft2(torch.where(transfer > 0, -transform, transform), shape)


def inside(coordinates: Tensor, shape: tuple[int, int], box: int) -> Tensor:
    """Return which particles' boxes lie within the image.

    Args:
        coordinates: Positions (x, y) in px [particle, 2].
        shape: Rows and columns of the micrograph.
        box: Edge of the box in px.

    Returns:
        Yes or no for every particle [particle].
    """
    first = _corner(coordinates, box)
    limits = torch.tensor([shape[1], shape[0]], device=coordinates.device) - box
    return ((first >= 0) & (first <= limits)).all(dim=1)


def cut_out(micrograph: Tensor, coordinates: Tensor, box: int) -> Tensor:
    """Cut boxes out of a micrograph; the pixel nearest to a position becomes [box // 2, box // 2].

    (RELION 3.1 takes the pixel below, so whole numbers mean the same to both.)

    Args:
        micrograph: Image [y, x].
        coordinates: Positions (x, y) in px [particle, 2], all `inside`.
        box: Edge of the box in px.

    Returns:
        Images [particle, y, x], float32.
    """
    first = _corner(coordinates, box)
    steps = torch.arange(box, device=micrograph.device)
    columns = first[:, 0, None] + steps
    rows = first[:, 1, None] + steps
    return micrograph[rows[:, :, None], columns[:, None, :]].float()


def nearest_pixels(coordinates: Tensor) -> Tensor:
    """Return positions [particle, 2] rounded to whole pixels, halves upwards."""
    return torch.floor(coordinates.double() + 0.5).long()


def _corner(coordinates: Tensor, box: int) -> Tensor:
    return nearest_pixels(coordinates) - box // 2


def resample_boxes(boxes: Tensor, new_box: int) -> Tensor:
    """Resample images [particle, y, x] to `new_box` pixels by cropping their Fourier transforms."""
    if boxes.shape[-1] == new_box:
        return boxes
    return torch.stack([fourier.resize(box, (new_box, new_box)) for box in boxes])


def normalise_boxes(boxes: Tensor, radius: float, *, ramp: bool = True) -> Tensor:
    """Bring the background of every image to mean 0 and deviation 1, and turn dark particles white.

    Args:
        boxes: Images [particle, y, x], particles dark.
        radius: Of the circle around [box // 2, box // 2] outside which there is background, px.
        ramp: Whether to take away the plane that fits the background best, not only its mean.

    Returns:
        Images [particle, y, x]; those without any contrast in the background are all zero.

    Raises:
        ValueError: The circle fills the box.
    """
    size = boxes.shape[-1]
    axis = torch.arange(size, device=boxes.device, dtype=torch.float64) - size // 2
    outside = axis[:, None] ** 2 + axis[None, :] ** 2 > radius**2
    count = int(outside.sum())
    if count < 0.1 * size**2 or radius >= size / 2:
        raise ValueError(
            f"A circle of {2 * radius:.0f} px leaves too little background in a box of {size} px; take a"
            " larger box."
        )
    x, y = axis.expand(size, size), axis[:, None].expand(size, size)
    terms = torch.stack([torch.ones_like(x), x, y]) if ramp else torch.ones_like(x)[None]
    flat = boxes.double().flatten(1)
    chosen = outside.flatten()
    basis = terms.flatten(1)
    weights = torch.linalg.lstsq(basis[:, chosen].T, flat[:, chosen].T).solution
    flat = flat - weights.T @ basis
    deviation = flat[:, chosen].square().mean(dim=1).sqrt()[:, None]
    scaled = torch.where(deviation > 0, -flat / deviation.clamp(min=1e-30), 0.0)
    return scaled.float().reshape(boxes.shape)
