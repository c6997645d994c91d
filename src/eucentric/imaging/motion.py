"""How the specimen moves as a whole while a movie is recorded."""

import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging import fourier
from eucentric.imaging.newton import newton_steps
from eucentric.imaging.trajectory import smooth_trajectory

FloatArray = NDArray[np.float64]

_log = logging.getLogger(__name__)

_SEARCHES = 8  # rounds that look for the peak anywhere within the largest shift
_REFINEMENTS = 8  # rounds of Newton steps after that
_SEARCH_RESOLUTION = 16.0  # Å; enough to find the peak, which is all that the search is for
_TOGETHER = 8  # frames that are searched together
_SHARPEST_BEND = 0.25  # of the largest shift, at most of the frames; noise alone bends by 1.2 on average
_LARGEST_FEATURE = 400.0  # Å; slower variations are illumination, which does not move with the specimen


class Transforms(NamedTuple):
    """Weighted half transforms of frames, and the frequencies (cycles per pixel) they belong to."""

    values: Tensor
    """[frame, y, x // 2 + 1], complex"""
    shape: tuple[int, int]
    """Shape (y, x) of the images in real space."""
    angular_x: Tensor
    """2π k_x, [1, x // 2 + 1], radians per pixel of the frames given"""
    angular_y: Tensor
    """2π k_y, [y, 1]"""
    scale: tuple[float, float]
    """Pixels (x, y) of the frames given for one pixel of these images."""
    exposures: FloatArray
    """Mean of each frame, [frame]"""


def estimate_global_motion(
    frames: Tensor | Sequence[Tensor],
    pixel_size: float,
    *,
    reference: int = 0,
    b_factor: float = 200.0,
    max_shift: float = 150.0,
    tolerance: float = 0.002,
    smooth: bool = True,
) -> Tensor:
    """Return the shift [frame, 2] (x, y) in pixels of the specimen in every frame.

    A shift is the displacement of the specimen in a frame relative to the reference frame. Every frame
    is correlated with the sum of all others, aligned by the shifts so far: first with a search for the
    peak, then with Newton steps until no shift changes by more than `tolerance`. A path smoother than
    the errors of measurement can tell is preferred (see `smooth_trajectory`). Two frames or fewer
    are too little to smooth; a single frame has no shift. Frames of noise alone (an empty hole) have none
    either, and a warning is logged.

    Args:
        frames: Gain-corrected frames [frame, y, x] in counts, or a sequence of images [y, x].
        pixel_size: Pixel size of the frames in Å.
        reference: Index of the frame whose shift is zero.
        b_factor: Strength of the low-pass in Å²: amplitudes are weighted by exp(-B k² / 4).
        max_shift: Largest shift looked for, in Å.
        tolerance: Change of the shifts, in pixels, at which the refinement ends.
        smooth: Whether to smooth the path.

    Raises:
        ValueError: there are no frames.

    Sources: Li et al. (2013), Nat. Methods 10, 584; Grant & Grigorieff (2015), eLife 4, e06980 (Unblur).
    """
    transforms = _transforms(frames, pixel_size, b_factor)
    shifts = np.zeros((len(transforms.values), 2))
    if len(shifts) < 2:
        return torch.from_numpy(shifts)
    shifts = _search(_coarse(transforms, pixel_size), shifts, max_shift / pixel_size)
    if not _is_path(shifts, max_shift / pixel_size):
        _log.warning("the frames show nothing that moves together; their shifts are left at zero")
        return torch.zeros((len(shifts), 2), dtype=torch.float64)
    shifts, errors = _refine(transforms, shifts, tolerance)
    if smooth and np.isfinite(errors).all():
        shifts = smooth_trajectory(shifts, errors)
    return torch.from_numpy(shifts - shifts[reference])


