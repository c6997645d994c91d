"""Sums of the frames of a movie, moved back onto each other and weighted for radiation damage."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging import fourier
from eucentric.imaging.bad_pixels import BadPixels, replace_bad_pixels
from eucentric.imaging.dose import critical_dose
from eucentric.imaging.spectrum import power_spectrum

Frame = Tensor | NDArray[np.generic]
Frames = Iterable[Frame] | Callable[[], Iterable[Frame]]
"""Frames [y, x]: something that can be iterated more than once, or a function that starts anew."""

_SPECTRUM_DOSE = 4.0  # e⁻/Å²; ice moves so much in this dose that longer sums lose rings


class FrameSums(NamedTuple):
    """What one pass over the aligned frames gives."""

    weighted: Tensor
    """Dose-weighted sum [y, x], counts; its noise has the power of the unweighted sum's"""
    unweighted: Tensor
    """Sum [y, x], counts"""
    spectrum: Tensor
    """Power spectrum [n, n] of sums of a few frames each, zero frequency at [n // 2, n // 2]"""
    spectrum_pixel_size: float
    """Pixel size in Å that the spectrum stands for"""


def correct_and_sum(
    frames: Frames,
    gain: Tensor | None,
    shifts: Tensor,
    *,
    pixel_size: float,
    dose_per_frame: float,
    voltage: float,
    binning: float = 1.0,
    bad_pixels: BadPixels | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] = lambda _fraction: None,
) -> FrameSums:
    """Move every frame back by its shift and sum them, in one pass over the frames.

    Frames are moved in Fourier space, so what leaves the image on one side comes in on the other. Dose
    weights are those of `dose_weights` with flat noise.

    Args:
        frames: Raw frames [y, x]; see `Frames`.
        gain: Reference [y, x] that they are multiplied by, or None.
        shifts: Shift [frame, 2] (x, y) of the specimen in every frame, in pixels of the frames.
        pixel_size: Pixel size of the frames in Å.
        dose_per_frame: Dose of one frame in e⁻/Å²; zero sums without weights.
        voltage: Acceleration voltage in kV.
        binning: Factor by which the sums are smaller than the frames.
        bad_pixels: Pixels to replace in every frame.
        device: Where to compute.
        progress: Called with the fraction done, 0 to 1.

    Raises:
        ValueError: the frames are not as many as the shifts, or their shapes or the gain's differ.
    """
    sums: _Sums | None = None
    done = 0
    for image in corrected_frames(frames, gain, device):
        if done == len(shifts):
            break
        if bad_pixels is not None:
            replace_bad_pixels(image, bad_pixels)
        if sums is None:
            sums = _Sums(
                (image.shape[0], image.shape[1]), binning, pixel_size, dose_per_frame, voltage, image
            )
        sums.add(image, (float(shifts[done, 0]), float(shifts[done, 1])))
        done += 1
        progress(done / len(shifts))
    if sums is None or done < len(shifts):
        raise ValueError(
            f"There are {len(shifts)} shifts but {done} frames; give all frames of the movie, from the first."
        )
    return sums.result()


class _Sums:
    """The running sums of aligned frames, in Fourier space."""

    def __init__(
        self,
        shape: tuple[int, int],
        binning: float,
        pixel_size: float,
        dose_per_frame: float,
        voltage: float,
        like: Tensor,
    ) -> None:
        self.frame_shape = shape
        self.shape = (
            shape if binning == 1 else (2 * round(shape[0] / binning / 2), 2 * round(shape[1] / binning / 2))
        )
        self.pixel_size = pixel_size * shape[1] / self.shape[1]
        x, y = fourier.frequencies(self.shape, self.pixel_size, like.device)
        self.unweighted = torch.zeros((self.shape[0], x.shape[1]), dtype=torch.complex64, device=like.device)
        self.subset = torch.zeros_like(self.unweighted)
        self.subset_size = max(1, round(_SPECTRUM_DOSE / dose_per_frame)) if dose_per_frame else 4
        self.in_subset = 0
        self.frames = 0
        self.spectra: list[tuple[Tensor, float]] = []
        self.dose_weighted = dose_per_frame > 0
        if self.dose_weighted:
            self.weighted = torch.zeros_like(self.unweighted)
            # Each frame's weight is the last one's times this: no exponential for each frame and pixel.
            self.decay = torch.exp(-dose_per_frame / (2 * critical_dose((x**2 + y**2).sqrt_(), voltage)))
            self.weight = torch.ones_like(self.decay)
            self.square = torch.zeros_like(self.decay)

    def add(self, image: Tensor, shift: tuple[float, float]) -> None:
        """Add one corrected frame whose specimen is displaced by `shift` (x, y) pixels of the frame."""
        transform = fourier.rfft2(image)
        if self.shape != self.frame_shape:
            transform = fourier.resize_transform(transform, self.frame_shape, self.shape)
        scale_y, scale_x = (self.shape[axis] / self.frame_shape[axis] for axis in (0, 1))
        phase_x, phase_y = fourier.shift_phases(
            self.shape, (-shift[0] * scale_x, -shift[1] * scale_y), image.device
        )
        transform.mul_(phase_x).mul_(phase_y)
        self.subset += transform
        self.in_subset += 1
        if self.in_subset == self.subset_size:
            self._close_subset()
        if self.dose_weighted:
            torch.view_as_real(self.weighted).addcmul_(torch.view_as_real(transform), self.weight[..., None])
            self.square.addcmul_(self.weight, self.weight)
            self.weight *= self.decay
        self.frames += 1

    def _close_subset(self) -> None:
        image = fourier.irfft2(self.subset, self.shape)
        self.spectra.append(power_spectrum(image, self.pixel_size, overlap=0.0))
        self.unweighted += self.subset
        self.subset.zero_()
        self.in_subset = 0

    def result(self) -> FrameSums:
        """Return the sums in real space."""
        if self.in_subset > self.subset_size / 2 or not self.spectra:
            self._close_subset()
        else:
            self.unweighted += self.subset
        unweighted = fourier.irfft2(self.unweighted, self.shape)
        weighted = unweighted
        if self.dose_weighted:
            self.weighted *= (self.frames / self.square).sqrt_()
            weighted = fourier.irfft2(self.weighted, self.shape)
        spectrum = torch.stack([power for power, _ in self.spectra]).mean(dim=0)
        return FrameSums(weighted, unweighted, spectrum, self.spectra[0][1])


def corrected_frames(frames: Frames, gain: Tensor | None, device: torch.device | str) -> Iterator[Tensor]:
    """Yield the frames [y, x] as float32 copies, multiplied by the gain reference."""
    shape = None if gain is None else tuple(gain.shape)
    for frame in frames() if callable(frames) else frames:
        if frame.ndim != 2 or (shape is not None and tuple(frame.shape) != shape):
            raise ValueError(
                f"A frame has the shape {tuple(frame.shape)}, the gain reference or the first frame {shape};"
                " give frames [y, x] of one shape and their own gain reference."
            )
        shape = tuple(frame.shape)
        if isinstance(frame, Tensor):
            image = frame.to(device, torch.float32, copy=True)
        else:
            image = torch.from_numpy(np.array(frame, dtype=np.float32)).to(device)
        yield image if gain is None else image.mul_(gain)
