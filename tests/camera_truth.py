"""What a simulated camera counts when different specimens are before it."""

import numpy as np
from numpy.typing import NDArray

from eucentric.microscope.simulate.camera import Camera, make_camera, record_frame
from eucentric.microscope.simulate.settings import SimulationSettings

Image = NDArray[np.float32]


def camera(shape: tuple[int, int], variation: float = 0.05, seed: int = 1) -> Camera:
    """A camera of so many rows and columns, with a dead column and some hot pixels."""
    height, width = shape
    return make_camera(
        SimulationSettings(
            height=height,
            width=width,
            gain_variation=variation,
            seed=seed,
            hot_pixels=height * width // 20000,
        )
    )


def specimen(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """Electrons that get through [y, x], 1 on average: uneven ice, a carbon edge, particles."""
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    turn, phase = rng.uniform(0, 2 * np.pi, 2)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    image = 1 + 0.15 * np.sin(5 * across + phase) - 0.4 * (along > 0.6)
    for centre_y, centre_x in rng.uniform(0, 1, (60, 2)) * np.array(shape) / max(shape):
        image -= 0.15 * ((x - centre_x) ** 2 + (y - centre_y) ** 2 < (12 / max(shape)) ** 2)
    return (image.clip(0.1) / image.mean()).astype(np.float32)


def record(made: Camera, rng: np.random.Generator, dose: float, frames: int) -> NDArray[np.uint8]:
    """Raw counts [frame, y, x] of a movie of a new specimen, `dose` electrons in a pixel of all frames."""
    expected = specimen(rng, made.gain.shape) * np.float32(dose / frames)
    return np.stack([record_frame(made, expected, rng) for _ in range(frames)])


def halves(made: Camera, rng: np.random.Generator, dose: float, movies: int) -> Image:
    """Sums [half, y, x] of the frames of movies, each of one long frame's electrons."""
    sums = np.zeros((2, *made.gain.shape), np.float32)
    for number in range(movies):
        expected = specimen(rng, made.gain.shape) * dose * made.sensitivity
        sums[number % 2] += rng.poisson(expected)
        sums[number % 2][made.hot[:, 1], made.hot[:, 0]] += 60 * dose
    return sums
