"""Power spectra of micrographs, as the sum over tiles, and their averages along rings."""

import math
from collections.abc import Iterator
from typing import NamedTuple

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
    size, kept, corners = _layout(image, pixel_size, tile, overlap)
    total = image.new_zeros((kept, kept // 2 + 1), dtype=torch.float32)
    for power in _tile_powers(image, size, kept, corners):
        total += power
    return _whole(total / len(corners)), pixel_size * size / kept


class LocalSpectra(NamedTuple):
    """The power spectra of the tiles of one image."""

    powers: Tensor
    """[tile, n, n // 2]: the half with x >= 0 of each, zero frequency at [n // 2, 0]"""
    centres: Tensor
    """[tile, 2]: where the tiles' centres (x, y) lie from the image's, Å, float64, on the CPU"""
    pixel_size: float
    """Pixel size in Å that the spectra stand for"""
    mean: Tensor
    """[n, n]: their mean, as of `power_spectrum`"""


def local_spectra(image: Tensor, pixel_size: float) -> LocalSpectra:
    """Return the power spectra of the tiles of an image [y, x] of `pixel_size` Å, and their mean.

    Raises:
        ValueError: as `power_spectrum`.
    """
    size, kept, corners = _layout(image, pixel_size, None, 0.5)
    powers = image.new_empty((len(corners), kept, kept // 2), dtype=torch.float32)
    total = image.new_zeros((kept, kept // 2 + 1), dtype=torch.float32)
    half = kept // 2
    for tile, power in zip(powers, _tile_powers(image, size, kept, corners), strict=True):
        total += power
        tile[:half], tile[half:] = power[half:, :-1], power[:half, :-1]
    rows, columns = torch.tensor(corners, dtype=torch.float64).T + (size - 1) / 2
    centres = torch.stack([columns - (image.shape[1] - 1) / 2, rows - (image.shape[0] - 1) / 2], dim=1)
    return LocalSpectra(powers, centres * pixel_size, pixel_size * size / kept, _whole(total / len(corners)))


def _layout(
    image: Tensor, pixel_size: float, tile: int | None, overlap: float
) -> tuple[int, int, list[tuple[int, int]]]:
    """Return the edges of the tiles and of the spectra that are kept, and the tiles' first pixels (y, x)."""
    shape = (image.shape[0], image.shape[1])
    if min(shape) < 64 or (tile is not None and tile > min(shape)):
        raise ValueError(
            f"An image of {shape[1]} × {shape[0]} pixels is too small for a power spectrum; give one of at"
            " least 64 × 64 pixels and no smaller than its tiles."
        )
    size = tile if tile is not None else tile_size(shape, pixel_size)
    kept = min(size, 2 * math.ceil(size * pixel_size / FIT_NYQUIST))
    rows, columns = (_starts(length, size, overlap) for length in shape)
    return size, kept, [(row, column) for row in rows for column in columns]


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    count = max(1, 1 + math.ceil((length - tile) / (tile * (1 - overlap)) - 0.5))
    return [round(index * (length - tile) / max(1, count - 1)) for index in range(count)]


def _tile_powers(image: Tensor, size: int, kept: int, corners: list[tuple[int, int]]) -> Iterator[Tensor]:
    """Yield the power [n, n // 2 + 1] of every tile, zero frequency first; unit white noise has 1."""
    window = torch.hann_window(size, periodic=True, device=image.device)
    taper = window[:, None] * window[None, :]
    taper /= taper.square().sum().sqrt()
    for row, column in corners:
        tile = image[row : row + size, column : column + size].float()
        # One tile at a time stays in the cache.
        transform = fourier.cropped_rfft2((tile - tile.mean()).mul_(taper), kept)
        yield transform.real.square().addcmul_(transform.imag, transform.imag)


def _whole(half: Tensor) -> Tensor:
    """Return the centred spectrum [n, n] from the half spectrum [n, n // 2 + 1] of a real image."""
    whole = whole_spectrum(torch.fft.fftshift(half, dim=0)[:, :-1])
    whole[:, 0] = torch.fft.fftshift(half[:, -1]).flip(0).roll(1)
    return whole


def whole_spectrum(right: Tensor) -> Tensor:
    """Return a centred spectrum [n, n] from its half with x >= 0, [n, n // 2], the rows centred."""
    size = right.shape[0]
    whole = right.new_empty((size, size))
    whole[:, size // 2 :] = right
    # Friedel: the value at (-x, -y) is that at (x, y).
    mirrored = torch.flip(torch.roll(torch.flip(right, (0,)), 1, 0)[:, 1:], (1,))
    whole[:, 1 : size // 2] = mirrored
    whole[:, 0] = whole[:, 1]  # the Nyquist frequency along x, of which the half knows nothing
    return whole


def spectrum_frequencies(size: int, pixel_size: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the frequencies (x [1, n], y [n, 1]) in 1/Å of a centred spectrum [n, n]."""
    axis = (torch.arange(size, device=device, dtype=torch.float32) - size // 2) / (size * pixel_size)
    return axis[None, :], axis[:, None]
