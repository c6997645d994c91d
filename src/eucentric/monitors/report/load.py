"""The load of the machine as the page's program reads it: means over equal spans of time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eucentric.monitors.system import Sample

MOST_POINTS = 600
_GIGABYTE, _MEGABYTE = 1e9, 1e6


def load_of(samples: Sequence[Sample]) -> dict[str, Any] | None:
    """Return the load in columns of equal length, or None where there is no sample.

    `time` is in s since 1970; `cpu`, `memory` and those of `gpus` in %; `read`, `written`, `received` and
    `sent` in MB/s; those of `disks` (free space, by folder) in GB. What is not known is None.
    """
    if not samples:
        return None
    groups = np.array_split(np.arange(len(samples)), min(len(samples), MOST_POINTS))
    means = {
        "time": [each.time for each in samples],
        "cpu": [each.cpu for each in samples],
        "memory": [100 * each.memory / each.memory_total for each in samples],
        "read": [each.read / _MEGABYTE for each in samples],
        "written": [each.written / _MEGABYTE for each in samples],
        "received": [each.received / _MEGABYTE for each in samples],
        "sent": [each.sent / _MEGABYTE for each in samples],
    }
    disks = {folder: None for each in samples for folder in each.disk_free}
    free = {folder: [_or_nan(each.disk_free.get(folder)) / _GIGABYTE for each in samples] for folder in disks}
    newest = samples[-1]
    return {name: _means(values, groups) for name, values in means.items()} | {
        "memory_total": round(newest.memory_total / _GIGABYTE, 1),
        "disks": [
            {
                "folder": folder,
                "total": round(newest.disk_total.get(folder, 0) / _GIGABYTE, 1),
                "free": _means(values, groups),
            }
            for folder, values in free.items()
        ],
        "gpus": _gpus(samples, groups),
    }


def _gpus(samples: Sequence[Sample], groups: list[Any]) -> list[dict[str, Any]]:
    found = []
    for number, card in enumerate(samples[-1].gpus):
        there = [each.gpus[number] if number < len(each.gpus) else None for each in samples]
        use = [np.nan if each is None else each.use for each in there]
        memory = [np.nan if each is None else 100 * each.memory / each.memory_total for each in there]
        found.append({"name": card.name, "use": _means(use, groups), "memory": _means(memory, groups)})
    return found


def _means(values: Sequence[float], groups: list[Any]) -> list[float | None]:
    numbers = np.asarray(values, dtype=np.float64)
    means = [numbers[group].mean() for group in groups]
    return [None if np.isnan(mean) else round(float(mean), 3) for mean in means]


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
