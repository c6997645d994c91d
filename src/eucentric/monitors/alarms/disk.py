"""When the disks will be full: a straight line through their free space."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from eucentric.monitors.alarms.situation import HOUR, MINUTE, Reading, Situation
from eucentric.store.alarm_settings import Threshold

LOOK_BACK = 2 * HOUR
SHORTEST = 10 * MINUTE
"""Of less, no forecast is made."""
FULL = 0.01
"""Part of a disk that nobody can count on: with less free it is full."""
ENDLESS = 1000.0
"""Hours that stand for all longer times."""


def hours_left(times: Sequence[float], free: Sequence[float], total: float) -> float | None:
    """Return the hours until a disk is full, `ENDLESS` at most; None where that cannot be told yet.

    The line is fitted by least squares to what came after the last time that files were deleted: the free
    space then rises by more than 1 % of the disk.

    Args:
        times: Of the samples, in s, rising.
        free: Free bytes.
        total: Bytes of the disk.
    """
    if not free or total <= 0:
        return None
    if free[-1] < FULL * total:
        return 0.0
    moments, space = np.asarray(times, float), np.asarray(free, float)
    recent = moments >= moments[-1] - LOOK_BACK
    moments, space = moments[recent], space[recent]
    rises = np.flatnonzero(np.diff(space) > 0.01 * total)
    if len(rises):
        moments, space = moments[rises[-1] + 1 :], space[rises[-1] + 1 :]
    if len(moments) < 5 or moments[-1] - moments[0] < SHORTEST:
        return None
    slope = float(np.polyfit(moments - moments[-1], space, 1)[0])
    left = free[-1] - FULL * total
    return min(ENDLESS, left / -slope / HOUR) if slope < 0 else ENDLESS


def disk(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Forecast for every disk that is sampled in how many hours it will be full."""
    if not situation.samples:
        return
    newest = situation.samples[-1]
    backwards = itertools.takewhile(
        lambda sample: sample.time >= newest.time - LOOK_BACK, reversed(situation.samples)
    )
    recent = list(backwards)[::-1]
    for folder, free in newest.disk_free.items():
        seen = [(sample.time, sample.disk_free[folder]) for sample in recent if folder in sample.disk_free]
        total = newest.disk_total[folder]
        hours = hours_left([time for time, _ in seen], [space for _, space in seen], total)
        if hours is None:
            continue
        room = f"The disk of {folder} has {free / 1e9:.0f} GB free"
        if hours == 0:
            message = f"{room}: it is full."
        elif hours < ENDLESS:
            message = f"{room}, which will last for {hours:.1f} h at the present rate."
        else:
            message = f"{room}, and is not filling up."
        yield Reading(rule, folder, hours, limits, message)
