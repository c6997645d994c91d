"""From the frames of a movie to its aligned sums."""

from collections.abc import Callable, Iterator, Sized
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from eucentric.imaging.bad_pixels import BadPixels, bin_bad_pixels, find_bad_pixels, replace_bad_pixels
from eucentric.imaging.frame_sum import Frame, Frames, correct_and_sum, corrected_frames
from eucentric.imaging.motion import estimate_global_motion
from eucentric.imaging.trajectory import interpolate_trajectory

_WORKING_PIXEL = 3.0  # Å; motion is measured on frames binned to about this
_GROUP_DOSE = 0.4  # e⁻/Å²; frames with less are summed in groups before they are aligned


class AlignedMovie(NamedTuple):
    """A movie after motion correction."""

    weighted: Tensor
    """Dose-weighted sum [y, x], counts"""
    unweighted: Tensor
    """Sum [y, x], counts"""
    pixel_size: float
    """Pixel size of the sums in Å"""
    shifts: Tensor
    """Shift [frame, 2] (x, y) of the specimen in pixels of the frames, relative to the first frame"""
    spectrum: Tensor
    """Power spectrum [n, n], zero frequency at [n // 2, n // 2]"""
    spectrum_pixel_size: float
    """Pixel size in Å that the spectrum stands for"""
    bad_pixels: int
    """Number of hot and dead pixels replaced"""
    mean_counts: float
    """Mean of the gain-corrected counts per pixel and frame"""


class _Survey(NamedTuple):
    groups: list[Tensor]
    group_size: int
    bad: BadPixels
    shape: tuple[int, int]
    frames: int
    mean_counts: float


def align_movie(
    frames: Frames,
    gain: Frame | None,
    *,
    pixel_size: float,
    dose_per_frame: float,
    voltage: float,
    pre_exposure: float = 0.0,
    binning: float = 1.0,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] = lambda _fraction: None,
) -> AlignedMovie:
    """Correct a movie for gain, bad pixels and the motion of the specimen as a whole, and sum its frames.

    Reads the frames twice and holds a few images besides a binned copy of the movie: once to find bad
    pixels and to measure the motion, once to shift and to sum.

    Args:
        frames: Raw frames [y, x], all of one shape; see `Frames`.
        gain: Reference [y, x] that the frames are multiplied by, in their orientation; None where they
            are corrected already.
        pixel_size: Pixel size of the frames in Å.
        dose_per_frame: Dose of one frame in e⁻/Å². Zero where unknown: nothing is dose-weighted then.
        voltage: Acceleration voltage in kV.
        pre_exposure: Dose before the first frame in e⁻/Å²; see `dose_weights` for what it changes.
        binning: Factor by which the sums are smaller than the frames (Fourier cropping), at least 1.
        device: Where to compute.
        progress: Called with the fraction done, 0 to 1.

    Raises:
        ValueError: there are no frames, their shapes or the gain's differ, or a parameter is out of range.
    """
    if pixel_size <= 0 or dose_per_frame < 0 or pre_exposure < 0 or binning < 1:
        raise ValueError(
            f"Pixel size {pixel_size} Å, dose per frame {dose_per_frame} e⁻/Å², pre-exposure {pre_exposure}"
            f" e⁻/Å² and binning {binning} cannot be; give a pixel size > 0, doses >= 0 and a binning >= 1."
        )
    reference = None if gain is None else torch.as_tensor(gain).to(device, torch.float32)
    factor = max(1, round(_WORKING_PIXEL / pixel_size))
    survey = _survey(frames, reference, factor, dose_per_frame, device, lambda f: progress(0.3 * f))
    shifts = _measure(survey, pixel_size * factor) * factor
    progress(0.4)
    sums = correct_and_sum(
        frames,
        reference,
        shifts,
        pixel_size=pixel_size,
        dose_per_frame=dose_per_frame,
        voltage=voltage,
        binning=binning,
        bad_pixels=survey.bad,
        device=device,
        progress=lambda f: progress(0.4 + 0.6 * f),
    )
    return AlignedMovie(
        weighted=sums.weighted,
        unweighted=sums.unweighted,
        pixel_size=pixel_size * survey.shape[1] / sums.unweighted.shape[1],
        shifts=shifts,
        spectrum=sums.spectrum,
        spectrum_pixel_size=sums.spectrum_pixel_size,
        bad_pixels=len(survey.bad.positions),
        mean_counts=survey.mean_counts,
    )


def _survey(
    frames: Frames,
    gain: Tensor | None,
    factor: int,
    dose_per_frame: float,
    device: torch.device | str,
    progress: Callable[[float], None],
) -> _Survey:
    """Read all frames once: their mean, their bad pixels, and binned groups of them to align."""
    if isinstance(frames, Iterator):
        raise ValueError("The frames can be read only once but are needed twice; give a list or a function.")
    expected = len(frames) if isinstance(frames, Sized) else None
    group_size = _group_size(dose_per_frame, expected)
    groups: list[Tensor] = []
    total: Tensor | None = None
    count = 0
    for image in corrected_frames(frames, gain, device):
        total = image.clone() if total is None else total.add_(image)
        binned = _bin(image, factor)
        if count % group_size == 0:
            groups.append(binned)
        else:
            groups[-1] += binned
        count += 1
        if expected:
            progress(count / expected)
    if total is None:
        raise ValueError("The movie has no frames; give at least one.")
    shape = (total.shape[0], total.shape[1])
    total /= count
    bad = find_bad_pixels(total, frames=count)
    binned_bad = bin_bad_pixels(bad, shape, factor)
    for group in groups:
        replace_bad_pixels(group, binned_bad)
    return _Survey(groups, group_size, bad, shape, count, float(total.mean()))


def _group_size(dose_per_frame: float, expected: int | None) -> int:
    if dose_per_frame == 0:
        return 1
    size = max(1, round(_GROUP_DOSE / dose_per_frame))
    # A movie of little dose still needs a few groups to show how it moves.
    return size if expected is None else max(1, min(size, expected // 3))


def _bin(image: Tensor, factor: int) -> Tensor:
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    image = image[: rows * factor, : columns * factor]
    return image.reshape(rows, factor, columns * factor).sum(1).reshape(rows, columns, factor).sum(2)


def _measure(survey: _Survey, pixel_size: float) -> Tensor:
    """Return the shift [frame, 2] of every frame, in binned pixels, from those of the groups."""
    grouped = estimate_global_motion(survey.groups, pixel_size)
    size = survey.group_size
    if size == 1:
        return grouped
    starts = np.arange(0, survey.frames, size)
    centres = (starts + np.minimum(starts + size, survey.frames) - 1) / 2
    shifts = interpolate_trajectory(grouped.numpy(), centres, np.arange(survey.frames, dtype=np.float64))
    return torch.from_numpy(shifts - shifts[0])
