"""How a specimen becomes a movie: contrast, motion, radiation damage and the counting of electrons.

The counterpart of `specimen`: NumPy in, NumPy out, float32, on the CPU.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from eucentric.imaging.ctf import contrast_transfer, electron_wavelength

FloatArray = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

_ELECTRON_REST_ENERGY = 510.99895  # keV


class ImagingConditions(NamedTuple):
    """How the microscope images.

    Attributes:
        pixel_size: Å/px.
        voltage: kV.
        spherical_aberration: mm.
        amplitude_contrast: Fraction, 0 to 1.
        defocus_u: Larger defocus in Å, underfocus positive.
        defocus_v: Smaller defocus in Å.
        defocus_angle: Angle of U from the x axis in degrees.
        b_factor: Decay of all contrast in Å², exp(−B k²/4).
    """

    pixel_size: float
    voltage: float
    spherical_aberration: float
    amplitude_contrast: float
    defocus_u: float
    defocus_v: float
    defocus_angle: float
    b_factor: float


def interaction_constant(voltage: float) -> float:
    """Return the phase in rad that one V·Å of projected potential gives an electron of `voltage` kV.

    σ = 2π / (λ U) · (m c² + U) / (2 m c² + U): Kirkland (2010), Advanced Computing in Electron Microscopy.
    """
    relativity = (_ELECTRON_REST_ENERGY + voltage) / (2 * _ELECTRON_REST_ENERGY + voltage)
    return 2 * math.pi / (electron_wavelength(voltage) * voltage * 1e3) * relativity


def contrast_spectrum(potential: FloatArray, optics: ImagingConditions) -> Spectrum:
    """Image a thin specimen: the Fourier transform of (I − I₀) / I₀ as a weak phase object.

    The mean of the contrast is set to zero: what a thick specimen takes from the beam is not modelled.

    Args:
        potential: Projected potential in V·Å, one image [y, x] or several [..., y, x].
        optics: The imaging conditions.

    Returns:
        Half spectrum of each image, [..., y, x], as of `scipy.fft.rfft2`.
    """
    frequency_y, frequency_x = _frequencies(potential.shape[-2:], optics.pixel_size)
    transfer = contrast_transfer(
        torch.from_numpy(frequency_x),
        torch.from_numpy(frequency_y),
        defocus_u=optics.defocus_u,
        defocus_v=optics.defocus_v,
        defocus_angle=optics.defocus_angle,
        voltage=optics.voltage,
        spherical_aberration=optics.spherical_aberration,
        amplitude_contrast=optics.amplitude_contrast,
    ).numpy()
    envelope = np.exp(np.float32(-optics.b_factor / 4) * (frequency_x**2 + frequency_y**2))
    factor = np.float32(2 * interaction_constant(optics.voltage))
    spectrum: Spectrum = scipy.fft.rfft2(potential, workers=torch.get_num_threads())
    spectrum *= factor * transfer * envelope
    spectrum[..., 0, 0] = 0
    return spectrum


def shift_spectrum(spectrum: Spectrum, shape: tuple[int, int], shift: tuple[float, float]) -> Spectrum:
    """Move an image by (x, y) pixels, exactly and with wrap-around: features appear at larger x for +x.

    Args:
        spectrum: Half spectrum of the image.
        shape: Height and width of the image.
        shift: Displacement (x, y) in pixels.
    """
    frequency_y, frequency_x = _frequencies(shape, 1.0)
    phase_x = np.exp(np.complex64(-2j * np.pi * shift[0]) * frequency_x)
    phase_y = np.exp(np.complex64(-2j * np.pi * shift[1]) * frequency_y)
    moved: Spectrum = spectrum * phase_x
    moved *= phase_y
    return moved


def frequency_magnitude(shape: tuple[int, int], pixel_size: float) -> FloatArray:
    """Return |k| in 1/Å on the half spectrum of an image of this shape."""
    frequency_y, frequency_x = _frequencies(shape, pixel_size)
    return np.hypot(frequency_x, frequency_y)


def resample(image: FloatArray, displacement: FloatArray, margin: int) -> FloatArray:
    """Take the inner part of an image while every point of it moves by its own small displacement.

    Bicubic interpolation.

    Args:
        image: Image with a margin, [y + 2 · margin, x + 2 · margin].
        displacement: Displacement (x, y) in pixels of what appears at each pixel, [y, x, 2].
        margin: Pixels around the inner part; larger than any displacement.

    Returns:
        The inner part, [y, x].
    """
    height, width = displacement.shape[:2]
    # grid_sample counts from -1 at the centre of the first pixel to 1 at the centre of the last.
    scale = 2 / np.array([image.shape[1] - 1, image.shape[0] - 1], np.float32)
    grid = displacement * -scale
    grid[..., 0] += (np.arange(width, dtype=np.float32) + margin) * scale[0] - 1
    grid[..., 1] += ((np.arange(height, dtype=np.float32) + margin) * scale[1] - 1)[:, None]
    sampled = torch.nn.functional.grid_sample(
        torch.from_numpy(image)[None, None], torch.from_numpy(grid)[None], mode="bicubic", align_corners=True
    )
    inner: FloatArray = sampled[0, 0].numpy()
    return inner


def count_electrons(expected: FloatArray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw the number of electrons counted in each pixel, Poisson distributed.

    By inversion of one uniform number per pixel, which at the few electrons of a movie frame takes a fifth
    of the time of the usual generators.

    Args:
        expected: Expected counts [y, x], up to about 80; below zero counts as zero.
        rng: Source of randomness.

    Returns:
        Counts [y, x], at most 255.
    """
    mean = np.maximum(expected, np.float32(0)).reshape(-1)
    largest = float(mean.max(initial=0))
    # The chance of a higher count is below what a 24-bit uniform number resolves.
    limit = min(int(largest + 6 * math.sqrt(largest) + 6), 255)
    uniform = rng.random(mean.size, dtype=np.float32)
    counts = np.empty(mean.size, np.uint8)
    _invert_poisson(mean, np.exp(-mean), uniform, limit, counts)
    return counts.reshape(expected.shape)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _invert_poisson(
    mean: FloatArray, chance_of_none: FloatArray, uniform: FloatArray, limit: int, counts: NDArray[np.uint8]
) -> None:
    """Count how many terms of the cumulative distribution lie below `uniform`.

    All pixels take the same number of steps, in blocks that stay in the cache: without branches the
    compiler works on many pixels at a time.
    """
    for start in range(0, mean.size, 256):
        block = slice(start, min(start + 256, mean.size))
        chance = chance_of_none[block].copy()
        rest = uniform[block] - chance
        count = np.zeros(rest.size, np.int32)
        for step in range(1, limit + 1):
            factor = np.float32(1 / step)
            for i in range(rest.size):
                count[i] += rest[i] >= 0
                chance[i] *= mean[start + i] * factor
                rest[i] -= chance[i]
        for i in range(rest.size):
            counts[start + i] = count[i]


def _frequencies(shape: tuple[int, ...], pixel_size: float) -> tuple[FloatArray, FloatArray]:
    """Return the frequencies along y [y, 1] and along x [1, x] of a half spectrum, in 1/Å."""
    frequency_y = scipy.fft.fftfreq(shape[0], pixel_size).astype(np.float32)[:, None]
    frequency_x = scipy.fft.rfftfreq(shape[1], pixel_size).astype(np.float32)[None, :]
    return frequency_y, frequency_x
