"""Fourier transforms of real images, frequency grids, and moving between pixel sizes.

Transforms are the half transforms of real images, [y, x // 2 + 1], zero frequency first. On the CPU
they use SciPy, which is about twice as fast there as PyTorch.
"""

import math

import scipy.fft
import torch
from torch import Tensor


def rfft2(image: Tensor) -> Tensor:
    """Return the half Fourier transforms [..., y, x // 2 + 1] of real images [..., y, x]."""
    if image.is_cuda:
        on_device: Tensor = torch.fft.rfft2(image)
        return on_device
    transform: Tensor = torch.from_numpy(scipy.fft.rfft2(image.numpy(), workers=torch.get_num_threads()))
    return transform


def irfft2(transform: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the real images [..., y, x] of `shape` (y, x) that have these half Fourier transforms."""
    if transform.is_cuda:
        on_device: Tensor = torch.fft.irfft2(transform, s=shape)
        return on_device
    image: Tensor = torch.from_numpy(
        scipy.fft.irfft2(transform.numpy(), s=shape, workers=torch.get_num_threads())
    )
    return image


def cropped_rfft2(image: Tensor, size: int) -> Tensor:
    """Return the half transform [n, n // 2 + 1] of a square real image, cropped to n = `size`, even.

    Columns beyond the crop are left out before the second transform, which saves up to half of the work.
    The rows are those of an image of n pixels; the row at the Nyquist frequency is that of -n / 2.
    """
    half = size // 2
    if image.is_cuda:
        columns = torch.fft.fft(torch.fft.rfft(image)[:, : half + 1], dim=0)
    else:
        threads = torch.get_num_threads()
        cropped = scipy.fft.rfft(image.numpy(), axis=1, workers=threads)[:, : half + 1]
        columns = torch.from_numpy(scipy.fft.fft(cropped, axis=0, workers=threads, overwrite_x=True))
    return columns if size == len(columns) else torch.cat([columns[:half], columns[-half:]])


def frequencies(
    shape: tuple[int, int], pixel_size: float = 1.0, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Return the frequencies (x [1, x // 2 + 1], y [y, 1]) of the half transform of an image of `shape`.

    In 1/Å for a `pixel_size` in Å, in cycles per pixel without one.
    """
    rows, columns = shape
    x = torch.fft.rfftfreq(columns, d=pixel_size, device=device)[None, :]
    y = torch.fft.fftfreq(rows, d=pixel_size, device=device)[:, None]
    return x, y


def shift_phases(
    shape: tuple[int, int], shift: tuple[float, float], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the factors (x [1, x // 2 + 1], y [y, 1]) that move an image by `shift` (x, y) pixels.

    Their product times the half transform is that of the image whose content has moved towards larger x
    and y. Computed in double precision: the phase is hundreds of turns at large shifts of large images.
    """
    rows, columns = shape
    x = torch.fft.rfftfreq(columns, dtype=torch.float64, device=device)[None, :]
    y = torch.fft.fftfreq(rows, dtype=torch.float64, device=device)[:, None]
    turns_x, turns_y = x * shift[0], y * shift[1]
    return _unit(turns_x), _unit(turns_y)


def _unit(turns: Tensor) -> Tensor:
    angle = -2 * math.pi * torch.frac(turns)
    return torch.complex(angle.cos().float(), angle.sin().float())


def resize_transform(transform: Tensor, shape: tuple[int, int], new_shape: tuple[int, int]) -> Tensor:
    """Crop or pad a half transform [y, x // 2 + 1] of an image of `shape` to that of `new_shape`.

    The image's mean and the values of a band-limited image are kept. Frequencies at the Nyquist limit
    of an even axis, where the sign of the frequency is lost, are dropped, so that cropping is exact for
    even and odd sizes alike, and cropping after padding returns the same band-limited image.
    """
    kept_rows = (min(shape[0], new_shape[0]) - 1) // 2
    kept_columns = (min(shape[1], new_shape[1]) - 1) // 2 + 1
    resized = transform.new_zeros((new_shape[0], new_shape[1] // 2 + 1))
    resized[: kept_rows + 1, :kept_columns] = transform[: kept_rows + 1, :kept_columns]
    if kept_rows:
        resized[-kept_rows:, :kept_columns] = transform[-kept_rows:, :kept_columns]
    return resized * (new_shape[0] * new_shape[1] / (shape[0] * shape[1]))


def resize(image: Tensor, new_shape: tuple[int, int]) -> Tensor:
    """Resample a real image [y, x] to `new_shape` (y, x) by cropping or padding its Fourier transform."""
    shape = (image.shape[0], image.shape[1])
    return irfft2(resize_transform(rfft2(image), shape, new_shape), new_shape)


def shift_image(image: Tensor, shift: tuple[float, float]) -> Tensor:
    """Move the content of an image [y, x] by `shift` (x, y) pixels, with sub-pixel accuracy, cyclically."""
    shape = (image.shape[0], image.shape[1])
    phase_x, phase_y = shift_phases(shape, shift, image.device)
    return irfft2(rfft2(image) * phase_x * phase_y, shape)
