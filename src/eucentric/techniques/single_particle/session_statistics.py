"""Running statistics of an acquisition: how many exposures, and how good they are."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ByteSize, ConfigDict, Field

from eucentric.engine.protocol import Accumulator, ProtocolParams, Resources, Task
from eucentric.metadata import CTF, Angstrom, ExposureMetadata, Histogram, Item, Micrograph, SessionStatistics


class Moments(BaseModel):
    """Number, sum and sum of squares: what mean and deviation need, and can be taken back exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, value: float, sign: int) -> "Moments":
        """Return the moments with a value added (`sign` 1) or taken back (−1)."""
        if self.n + sign == 0:
            return Moments()  # without the rounding errors of what came and went
        return Moments(
            n=self.n + sign, total=self.total + sign * value, squares=self.squares + sign * value**2
        )

    @property
    def mean(self) -> float | None:
        """The mean, or None of nothing."""
        return self.total / self.n if self.n else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation, or None of less than two values."""
        if self.n < 2:
            return None
        return math.sqrt(max(0.0, (self.squares - self.total**2 / self.n) / (self.n - 1)))


class StatisticsState(Item):
    """What the statistics are computed from: sums and counts, whose size does not grow with the session."""

    exposures: int = 0
    fitted: int = 0
    moments: dict[str, Moments] = Field(default_factory=dict)
    counts: dict[str, list[int]] = Field(default_factory=dict)


class SummariseSession(Accumulator[StatisticsState]):
    """Count exposures, and average what tells whether they are good."""

    name = "session-statistics"
    version = "1"
    resources = Resources(memory=ByteSize(300 * 10**6))

    class Params(ProtocolParams):
        """The histograms' ranges: what lies beyond is counted in the last bin."""

        bins: int = Field(default=30, ge=2, le=1000, description="Number of bins of each histogram.")
        largest_defocus: Angstrom = Field(default=40_000, gt=0, description="End of the defocus histogram.")
        largest_resolution: Angstrom = Field(default=15, gt=0, description="End of the resolution histogram.")
        largest_motion: Angstrom = Field(default=60, gt=0, description="End of the motion histogram.")

    class Entry(NamedTuple):
        """One exposure: its micrograph, its fitted CTF once there is one, and what was written beside it."""

        micrograph: Micrograph
        ctf: CTF | None
        metadata: ExposureMetadata | None

    def update(
        self, state: StatisticsState | None, added: Sequence[Entry], removed: Sequence[Entry], task: Task
    ) -> tuple[StatisticsState, SessionStatistics]:
        """Add and take back exposures."""
        state = state or StatisticsState()
        moments, counts = dict(state.moments), {name: list(bins) for name, bins in state.counts.items()}
        exposures, fitted = state.exposures, state.fitted
        for sign, entries in ((1, added), (-1, removed)):
            for entry in entries:
                exposures += sign
                fitted += sign * (entry.ctf is not None)
                for name, value in _values(entry).items():
                    moments[name] = moments.get(name, Moments()).plus(value, sign)
                    if name in self._ends:
                        bins = counts.setdefault(name, [0] * self.params.bins)
                        bins[self._bin(name, value)] += sign
        task.log.info("%d exposures added, %d taken back", len(added), len(removed))
        state = StatisticsState(exposures=exposures, fitted=fitted, moments=moments, counts=counts)
        return state, self._summary(state)

    @property
    def _ends(self) -> dict[str, float]:
        return {
            "defocus": self.params.largest_defocus,
            "resolution": self.params.largest_resolution,
            "motion": self.params.largest_motion,
        }

    def _bin(self, name: str, value: float) -> int:
        bins: int = self.params.bins
        return max(0, min(bins - 1, int(value / self._ends[name] * bins)))

    def _histogram(self, state: StatisticsState, name: str) -> Histogram | None:
        if not any(state.counts.get(name, [])):
            return None
        step = self._ends[name] / self.params.bins
        edges = [round(number * step, 6) for number in range(self.params.bins + 1)]
        return Histogram(edges=edges, counts=state.counts[name])

    def _summary(self, state: StatisticsState) -> SessionStatistics:
        of: dict[str, Moments] = {name: state.moments.get(name, Moments()) for name in _NAMES}
        return SessionStatistics(
            exposures=state.exposures,
            fitted=state.fitted,
            defocus_mean=of["defocus"].mean,
            defocus_deviation=of["defocus"].deviation,
            defocus_error_mean=of["defocus_error"].mean,
            astigmatism_mean=of["astigmatism"].mean,
            resolution_mean=of["resolution"].mean,
            motion_mean=of["motion"].mean,
            defocus_histogram=self._histogram(state, "defocus"),
            resolution_histogram=self._histogram(state, "resolution"),
            motion_histogram=self._histogram(state, "motion"),
        )


_NAMES = ("defocus", "defocus_error", "astigmatism", "resolution", "motion")


def _values(entry: Any) -> dict[str, float]:
    """Return what one exposure contributes, by name; lengths in Å."""
    values = {}
    if entry.micrograph.motion_total is not None:
        values["motion"] = entry.micrograph.motion_total
    if entry.ctf is not None:
        defocus = (entry.ctf.defocus_u + entry.ctf.defocus_v) / 2
        values["defocus"] = defocus
        values["astigmatism"] = entry.ctf.defocus_u - entry.ctf.defocus_v
        values["resolution"] = entry.ctf.resolution
        if entry.metadata is not None and entry.metadata.target_defocus is not None:
            values["defocus_error"] = defocus - entry.metadata.target_defocus
    return values
