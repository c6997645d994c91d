"""Frames moved back along a field of motion and added up, tile by tile.

Within a tile of 64 × 64 pixels everything moves alike; from one tile to the next, motion differs by a few
hundredths of a pixel. A tile is interpolated with a sinc of eight taps along each axis under a Kaiser
window, which keeps frequencies up to 0.3 cycles per pixel to half a percent (0.35: 7 %). What is lost beyond
that is lost by signal and noise alike. Outside the edges of a frame its mirror image goes on.

On the CPU it is memory that is waited for, most of all that of the sums. So a tile of all frames of a block
is moved first, within the cache, and then added to one sum after the other.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TILE = 64
"""Edge of a tile in pixels."""

_TAPS = 8
_KAISER = 5.0
_BEFORE = _TAPS // 2 - 1  # taps to the left of the pixel that is interpolated from
_FINENESS = 4096  # steps in a pixel for which taps are kept
_WINDOW = TILE + _TAPS - 1

FloatArray = NDArray[np.float32]


def tile_centres(shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres (x [tile], y [tile]) in pixels of the tiles of an image of `shape` (y, x)."""
    x, y = (
        np.array([(start + min(start + TILE, length) - 1) / 2 for start in range(0, length, TILE)])
        for length in (shape[1], shape[0])
    )
    return np.tile(x, len(y)), np.repeat(y, len(x))


def add_moved(
    sums: Tensor,
    frames: Tensor,
    gain: Tensor,
    shifts: NDArray[np.float64],
    factors: FloatArray,
    fresh: NDArray[np.bool_] | None = None,
) -> None:
    """Correct frames for gain, move them back by their shifts, and add them to several sums.

    Adds factors[f, s] × the moved frame f to sums[s]. On the CPU as many threads work as PyTorch may use.

    Args:
        sums: [sum, y, x], float32; changed in place.
        frames: Raw frames [frame, y, x], uint8 or float32, on the device of the sums.
        gain: What they are multiplied by, [y, x], float32.
        shifts: Displacement (x, y) of the specimen in every tile, in pixels, [frame, tile, 2].
        factors: [frame, sum]. Those of zero before the first and after the last other one cost nothing.
        fresh: Which sums begin with these frames, so that nothing of what they hold is kept, [sum].
    """
    whole = np.floor(shifts).astype(np.int64)
    taps = _taps(shifts - whole)
    fresh = np.zeros(len(sums), np.bool_) if fresh is None else fresh
    if sums.is_cuda:
        _add_moved_by_torch(sums, frames, gain, whole, taps, factors, fresh)
        return
    spans = np.array([_span(column) for column in factors.T])
    images = (sums.numpy(), frames.numpy(), gain.numpy())
    strips = range(0, sums.shape[1], TILE)
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        for done in [
            threads.submit(_add_strip, *images, whole, taps, factors, spans, fresh, top) for top in strips
        ]:
            done.result()


def _span(factors: FloatArray) -> tuple[int, int]:
    """Return between which frames [start, stop) the factors are not zero."""
    places = factors.nonzero()[0]
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)


def _taps(fraction: NDArray[np.float64]) -> FloatArray:
    """Return the weights [..., tap] of the pixels around a point `fraction` [...] of a pixel further on."""
    return _table_of_taps()[np.rint(fraction * _FINENESS).astype(np.int64)]


@cache
def _table_of_taps() -> FloatArray:
    distance = np.arange(_TAPS) - _BEFORE - np.arange(_FINENESS + 1)[:, None] / _FINENESS
    window = np.i0(_KAISER * np.sqrt(np.maximum(1 - (distance / (_TAPS / 2)) ** 2, 0)))
    weights = np.sinc(distance) * window
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), dtype=np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_strip(
    sums: FloatArray,
    frames: NDArray[Any],
    gain: FloatArray,
    whole: NDArray[np.int64],
    taps: FloatArray,
    factors: FloatArray,
    spans: NDArray[np.int64],
    fresh: NDArray[np.bool_],
    top: int,
) -> None:
    """Work on the row of tiles whose first line is `top`, so that all of a tile stays in the cache."""
    rows, columns = sums.shape[1], sums.shape[2]
    height = min(TILE, rows - top)
    across = (columns + TILE - 1) // TILE
    corrected = np.zeros((_WINDOW, _WINDOW), np.float32)
    along_x = np.empty((_WINDOW, TILE), np.float32)
    moved = np.empty((frames.shape[0], TILE, TILE), np.float32)
    for left in range(0, columns, TILE):
        width = min(TILE, columns - left)
        tile = top // TILE * across + left // TILE
        for frame in range(frames.shape[0]):
            first_x = left + whole[frame, tile, 0] - _BEFORE
            first_y = top + whole[frame, tile, 1] - _BEFORE
            _cut(frames[frame], gain, first_x, first_y, corrected, (height, width))
            _interpolate_rows(corrected, taps[frame, tile, 0], along_x, height)
            _interpolate_columns(along_x, taps[frame, tile, 1], moved[frame], height)
        _add_tile(sums, moved, factors, spans, fresh, (top, left), (height, width))


# Within the loops rows are taken out of arrays first: only of these the compiler knows that no index counts
# from the end and that all pixels lie side by side.


