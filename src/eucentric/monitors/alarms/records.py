"""Alarms, mutes and notices in the database."""

import time
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from eucentric.monitors.alarms.judging import ALL_RULES, Alarm, Judgement, Key
from eucentric.monitors.alarms.rules import RULES
from eucentric.store import tables
from eucentric.store.alarm_settings import Severity

_columns = tables.alarm.c
_WRITTEN = ("value", "message", "well_since", "cleared", "told")
"""What the monitor changes of an alarm that is there; who acknowledges it changes the rest."""


class NoSuchAlarm(LookupError):
    """The session has no such alarm or rule."""


@dataclass(frozen=True)
class OpenAlarm:
    """An alarm as it is shown: see `Alarm`.

    Attributes:
        title: What is wrong, in a few words.
        advice: What to do.
        acknowledged_by: Who took notice.
        muted: Nothing is told of it for now.
    """

    number: int
    rule: str
    title: str
    subject: str
    severity: Severity
    raised: float
    cleared: float | None
    acknowledged: float | None
    acknowledged_by: str | None
    muted: bool
    value: float
    message: str
    advice: str


@dataclass(frozen=True)
class Mute:
    """A rule of which nothing is told until a time; an empty rule is all of them."""

    rule: str
    until: float
    author: str


# ------------------------------------------------------------------ what the monitor reads and writes


def read_open(connection: Connection, session_id: int) -> dict[Key, Alarm]:
    """Return the open alarms of a session."""
    query = select(tables.alarm).where(_columns.session_id == session_id, _columns.cleared.is_(None))
    found = [_alarm(row) for row in connection.execute(query.order_by(_columns.id))]
    return {alarm.key: alarm for alarm in found}


def _alarm(row: Row[Any]) -> Alarm:
    same = {each.name: getattr(row, each.name) for each in fields(Alarm) if each.name != "number"}
    return Alarm(number=row.id, **same)


def read_told(connection: Connection, session_id: int, since: float) -> dict[Key, float]:
    """Return when cleared alarms were told last, of those told since a time."""
    query = (
        select(_columns.rule, _columns.subject, func.max(_columns.told))
        .where(_columns.session_id == session_id, _columns.cleared.is_not(None), _columns.told > since)
        .group_by(_columns.rule, _columns.subject)
    )
    return {(rule, subject): told for rule, subject, told in connection.execute(query)}


def read_muted(connection: Connection, session_id: int, now: float) -> dict[str, float]:
    """Return until when rules are muted."""
    return {mute.rule: mute.until for mute in mutes(connection, session_id, now)}


def write_judgement(
    connection: Connection, session_id: int, judged: Judgement, channels: dict[str, Severity], now: float
) -> list[Alarm]:
    """Write changed alarms, and a notice on every channel for all that is to be told.

    Args:
        connection: A transaction: alarms and their notices are written together, or not at all.
        session_id: The session.
        judged: What has changed.
        channels: By name, and how severe an alarm must be to be told there.
        now: Seconds since 1970, UTC.

    Returns:
        The alarms of `judged.news`, with their numbers.
    """
    numbers: dict[Key, int] = {}
    for alarm in judged.alarms:
        if alarm.number is None:
            values = {each.name: getattr(alarm, each.name) for each in fields(Alarm) if each.name != "number"}
            new = insert(tables.alarm).values(session_id=session_id, **values).returning(_columns.id)
            numbers[alarm.key] = connection.execute(new).scalar_one()
        else:
            changed = {name: getattr(alarm, name) for name in _WRITTEN}
            connection.execute(update(tables.alarm).where(_columns.id == alarm.number).values(**changed))
    told = []
    for kind, alarm in judged.news:
        number = alarm.number or numbers[alarm.key]
        for channel, least in channels.items():
            if least == "warning" or alarm.severity == "critical":
                _write_notice(connection, number, channel, kind, alarm.message, now)
        told.append(replace(alarm, number=number))
    return told


def _write_notice(
    connection: Connection, number: int, channel: str, kind: str, message: str, now: float
) -> None:
    notice = tables.notice.c
    if kind == "reminded":
        # While an earlier notice could not be sent, another would only add to the heap.
        waits = select(notice.id).where(
            notice.alarm_id == number, notice.channel == channel, notice.due.is_not(None)
        )
        if connection.execute(waits.limit(1)).first() is not None:
            return
    values = {"alarm_id": number, "channel": channel, "kind": kind, "message": message}
    connection.execute(insert(tables.notice).values(**values, created=now, due=now))


