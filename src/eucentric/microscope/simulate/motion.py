"""How the specimen moves under the beam."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from eucentric.microscope.simulate.settings import SimulationSettings
from eucentric.microscope.simulate.truth import LocalMotion

FloatArray = NDArray[np.float32]

_EARLY_DOSE = 4.0  # e⁻/Å² over which the fast motion at the beginning dies away
_STRONG_DRIFT = 60.0  # Å over a movie of an exposure that drifts on purpose


class Motion(NamedTuple):
    """The motion of one exposure.

    Attributes:
        shifts: Displacement (x, y) of the whole field in Å relative to the first frame, [frame, 2].
        local: Coefficients in Å of the motion within the field along x and y, [2, 5]; see `LocalMotion`.
        course: How far the local motion has got in every frame, from 0 to 1, [frame].
    """

    shifts: NDArray[np.float64]
    local: NDArray[np.float64]
    course: NDArray[np.float64]

    def largest(self) -> float:
        """Return a length in Å that no point of the field exceeds."""
        whole = float(np.abs(self.shifts).max())
        return whole + float(np.abs(self.local).sum(axis=1).max()) / 2

    def truth(self) -> LocalMotion:
        """Return the local motion as it is recorded."""
        x, y = (tuple(row.tolist()) for row in self.local)
        return LocalMotion(x=x, y=y, course=self.course.tolist())


def draw_motion(settings: SimulationSettings, drifting: bool, rng: np.random.Generator) -> Motion:
    """Draw a smooth motion that is fast at first: early and late drift, a little wobble, local motion."""
    dose = (np.arange(settings.frames) + 0.5) * settings.dose_per_frame
    early = 1 - np.exp(-dose / _EARLY_DOSE)
    late = dose / settings.dose
    heading = rng.uniform(0, 2 * np.pi)
    turn = rng.normal(0, 0.7)
    late_length = settings.late_motion * rng.uniform(0.3, 1.7) + (_STRONG_DRIFT if drifting else 0.0)
    path = np.outer(early, _direction(heading)) * settings.early_motion * rng.uniform(0.3, 1.7)
    path += np.outer(late, _direction(heading + turn)) * late_length
    wobble = rng.normal(0, 0.3 * settings.late_motion, (settings.frames, 2))
    path += gaussian_filter1d(wobble, max(1.0, settings.frames / 12), axis=0)
    local = rng.normal(0, settings.local_motion, (2, 5))
    course = 0.8 * early + 0.2 * late
    course -= course[0]
    return Motion(path - path[0], local, course / max(course[-1], 1e-9))


def local_field(motion: Motion, shape: tuple[int, int], pixel_size: float) -> FloatArray:
    """Return the local motion (x, y) in pixels, as it is when its course reaches 1, [y, x, 2]."""
    v = ((np.arange(shape[0]) / shape[0]) - 0.5)[:, None]
    u = ((np.arange(shape[1]) / shape[1]) - 0.5)[None, :]
    field = np.empty((*shape, 2), np.float32)
    for axis, (a, b, c, d, e) in enumerate(motion.local / pixel_size):
        field[..., axis] = a * u + b * v + c * (u**2 - 1 / 12) + d * u * v + e * (v**2 - 1 / 12)
    return field


def _direction(angle: float) -> NDArray[np.float64]:
    return np.array([np.cos(angle), np.sin(angle)])
