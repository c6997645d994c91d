"""What files of detectors and spectrometers hold: images, stacks, scans and spectra with calibrated axes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eucentric.formats.lengths import angstroms

MOST_POINTS = 2**31
"""Most points along one axis that are believed."""

_ELECTRONVOLTS = {"mev": 1e-3, "ev": 1.0, "kev": 1e3}


def electronvolts(unit: str) -> float | None:
    """Return how many eV a unit of energy has; None where it is none. "MeV" in a spectrum is meV."""
    return _ELECTRONVOLTS.get(unit.strip().strip("[]").replace("_", "").lower())  # EMD writes [e_V]


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        points: How many there are along it.
        scale: From one to the next, in `unit`; None where the file does not say.
        unit: As the file writes it; "" where there is none.
    """

    points: int
    scale: float | None = None
    unit: str = ""

    @property
    def step(self) -> float | None:
        """Å between points; None where the unit is no length, or the scale no size."""
        factor = angstroms(self.unit)
        return None if factor is None else self._positive(factor)

    @property
    def energy_step(self) -> float | None:
        """The size of a channel in eV; None where the unit is no energy."""
        factor = electronvolts(self.unit)
        return None if factor is None else self._positive(factor)

    def _positive(self, factor: float) -> float | None:
        if self.scale is None or not math.isfinite(self.scale):
            return None
        return abs(self.scale) * factor or None


@dataclass(frozen=True)
class ScaledImage:
    """One image, stack, scan or spectrum of a file.

    Attributes:
        axes: Its axes, the slowest first, as in an array: [y, x], [frame, y, x], [y, x, energy], ...
        said: What the file says about it, by the file's own keys; as nested as it is there.
    """

    axes: tuple[Axis, ...]
    said: Mapping[str, Any] = field(default_factory=dict)
