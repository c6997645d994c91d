"""From the values of exposures to those of acquisition and tilt series, as the table of terms says."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from eucentric.metadata.readings import Origin, Reading, Value
from eucentric.metadata.vocabulary import TERMS, TiltSeries, checked

if TYPE_CHECKING:
    from eucentric.metadata.knowledge import Resolved

_SAME_ANGLE = 0.05
"""Degrees; angles that are nearer were taken twice."""


def summaries(exposures: "Iterable[Resolved]", series: Sequence[TiltSeries]) -> list[Reading]:
    """Return the terms of an acquisition that follow from its exposures and tilt series."""
    values = _values(exposures)
    for one in series:
        for field, value in one:
            if value is not None:
                values[f"tilt_series.{field}"].append(value)
    return _summarised("acquisition", values)


def tilt_series(exposures: "Iterable[Resolved]") -> list[TiltSeries]:
    """Return the tilt series that exposures belong to, by name."""
    by_name: dict[str, list[Resolved]] = defaultdict(list)
    for exposure in exposures:
        if (name := exposure.value("exposure.tilt_series")) is not None:
            by_name[str(name)].append(exposure)
    found = []
    for name, members in sorted(by_name.items()):
        values: dict[str, Any] = {"name": name}
        for member in members:
            for (term, _), reading in member.readings.items():
                if term.startswith("tilt_series."):
                    values[term.partition(".")[2]] = reading.value
        those = _summarised("tilt_series", _values(members))
        values |= {reading.term.partition(".")[2]: reading.value for reading in those}
        found.append(TiltSeries(**values))
    return found


def _step(values: Sequence[float]) -> float | None:
    """Return the median step between sorted values; angles that were taken twice count once."""
    steps = [step for one, two in pairwise(sorted(values)) if (step := two - one) > _SAME_ANGLE]
    return statistics.median(steps) if steps else None


_HOW: dict[str, Callable[[Sequence[Any]], Any]] = {
    "min": min,
    "max": max,
    "mean": lambda values: values[0] if min(values) == max(values) else statistics.fmean(values),
    "first": min,
    "last": max,
    "count": len,
    "distinct": lambda values: len(set(values)),
    "increment": _step,
    "sum": sum,
    "most": lambda values: Counter(values).most_common(1)[0][0],
}


def _summarised(entity: str, values: Mapping[str, Sequence[Value]]) -> list[Reading]:
    """Return the readings of an entity's terms that follow from those of exposures."""
    found = []
    for term in TERMS.values():
        if term.entity != entity or term.summary is None:
            continue
        those = values.get(term.summary.of, ())
        if _is_mixed(those):
            those = [each.replace(tzinfo=None) for each in those if isinstance(each, datetime)]
        value = _HOW[term.summary.how](those) if those else None
        if value is not None:
            key = f"{term.summary.how} of {term.summary.of} in {len(those)}"
            found.append(Reading(term.name, checked(term.name, value), Origin("derived", "", key)))
    return found


def _is_mixed(values: Sequence[Any]) -> bool:
    """Say whether times with and without a time zone stand side by side."""
    return len({each.tzinfo is None for each in values if isinstance(each, datetime)}) > 1


def _values(exposures: "Iterable[Resolved]") -> dict[str, list[Value]]:
    values: dict[str, list[Value]] = defaultdict(list)
    for number, exposure in enumerate(exposures):
        for (term, part), reading in exposure.readings.items():
            if not part and term != "exposure.name":
                values[term].append(reading.value)
        values["exposure.name"].append(number)  # each counts, whether or not a file names it
    return values