# ------------------------------------------------------------------ what people see and say


def open_alarms(connection: Connection, session_id: int, now: float | None = None) -> list[OpenAlarm]:
    """Return the open alarms of a session, critical ones first, the newest first among them.

    `now` is the time for which mutes count, in s since 1970; by default the present.
    """
    query = select(tables.alarm).where(_columns.session_id == session_id, _columns.cleared.is_(None))
    found = _shown(connection, session_id, query.order_by(_columns.raised.desc()), now)
    return sorted(found, key=lambda alarm: alarm.severity != "critical")


def recent_alarms(connection: Connection, session_id: int, limit: int = 100) -> list[OpenAlarm]:
    """Return the newest alarms of a session, cleared ones too, newest first."""
    query = select(tables.alarm).where(_columns.session_id == session_id)
    return _shown(connection, session_id, query.order_by(_columns.id.desc()).limit(limit), None)


def _shown(connection: Connection, session_id: int, query: Any, now: float | None) -> list[OpenAlarm]:
    muted = read_muted(connection, session_id, time.time() if now is None else now)
    shown = []
    for row in connection.execute(query):
        rule = RULES.get(row.rule)  # an alarm of a rule that this version does not have any more
        shown.append(
            OpenAlarm(
                number=row.id,
                rule=row.rule,
                title=rule.title if rule else row.rule,
                subject=row.subject,
                severity=row.severity,
                raised=row.raised,
                cleared=row.cleared,
                acknowledged=row.acknowledged,
                acknowledged_by=row.acknowledged_by,
                muted=row.rule in muted or ALL_RULES in muted,
                value=row.value,
                message=row.message,
                advice=rule.advice if rule else "",
            )
        )
    return shown


def mutes(connection: Connection, session_id: int, now: float) -> list[Mute]:
    """Return what is muted in a session."""
    mute = tables.alarm_mute
    query = select(mute).where(mute.c.session_id == session_id, mute.c.until > now).order_by(mute.c.rule)
    return [Mute(rule=row.rule, until=row.until, author=row.author) for row in connection.execute(query)]


def acknowledge(
    connection: Connection, session_id: int, numbers: list[int] | None, author: str, now: float
) -> list[int]:
    """Take notice of open alarms, all of them where no numbers are given; return those it was done for.

    Raises:
        NoSuchAlarm: A number is not that of an open alarm of this session.
    """
    open_numbers = {int(alarm.number or 0) for alarm in read_open(connection, session_id).values()}
    if unknown := set(numbers or ()) - open_numbers:
        there = f"open are {', '.join(map(str, sorted(open_numbers)))}" if open_numbers else "none is open"
        raise NoSuchAlarm(f"There is no open alarm {', '.join(map(str, sorted(unknown)))}; {there}.")
    chosen = _columns.id.in_(sorted(open_numbers if numbers is None else set(numbers)))
    done = (
        update(tables.alarm)
        .where(chosen, _columns.acknowledged.is_(None))
        .values(acknowledged=now, acknowledged_by=author)
        .returning(_columns.id)
    )
    return sorted(connection.execute(done).scalars())


def mute_rule(
    connection: Connection, session_id: int, rule: str, until: float, author: str, now: float
) -> None:
    """Tell nothing of a rule until a time, or of any where the rule is `ALL_RULES`.

    Raises:
        NoSuchAlarm: There is no such rule.
    """
    unmute_rule(connection, session_id, rule)
    values = {"session_id": session_id, "rule": rule, "until": until, "author": author, "created": now}
    connection.execute(insert(tables.alarm_mute).values(**values))


def unmute_rule(connection: Connection, session_id: int, rule: str) -> bool:
    """Tell of a rule again; return whether it was muted.

    Raises:
        NoSuchAlarm: There is no such rule.
    """
    if rule not in RULES and rule != ALL_RULES:
        raise NoSuchAlarm(f"There is no rule {rule}; there are {', '.join(RULES)}.")
    mute = tables.alarm_mute.c
    gone = delete(tables.alarm_mute).where(mute.session_id == session_id, mute.rule == rule)
    return bool(connection.execute(gone).rowcount)
