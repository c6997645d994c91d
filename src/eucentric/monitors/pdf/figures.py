"""Histograms and time courses as numbers between 0 and 1, which the template only has to draw."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

MOST_BINS = 28
MOST_POINTS = 800
"""Points of a time course; of more exposures every n th is drawn."""
FEW = 20
"""Values of which none is taken for an outlier."""
STEPS = 24
"""Parts of the time over which the running median is taken."""
_CLOCK = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800]
"""Seconds between the marks of a time axis."""


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers between two, `most` at most."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(each * power for each in (1, 2, 2.5, 5, 10, 20) if span / (each * power) <= most)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _marks(low: float, high: float, most: int = 5) -> list[dict[str, Any]]:
    return [{"at": (value - low) / (high - low), "label": f"{value:.6g}"} for value in ticks(low, high, most)]


def reach(values: Sequence[float]) -> tuple[float, float]:
    """Return between what a plot of values extends: all of them, but for far outliers.

    It ends eight median deviations from the median, which hides little of any likely distribution; of few
    values all are drawn.
    """
    array = np.asarray(values, float)
    middle = float(np.median(array))
    deviation = float(np.median(np.abs(array - middle)))
    low, high = float(array.min()), float(array.max())
    if deviation > 0 and len(array) >= FEW:
        low, high = max(low, middle - 8 * deviation), min(high, middle + 8 * deviation)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-3):
        margin = max(abs(middle) * 0.1, 0.5)
        return middle - margin, middle + margin
    return low, high


def histogram(label: str, unit: str, values: Sequence[float]) -> dict[str, Any]:
    """Return a histogram: heights of bars, marks of the axis, the median.

    Args:
        label: What is counted.
        unit: Its unit, or an empty text.
        values: One of each exposure, at least one.
    """
    low, high = reach(values)
    bins = max(6, min(MOST_BINS, round(2 * math.sqrt(len(values)))))
    counts, _ = np.histogram(values, bins=bins, range=(low, high))
    middle = float(np.median(values))
    return {
        "label": label,
        "unit": unit,
        "bars": [round(float(count / counts.max()), 4) for count in counts],
        "marks": _marks(low, high),
        "median": (middle - low) / (high - low),
        "beyond": len(values) - int(counts.sum()),
    }


def clock_marks(begin: float, end: float, most: int = 9) -> list[dict[str, Any]]:
    """Return marks of a time axis, at full hours and the like of this machine's time zone.

    Args:
        begin: Seconds since 1970, UTC.
        end: The same.
        most: How many marks there may be.
    """
    step = next((each for each in _CLOCK if (end - begin) / each <= most), _CLOCK[-1])
    offset = datetime.fromtimestamp(begin, UTC).astimezone().utcoffset()
    zone = offset.total_seconds() if offset else 0.0
    first = math.ceil((begin + zone) / step) * step - zone
    shape = "%d %b" if step >= 86_400 else "%H:%M"
    return [
        {
            "at": (moment - begin) / (end - begin),
            "label": datetime.fromtimestamp(moment, UTC).astimezone().strftime(shape),
        }
        for moment in np.arange(first, end + 1e-6, step).tolist()
    ]


def course(
    label: str,
    unit: str,
    times: Sequence[float],
    values: Sequence[float],
    span: tuple[float, float],
    targets: Sequence[tuple[float, float]] = (),
) -> dict[str, Any]:
    """Return a time course: points, the running median, marks of the vertical axis.

    Args:
        label: What is drawn; far outliers at the edge.
        unit: Its unit, or an empty text.
        times: When, in s, in any order; as many as values.
        values: At least one.
        span: Of the time axis, the second greater than the first.
        targets: When, and what was intended. With them there is no running median, which would only follow
            how they alternate.
    """
    low, high = reach([*values, *(target for _, target in targets)])
    margin = 0.06 * (high - low)
    low, high = low - margin, high + margin

    def placed(moments: Any, heights: Any) -> Any:
        x = (np.asarray(moments, float) - span[0]) / (span[1] - span[0])
        y = np.clip((np.asarray(heights, float) - low) / (high - low), 0, 1)
        return np.stack([x, y], 1)[np.argsort(x, kind="stable")]

    points = placed(times, values)
    every = max(1, math.ceil(len(points) / MOST_POINTS))
    intended = placed(*zip(*targets, strict=True)) if targets else np.empty((0, 2))
    return {
        "label": label,
        "unit": unit,
        "points": points[::every].round(4).tolist(),
        "targets": intended[::every].round(4).tolist(),
        "every": every,
        "radius": 0.9 if len(points) > 60 else 1.6,
        "median": [] if targets else _running_median(points[:, 0], points[:, 1]),
        "marks": _marks(low, high, most=3),
    }


def _running_median(x: Any, y: Any) -> list[list[float]]:
    """Return the median in each part of the time that has at least three values."""
    part = np.clip((x * STEPS).astype(int), 0, STEPS - 1)
    return [
        [round(float((number + 0.5) / STEPS), 4), round(float(np.median(y[part == number])), 4)]
        for number in range(STEPS)
        if np.count_nonzero(part == number) >= 3
    ]
