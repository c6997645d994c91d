"""What rules look at, and what they find."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eucentric.monitors.exposures import Exposure, SessionRecord
from eucentric.monitors.system import Sample
from eucentric.store.alarm_settings import Threshold

MINUTE, HOUR = 60.0, 3600.0
_BEFORE = 10 * MINUTE
"""A movie that was written so long before the session was made still counts as recorded during it."""


@dataclass(frozen=True)
class Situation:
    """A session at one moment.

    Attributes:
        record: Its exposures.
        now: Seconds since 1970, UTC.
        started: When its engine was started; None where no engine runs.
        samples: The load of the machine, oldest first.
        troubles: What others found wrong, by rule: one sentence each.
    """

    record: SessionRecord
    now: float
    started: float | None
    samples: Sequence[Sample] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)

    def living(self) -> dict[str, list[Exposure]]:
        """Return the acquisitions that have had an exposure within an hour of the session's newest."""
        lists = {name: listed for name, listed in self.record.acquisitions.items() if listed}
        newest = max((listed[-1].found for listed in lists.values()), default=0.0)
        return {name: listed for name, listed in lists.items() if listed[-1].found >= newest - HOUR}

    def is_live(self, exposure: Exposure) -> bool:
        """Say whether an exposure was recorded during the session, and is not of an older data set."""
        return written(exposure) >= self.record.created - _BEFORE


@dataclass(frozen=True)
class Reading:
    """What a rule measures now.

    Attributes:
        rule: Name of the rule.
        subject: What it is about: an acquisition, a disk; empty for the session.
        value: The number that is compared.
        limits: The thresholds that hold here.
        message: One sentence with numbers, true whether all is well or not.
    """

    rule: str
    subject: str
    value: float
    limits: Threshold
    message: str

    @property
    def bad(self) -> bool:
        """Whether an alarm is to be raised."""
        limits = self.limits
        return self.value <= limits.raise_ if limits.small_is_bad else self.value >= limits.raise_

    @property
    def well(self) -> bool:
        """Whether an alarm may be cleared."""
        limits = self.limits
        return self.value >= limits.clear if limits.small_is_bad else self.value <= limits.clear


Measure = Callable[[str, Situation, Threshold], Iterable[Reading]]
"""Measures what the rule of a name is about; nothing where it cannot tell."""


def written(exposure: Exposure) -> float:
    """Return when an exposure's movie was last written, or when it was found, where it cannot be read."""
    return float(exposure.items.get("movie", {}).get("modified", exposure.found))


def newest(
    exposures: Sequence[Exposure], value: Callable[[Exposure], float | None], number: int
) -> list[float]:
    """Return the values of the newest exposures that have one; [] where there are fewer than `number`.

    It looks back only so far that old values are not taken for new ones, and that it costs the same always.
    """
    found: list[float] = []
    for exposure in exposures[: -max(200, 5 * number) - 1 : -1]:
        if (here := value(exposure)) is not None:
            found.append(here)
            if len(found) == number:
                return found
    return []


def field_of(kind: str, name: str) -> Callable[[Exposure], float | None]:
    """Return what reads a number from an exposure's item."""

    def read(exposure: Exposure) -> float | None:
        found = exposure.items.get(kind, {}).get(name)
        return None if found is None else float(found)

    return read


def median_of(
    exposures: Sequence[Exposure], value: Callable[[Exposure], float | None], number: int
) -> float | None:
    """Return the median over the newest exposures, as `newest`, or None."""
    found = newest(exposures, value, number)
    return statistics.median(found) if found else None


def in_minutes(seconds: float) -> str:
    """Return a time in words: "12 min", "3.4 h"."""
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"