def _transforms(frames: Tensor | Sequence[Tensor], pixel_size: float, b_factor: float) -> Transforms:
    if not len(frames):
        raise ValueError("There are no frames to align; give at least one.")
    device = frames[0].device
    # Some lengths take much longer to transform; a few pixels at the edge are not missed.
    shape = (_fast(frames[0].shape[0]), _fast(frames[0].shape[1]))
    cropped = _cropped_shape(shape, pixel_size, math.sqrt(4 * math.log(20) / b_factor))
    scale = (shape[1] / cropped[1], shape[0] / cropped[0])
    k_x, k_y = fourier.frequencies(cropped, device=device)
    k_x, k_y = k_x / scale[0], k_y / scale[1]
    weight = amplitude_weight(k_x / pixel_size, k_y / pixel_size, b_factor)
    edges = taper(shape, device)
    window = edges[0] * edges[1]
    values = torch.empty((len(frames), *weight.shape), dtype=torch.complex64, device=device)
    means = torch.stack([frame.mean() for frame in frames])
    for frame, mean, value in zip(frames, means, values, strict=True):
        transform = fourier.rfft2((frame[: shape[0], : shape[1]] - mean).mul_(window))
        if cropped != shape:
            transform = fourier.resize_transform(transform, shape, cropped)
        torch.mul(transform, weight, out=value)
    exposures = means.clamp(min=1e-6).double().cpu().numpy()
    return Transforms(values, cropped, 2 * math.pi * k_x, 2 * math.pi * k_y, scale, exposures)


