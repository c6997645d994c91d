"""From the frames of a movie to its aligned sums."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging.frame_sum import correct_and_sum
from eucentric.imaging.frames import Frame, Frames
from eucentric.imaging.gain_check import GainCheck, check_gain
from eucentric.imaging.local_motion import PatchMotion, measure_local_motion, patch_grid
from eucentric.imaging.motion import estimate_global_motion
from eucentric.imaging.motion_field import MotionField, interpolate_field, uniform_field
from eucentric.imaging.survey import Survey, survey_movie
from eucentric.imaging.trajectory import interpolate_trajectory

_WORKING_PIXEL = 3.0  # Å; motion is measured on frames binned to about this
_ROUGH_PIXEL = 7.0  # Å; the motion that patches start from, on frames binned to about this,
_ROUGH_TOLERANCE = 0.02  # and to so many of these pixels
_SMALLEST_CHECKED = 32  # px; smaller references are not checked


class AlignedMovie(NamedTuple):
    """A movie after motion correction."""

    weighted: Tensor
    """Dose-weighted sum [y, x], counts"""
    unweighted: Tensor
    """Sum [y, x], counts"""
    halves: tuple[Tensor, Tensor] | None
    """Sums [y, x] of the odd and of the even frames, counts, where they were asked for"""
    pixel_size: float
    """Pixel size of the sums in Å"""
    shifts: Tensor
    """Shift [frame, 2] (x, y) of the whole field in pixels of the frames, relative to the first frame"""
    field: MotionField
    """Motion of every place in every frame in pixels of the frames; its mean are the shifts"""
    patches: PatchMotion | None
    """What single patches of the movie showed, in pixels of the frames; None where none were looked at"""
    spectrum: Tensor
    """Power spectrum [n, n], zero frequency at [n // 2, n // 2]"""
    spectrum_pixel_size: float
    """Pixel size in Å that the spectrum stands for"""
    bad_pixels: int
    """Number of hot and dead pixels replaced, known defects included"""
    mean_counts: float
    """Mean of the gain-corrected counts per pixel and frame"""
    gain_check: GainCheck | None
    """Whether the gain reference fits, where there is one and the image is large enough to tell"""


def align_movie(
    frames: Frames,
    gain: Frame | None = None,
    *,
    pixel_size: float,
    dose_per_frame: float,
    voltage: float,
    dark: Frame | None = None,
    defects: Frame | None = None,
    counts_per_electron: float = 1.0,
    dose_weighting: bool = True,
    patches: int | None = None,
    binning: float = 1.0,
    halves: bool = False,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] = lambda _fraction: None,
) -> AlignedMovie:
    """Correct a movie for gain, bad pixels and the motion of the specimen, and sum its frames.

    Reads the frames twice and holds a few images besides a binned copy of the movie: once to find bad
    pixels and to measure the motion, once to move and to sum. Movies up to 800 MB are read once and kept.

    Args:
        frames: Raw frames [y, x], all of one shape; see `Frames`.
        gain: Reference [y, x] that the frames are multiplied by, in their orientation; None where they
            are corrected already.
        pixel_size: Pixel size of the frames in Å.
        dose_per_frame: Dose of one frame in e⁻/Å². Zero where unknown: nothing is dose-weighted then.
        voltage: Acceleration voltage in kV.
        dark: What the camera counts without beam in a frame, [y, x], subtracted first.
        defects: Pixels [y, x] known to be bad, True.
        counts_per_electron: Counts that one electron makes on average, once corrected.
        dose_weighting: Whether to make a dose-weighted sum; else it is the unweighted one.
        patches: Number of patches along the longer side for local motion; 0 moves frames as a whole;
            None chooses it by the size of the field.
        binning: Factor by which the sums are smaller than the frames (Fourier cropping), at least 1.
        halves: Whether to sum odd and even frames separately, too.
        device: Where to compute.
        progress: Called with the fraction done, 0 to 1.

    Raises:
        ValueError: there are no frames, their shapes or the gain's differ, or a parameter is out of range.
    """
    if pixel_size <= 0 or dose_per_frame < 0 or binning < 1 or (patches is not None and patches < 0):
        raise ValueError(
            f"Pixel size {pixel_size} Å, dose per frame {dose_per_frame} e⁻/Å², binning {binning} and"
            f" {patches} patches cannot be; give a pixel size > 0, a dose >= 0, a binning >= 1, patches >= 0."
        )
    multiplier, offset, known = (
        None if image is None else torch.as_tensor(image).to(device, kind).contiguous()
        for image, kind in ((gain, torch.float32), (dark, torch.float32), (defects, torch.bool))
    )
    factor = max(1, round(_WORKING_PIXEL / pixel_size))
    survey = survey_movie(
        frames, multiplier, factor, dark=offset, defects=known, dose_per_frame=dose_per_frame,
        device=device, progress=lambda f: progress(0.3 * f),
    )  # fmt: skip
    checked = None
    if multiplier is not None and min(multiplier.shape) >= _SMALLEST_CHECKED:
        checked = check_gain(survey.mean, multiplier, frames=survey.frames, counts=counts_per_electron)
    field, seen = _measure(survey, pixel_size, factor, patches, dose_per_frame)
    bad, kept, mean_counts = survey.bad, survey.kept, float(survey.mean.mean())
    del survey  # its mean and groups are as large as what follows
    progress(0.5)
    sums = correct_and_sum(
        frames if kept is None else partial(_released, kept),
        multiplier,
        field,
        pixel_size=pixel_size,
        dose_per_frame=dose_per_frame,
        voltage=voltage,
        binning=binning,
        dark=None if kept is not None else offset,
        bad_pixels=bad,
        dose_weighting=dose_weighting,
        halves=halves,
        device=device,
        progress=lambda f: progress(0.5 + 0.5 * f),
    )
    return AlignedMovie(
        weighted=sums.weighted,
        unweighted=sums.unweighted,
        halves=sums.halves,
        pixel_size=pixel_size * field.shape[1] / sums.unweighted.shape[1],
        shifts=torch.from_numpy(field.mean().copy()),
        field=field,
        patches=seen,
        spectrum=sums.spectrum,
        spectrum_pixel_size=sums.spectrum_pixel_size,
        bad_pixels=len(bad.positions),
        mean_counts=mean_counts,
        gain_check=checked,
    )


