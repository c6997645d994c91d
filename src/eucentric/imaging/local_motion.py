"""How the specimen moves in each part of the field while a movie is recorded."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging import fourier
from eucentric.imaging.motion import amplitude_weight, taper
from eucentric.imaging.motion_field import beam_course, field_terms, fit_field
from eucentric.imaging.newton import Steps, newton_steps

FloatArray = NDArray[np.float64]

_PATCH_EXTENT = 600.0  # Å; smaller patches hold too little to be aligned at all
_MOST_PATCHES = 8  # along an axis
_OVERLAP = 1.25  # length of a patch over the distance between patches
_ROUNDS = 3
_B_FACTOR = 250.0  # Å²; 200 to 400 did equally well


class PatchMotion(NamedTuple):
    """What patches of a movie show, and the field fitted to it; lengths in pixels of the images given."""

    places: FloatArray
    """Centres (u, v) of the patches, -1/2 to 1/2 over the field, [patch, 2]"""
    shifts: FloatArray
    """Measured displacement (x, y) in every image, each path laid on that of the field, [patch, image, 2]"""
    errors: FloatArray
    """Standard deviations of these, infinite where nothing could be measured"""
    coefficients: FloatArray
    """Field of motion, [image, term, 2]; see `MotionField`"""
    times: FloatArray
    """Middle of each image, in frames counted from 0, [image]"""


class _Patch(NamedTuple):
    values: Tensor
    """Weighted half transforms [image, y, x // 2 + 1]"""
    cut: FloatArray
    """Displacement (x, y) that cutting them out has undone, [image, 2]"""


def patch_grid(shape: tuple[int, int], pixel_size: float, longer: int | None = None) -> tuple[int, int]:
    """Return into how many patches (down, across) an image of `shape` (y, x) is divided.

    Args:
        shape: Of the image.
        pixel_size: Its pixel size in Å.
        longer: Number of patches along the longer side; by default patches of about 600 Å, at most 8.
    """
    distance = _PATCH_EXTENT / pixel_size if longer is None else max(shape) / max(longer, 1)
    most = _MOST_PATCHES if longer is None else max(longer, 1)
    down, across = (max(1, min(most, round(length / distance))) for length in shape)
    return down, across


def measure_local_motion(
    images: list[Tensor], pixel_size: float, shifts: Tensor, grid: tuple[int, int], doses: FloatArray
) -> PatchMotion:
    """Measure the motion of every patch, and fit a smooth field to it.

    Each patch of each image is compared with the sum of the same patch in all other images, aligned by the
    field found so far; a Newton step gives its shift; the field is fitted to all of them, and this is
    repeated. Since the field aligns the sums, a patch with little in it profits from the others. Where
    patches do not clearly differ from the mean, the field is uniform.

    Noise is alike in all patches, and what they show is not. So the error of a patch is taken from the
    curvature of its correlations and from a common measure of noise, rather than from a measure of its
    own, which in noisy patches is itself left to chance.

    Args:
        images: Gain-corrected images [y, x] of a few electrons per Å² each, in counts.
        pixel_size: Their pixel size in Å.
        shifts: Shifts (x, y) of the whole field found before, roughly, in pixels, [image, 2].
        grid: Number of patches (down, across).
        doses: Dose in the middle of each image in e⁻/Å², zeros where unknown, [image].

    Sources: Zheng et al. (2017), Nat. Methods 14, 331 (MotionCor2); Zivanov et al. (2019), IUCrJ 6, 5.
    """
    start = shifts.numpy()
    exposures = np.array([max(float(image.mean()), 1e-6) for image in images])
    patches, places, angles = _cut_patches(images, pixel_size, start, grid)
    terms = field_terms(places[:, 0], places[:, 1])
    coefficients = np.zeros((len(images), 6, 2))
    coefficients[:, 0] = start
    for _ in range(_ROUNDS):
        expected = np.einsum("gta,pt->pga", coefficients, terms)
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            found = list(
                threads.map(
                    lambda patch, so_far: newton_steps(patch.values, *angles, so_far - patch.cut, exposures),
                    patches,
                    expected,
                )
            )
        measured = expected + np.stack([each.steps for each in found])
        errors = _errors(found, exposures)
        coefficients = fit_field(places, measured, errors, beam_course(doses))
    return PatchMotion(
        places, measured - measured[:, :1], errors, coefficients, np.arange(len(images), dtype=np.float64)
    )


def _errors(found: list[Steps], exposures: FloatArray) -> FloatArray:
    """Return the standard deviation of every step, [patch, image, 2], by a common measure of the noise."""
    curvatures = np.stack([np.diagonal(each.curvature) for each in found])
    spreads = np.stack([np.diagonal(each.spread) for each in found])
    peaked = curvatures.min(axis=1) > 0
    noise = spreads[peaked].sum(axis=0) / np.maximum(curvatures[peaked].sum(axis=0), 1e-30)
    share = (exposures / exposures.mean())[None, :, None]
    errors = np.full((len(found), len(exposures), 2), np.inf)
    errors[peaked] = np.sqrt(noise / curvatures[peaked])[:, None] / np.sqrt(share)
    return errors


def _cut_patches(
    images: list[Tensor], pixel_size: float, shifts: FloatArray, grid: tuple[int, int]
) -> tuple[list[_Patch], FloatArray, tuple[Tensor, Tensor]]:
    """Return the patches, their centres (u, v), and 2π times their frequencies along x and y."""
    shape = (images[0].shape[0], images[0].shape[1])
    size = tuple(_fast(min(n, n / count * _OVERLAP)) for n, count in zip(shape, grid, strict=True))
    k_x, k_y = fourier.frequencies((size[0], size[1]), device=images[0].device)
    weight = amplitude_weight(k_x / pixel_size, k_y / pixel_size, _B_FACTOR)
    edges = taper((size[0], size[1]), images[0].device, edge=6)
    window = edges[0] * edges[1]
    whole = np.round(shifts).astype(int)
    patches, places = [], []
    for row in _starts(shape[0], size[0], grid[0]):
        for column in _starts(shape[1], size[1], grid[1]):
            places.append(((column + size[1] / 2) / shape[1] - 0.5, (row + size[0] / 2) / shape[0] - 0.5))
            tops = np.clip(row + whole[:, 1], 0, shape[0] - size[0])
            lefts = np.clip(column + whole[:, 0], 0, shape[1] - size[1])
            cut = torch.stack(
                [
                    image[top : top + size[0], left : left + size[1]]
                    for image, top, left in zip(images, tops, lefts, strict=True)
                ]
            )
            cut.sub_(cut.mean(dim=(1, 2), keepdim=True)).mul_(window)
            moved = np.stack([lefts - column, tops - row], axis=1).astype(np.float64)
            patches.append(_Patch(fourier.rfft2(cut).mul_(weight), moved))
    return patches, np.array(places), (2 * math.pi * k_x, 2 * math.pi * k_y)


def _fast(length: float) -> int:
    """Return an even length about as long as this and quick to transform."""
    return max(16, 2 * int(scipy.fft.prev_fast_len(math.ceil(length / 2), real=True)))


def _starts(length: int, size: int, count: int) -> list[int]:
    return [round(index * (length - size) / max(1, count - 1)) for index in range(count)]
