"""A second fit of those micrographs whose phase shift is uncertain, with what the others let expect."""

import math
from typing import Any

import numpy as np
from pydantic import Field

from eucentric.engine.protocol import Protocol, Task
from eucentric.metadata import CTF, Degree, ExposureMetadata, Micrograph, Movie, PhaseTrend
from eucentric.techniques.single_particle.estimate_ctf import EstimateCTF, fit_micrograph
from eucentric.techniques.single_particle.phase_trend import exposure_time, read_trend

_UNKNOWN = 20.0  # degrees; what is expected no better than this helps nobody
_OUTLIER = 3.0  # standard deviations


class RefitPhaseShift(Protocol):
    """Fit a micrograph again where its phase shift is uncertain, near the one that the trend lets expect.

    Where its own fit is good and agrees, and where the trend knows no better, the fit is passed on as it is.
    The spectrum has the last word: it overrules what is expected where it clearly says otherwise (7 nats).
    """

    name = "refit-phase-shift"
    version = "1"

    class Params(EstimateCTF.Params):
        """As of estimate-ctf, and which fits are good enough."""

        fit_phase_shift: bool = Field(
            default=True, description="Fit the phase shift of every micrograph, within its limits."
        )
        good_error: Degree = Field(
            default=6, ge=0, description="Fits no less certain than this are passed on if they agree."
        )

    def process(
        self,
        micrograph: Micrograph,
        ctf: CTF,
        trend: PhaseTrend,
        movie: Movie,
        metadata: ExposureMetadata | None,
        task: Task,
    ) -> CTF:
        """Pass on one fit, or make it again."""
        expected, error = _expected(trend, ctf, exposure_time(movie, metadata), task)
        own_error = ctf.phase_shift_error
        if own_error is None or error > _UNKNOWN:
            task.log.info("the phase shift stays: it was not fitted, or nothing better is expected")
            return ctf
        distance = abs((ctf.phase_shift - expected + 90) % 180 - 90)
        if own_error <= self.params.good_error and distance <= _OUTLIER * math.hypot(own_error, error):
            return ctf
        again = fit_micrograph(micrograph, metadata, self.params, task, (expected, error))
        task.log.info(
            "phase shift %.0f ± %.0f°, expected %.0f ± %.0f°; now %.0f°",
            *(ctf.phase_shift, own_error, expected, error, again.phase_shift),
        )
        return again.model_copy(update=_told(again, expected, error))


def _told(again: CTF, expected: float, error: float) -> dict[str, Any]:
    """Return what is known better of a fit with an expectation."""
    own = again.phase_shift_error
    distance = abs((again.phase_shift - expected + 90) % 180 - 90)
    if own is None or distance > _OUTLIER * error:
        return {"expected_phase_shift": expected}
    return {"expected_phase_shift": expected, "phase_shift_error": 1 / math.hypot(1 / own, 1 / error)}


def _expected(trend: PhaseTrend, ctf: CTF, time: float, task: Task) -> tuple[float, float]:
    """Return what the other exposures let expect of one, and its standard deviation, degrees."""
    if trend.path is None or trend.interval is None or trend.step is None:
        return 0.0, math.inf
    table = read_trend(task.locate(trend.path))
    own = table[table["micrograph"] == ctf.micrograph_path]
    if len(own):
        return float(own["expected"].iloc[0]), float(own["expected_error"].iloc[0])
    nearest = table.iloc[int(np.argmin(np.abs(table["time"].to_numpy() - time)))]
    # Made after the last, or its fit took no part: the phase has gone on from the nearest.
    steps = min(max(1.0, abs(time - float(nearest["time"])) / trend.interval), 10.0)
    return float(nearest["trend"]), math.hypot(float(nearest["trend_error"]), trend.step * math.sqrt(steps))