def _released(blocks: list[Tensor]) -> Iterator[Tensor]:
    """Yield blocks of frames from the first on, and let go of each."""
    while blocks:
        yield blocks.pop(0)


def _measure(
    survey: Survey, pixel_size: float, factor: int, patches: int | None, dose_per_frame: float
) -> tuple[MotionField, PatchMotion | None]:
    """Return the motion of every frame in pixels of the frames, from that of the groups."""
    shape = (survey.mean.shape[0], survey.mean.shape[1])
    groups, group_pixel = survey.groups, pixel_size * factor
    grid = patch_grid((shape[0] // factor, shape[1] // factor), group_pixel, patches)
    if max(grid) > 1 and len(groups) > 1:
        start = _rough_motion(groups, group_pixel)
        if not start.any():
            return uniform_field(np.zeros((survey.frames, 2)), shape), None
        seen = measure_local_motion(groups, group_pixel, start, grid, survey.times * dose_per_frame)
        if np.isfinite(seen.errors).any():
            coefficients = interpolate_field(seen.coefficients * factor, survey.times, survey.frames)
            return MotionField(coefficients, shape), _scaled(seen, factor, survey.times)
    shifts = estimate_global_motion(groups, group_pixel)
    whole = interpolate_trajectory(
        shifts.numpy() * factor, survey.times, np.arange(survey.frames, dtype=np.float64)
    )
    return uniform_field(whole - whole[0], shape), None


def _rough_motion(groups: list[Tensor], pixel_size: float) -> Tensor:
    """Return the shifts [group, 2] of the whole field that patches start from, in pixels of the groups."""
    binning = max(1, int(_ROUGH_PIXEL / pixel_size))
    coarse = [torch.nn.functional.avg_pool2d(group[None], binning)[0] * binning**2 for group in groups]
    return binning * estimate_global_motion(coarse, pixel_size * binning, tolerance=_ROUGH_TOLERANCE)


def _scaled(seen: PatchMotion, factor: int, times: NDArray[np.float64]) -> PatchMotion:
    return seen._replace(
        shifts=seen.shifts * factor, errors=seen.errors * factor, coefficients=seen.coefficients * factor,
        times=times,
    )  # fmt: skip
