"""How the specimen moves as a whole while a movie is recorded."""

import logging
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging import fourier
from eucentric.imaging.trajectory import smooth_trajectory

_log = logging.getLogger(__name__)

_SEARCHES = 8  # rounds that look for the peak anywhere within the largest shift
_REFINEMENTS = 8  # rounds of Newton steps after that
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


def estimate_global_motion(
    frames: Tensor | Iterable[Tensor],
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
        frames: Gain-corrected frames [frame, y, x] in counts, or an iterable of images [y, x].
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
    shifts = torch.zeros((len(transforms.values), 2), dtype=torch.float64)
    if len(shifts) < 2:
        return shifts
    shifts = _search(transforms, shifts, max_shift / pixel_size)
    if not _is_path(shifts, max_shift / pixel_size):
        _log.warning("the frames show nothing that moves together; their shifts are left at zero")
        return torch.zeros_like(shifts)
    shifts, errors = _refine(transforms, shifts, tolerance)
    if smooth:
        shifts = torch.from_numpy(smooth_trajectory(shifts.numpy(), errors.numpy()))
    return shifts - shifts[reference]


def _transforms(frames: Tensor | Iterable[Tensor], pixel_size: float, b_factor: float) -> Transforms:
    values: list[Tensor] = []
    for frame in frames:
        shape = (frame.shape[0], frame.shape[1])
        if not values:
            cropped = _cropped_shape(shape, pixel_size, b_factor)
            scale = (shape[1] / cropped[1], shape[0] / cropped[0])
            k_x, k_y = fourier.frequencies(cropped, device=frame.device)
            k_x, k_y = k_x / scale[0], k_y / scale[1]
            weight = _amplitude_weight(k_x / pixel_size, k_y / pixel_size, b_factor)
            taper = _taper(shape, frame.device)
        image = (frame - frame.mean()) * taper[0] * taper[1]
        values.append(fourier.resize_transform(fourier.rfft2(image), shape, cropped) * weight)
    if not values:
        raise ValueError("There are no frames to align; give at least one.")
    return Transforms(torch.stack(values), cropped, 2 * math.pi * k_x, 2 * math.pi * k_y, scale)


def _cropped_shape(shape: tuple[int, int], pixel_size: float, b_factor: float) -> tuple[int, int]:
    # Where exp(-B k² / 4) has fallen to 1/20, what is beyond adds cost but nothing else.
    limit = math.sqrt(4 * math.log(20) / b_factor)
    nyquist = 1 / (2 * pixel_size)
    factor = min(1.0, limit / nyquist)
    return max(16, 2 * round(shape[0] * factor / 2)), max(16, 2 * round(shape[1] * factor / 2))


def _amplitude_weight(frequency_x: Tensor, frequency_y: Tensor, b_factor: float) -> Tensor:
    square = frequency_x**2 + frequency_y**2
    high_pass = 1 - torch.exp(-square * _LARGEST_FEATURE**2 / 2)
    # The axes hold what edges and rows of the camera leave: fixed patterns that would hold shifts at zero.
    off_axes = (frequency_x != 0) & (frequency_y != 0)
    return torch.exp(-b_factor / 4 * square) * high_pass * off_axes


def _taper(shape: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    x, y = (_taper_axis(length, device) for length in (shape[1], shape[0]))
    return x[None, :], y[:, None]


def _taper_axis(length: int, device: torch.device) -> Tensor:
    edge = max(1, length // 16)
    distance = torch.arange(length, device=device, dtype=torch.float32) + 0.5
    distance = torch.minimum(distance, length - distance)
    return 0.5 - 0.5 * torch.cos(math.pi * torch.clamp(distance / edge, max=1))


def _aligned(transforms: Transforms, index: int, shift: Tensor) -> Tensor:
    angle_x = transforms.angular_x * float(shift[0])
    angle_y = transforms.angular_y * float(shift[1])
    one_x, one_y = torch.ones_like(angle_x), torch.ones_like(angle_y)
    return transforms.values[index] * torch.polar(one_x, angle_x) * torch.polar(one_y, angle_y)


def _aligned_sum(transforms: Transforms, shifts: Tensor) -> Tensor:
    total = torch.zeros_like(transforms.values[0])
    for index, shift in enumerate(shifts):
        total += _aligned(transforms, index, shift)
    return total


def _search(transforms: Transforms, shifts: Tensor, max_shift: float) -> Tensor:
    """Move every frame to the peak of its correlation with the others, until the peaks stay."""
    # A frame's part in the sum moves with it, hence the damping: exact where the peak is a parabola.
    damping = (len(shifts) - 1) / len(shifts)
    for _ in range(_SEARCHES):
        total = _aligned_sum(transforms, shifts)
        change = torch.zeros_like(shifts)
        for index in range(len(shifts)):
            frame = _aligned(transforms, index, shifts[index])
            change[index] = damping * _peak(transforms, frame * (total - frame).conj(), max_shift)
        shifts = shifts + change
        if change.abs().max() < 0.25:
            break
    return shifts


def _is_path(shifts: Tensor, max_shift: float) -> bool:
    """Say whether shifts [frame, 2] found by a search can be a path, or are peaks of noise alone.

    Those of noise lie anywhere within the largest shift, so the path bends by about as much from frame to
    frame. A specimen, however fast it drifts, does not turn like that.
    """
    if len(shifts) < 3:
        return True
    bends = torch.diff(shifts, n=2, dim=0).norm(dim=1)
    return float(bends.median()) < _SHARPEST_BEND * max_shift


def _peak(transforms: Transforms, product: Tensor, max_shift: float) -> Tensor:
    """Return the (x, y) of the highest correlation within `max_shift`, in pixels of the frames given."""
    rows, columns = transforms.shape
    correlation = fourier.irfft2(product, transforms.shape)
    reach_x = min(int(max_shift / transforms.scale[0]), columns // 2 - 2)
    reach_y = min(int(max_shift / transforms.scale[1]), rows // 2 - 2)
    centred = torch.roll(correlation, (reach_y + 1, reach_x + 1), dims=(0, 1))
    window = centred[: 2 * reach_y + 3, : 2 * reach_x + 3]
    place = int(window[1:-1, 1:-1].argmax())
    y, x = place // (2 * reach_x + 1) + 1, place % (2 * reach_x + 1) + 1
    dx = _vertex(window[y, x - 1 : x + 2])
    dy = _vertex(window[y - 1 : y + 2, x])
    found = ((x + dx - reach_x - 1) * transforms.scale[0], (y + dy - reach_y - 1) * transforms.scale[1])
    return torch.tensor(found, dtype=torch.float64)


def _vertex(three: Tensor) -> float:
    left, middle, right = (float(value) for value in three)
    curvature = left - 2 * middle + right
    return 0.5 * (left - right) / curvature if curvature < 0 else 0.0


def _refine(transforms: Transforms, shifts: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Return the shifts [frame, 2] after Newton steps, and their standard deviations [frame, 2]."""
    damping = (len(shifts) - 1) / len(shifts)
    errors = torch.full_like(shifts, math.inf)
    for _ in range(_REFINEMENTS):
        total = _aligned_sum(transforms, shifts)
        change = torch.zeros_like(shifts)
        for index in range(len(shifts)):
            frame = _aligned(transforms, index, shifts[index])
            step, error = _newton_step(transforms, frame * (total - frame).conj())
            change[index], errors[index] = damping * step, error
        shifts = shifts + change
        if change.abs().max() < tolerance:
            return shifts, errors
    _log.warning("frame alignment still changed by %.3f px after its last round", float(change.abs().max()))
    return shifts, errors


def _newton_step(transforms: Transforms, product: Tensor) -> tuple[Tensor, Tensor]:
    """Return the step (x, y) to the nearest peak of a correlation, and its standard deviations.

    The correlation is Σ Re(P exp(i k d)). Its slope at d = 0 is random where the phases of P are, so the
    spread of the slope, Σ k² Im(P)², over the curvature gives the error (the sandwich estimate).
    """
    slopes = _moments(transforms, product.imag)
    slope = np.array([slopes[0, 1], slopes[1, 0]])
    bends = _moments(transforms, product.real)
    hessian = np.array([[bends[0, 2], bends[1, 1]], [bends[1, 1], bends[2, 0]]])
    spreads = _moments(transforms, product.imag.square())
    spread = np.array([[spreads[0, 2], spreads[1, 1]], [spreads[1, 1], spreads[2, 0]]])
    if np.linalg.eigvalsh(hessian)[0] <= 0:
        return torch.zeros(2, dtype=torch.float64), torch.full((2,), 1e3, dtype=torch.float64)
    inverse = np.linalg.inv(hessian)
    covariance = inverse @ spread @ inverse
    step = np.clip(-inverse @ slope, -1, 1)
    return torch.from_numpy(step), torch.from_numpy(np.sqrt(np.maximum(np.diag(covariance), 1e-12)))


def _moments(transforms: Transforms, values: Tensor) -> NDArray[np.float64]:
    """Return Σ values · k_y^i · k_x^j for i, j = 0, 1, 2."""
    powers_x = torch.cat([transforms.angular_x**power for power in range(3)])
    powers_y = torch.cat([transforms.angular_y**power for power in range(3)], dim=1)
    # Frequencies are smaller than π and single precision holds their sums to six digits.
    return np.asarray((powers_y.T @ values @ powers_x.T).double().cpu(), dtype=np.float64)
