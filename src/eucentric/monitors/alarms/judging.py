"""From readings to alarms: raised, reminded of, cleared.  Pure: states and readings in, states and news out.

An alarm is raised when a reading reaches its first threshold, and cleared when all has been beyond the second
for the calm time. It is told when it is raised and then once every reminder time until somebody
acknowledges it; the end of one that was told is told once. One that comes back sooner than the reminder time
after it was told last is told when that time is over, if it is still there. So however the values jump, of
one rule and subject no more is told than two notices in every reminder time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from eucentric.monitors.alarms.situation import Reading
from eucentric.store.alarm_settings import AlarmSettings, Severity

Key = tuple[str, str]
"""Rule and subject."""
Kind = Literal["raised", "reminded", "cleared"]
ALL_RULES = ""
"""What is muted when all rules are."""


@dataclass(frozen=True)
class Alarm:
    """The state of one alarm.

    Attributes:
        rule, subject: What is wrong, and with which acquisition or disk; an empty subject is the session.
        severity: How bad it is.
        value, message: What was measured when it was told last.
        raised: When it was raised; all times are seconds since 1970, UTC.
        well_since: Since when all has been well again.
        cleared: When it was cleared; None while it is open.
        told: When it was told last; None while it never was.
        acknowledged: When somebody took notice.
        number: Its number in the database; None until it is written.
    """

    rule: str
    subject: str
    severity: Severity
    value: float
    message: str
    raised: float
    well_since: float | None = None
    cleared: float | None = None
    told: float | None = None
    acknowledged: float | None = None
    number: int | None = None

    @property
    def key(self) -> Key:
        """Rule and subject."""
        return (self.rule, self.subject)


@dataclass(frozen=True)
class Judgement:
    """What has changed.

    Attributes:
        alarms: Alarms that are new or different, as they now are.
        news: What is to be told, of which alarm.
    """

    alarms: list[Alarm]
    news: list[tuple[Kind, Alarm]]


def judge(
    readings: Iterable[Reading],
    alarms: Mapping[Key, Alarm],
    now: float,
    settings: AlarmSettings,
    *,
    told_before: Mapping[Key, float] | None = None,
    muted: Mapping[str, float] | None = None,
    over: Mapping[Key, str] | None = None,
) -> Judgement:
    """Say which alarms change, and what is to be told.

    Args:
        readings: What the rules measure now; of what none is there, nothing changes.
        alarms: The open alarms.
        now: Seconds since 1970, UTC.
        settings: How often to remind, how long it must be calm.
        told_before: When alarms that are cleared by now were told last.
        muted: Until when nothing is told of a rule, or of `ALL_RULES`.
        over: Open alarms that mean nothing any more, and why, such as an acquisition that has ended.
    """
    changed: list[Alarm] = []
    news: list[tuple[Kind, Alarm]] = []
    ended = over or {}
    found = {(reading.rule, reading.subject): reading for reading in readings}
    for key in {**alarms, **found}:
        before = alarms.get(key)
        after = replace(before, cleared=now, message=ended[key]) if before and key in ended else None
        after = after or _next(before, found.get(key), now, settings.calm.total_seconds())
        if after is None:
            continue
        quiet = max((muted or {}).get(after.rule, 0.0), (muted or {}).get(ALL_RULES, 0.0)) > now
        last_told = after.told if after.told is not None else (told_before or {}).get(key)
        kind = None if quiet else _news(after, now, last_told, settings.remind.total_seconds())
        if kind is not None:
            after = _as_told(after, kind, found.get(key), now)
            news.append((kind, after))
        if after != before:
            changed.append(after)
    return Judgement(changed, news)


def _next(alarm: Alarm | None, reading: Reading | None, now: float, calm: float) -> Alarm | None:
    """Return the alarm after a reading, or None where there is none."""
    if reading is None:
        return alarm
    if alarm is None:
        if not reading.bad:
            return None
        return Alarm(
            rule=reading.rule,
            subject=reading.subject,
            severity=reading.limits.severity,
            value=reading.value,
            message=reading.message,
            raised=now,
        )
    if not reading.well:
        return replace(alarm, well_since=None)
    since = now if alarm.well_since is None else alarm.well_since
    if now - since < calm:
        return replace(alarm, well_since=since)
    return replace(alarm, well_since=since, cleared=now, value=reading.value, message=reading.message)


def _news(alarm: Alarm, now: float, last_told: float | None, remind: float) -> Kind | None:
    if alarm.cleared is not None:
        return "cleared" if alarm.told is not None else None
    early = last_told is not None and now - last_told < remind
    if early or alarm.acknowledged is not None or alarm.well_since is not None:
        return None
    return "raised" if alarm.told is None else "reminded"


def _as_told(alarm: Alarm, kind: Kind, reading: Reading | None, now: float) -> Alarm:
    """Return the alarm with what is told of it: the newest values."""
    if kind == "cleared":
        return alarm
    if reading is None:
        return replace(alarm, told=now)
    return replace(alarm, told=now, value=reading.value, message=reading.message)
