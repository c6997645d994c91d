"""The phase shift of a phase plate, followed through the exposures of an acquisition."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import ByteSize, Field

from eucentric.engine.protocol import Accumulator, ProtocolParams, Resources, Task
from eucentric.imaging.phase_trend import phase_trend
from eucentric.metadata import CTF, ExposureMetadata, Item, Movie, PhaseTrend

_COLUMNS = ["micrograph", "time", "phase", "error"]
_JUMP = 0.5


class PhaseTrendState(Item):
    """Where the fits lie that the trend is made from."""

    path: str | None = None


class FollowPhaseShift(Accumulator[PhaseTrendState]):
    """Follow the phase shift of a phase plate, which drifts slowly and jumps where the plate is moved.

    For exposures whose phase shift was fitted (`fit_phase_shift` of estimate-ctf) with some confidence.
    """

    name = "phase-trend"
    version = "1"
    resources = Resources(memory=ByteSize(400 * 10**6))

    class Params(ProtocolParams):
        """Which fits take part."""

        min_confidence: float = Field(
            default=0.5, ge=0, le=1, description="Least confidence of a fit that takes part."
        )

    class Entry(NamedTuple):
        """One exposure: its fit, and when it was made."""

        ctf: CTF
        movie: Movie
        metadata: ExposureMetadata | None

    def update(
        self, state: PhaseTrendState | None, added: Sequence[Entry], removed: Sequence[Entry], task: Task
    ) -> tuple[PhaseTrendState, PhaseTrend]:
        """Add and take back exposures, and follow the series anew."""
        table = pd.DataFrame(columns=_COLUMNS)
        if state is not None and state.path is not None:
            table = read_trend(task.locate(state.path))[_COLUMNS]
        table = table[~table["micrograph"].isin({entry.ctf.micrograph_path for entry in removed})]
        rows = [_row(entry) for entry in added if self._takes_part(entry.ctf)]
        if rows:
            table = pd.DataFrame([*table.to_dict("records"), *rows], columns=_COLUMNS)
        table = table.sort_values(["time", "micrograph"], ignore_index=True)
        if table.empty:
            return PhaseTrendState(), PhaseTrend(path=None, exposures=0, positions=0)
        time = table["time"].to_numpy(np.float64)
        between = np.diff(time)
        interval = float(np.median(between[between > 0])) if (between > 0).any() else 1.0
        pause = np.concatenate([[1.0], between / interval])
        trend = phase_trend(table["phase"].to_numpy(np.float64), table["error"].to_numpy(np.float64), pause)
        told = table.assign(
            trend=trend.phase,
            trend_error=trend.error,
            expected=trend.expected,
            expected_error=trend.expected_error,
            jump=trend.jump,
        )
        (task.folder / "phases.json").write_text(
            json.dumps(
                {str(name): column.round(4).tolist() for name, column in told.items()}, allow_nan=False
            )
        )
        positions = 1 + int((trend.jump > _JUMP).sum())
        task.log.info(
            "%d exposures on %d positions of the plate; now %.0f ± %.0f°",
            len(table),
            positions,
            trend.phase[-1],
            trend.error[-1],
        )
        path = task.keep("phases.json")
        return PhaseTrendState(path=path), PhaseTrend(
            path=path,
            exposures=len(table),
            positions=positions,
            phase_shift=float(trend.phase[-1]),
            phase_shift_error=float(trend.error[-1]),
            step=trend.step,
            interval=interval,
            last=float(time[-1]),
        )

    def _takes_part(self, ctf: CTF) -> bool:
        sure = ctf.confidence is None or ctf.confidence >= self.params.min_confidence
        return ctf.phase_shift_error is not None and sure


def exposure_time(movie: Movie, metadata: ExposureMetadata | None) -> float:
    """Return when an exposure was made, s since 1970: by the microscope, or when its file was written."""
    recorded = metadata.recorded if metadata is not None else None
    return movie.modified if recorded is None else recorded.timestamp()


def read_trend(path: Path) -> pd.DataFrame:
    """Return the table of a trend: a row for each exposure, in the order of time, angles in degrees."""
    return pd.DataFrame(json.loads(path.read_text()))


def _row(entry: FollowPhaseShift.Entry) -> dict[str, object]:
    return {
        "micrograph": entry.ctf.micrograph_path,
        "time": exposure_time(entry.movie, entry.metadata),
        "phase": entry.ctf.phase_shift,
        "error": entry.ctf.phase_shift_error,
    }
