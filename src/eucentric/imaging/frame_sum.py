"""Sums of the frames of a movie, moved back onto each other and weighted for radiation damage."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging import fourier
from eucentric.imaging.bad_pixels import BadPixels, replace_bad_pixels
from eucentric.imaging.dose import DoseBasis, dose_basis
from eucentric.imaging.frames import Frames, raw_blocks
from eucentric.imaging.motion_field import MotionField, uniform_field
from eucentric.imaging.resample import add_moved, tile_centres
from eucentric.imaging.spectrum import power_spectrum

_SPECTRUM_DOSE = 4.0  # e⁻/Å²; ice moves so much in this dose that longer sums lose rings
_SUBSETS_AT_ONCE = 4  # sums of that dose that are held at a time


class FrameSums(NamedTuple):
    """What one pass over the aligned frames gives."""

    weighted: Tensor
    """Dose-weighted sum [y, x], counts; its noise has the power of the unweighted sum's"""
    unweighted: Tensor
    """Sum [y, x], counts"""
    halves: tuple[Tensor, Tensor] | None
    """Sums [y, x] of the frames 1, 3, 5, ... and 2, 4, 6, ..., counts"""
    spectrum: Tensor
    """Power spectrum [n, n] of sums of a few frames each, zero frequency at [n // 2, n // 2]"""
    spectrum_pixel_size: float
    """Pixel size in Å that the spectrum stands for"""


