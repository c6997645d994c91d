"""What the printed report says, as data: the template only lays it out."""

import re
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from eucentric.monitors.alarms import recent_alarms
from eucentric.monitors.exposures import Exposure, SessionRecord
from eucentric.monitors.pdf.examples import chosen, example, results
from eucentric.monitors.pdf.figures import clock_marks, course, histogram
from eucentric.monitors.report.facts import facts_of, runs_of
from eucentric.monitors.report.quantities import QUANTITIES
from eucentric.store.tables import environment

OF = {quantity.name: quantity for quantity in QUANTITIES}
HISTOGRAMS = ("defocus", "resolution", "motion", "astigmatism", "counts", "ice", "particles", "latency")
COURSES = ("defocus", "resolution", "motion", "counts", "particles")
PACKAGES = ("eucentric", "torch", "numpy", "scipy", "numba", "tifffile", "mrcfile", "imagecodecs")
"""Software that computes; all of it is in the session's database."""
MOST_REASONS, MOST_ALARMS = 12, 40


def content(connection: Connection, record: SessionRecord, session: Path, folder: Path) -> dict[str, Any]:
    """Return the whole report as JSON-able data.

    Args:
        connection: To the site's database.
        record: The session, updated.
        session: Its folder.
        folder: Where pictures for the report are written.
    """
    exposures = record.exposures()
    numbers = iter(range(10**6))
    return {
        "session": record.name,
        "program": f"Eucentric {version('eucentric')}",
        "made": _moment(time.time()),
        "when": _period(exposures, record),
        "tiles": _tiles(exposures),
        "acquisitions": [
            {
                "name": name,
                "when": _period(listed, record),
                "tiles": _tiles(listed),
                "facts": facts_of(listed, record.shared.get(name, {})),
                "table": _table(listed),
                "histograms": _histograms(listed),
                **_courses(listed),
                "reasons": _reasons(listed),
                "results": results(record.shared.get(name, {}), session, folder, next(numbers)),
                "examples": [
                    example(word, each, session, folder, next(numbers)) for word, each in chosen(listed)
                ],
            }
            for name, listed in record.acquisitions.items()
            if listed
        ],
        "alarms": [_alarm(each) for each in recent_alarms(connection, record.session_id, MOST_ALARMS)],
        "runs": [_run(each) for each in runs_of(record)],
        "software": _software(connection, record),
        "folder": str(session),
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%-d %B %Y, %H:%M")


def _period(exposures: Sequence[Exposure], record: SessionRecord) -> str:
    if not exposures:
        return f"begun {_moment(record.created)}"
    times = [each.recorded for each in exposures]
    begin, end = _moment(min(times)), _moment(max(times))
    if begin.partition(",")[0] == end.partition(",")[0]:
        end = end.rpartition(", ")[2]
    if begin.endswith(end):
        return begin
    return f"{begin} – {end}"


def _tiles(exposures: Sequence[Exposure]) -> list[dict[str, str]]:
    """Return the figures that are written large."""
    states = Counter(each.state for each in exposures)
    tiles = [(f"{len(exposures):,}", "exposures"), (f"{states['done']:,}", "accepted")]
    tiles += [(f"{states[state]:,}", state) for state in ("rejected", "failed", "waiting") if states[state]]
    times = sorted(each.recorded for each in exposures)
    if len(times) > 2 and times[-1] > times[0]:
        rate = (len(times) - 1) / (times[-1] - times[0]) * 3600
        tiles.append((f"{rate:,.0f}", "per hour"))
    particles = sum(OF["particles"].of(each) or 0 for each in exposures if each.state == "done")
    if particles:
        tiles.append((f"{particles:,.0f}", "particles"))
    size = sum(each.items.get("movie", {}).get("bytes", 0) for each in exposures)
    if size:
        tiles.append((_bytes(size), "of movies"))
    apart = str.maketrans({",": "\N{NARROW NO-BREAK SPACE}", " ": "\N{NO-BREAK SPACE}"})
    return [{"value": value.translate(apart), "label": label} for value, label in tiles]


def _bytes(size: float) -> str:
    for unit in ("MB", "GB"):
        if size < 0.9995e9 * (1 if unit == "MB" else 1000):
            break
    else:
        unit = "TB"
    value = size / {"MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"


def _values(exposures: Sequence[Exposure], name: str) -> list[tuple[float, float]]:
    """Return when and how much of a quantity, of all exposures that have it."""
    of = OF[name].of
    return [(each.recorded, value) for each in exposures if (value := of(each)) is not None]


def _table(exposures: Sequence[Exposure]) -> list[list[str]]:
    """Return rows of label, number, 5th percentile, median, 95th percentile, with units."""
    rows = []
    for name in HISTOGRAMS:
        values = [value for _, value in _values(exposures, name)]
        if len(values) < 2:
            continue
        parts = statistics.quantiles(values, n=20, method="inclusive")
        cells = [f"{each:.{OF[name].decimals}f}" for each in (parts[0], parts[9], parts[18])]
        rows.append([OF[name].label, OF[name].unit, *cells, f"{len(values)}"])
    return rows


def _histograms(exposures: Sequence[Exposure]) -> list[dict[str, Any]]:
    found = []
    for name in HISTOGRAMS[:6]:
        values = [value for _, value in _values(exposures, name)]
        if len(values) > 1:
            found.append(histogram(OF[name].label, OF[name].unit, values))
    return found


def _courses(exposures: Sequence[Exposure]) -> dict[str, Any]:
    times = [each.recorded for each in exposures]
    span = (min(times), max(times))
    if span[1] - span[0] < 1:
        return {"courses": [], "clock": []}
    found = []
    for name in COURSES:
        values = _values(exposures, name)
        if len(values) > 2:
            moments, heights = zip(*values, strict=True)
            targets = _values(exposures, "target") if name == "defocus" else []
            found.append(course(OF[name].label, OF[name].unit, moments, heights, span, targets))
    return {"courses": found, "clock": clock_marks(*span)}


def _reasons(exposures: Sequence[Exposure]) -> list[dict[str, Any]]:
    """Return why exposures were rejected or failed: alike reasons once, with how many there are."""
    count: Counter[tuple[str, str, str]] = Counter()
    of_kind: dict[tuple[str, str, str], str] = {}
    for each in exposures:
        if each.state not in ("rejected", "failed"):
            continue
        told = each.reason or "no reason is known"
        for reason in told.split("; ") if each.state == "rejected" else [told]:
            words = " ".join(re.sub(r"/\S*/(?=\S)", "", reason).split())[:200]
            kind = (each.state, each.run or "", re.sub(r"\d+(\.\d+)?", "…", words))
            count[kind] += 1
            of_kind.setdefault(kind, words)
    return [
        {"state": kind[0], "run": kind[1], "reason": of_kind[kind], "number": number}
        for kind, number in count.most_common(MOST_REASONS)
    ]


def _alarm(alarm: Any) -> dict[str, Any]:
    shown = asdict(alarm)
    end = "open" if alarm.cleared is None else f"until {_moment(alarm.cleared).rpartition(', ')[2]}"
    return {**shown, "when": f"{_moment(alarm.raised)}", "end": end}


def _run(run: dict[str, Any]) -> dict[str, Any]:
    given = [(name, _written(value)) for name, value in run["params"].items() if value is not None]
    return {**run, "params": given}


def _written(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 120 else text[:119] + "…"


def _software(connection: Connection, record: SessionRecord) -> list[dict[str, Any]]:
    """Return the environments in which the session's runs were computed."""
    numbers = sorted({row.environment_id for row in record.runs.values()})
    found = []
    for row in connection.execute(select(environment.c.data).where(environment.c.id.in_(numbers))):
        packages = row.data.get("packages", {})
        named = [f"{name} {packages[name]}" for name in PACKAGES if name in packages]
        found.append(
            {
                "system": f"Python {row.data.get('python', '?')} on {row.data.get('system', '?')}",
                "packages": named,
            }
        )
    return found
