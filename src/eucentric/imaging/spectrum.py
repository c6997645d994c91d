"""Power spectra of micrographs, as the sum over tiles, and their averages along rings."""

import math

import scipy.fft
import torch
from torch import Tensor

from eucentric.imaging import fourier

FIT_NYQUIST = 2.6
"""Å; spectra keep frequencies up to 1/2.6 Å, where live micrographs no longer show rings."""

_TILE_EXTENT = 1400.0  # Å; a ring at 3 Å and 3 µm defocus is then still four samples wide


def tile_size(shape: tuple[int, int], pixel_size: float) -> int:
    """Return the edge in pixels of the tiles that suit an image of `shape` (y, x).

    About 1400 Å, but no more than half the image, so that there are some tiles to average, unless that
    is less than 256 pixels.
    """
    wanted = min(math.ceil(_TILE_EXTENT / pixel_size), max(256, min(shape) // 2))
    return min(2 * scipy.fft.next_fast_len(math.ceil(wanted / 2), real=True), min(shape) // 2 * 2)


def power_spectrum(
    image: Tensor, pixel_size: float, *, tile: int | None = None, overlap: float = 0.5
) -> tuple[Tensor, float]:
    """Return the mean power spectrum [n, n] of the tiles of an image, and the pixel size it stands for.

    The zero frequency is at [n // 2, n // 2]. Only frequencies up to 1/2.6 Å are kept: the spectrum is
    that of an image resampled to the returned pixel size (Å), exactly, because the transform of each tile
    is cropped. Tiles are weighted by a Hann window; white noise of unit variance gives a
    spectrum of 1.

    Args:
        image: Image [y, x].
        pixel_size: Its pixel size in Å.
        tile: Edge of a tile in pixels, even; by default about 1400 Å.
        overlap: How much neighbouring tiles overlap, 0 to less than 1, as a fraction of their edge.

    Raises:
        ValueError: the image is smaller than 64 pixels or than a tile.

    Source: Welch (1967), IEEE Trans. Audio Electroacoust. 15, 70.
    """
    shape = (image.shape[0], image.shape[1])
    if min(shape) < 64 or (tile is not None and tile > min(shape)):
        raise ValueError(
            f"An image of {shape[1]} × {shape[0]} pixels is too small for a power spectrum; give one of at"
            " least 64 × 64 pixels and no smaller than its tiles."
        )
    size = tile if tile is not None else tile_size(shape, pixel_size)
    kept = min(size, 2 * math.ceil(size * pixel_size / FIT_NYQUIST))
    rows, columns = (_starts(length, size, overlap) for length in shape)
    total = image.new_zeros((kept, kept // 2 + 1), dtype=torch.float32)
    window = torch.hann_window(size, periodic=True, device=image.device)
    taper = window[:, None] * window[None, :]
    for row in rows:
        # One row of tiles at a time: as fast as all at once, without copying the image.
        strip = torch.stack([image[row : row + size, c : c + size] for c in columns]).float()
        strip = (strip - strip.mean(dim=(1, 2), keepdim=True)) * taper
        total += _cropped_power(fourier.rfft2(strip), kept)
    power = total / (len(rows) * len(columns) * float(taper.square().sum()))
    return _whole(power), pixel_size * size / kept


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    count = max(1, 1 + math.ceil((length - tile) / (tile * (1 - overlap)) - 0.5))
    return [round(index * (length - tile) / max(1, count - 1)) for index in range(count)]


def _cropped_power(transforms: Tensor, kept: int) -> Tensor:
    half = kept // 2
    rows = transforms.shape[-2]
    if kept == rows:
        return transforms.abs().square().sum(dim=0)
    low = transforms[:, :half, : half + 1]
    high = transforms[:, rows - half :, : half + 1]
    return torch.cat([part.real.square().add(part.imag.square()).sum(dim=0) for part in (low, high)])


def _whole(half: Tensor) -> Tensor:
    """Return the centred spectrum [n, n] from the half spectrum [n, n // 2 + 1] of a real image."""
    size = half.shape[0]
    right = torch.fft.fftshift(half, dim=0)
    whole = half.new_empty((size, size))
    whole[:, size // 2 :] = right[:, :-1]
    # Friedel: the value at (-x, -y) is that at (x, y).
    mirrored = torch.flip(torch.roll(torch.flip(right, (0,)), 1, 0)[:, 1:], (1,))
    whole[:, : size // 2] = mirrored
    return whole


def spectrum_frequencies(size: int, pixel_size: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the frequencies (x [1, n], y [n, 1]) in 1/Å of a centred spectrum [n, n]."""
    axis = (torch.arange(size, device=device, dtype=torch.float32) - size // 2) / (size * pixel_size)
    return axis[None, :], axis[:, None]
