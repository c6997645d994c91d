"""Whether data come and are worked on: movies, transfer, processing, failures, metadata, the engine."""

import itertools
import statistics
from collections.abc import Iterator

from eucentric.monitors.alarms.situation import MINUTE, Reading, Situation, in_minutes, newest, written
from eucentric.monitors.exposures import Exposure
from eucentric.store.alarm_settings import Threshold

INTERVALS = 5
"""Usual intervals between movies after which their absence is noted."""
_LATE = 5 * MINUTE
"""Metadata may come so much later than their movie."""


def no_movie(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Measure the minutes since the last movie was found, while an engine looks for movies.

    Where movies come seldom, the thresholds are at least `INTERVALS` times their usual interval. Of an older
    data set, all of whose movies are there, nothing is expected.
    """
    if situation.started is None or not _looks_for_movies(situation):
        return
    tails = [listed[-20:] for listed in situation.record.acquisitions.values()]
    found = sorted(each.found for tail in tails for each in tail)[-21:]
    last = max((each for tail in tails for each in tail), key=lambda each: each.found, default=None)
    if last is not None and not situation.is_live(last):
        return
    since = situation.now - max(situation.started, last.found if last else 0.0)
    usual = statistics.median(b - a for a, b in itertools.pairwise(found)) if len(found) > 5 else 0.0
    own = limits.scaled(max(1.0, INTERVALS * usual / MINUTE / limits.raise_))
    what = f"since {last.path[-1]}" if last else "since processing began"
    rhythm = f"; one came every {_interval(usual)} before" if usual else ""
    yield Reading(rule, "", since / MINUTE, own, f"No new movie for {in_minutes(since)}, {what}{rhythm}.")


def _interval(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE else f"{seconds / MINUTE:.0f} min"


def _looks_for_movies(situation: Situation) -> bool:
    return any(not row.inputs and not row.closed for row in situation.record.runs.values())


def transfer(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Measure the minutes from when movies were written until they were found here.

    It tells of the transfer where that keeps the files' times, and the clocks agree.
    """
    started = situation.started
    if started is None:
        return

    def lag(exposure: Exposure) -> float | None:
        if "movie" not in exposure.items or exposure.found < started or not situation.is_live(exposure):
            return None
        # What was written while no engine ran could not be found earlier.
        return max(0.0, exposure.found - max(written(exposure), started))

    if lags := newest(_merged(situation), lag, limits.last):
        late = statistics.median(lags)
        message = f"The last {limits.last} movies were found {in_minutes(late)} after they were written."
        yield Reading(rule, "", late / MINUTE, limits, message)


def _merged(situation: Situation) -> list[Exposure]:
    """Return the newest exposures of all acquisitions, in the order in which they were found."""
    tails = [listed[-200:] for listed in situation.record.acquisitions.values()]
    return sorted((each for tail in tails for each in tail), key=lambda each: each.found)


def processing(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Measure how many minutes exposures have waited for their CTF, or their alignment where none is fitted.

    The `last` th oldest counts, so that a single exposure that something else holds up alarms nobody.
    """
    started = situation.started
    if started is None:
        return
    fits = any(row.protocol == "estimate-ctf" for row in situation.record.runs.values())
    wanted = "ctf" if fits else "micrograph"
    waiting = sorted(
        max(each.found, started)
        for listed in situation.record.acquisitions.values()
        for each in listed
        if each.state == "waiting" and wanted not in each.items and situation.is_live(each)
    )
    oldest = situation.now - waiting[limits.last - 1] if len(waiting) >= limits.last else 0.0
    many = f"{len(waiting)} exposures wait" if len(waiting) != 1 else "One exposure waits"
    longest = f", the oldest for {in_minutes(situation.now - waiting[0])}" if waiting else ""
    yield Reading(rule, "", oldest / MINUTE, limits, f"{many} to be processed{longest}.")


def _answer(exposure: Exposure) -> str | None:
    """Return how an exposure ended; None where it has not, or somebody withdrew it."""
    by_hand = exposure.reason.startswith("withdrawn")
    return None if exposure.state == "waiting" or by_hand else exposure.state


def _ended(rule: str, state: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    for name, exposures in situation.living().items():

        def value(exposure: Exposure) -> float | None:
            answer = _answer(exposure)
            return None if answer is None else float(answer == state)

        if values := newest(exposures, value, limits.last):
            part = 100 * statistics.fmean(values)
            latest = next((each for each in reversed(exposures) if _answer(each) == state), None)
            why = f"; the latest: {_shortened(latest.reason)}" if latest and part and latest.reason else ""
            message = f"{part:.0f} % of the last {limits.last} exposures of {name} were {state}{why}."
            if state == "failed":
                message = message.replace(" were failed", " failed")
            yield Reading(rule, name, part, limits, message)


def _shortened(reason: str) -> str:
    words = " ".join(reason.split()).rstrip(".")
    return words if len(words) <= 160 else words[:159] + "…"


def rejected(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Measure which part of the exposures was rejected, in percent, without those that people withdrew."""
    yield from _ended(rule, "rejected", situation, limits)


def failed(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Measure which part of the exposures failed, in percent."""
    yield from _ended(rule, "failed", situation, limits)


def metadata(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Measure which part of the movies has no metadata beside it, in percent, once some had."""
    for name, exposures in situation.living().items():

        def missing(exposure: Exposure) -> float | None:
            if situation.now - exposure.found < _LATE or "movie" not in exposure.items:
                return None
            return float("metadata" not in exposure.items)

        known = any("metadata" in each.items for each in (*exposures[:50], *exposures[-200:]))
        values = newest(exposures, missing, limits.last) if known else []
        if values:
            part = 100 * statistics.fmean(values)
            message = f"{part:.0f} % of the last {limits.last} movies of {name} have no metadata beside them."
            yield Reading(rule, name, part, limits, message)


def engine(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Look whether the engine lives, and holds back nothing."""
    record = situation.record
    if record.engine == "interrupted":
        yield Reading(rule, "", 1, limits, "The engine ended without a word: nothing is processed.")
    elif record.held:
        yield Reading(rule, "", 1, limits, f"The engine holds back work: {_shortened(record.held)}.")
    else:
        yield Reading(
            rule, "", 0, limits, "The engine runs." if situation.started else "The engine is stopped."
        )


def publishing(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Tell what went wrong when the report was published."""
    trouble = situation.troubles.get(rule)
    message = trouble if trouble is not None else "The report is published."
    yield Reading(rule, "", float(trouble is not None), limits, message)