def correct_and_sum(
    frames: Frames,
    gain: Tensor | None,
    motion: MotionField | Tensor,
    *,
    pixel_size: float,
    dose_per_frame: float,
    voltage: float,
    binning: float = 1.0,
    dark: Tensor | None = None,
    bad_pixels: BadPixels | None = None,
    dose_weighting: bool = True,
    halves: bool = False,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] = lambda _fraction: None,
) -> FrameSums:
    """Move every frame back along the motion and sum them, in one pass over the frames.

    Frames are interpolated in real space (see `add_moved`). Dose weights are those of `dose_weights` with
    flat noise. The weights of all frames are mixtures of a few functions of frequency, so a few
    differently weighted sums of moved frames are kept, and only these are transformed.

    Args:
        frames: Raw frames [y, x]; see `Frames`. Or blocks of them, as `Survey.kept`; they are changed then:
            their bad pixels are replaced.
        gain: Reference [y, x] that they are multiplied by, or None.
        motion: Displacement of the specimen in every frame, in pixels of the frames: a field, or shifts
            [frame, 2] (x, y) of the whole.
        pixel_size: Pixel size of the frames in Å.
        dose_per_frame: Dose of one frame in e⁻/Å²; zero sums without weights.
        voltage: Acceleration voltage in kV.
        binning: Factor by which the sums are smaller than the frames.
        dark: What is subtracted from every frame before, [y, x], or None.
        bad_pixels: Pixels to replace in every frame.
        dose_weighting: Whether to weight frames for damage; else both sums are the same.
        halves: Whether to sum odd and even frames separately, too.
        device: Where to compute.
        progress: Called with the fraction done, 0 to 1.

    Raises:
        ValueError: the frames are not as many as the shifts, or their shapes or the gain's differ.
    """
    count = len(motion.coefficients if isinstance(motion, MotionField) else motion)
    dose = dose_per_frame if dose_weighting else 0.0
    basis = dose_basis(count, 0.5 / pixel_size, dose_per_frame=dose, voltage=voltage)
    subset = max(1, round(_SPECTRUM_DOSE / dose_per_frame)) if dose_per_frame else 4
    sums: _Sums | None = None
    done = 0
    for block in raw_blocks(frames, None if gain is None else tuple(gain.shape), device, dark):
        if sums is None:
            shape = (block.shape[1], block.shape[2])
            field = motion if isinstance(motion, MotionField) else uniform_field(motion.numpy(), shape)
            reference = torch.ones(shape, device=block.device) if gain is None else gain
            held = min(_SUBSETS_AT_ONCE, max(1, len(block) // subset))
            sums = _Sums(field, reference, basis, bad_pixels, halves, pixel_size, subset, held)
        sums.add(block[: count - done])
        done += len(block)
        progress(min(1.0, done / count))
        if done >= count:
            break
    if sums is None or done < count:
        raise ValueError(
            f"There are {count} shifts but {done} frames; give all frames of the movie, from the first."
        )
    return sums.result(binning)


class _Sums:
    """The running sums of moved frames: of all, of each function of the dose, of halves, of subsets."""

    def __init__(
        self,
        field: MotionField,
        gain: Tensor,
        basis: DoseBasis,
        bad_pixels: BadPixels | None,
        halves: bool,
        pixel_size: float,
        subset: int,
        held: int,
    ) -> None:
        self.field, self.gain, self.basis, self.bad = field, gain, basis, bad_pixels
        self.pixel_size, self.subset, self.held, self.halves = pixel_size, subset, held, halves
        if bad_pixels is not None:
            self.gain = gain.clone()
            replace_bad_pixels(self.gain, bad_pixels)
        count = len(basis.factors)
        # Columns: the sum, the basis but for its first function, odd - even frames; then subsets in turn.
        columns = [np.ones(count), *basis.factors[:, 1:].T]
        if halves:
            columns.append(np.where(np.arange(count) % 2 == 0, 1.0, -1.0))
        turn = np.arange(count) // subset % held
        self.kept = len(columns)
        self.factors = np.stack([*columns, *(turn == n for n in range(held))], axis=1).astype(np.float32)
        self.sums = torch.empty((self.kept + held, *field.shape), device=gain.device)
        self.centres = tile_centres(field.shape)
        self.spectra: list[tuple[Tensor, float]] = []
        self.frames = 0

    def add(self, block: Tensor) -> None:
        """Add the next raw frames [frame, y, x]; their bad pixels are replaced."""
        if self.bad is not None:
            for frame in block:
                replace_bad_pixels(frame, self.bad)
        # No further at a time than the sums of subsets go round.
        turn = self.subset * self.held
        while len(block):
            taken = min(len(block), turn - self.frames % turn)
            self._add(block[:taken])
            block = block[taken:]

    def _add(self, block: Tensor) -> None:
        stop = self.frames + len(block)
        these = slice(self.frames, stop)
        factors = self.factors[these]
        subsets = factors[:, self.kept :]
        begins = np.arange(self.frames, stop) % self.subset == 0
        fresh = np.concatenate([np.full(self.kept, self.frames == 0), (subsets[begins] > 0).any(axis=0)])
        part = self.field._replace(coefficients=self.field.coefficients[these])
        add_moved(self.sums, block, self.gain, part.at(*self.centres), factors, fresh)
        for end in range((self.frames // self.subset + 1) * self.subset, stop + 1, self.subset):
            self._take_spectrum(end - 1)
        self.frames = stop

    def _take_spectrum(self, frame: int) -> None:
        """Take the power spectrum of the subset that `frame` belongs to."""
        image = self.sums[self.kept + frame // self.subset % self.held]
        self.spectra.append(power_spectrum(image, self.pixel_size, overlap=0.0))

    def result(self, binning: float) -> FrameSums:
        """Return the sums, smaller by `binning`."""
        rest = self.frames % self.subset
        if rest > self.subset / 2 or not self.spectra:
            self._take_spectrum(self.frames - 1)
        self.sums = self.sums[: self.kept]
        self.gain = self.gain.new_zeros(0)
        spectrum = torch.stack([power for power, _ in self.spectra]).mean(dim=0)
        difference = self.sums[-1] if self.halves else None
        shape = self.field.shape
        small = shape if binning == 1 else (_even(shape[0] / binning), _even(shape[1] / binning))
        unweighted = self.sums[0] if small == shape else fourier.resize(self.sums[0], small)
        weighted = self._weighted(small) if len(self.basis.functions) > 1 else unweighted
        halves = None
        if difference is not None:
            difference = difference if small == shape else fourier.resize(difference, small)
            halves = ((unweighted + difference) / 2, (unweighted - difference) / 2)
        return FrameSums(weighted, unweighted, halves, spectrum, self.spectra[0][1])

    def _weighted(self, small: tuple[int, int]) -> Tensor:
        shape = self.field.shape
        pixel_size = self.pixel_size * shape[1] / small[1]
        x, y = fourier.frequencies(small, pixel_size / self.basis.scale, self.gain.device)
        total: Tensor | None = None
        for image, function in zip(self.sums, self.basis.functions.to(self.gain.device), strict=False):
            transform = fourier.rfft2(image)
            if small != shape:
                transform = fourier.resize_transform(transform, shape, small)
            total = _add_filtered(total, transform, function, x, y)
        assert total is not None
        return fourier.irfft2(total, small)


def _add_filtered(total: Tensor | None, transform: Tensor, function: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Add a half transform times a function of the frequency to the total, and return that.

    Args:
        total: [y, x // 2 + 1], changed in place; None begins one in place of the transform.
        transform: [y, x // 2 + 1].
        function: Its values at the frequencies 0, 1, 2, ...
        x: Frequencies along x, [1, x // 2 + 1].
        y: Frequencies along y, [y, 1].
    """
    begins = total is None
    total = transform if total is None else total
    if transform.is_cuda:
        filtered = transform * function[(x.square() + y.square()).sqrt_().round_().to(torch.int64)]
        return filtered if begins else total.add_(filtered)
    _filter_on_cpu(total.numpy(), transform.numpy(), function.numpy(), x[0].numpy(), y[:, 0].numpy(), begins)
    return total


@numba.njit(cache=True, nogil=True, fastmath=True)
def _filter_on_cpu(
    total: NDArray[np.complex64],
    transform: NDArray[np.complex64],
    function: NDArray[np.float32],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    begins: bool,
) -> None:
    for row in range(transform.shape[0]):
        square = y[row] * y[row]
        values, sums = transform[row], total[row]
        for column in range(transform.shape[1]):
            filtered = values[column] * function[int(math.sqrt(square + x[column] * x[column]) + 0.5)]
            sums[column] = filtered if begins else sums[column] + filtered


def _even(length: float) -> int:
    return 2 * round(length / 2)
