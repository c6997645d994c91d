"""Spans of time in settings, written as people write them."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def _period(value: object) -> object:
    """Return the seconds of a period such as "7 d"."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"it must be a number of s, min, h or d, such as '7 d', not {value!r}")
    return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])


Period = Annotated[timedelta, BeforeValidator(_period)]
"""A span of time, written "30 min", "12 h" or "7 d"."""