def _fast(length: int) -> int:
    return length if length < 64 else 2 * int(scipy.fft.prev_fast_len(length // 2, real=True))


def _cropped_shape(shape: tuple[int, int], pixel_size: float, limit: float) -> tuple[int, int]:
    """Return the shape of an image that holds frequencies up to `limit` (1/Å), where exp(-B k² / 4) is 1/20.

    What is beyond adds cost but nothing else.
    """
    factor = min(1.0, limit * 2 * pixel_size)
    rows, columns = (
        max(16, 2 * int(scipy.fft.next_fast_len(round(length * factor / 2), real=True))) for length in shape
    )
    return min(rows, shape[0]), min(columns, shape[1])


def _coarse(transforms: Transforms, pixel_size: float) -> Transforms:
    """Return the transforms up to the resolution of the search."""
    shape, (scale_x, scale_y) = transforms.shape, transforms.scale
    small = _cropped_shape(shape, pixel_size * scale_x, 1 / _SEARCH_RESOLUTION)
    if small == shape:
        return transforms
    values = torch.stack([fourier.resize_transform(each, shape, small) for each in transforms.values])
    scale = (scale_x * shape[1] / small[1], scale_y * shape[0] / small[0])
    k_x, k_y = fourier.frequencies(small, device=values.device)
    angular = (2 * math.pi * k_x / scale[0], 2 * math.pi * k_y / scale[1])
    return transforms._replace(
        values=values, shape=small, angular_x=angular[0], angular_y=angular[1], scale=scale
    )


def amplitude_weight(frequency_x: Tensor, frequency_y: Tensor, b_factor: float) -> Tensor:
    """Return weights [y, x] for frequencies (1/Å): less for low and high ones, none for the axes."""
    square = frequency_x**2 + frequency_y**2
    high_pass = 1 - torch.exp(-square * _LARGEST_FEATURE**2 / 2)
    # The axes hold what edges and rows of the camera leave: fixed patterns that would hold shifts at zero.
    off_axes = (frequency_x != 0) & (frequency_y != 0)
    return torch.exp(-b_factor / 4 * square) * high_pass * off_axes


def taper(shape: tuple[int, int], device: torch.device, edge: int = 16) -> tuple[Tensor, Tensor]:
    """Return windows (x [1, x], y [y, 1]) that fall to zero over 1 / `edge` of the image at each side."""
    x, y = (_taper_axis(length, length // edge, device) for length in (shape[1], shape[0]))
    return x[None, :], y[:, None]


def _taper_axis(length: int, edge: int, device: torch.device) -> Tensor:
    distance = torch.arange(length, device=device, dtype=torch.float32) + 0.5
    distance = torch.minimum(distance, length - distance)
    return 0.5 - 0.5 * torch.cos(math.pi * torch.clamp(distance / max(1, edge), max=1))


def _search(transforms: Transforms, shifts: FloatArray, max_shift: float) -> FloatArray:
    """Move every frame to the peak of its correlation with the others, until the peaks stay."""
    # A frame's part in the sum moves with it, hence the damping: exact where the peak is a parabola.
    damping = (len(shifts) - 1) / len(shifts)
    for _ in range(_SEARCHES):
        # A few at a time, which the CPU's cache can hold.
        parts = [slice(start, start + _TOGETHER) for start in range(0, len(shifts), _TOGETHER)]
        total = torch.stack([_aligned(transforms, shifts, part).sum(dim=0) for part in parts]).sum(dim=0)
        change = damping * np.concatenate(
            [_peaks(transforms, _aligned(transforms, shifts, part), total, max_shift) for part in parts]
        )
        shifts = shifts + change
        if np.abs(change).max() < 0.25 * max(transforms.scale):
            break
    return shifts


def _aligned(transforms: Transforms, shifts: FloatArray, part: slice) -> Tensor:
    moved = torch.from_numpy(shifts[part]).to(transforms.values.device, torch.float32)[:, :, None, None]
    aligned = transforms.values[part]
    for angle in (transforms.angular_x * moved[:, 0], transforms.angular_y * moved[:, 1]):
        aligned = aligned * torch.polar(torch.ones_like(angle), angle)
    return aligned


def _is_path(shifts: FloatArray, max_shift: float) -> bool:
    """Say whether shifts [frame, 2] found by a search can be a path, or are peaks of noise alone.

    Those of noise lie anywhere within the largest shift, so the path bends by about as much from frame to
    frame. A specimen, however fast it drifts, does not turn like that.
    """
    if len(shifts) < 3:
        return True
    bends = np.linalg.norm(np.diff(shifts, n=2, axis=0), axis=1)
    return float(np.median(bends)) < _SHARPEST_BEND * max_shift


def _peaks(transforms: Transforms, aligned: Tensor, total: Tensor, max_shift: float) -> FloatArray:
    """Return where within `max_shift` each frame correlates best with the others, (x, y) [frame, 2].

    In pixels of the frames given, relative to where they are.
    """
    rows, columns = transforms.shape
    products = (total - aligned).conj().mul(aligned)
    correlations = fourier.irfft2(products, transforms.shape)
    reach_x = min(int(max_shift / transforms.scale[0]), columns // 2 - 2)
    reach_y = min(int(max_shift / transforms.scale[1]), rows // 2 - 2)
    centred = torch.roll(correlations, (reach_y + 1, reach_x + 1), dims=(1, 2))
    windows = centred[:, : 2 * reach_y + 3, : 2 * reach_x + 3]
    place = windows[:, 1:-1, 1:-1].flatten(1).argmax(dim=1)
    y, x = place // (2 * reach_x + 1) + 1, place % (2 * reach_x + 1) + 1
    every, near = (
        torch.arange(len(place), device=place.device)[:, None],
        torch.arange(-1, 2, device=place.device),
    )
    along_x = windows[every, y[:, None], x[:, None] + near]
    along_y = windows[every, y[:, None] + near, x[:, None]]
    found = torch.stack([x + _vertices(along_x) - reach_x - 1, y + _vertices(along_y) - reach_y - 1], dim=1)
    return np.asarray(found.double().cpu() * torch.tensor(transforms.scale), dtype=np.float64)


def _vertices(three: Tensor) -> Tensor:
    left, middle, right = three.unbind(dim=1)
    curvature = left - 2 * middle + right
    return torch.where(curvature < 0, 0.5 * (left - right) / curvature, torch.zeros_like(curvature))


def _refine(transforms: Transforms, shifts: FloatArray, tolerance: float) -> tuple[FloatArray, FloatArray]:
    """Return the shifts [frame, 2] after Newton steps, and their standard deviations [frame, 2]."""
    for _ in range(_REFINEMENTS):
        found = newton_steps(
            transforms.values, transforms.angular_x, transforms.angular_y, shifts, transforms.exposures
        )
        shifts = shifts + found.steps
        change = float(np.abs(found.steps).max())
        if change < tolerance:
            return shifts, found.errors
    _log.warning("frame alignment still changed by %.3f px after its last round", change)
    return shifts, found.errors