@numba.njit(cache=True, nogil=True, fastmath=True)
def _cut(
    frame: NDArray[Any],
    gain: FloatArray,
    first_x: int,
    first_y: int,
    corrected: FloatArray,
    size: tuple[int, int],
) -> None:
    """Fill `corrected` with what a tile of `size` (y, x) needs of the frame, times the gain."""
    rows, columns = frame.shape
    height, width = size[0] + _TAPS - 1, size[1] + _TAPS - 1
    inside = first_x >= 0 and first_x + width <= columns
    for i in range(height):
        y = _mirrored(first_y + i, rows)
        result = corrected[i]
        if inside:
            counts, factors = frame[y][first_x : first_x + width], gain[y][first_x : first_x + width]
            for j in range(width):
                result[j] = np.float32(counts[j]) * factors[j]
        else:
            for j in range(width):
                x = _mirrored(first_x + j, columns)
                result[j] = np.float32(frame[y, x]) * gain[y, x]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _interpolate_rows(image: FloatArray, taps: FloatArray, result: FloatArray, height: int) -> None:
    a, b, c, d, e, f, g, h = taps
    for i in range(height + _TAPS - 1):
        row, moved = image[i], result[i]
        for j in range(TILE):
            moved[j] = (
                a * row[j] + b * row[j + 1] + c * row[j + 2] + d * row[j + 3]
                + e * row[j + 4] + f * row[j + 5] + g * row[j + 6] + h * row[j + 7]
            )  # fmt: skip


@numba.njit(cache=True, nogil=True, fastmath=True)
def _interpolate_columns(image: FloatArray, taps: FloatArray, result: FloatArray, height: int) -> None:
    a, b, c, d, e, f, g, h = taps
    for i in range(height):
        moved = result[i]
        r0, r1, r2, r3 = image[i], image[i + 1], image[i + 2], image[i + 3]
        r4, r5, r6, r7 = image[i + 4], image[i + 5], image[i + 6], image[i + 7]
        for j in range(TILE):
            moved[j] = (
                a * r0[j] + b * r1[j] + c * r2[j] + d * r3[j] + e * r4[j] + f * r5[j] + g * r6[j] + h * r7[j]
            )


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_tile(
    sums: FloatArray,
    moved: FloatArray,
    factors: FloatArray,
    spans: NDArray[np.int64],
    fresh: NDArray[np.bool_],
    corner: tuple[int, int],
    size: tuple[int, int],
) -> None:
    """Add the moved tiles [frame, y, x], times their factors, to the part of the sums at `corner` (y, x)."""
    line = np.empty(TILE, np.float32)
    for i in range(size[0]):
        for s in range(sums.shape[0]):
            line[:] = 0
            frame, stop = spans[s]
            while frame + 4 <= stop:
                a, b, c, d = (
                    factors[frame, s],
                    factors[frame + 1, s],
                    factors[frame + 2, s],
                    factors[frame + 3, s],
                )
                r0, r1, r2, r3 = (
                    moved[frame, i],
                    moved[frame + 1, i],
                    moved[frame + 2, i],
                    moved[frame + 3, i],
                )
                for j in range(TILE):
                    line[j] += a * r0[j] + b * r1[j] + c * r2[j] + d * r3[j]
                frame += 4
            while frame < stop:
                a, r0 = factors[frame, s], moved[frame, i]
                for j in range(TILE):
                    line[j] += a * r0[j]
                frame += 1
            total = sums[s, corner[0] + i][corner[1] : corner[1] + size[1]]
            if fresh[s]:
                total[:] = line[: size[1]]
            else:
                total += line[: size[1]]


@numba.njit(cache=True, nogil=True)
def _mirrored(index: int, length: int) -> int:
    index = index % (2 * length)
    return index if index < length else 2 * length - 1 - index


def _add_moved_by_torch(
    sums: Tensor,
    frames: Tensor,
    gain: Tensor,
    whole: NDArray[np.int64],
    taps: FloatArray,
    factors: FloatArray,
    fresh: NDArray[np.bool_],
) -> None:
    """The same with whole images at a time, as a GPU likes it."""
    for place in fresh.nonzero()[0].tolist():
        sums[place].zero_()
    rows, columns = sums.shape[1], sums.shape[2]
    down, across = -(-rows // TILE), -(-columns // TILE)
    reach = torch.arange(TILE + _TAPS - 1, device=sums.device) - _BEFORE
    tops, lefts = (torch.arange(n, device=sums.device) * TILE for n in (down, across))
    for number, frame in enumerate(frames):
        corrected = frame.float() * gain
        offset = torch.from_numpy(whole[number]).to(sums.device).reshape(down, across, 2)
        weights = torch.from_numpy(taps[number]).to(sums.device).reshape(down, across, 2, _TAPS, 1, 1)
        x = _mirror(lefts[None, :, None] + offset[:, :, :1] + reach, columns)
        y = _mirror(tops[:, None, None] + offset[:, :, 1:] + reach, rows)
        tiles = corrected[y[:, :, :, None], x[:, :, None, :]]
        along_x = sum(weights[:, :, 0, tap] * tiles[..., tap : tap + TILE] for tap in range(_TAPS))
        assert isinstance(along_x, Tensor)
        moved = sum(weights[:, :, 1, tap] * along_x[:, :, tap : tap + TILE] for tap in range(_TAPS))
        assert isinstance(moved, Tensor)
        image = moved.permute(0, 2, 1, 3).reshape(down * TILE, across * TILE)[:rows, :columns]
        for place, factor in enumerate(factors[number].tolist()):
            if factor:
                sums[place].add_(image, alpha=factor)


def _mirror(index: Tensor, length: int) -> Tensor:
    index = index % (2 * length)
    return torch.where(index < length, index, 2 * length - 1 - index)
