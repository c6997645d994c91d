"""Newton steps of many images towards the sum of the others, from their Fourier transforms."""

from typing import NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.float64]

_LONGEST_STEP = 2.0  # pixels


class Steps(NamedTuple):
    """Newton steps of some images, and what the correlations are like from which they come."""

    steps: FloatArray
    """From the shifts so far to where each image fits the sum of the others best, (x, y), [image, 2]"""
    errors: FloatArray
    """Their standard deviations, [image, 2]; infinite where the correlation has no peak"""
    curvature: FloatArray
    """Mean over the images of minus the correlation's second derivatives at the top, [2, 2]"""
    spread: FloatArray
    """Mean over the images of the covariance of the correlation's slope, [2, 2]"""


def newton_steps(
    values: Tensor, angular_x: Tensor, angular_y: Tensor, shifts: FloatArray, exposures: FloatArray
) -> Steps:
    """Return the steps from `shifts` to where each image fits the sum of the others best.

    The correlation of an image with the others is Σ Re(P exp(i k d)). Its slope at d = 0 is random where the
    phases of P are, so the spread of the slope, Σ k² Im(P)², over the curvature gives the standard deviation
    of the step (the sandwich estimate).

    Args:
        values: Weighted half transforms [image, y, x // 2 + 1] of the images.
        angular_x: 2π k_x, [1, x // 2 + 1], radians per pixel.
        angular_y: 2π k_y, [y, 1].
        shifts: Displacement (x, y) in pixels of each image, as far as known, [image, 2].
        exposures: How much each image was exposed, in any unit, [image].
    """
    slope, curvatures, spreads = _slopes(values, angular_x, angular_y, shifts)
    # All images show the same, as far as they are exposed alike: what is common is averaged, so that chance
    # is not taken for curvature.
    curvature, spread = curvatures.mean(axis=0), spreads.mean(axis=0)
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return Steps(np.zeros_like(shifts), np.full_like(shifts, np.inf), np.zeros((2, 2)), spread)
    share = (exposures / exposures.mean())[:, None]
    inverse = np.linalg.inv(curvature)
    damping = (len(shifts) - 1) / len(shifts)  # a frame's part in the sum moves with it
    steps = np.clip(damping * slope @ inverse / share, -_LONGEST_STEP, _LONGEST_STEP)
    errors = np.sqrt(np.diagonal(inverse @ spread @ inverse) / share)
    return Steps(steps, errors, curvature, spread)


def _slopes(
    values: Tensor, angular_x: Tensor, angular_y: Tensor, shifts: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the slope [image, 2], curvature and spread [image, 2, 2] of each image; see `newton_steps`."""
    moved = torch.from_numpy(shifts).to(values.device, torch.float32)
    angle_x, angle_y = angular_x * moved[:, 0, None, None], angular_y * moved[:, 1, None, None]
    turn_x = torch.polar(torch.ones_like(angle_x), angle_x)
    turn_y = torch.polar(torch.ones_like(angle_y), angle_y)
    if values.is_cuda:
        sums = _slopes_by_torch(values, angular_x, angular_y, turn_x, turn_y)
    else:
        sums = np.zeros((len(values), 3, 3, 3))
        along = (angular_x[0].numpy(), turn_x[:, 0].numpy(), angular_y[:, 0].numpy(), turn_y[..., 0].numpy())
        _slopes_on_cpu(values.numpy(), *along, sums)
    slope, curvature, spread = np.moveaxis(sums, 1, 0)
    return np.stack([slope[:, 0, 1], slope[:, 1, 0]], axis=1), _square(curvature), _square(spread)


def _square(sums: FloatArray) -> FloatArray:
    rows = [[sums[:, 0, 2], sums[:, 1, 1]], [sums[:, 1, 1], sums[:, 2, 0]]]
    return np.moveaxis(np.array(rows), 2, 0)


def _slopes_by_torch(
    values: Tensor, angular_x: Tensor, angular_y: Tensor, turn_x: Tensor, turn_y: Tensor
) -> FloatArray:
    """Return Σ of Im(P), Re(P) and Im(P)² times k_y^i k_x^j for i, j = 0, 1, 2, [image, what, i, j]."""
    aligned = values * turn_x * turn_y
    product = (aligned.sum(dim=0) - aligned).mul_(aligned.conj())
    powers_x = torch.cat([angular_x**power for power in range(3)])
    powers_y = torch.cat([angular_y**power for power in range(3)], dim=1)
    parts = torch.stack([product.imag, product.real, product.imag.square()], dim=1)
    return np.asarray((powers_y.T @ (parts @ powers_x.T)).double().cpu(), dtype=np.float64)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _slopes_on_cpu(
    values: NDArray[np.complex64],
    angular_x: NDArray[np.float32],
    turn_x: NDArray[np.complex64],
    angular_y: NDArray[np.float32],
    turn_y: NDArray[np.complex64],
    sums: FloatArray,
) -> None:
    """The same in one pass over the transforms, row by row of all images; added to `sums`."""
    count, rows, columns = values.shape
    aligned = np.empty((count, columns), np.complex64)
    total = np.empty(columns, np.complex64)
    for row in range(rows):
        total[:] = 0
        for image in range(count):
            one, turn, result, down = values[image, row], turn_x[image], aligned[image], turn_y[image, row]
            for x in range(columns):
                result[x] = one[x] * turn[x] * down
                total[x] += result[x]
        k = np.float64(angular_y[row])
        for image in range(count):
            own = aligned[image]
            a0 = a1 = b0 = b1 = b2 = c0 = c1 = c2 = np.float32(0)
            for x in range(columns):
                rest = total[x] - own[x]
                across = rest.imag * own[x].real - rest.real * own[x].imag
                along = rest.real * own[x].real + rest.imag * own[x].imag
                k_x = angular_x[x]
                a0 += across
                a1 += across * k_x
                b0 += along
                b1 += along * k_x
                b2 += along * k_x * k_x
                c0 += across * across
                c1 += across * across * k_x
                c2 += across * across * k_x * k_x
            result_ = sums[image]
            result_[0, 0, 1] += a1
            result_[0, 1, 0] += a0 * k
            result_[1, 0, 2] += b2
            result_[1, 1, 1] += b1 * k
            result_[1, 2, 0] += b0 * k * k
            result_[2, 0, 2] += c2
            result_[2, 1, 1] += c1 * k
            result_[2, 2, 0] += c0 * k * k
