"""What is wrong with an exposure on purpose, beyond what its motion and its optics say."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eucentric.imaging.specimen_films import (
    carbon_potential,
    crystal_mean_potential,
    crystal_potential,
    crystal_thickness,
    outside_circle,
    transmission,
)
from eucentric.microscope.simulate.settings import Fault, SimulationSettings

FloatArray = NDArray[np.float32]

_THICK_ICE = 2000.0  # Å
_CARBON_THICKNESS = 200.0  # Å
_HOLE_RADIUS = 6000.0  # Å, of a film with holes of 1.2 µm
_CRYSTAL_COVERAGE = 0.6  # of the area; the outlines of the crystals together
_LUMPS = (4, 8)  # lumps of ice on a contaminated exposure, from and to
_LUMP_RADIUS = (0.04, 0.14)  # of the image's shorter side
_DYING = 0.75  # of the beam is left with each exposure that is dim
_LOST = 0.2  # of the frames are lost where frames are dropped


class Flaws(NamedTuple):
    """What is wrong with one exposure.

    Attributes:
        ice_thickness: Thickness of its ice in Å, 0 in an empty hole.
        crystalline: Whether that ice is crystalline.
        beam: Part of the stated dose that there is.
        hole: (x, y, radius) in px of the frame of the hole in the carbon film, which is in view only then.
        lumps: (x, y, radius) in px of lumps of ice that lie on the specimen, [lump, 3].
        dropped: Frames, counted from 0, that are not in the file.
    """

    ice_thickness: float
    crystalline: bool
    beam: float
    hole: tuple[float, float, float] | None
    lumps: NDArray[np.float64]
    dropped: tuple[int, ...]

    def hidden(self, centres: FloatArray) -> NDArray[np.bool_]:
        """Tell which particles, at (x, y) in px of the frame, lie on carbon or under a lump, [particle]."""
        covered = np.zeros(len(centres), bool)
        if self.hole is not None:
            covered |= np.hypot(*(centres - self.hole[:2]).T) > self.hole[2]
        for x, y, radius in self.lumps:
            covered |= np.hypot(*(centres - (x, y)).T) < radius
        return covered


def draw_flaws(settings: SimulationSettings, number: int) -> Flaws:
    """Draw what is wrong with exposure `number`, counted from 1."""
    fault: Fault | None = settings.faults.get(number)
    rng = np.random.default_rng([settings.seed, number, 3])
    thickness = {"empty": 0.0, "thick-ice": max(_THICK_ICE, settings.ice_thickness)}
    dim = sum(settings.faults[each] == "dim" for each in settings.faults if each <= number)
    return Flaws(
        ice_thickness=thickness.get(fault or "", settings.ice_thickness),
        crystalline=fault == "crystalline-ice",
        beam=_DYING**dim if fault == "dim" else 1.0,
        hole=_draw_hole(settings, rng) if fault == "carbon" else None,
        lumps=_draw_lumps(settings, rng) if fault == "contaminated" else np.empty((0, 3)),
        dropped=_draw_dropped(settings.frames, rng) if fault == "dropped-frames" else (),
    )


def film(
    settings: SimulationSettings, flaws: Flaws, number: int, margin: int, shape: tuple[int, int]
) -> tuple[FloatArray, FloatArray] | None:
    """Draw what lies in the beam beside particles and vitreous ice, if there is anything.

    Args:
        settings: The session.
        flaws: Of the exposure.
        number: Of the exposure.
        margin: Pixels of the image around the frame.
        shape: Height and width of the image.

    Returns:
        Its projected potential in V·Å and the part of the beam that it lets through, each [y, x]; or None.
    """
    if flaws.hole is None and not len(flaws.lumps) and not flaws.crystalline:
        return None
    rng = np.random.default_rng([settings.seed, number, 4])
    potential = np.zeros(shape, np.float32)
    passed = np.ones(shape, np.float32)
    if flaws.hole is not None:
        x, y, radius = flaws.hole
        cover = outside_circle(shape, settings.pixel_size, (x + margin, y + margin), radius)
        potential += cover * carbon_potential(shape, settings.pixel_size, _CARBON_THICKNESS, rng)
        passed *= transmission(cover * np.float32(_CARBON_THICKNESS), "carbon")
    if len(flaws.lumps):
        lumps = flaws.lumps + np.array([margin, margin, 0])
        thickness = crystal_thickness(shape, settings.pixel_size, lumps, rng)
        potential += thickness * np.float32(crystal_mean_potential())
        passed *= transmission(thickness, "ice")
    if flaws.crystalline:
        thick = flaws.ice_thickness
        potential += crystal_potential(shape, settings.pixel_size, _CRYSTAL_COVERAGE, thick, rng)
    return potential, passed


def _draw_hole(settings: SimulationSettings, rng: np.random.Generator) -> tuple[float, float, float]:
    """Place a hole so that from a third of the frame to all of it shows carbon."""
    radius = _HOLE_RADIUS / settings.pixel_size
    length = min(settings.width, settings.height)
    edge = length * (0.5 - rng.uniform(0.35, 1.1))  # px from the middle of the frame
    angle = rng.uniform(0, 2 * np.pi)
    away = edge - radius
    return (
        settings.width / 2 + away * float(np.cos(angle)),
        settings.height / 2 + away * float(np.sin(angle)),
        radius,
    )


def _draw_lumps(settings: SimulationSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    count = rng.integers(*_LUMPS)
    radii = rng.uniform(*_LUMP_RADIUS, count) * min(settings.width, settings.height)
    centres = rng.uniform(0, (settings.width, settings.height), (count, 2))
    return np.column_stack((centres, radii))


def _draw_dropped(frames: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Choose frames in a row, not the first one."""
    count = min(max(1, round(_LOST * frames)), frames - 1)
    first = int(rng.integers(1, frames - count + 1)) if count else 0
    return tuple(range(first, first + count))
