"""The simulated camera: it counts electrons, each pixel with its own sensitivity."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from eucentric.imaging.image_formation import count_electrons
from eucentric.microscope.simulate.settings import SimulationSettings

FloatArray = NDArray[np.float32]

_HOT_COUNTS = 60.0  # electrons that a hot pixel counts in a frame without being hit


class Camera(NamedTuple):
    """A camera and what is wrong with its pixels.

    Attributes:
        gain: What raw counts are multiplied by, [y, x]; 0 in dead columns.
        sensitivity: Part of the electrons that each pixel counts: 1 / gain, or 0.
        hot: (x, y) of the pixels that count far too much, [pixel, 2].
        dead_columns: x of the columns that count nothing.
    """

    gain: FloatArray
    sensitivity: FloatArray
    hot: NDArray[np.int64]
    dead_columns: NDArray[np.int64]


def make_camera(settings: SimulationSettings) -> Camera:
    """Make the camera of a session: per-pixel, per-column and slowly varying sensitivity, and defects."""
    rng = np.random.default_rng([settings.seed, 0])
    height, width = settings.height, settings.width
    pattern = rng.standard_normal((height, width), dtype=np.float32)
    pattern += rng.standard_normal((1, width), dtype=np.float32)
    waves = rng.uniform(0.5, 1.5, 2)
    pattern += np.cos(2 * np.pi * waves[0] * np.arange(width, dtype=np.float32) / width)
    pattern += np.cos(2 * np.pi * waves[1] * np.arange(height, dtype=np.float32) / height)[:, None]
    sensitivity = np.clip(1 + settings.gain_variation / np.sqrt(3) * pattern, 0.2, 2).astype(np.float32)
    gain = (1 / sensitivity).astype(np.float32)
    dead_columns = np.sort(rng.choice(width, settings.dead_columns, replace=False))
    sensitivity[:, dead_columns] = 0
    gain[:, dead_columns] = 0
    flat = rng.choice(height * width, settings.hot_pixels, replace=False)
    hot = np.stack((flat % width, flat // width), axis=-1)
    return Camera(gain, sensitivity, hot[~np.isin(hot[:, 0], dead_columns)], dead_columns)


def record_frame(camera: Camera, expected: FloatArray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Count the electrons of one frame.

    Args:
        camera: The camera.
        expected: Electrons that fall on each pixel, on average, [y, x].
        rng: Source of randomness.

    Returns:
        Raw counts [y, x], not corrected for gain; at most 127, which fits the signed bytes of an MRC file.
    """
    counts = count_electrons(expected * camera.sensitivity, rng)
    x, y = camera.hot.T
    counts[y, x] = np.minimum(counts[y, x] + rng.poisson(_HOT_COUNTS, len(camera.hot)), 127)
    return np.minimum(counts, np.uint8(127))


def corrected(camera: Camera, counts: NDArray[np.uint8], scale: float) -> FloatArray:
    """Return what a camera gives that corrects its frames itself: gain applied, bad pixels replaced.

    Args:
        camera: The camera.
        counts: Raw counts of a frame, [y, x].
        scale: What one electron counts.
    """
    image = counts * (camera.gain * np.float32(scale))
    bad = camera.gain == 0
    bad[camera.hot[:, 1], camera.hot[:, 0]] = True
    rows, columns = distance_transform_edt(bad, return_distances=False, return_indices=True)
    whole: FloatArray = image[rows, columns]
    return whole


def electron_frames(
    counts: NDArray[np.uint8], frames: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """Spread the electrons that were counted in a stretch of time over camera frames.

    Independent choices keep the counts of each camera frame Poisson distributed.

    Args:
        counts: Electrons counted in every pixel, [y, x].
        frames: Number of camera frames in that time.
        rng: Source of randomness.

    Yields:
        The places (x, y) in px of the electrons of one camera frame, anywhere within their pixels,
        [electron, 2].
    """
    pixels = np.repeat(np.arange(counts.size), counts.reshape(-1))
    chosen = rng.integers(0, frames, len(pixels))
    pixels = pixels[np.argsort(chosen, kind="stable")]
    places = np.stack((pixels % counts.shape[1], pixels // counts.shape[1]), axis=-1).astype(np.float32)
    places += rng.uniform(-0.5, 0.5, places.shape).astype(np.float32)
    yield from np.split(places, np.cumsum(np.bincount(chosen, minlength=frames))[:-1])
