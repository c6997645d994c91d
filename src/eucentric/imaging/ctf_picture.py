"""A picture by which people judge a fit of the contrast transfer function."""

import math

import numpy as np
import scipy.fft
import torch
from torch import Tensor
from torch.nn import functional

from eucentric.imaging.ctf import CTFOptics, contrast_transfer
from eucentric.imaging.polar_spectrum import FloatArray, PolarSpectrum
from eucentric.imaging.ring_profile import RingProfile, ring_frequency
from eucentric.imaging.spectrum import spectrum_frequencies

_SIZE = 512  # px
_ANGLES = 720  # in half a turn
_ARC = 36  # of them to either side of each are averaged, with falling weights: 9° in all
_GREY = 0.5
_NO_POWER = 1e-30  # stands for zero, which has no logarithm


def ctf_picture(
    spectrum: Tensor,
    polar: PolarSpectrum,
    pixel_size: float,
    axes: tuple[float, float, float],
    optics: CTFOptics,
    profile: RingProfile,
) -> Tensor:
    """Return a picture [512, 512] of spectrum and fit, 0 to 1, zero frequency at [256, 256].

    The left half is the spectrum, averaged along short arcs. On the right, in the rows from the middle on
    (the upper quarter of the picture as people see it), is its average along the fitted rings, and in the
    rows before the fitted CTF². The picture reaches to the highest frequency of the fit along both axes.
    The spectrum and its average are brought to an even contrast along the frequency, so that weak
    rings show as well as strong ones. The picture is small and made on the CPU wherever the spectrum lies.

    Args:
        spectrum: Power [n, n], zero frequency at [n // 2, n // 2].
        polar: The same in sectors, with its background.
        pixel_size: Pixel size in Å that the whole spectrum stands for.
        axes: Defocus U and V in Å, and the angle of U in degrees.
        optics: The rest of the optics.
        profile: The average along the rings.
    """
    # The picture's own pixel size: half a picture holds the range of the fit.
    x, y = spectrum_frequencies(_SIZE, 1 / (2 * float(polar.frequency[-1])), torch.device("cpu"))
    half = _SIZE // 2
    inside = (torch.hypot(x, y) >= polar.frequency[0]) & (torch.hypot(x, y) <= polar.frequency[-1])
    left = x[:, :half].expand(_SIZE, half), y.expand(_SIZE, half)
    right = x[:, half:].expand(half, half)
    model, averaged = ((right, part.expand(half, half)) for part in (y[:half], y[half:]))
    whole = torch.empty(_SIZE, _SIZE)
    smoothed = _smoothed(spectrum.cpu(), polar, pixel_size, *left)
    whole[:, :half] = _even(smoothed, torch.hypot(*left), inside[:, :half])
    named = {"defocus_u": axes[0], "defocus_v": axes[1], "defocus_angle": axes[2], **optics._asdict()}
    whole[:half, half:] = contrast_transfer(*model, **named).square()
    along = ring_frequency(averaged[0].double().numpy(), averaged[1].double().numpy(), axes, optics)
    mean = np.interp(along, profile.frequency, _evened(profile), left=_GREY, right=_GREY)
    whole[half:, half:] = torch.from_numpy(mean)
    return torch.where(inside, whole, _GREY)


def _smoothed(spectrum: Tensor, polar: PolarSpectrum, pixel_size: float, x: Tensor, y: Tensor) -> Tensor:
    """Return the log spectrum without background at frequencies (x, y), averaged along arcs.

    Noise goes and rings stay, round ones and elliptical ones alike: an arc of 9° is short.
    """
    size = spectrum.shape[0]
    highest = float(polar.frequency[-1])
    angle = torch.linspace(0, math.pi, _ANGLES + 1)[:-1, None]  # Friedel: half is enough
    radius = torch.linspace(0, highest, _SIZE)[None, :]
    place = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)
    arcs = _sampled(torch.log(spectrum.clamp(min=_NO_POWER)), place * (size * pixel_size) + size // 2)
    arcs -= torch.from_numpy(np.interp(radius[0].numpy(), polar.frequency, polar.background)).to(arcs)
    # Half a turn is a period: the convolution along the angle is cyclic.
    kernel = np.zeros(_ANGLES, np.float32)
    kernel[np.arange(-_ARC, _ARC + 1)] = np.hanning(2 * _ARC + 1) / _ARC
    response = scipy.fft.rfft(kernel)[:, None] * scipy.fft.rfft(arcs.numpy(), axis=0)
    arcs = torch.from_numpy(scipy.fft.irfft(response, _ANGLES, axis=0))
    row = torch.remainder(torch.atan2(y, x), math.pi) / math.pi * _ANGLES
    column = torch.hypot(x, y) / highest * (_SIZE - 1)
    # One more row, the same as the first, so that the last angle is interpolated towards it.
    return _sampled(torch.cat([arcs, arcs[:1]]), torch.stack([column, row], dim=-1))


def _sampled(image: Tensor, place: Tensor) -> Tensor:
    """Return an image at places (x, y) in pixels [..., 2], interpolated bilinearly."""
    # grid_sample counts from -1 at the centre of the first pixel to 1 at the centre of the last.
    last = torch.tensor([image.shape[1] - 1, image.shape[0] - 1])
    grid = (place * 2 / last - 1).to(image.dtype)
    sampled = functional.grid_sample(image[None, None], grid[None], padding_mode="border", align_corners=True)
    return sampled[0, 0]


def _even(image: Tensor, distance: Tensor, inside: Tensor) -> Tensor:
    """Bring an image to mean 0.5 and even contrast on rings 8 pixels wide; clip to 0 to 1."""
    rings = _SIZE // 16
    ring = (distance / distance[inside].max() * rings).clamp(max=rings - 1)
    index, kept = ring.long()[inside], image[inside]
    count = torch.bincount(index, minlength=rings).clamp(min=1)
    mean = torch.bincount(index, kept, minlength=rings) / count
    square = torch.bincount(index, kept.square(), minlength=rings) / count
    deviation = (square - mean.square()).clamp(min=0).sqrt()
    # Where there is nothing but noise the contrast is least; it is shown at half.
    used = torch.unique(index)
    spread = deviation.clamp(min=2 * float(deviation[used].min()))
    # Between the middles of two rings both count, so that no border is seen.
    place = (ring - 0.5).clamp(float(used.min()), rings - 1)
    low = place.floor().long()
    high = (low + 1).clamp(max=rings - 1)
    part = place - low
    centre = mean[low] * (1 - part) + mean[high] * part
    width = spread[low] * (1 - part) + spread[high] * part
    return (0.5 + (image - centre) / (3.5 * width).clamp(min=1e-6)).clamp(0, 1)


def _evened(profile: RingProfile) -> FloatArray:
    """Return the average along rings, stretched to 0 to 1 by its range around each frequency."""
    reach = max(9, len(profile.spectrum) // 12)
    padded = np.pad(profile.spectrum, reach, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    low, high = np.percentile(windows, [5, 95], axis=1)
    span = np.maximum(high - low, max(2 * float((high - low).min()), 1e-6))
    return np.asarray(np.clip(0.5 + (profile.spectrum - (low + high) / 2) / span, 0, 1), dtype=np.float64)
