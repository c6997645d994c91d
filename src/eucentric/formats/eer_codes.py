"""The codes of one EER frame: electrons in raster order, each a run of empty pixels and a place in a pixel.

Facts of the format: Guo et al., IUCrJ 7, 860 (2020), Thermo Fisher's description of the EER file format,
and RELION's behaviour. A frame is a stream of bits, least significant bit of each byte first. A code is the
number of pixels without electron before the next one, then the quarter (or 1/2ⁿ) of the pixel in x, then in
y, where the highest bit of either is inverted: they count from the middle of the pixel, as signed numbers.
A run of all ones stands for that many empty pixels and no electron. A last run leads to the end of the
frame exactly, so damage is noticed.

`imagecodecs` decodes EER too, but takes a stream that is cut short for one with fewer electrons, and reads
the overflow of compression 65000 differently from RELION; see docs/decisions/0010-eer-decoder.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.uint8] | NDArray[np.uint16]

_BAND_BYTES = 2**20

SPARE_BYTES = 16
"""How many bytes beyond its codes `add_electrons` may look at."""


@dataclass(frozen=True)
class EERCodes:
    """How the codes of a file are made.

    Attributes:
        run_bits: Bits of a run of empty pixels.
        x_bits: Bits of the place within the pixel along x.
        y_bits: The same along y.
        padded: Whether a run without electron is followed by unused bits of a place (compression 65000).
    """

    run_bits: int = 7
    x_bits: int = 2
    y_bits: int = 2
    padded: bool = False


CODES = {65000: EERCodes(8, 2, 2, padded=True), 65001: EERCodes(7, 2, 2), 65002: EERCodes(7, 2, 2)}
"""Codes by the TIFF number of the compression; those of 65002 may be others, named in tags of the file."""


def add_electrons(frames: Sequence[bytes], image: Counts, codes: EERCodes, upsampling: int) -> list[int]:
    """Add the electrons of some frames to an image.

    The frames are worked on together, a band of rows after the other, so that the band stays in the
    processor's cache.

    Args:
        frames: The codes of each, followed by `SPARE_BYTES` bytes of any value.
        image: [y, x], changed in place: the frame's size times `upsampling`. Its first row is the frame's
            first row. A pixel grows by 1 at most for each frame.
        codes: How they are made.
        upsampling: 1 or 2, how much finer than the camera's pixels the image is.

    Returns:
        Number of electrons of each frame; -1 for one whose stream ends early or does not end with the frame.
    """
    height, width = image.shape[0] // upsampling, image.shape[1] // upsampling
    words = [np.frombuffer(data, "<u8", count=len(data) // 8) for data in frames]
    limits = [(len(data) - SPARE_BYTES) * 8 for data in frames]
    states = np.zeros((len(frames), 4), np.int64)
    rows = max(1, _BAND_BYTES // (width * upsampling**2 * image.itemsize))
    bits = (codes.run_bits, codes.x_bits, codes.y_bits)
    for end in range(rows, height + rows, rows):
        for frame, state in enumerate(states):
            _add(words[frame], limits[frame], image, *bits, codes.padded, upsampling, state, min(end, height))
    return [int(electrons) for electrons in states[:, 3]]


@numba.njit(cache=True, nogil=True)
def _add(
    words: NDArray[np.uint64],
    limit: int,
    image: Counts,
    run_bits: int,
    x_bits: int,
    y_bits: int,
    padded: bool,
    upsampling: int,
    state: NDArray[np.int64],
    end: int,
) -> None:
    """Do the work of `add_electrons` for one frame up to row `end`.

    The codes end at bit `limit`. `state` is the next code's bit, the pixel (x, y) after the last electron
    and the number of electrons, -1 once the frame has turned out to be damaged.
    """
    height, width = image.shape[0] // upsampling, image.shape[1] // upsampling
    longest = (1 << run_bits) - 1
    place_bits = x_bits + y_bits
    bit, x, y, electrons = state[0], state[1], state[2], state[3]
    while electrons >= 0 and bit + run_bits <= limit:
        word, offset = bit >> 6, bit & 63
        value = words[word] >> np.uint64(offset)
        if offset > 32:
            value |= words[word + 1] << np.uint64(64 - offset)
        code = np.int64(value & np.uint64(0xFFFFFFFF))
        run = code & longest
        new_x, new_y = x + run, y
        while new_x >= width:
            new_x -= width
            new_y += 1
        if new_y >= end:
            if end == height and (new_y > height or new_x > 0):
                electrons = -1
            state[0], state[1], state[2], state[3] = bit, x, y, electrons
            return
        x, y = new_x, new_y
        bit += run_bits
        if run == longest:
            if padded:
                bit += place_bits
            continue
        bit += place_bits
        if bit > limit:
            break
        if upsampling == 2:
            # The highest bit of the place, inverted: 1 in the half of the pixel with higher x or y.
            right = ((code >> (run_bits + x_bits - 1)) & 1) ^ 1
            upper = ((code >> (run_bits + place_bits - 1)) & 1) ^ 1
            image[2 * y + upper, 2 * x + right] += 1
        else:
            image[y, x] += 1
        electrons += 1
        x += 1  # a row that is full ends with the run of the next code
    state[3] = -1


def encode_electrons(
    positions: NDArray[np.floating], shape: tuple[int, int], codes: EERCodes
) -> tuple[bytes, int]:
    """Make the codes of one frame.

    Args:
        positions: [electron, (x, y)] in pixels, (0, 0) the centre of the first pixel, in any order. Electrons
            beyond the edge are left out, and so is the second one in a pixel: a camera counts it once.
        shape: Rows and columns of the frame.
        codes: How the codes are made.

    Returns:
        The codes, in whole words of 8 bytes, and the number of electrons in them.
    """
    height, width = shape
    fine = np.floor(
        (np.asarray(positions, np.float64).reshape(-1, 2) + 0.5) * (1 << codes.x_bits, 1 << codes.y_bits)
    )
    size = (width << codes.x_bits, height << codes.y_bits)
    x, y = fine[((fine >= 0) & (fine < size)).all(1)].astype(np.int64).T
    pixels = (y >> codes.y_bits) * width + (x >> codes.x_bits)
    x_places = (x & ((1 << codes.x_bits) - 1)) ^ (1 << codes.x_bits >> 1)
    y_places = (y & ((1 << codes.y_bits) - 1)) ^ (1 << codes.y_bits >> 1)
    bits = codes.run_bits + codes.x_bits + codes.y_bits
    most = (len(pixels) + height * width // ((1 << codes.run_bits) - 1) + 2) * bits
    words = np.zeros(most // 64 + 2, np.uint64)
    # Place plus one of the first electron in every pixel: in raster order without sorting.
    seen = np.zeros(height * width, np.uint16)
    _first_in_pixel(seen, pixels, x_places | (y_places << codes.x_bits))
    used, electrons = _encode(words, seen, codes.run_bits, bits - codes.run_bits, codes.padded)
    return words[: -(-used // 64)].astype("<u8").tobytes(), electrons


@numba.njit(cache=True, nogil=True)
def _first_in_pixel(seen: NDArray[np.uint16], pixels: NDArray[np.int64], places: NDArray[np.int64]) -> None:
    for index in range(len(pixels)):
        if seen[pixels[index]] == 0:
            seen[pixels[index]] = places[index] + 1


@numba.njit(cache=True, nogil=True)
def _encode(
    words: NDArray[np.uint64], seen: NDArray[np.uint16], run_bits: int, place_bits: int, padded: bool
) -> tuple[int, int]:
    """Fill `words`, which are zero, with the codes of a frame; return the bits used and the electrons."""
    longest = (1 << run_bits) - 1
    bit = gap = electrons = 0
    for pixel in range(len(seen)):
        place = seen[pixel]
        if place == 0:
            gap += 1
            if gap == longest:
                bit = _put(words, bit, longest, run_bits + (place_bits if padded else 0))
                gap = 0
            continue
        bit = _put(words, bit, gap | ((int(place) - 1) << run_bits), run_bits + place_bits)
        gap = 0
        electrons += 1
    return _put(words, bit, gap, run_bits), electrons


@numba.njit(cache=True, nogil=True)
def _put(words: NDArray[np.uint64], bit: int, value: int, length: int) -> int:
    """Write a number of `length` bits at a bit; return the bit after it."""
    word, offset = bit >> 6, bit & 63
    words[word] |= np.uint64(value) << np.uint64(offset)
    if offset + length > 64:
        words[word + 1] |= np.uint64(value) >> np.uint64(64 - offset)
    return bit + length
