"""Keeping the alarms of one session: the monitor lets it look again and again.

What is known of alarms lies in the database alone, and an alarm is written together with its notices, in
one transaction: a monitor that was killed goes on where it was. Notices are sent afterwards, by a thread.
"""

import logging
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import select

from eucentric.engine.sessions import session_id_of
from eucentric.monitors.alarms.judging import Alarm, Judgement, Key, Kind, judge
from eucentric.monitors.alarms.records import read_muted, read_open, read_told, write_judgement
from eucentric.monitors.alarms.rules import RULES, measure
from eucentric.monitors.alarms.situation import Reading, Situation
from eucentric.monitors.exposures import SessionRecord
from eucentric.monitors.notify import NoticeSender
from eucentric.monitors.system import Sample
from eucentric.store import Database, Site
from eucentric.store.alarm_settings import AlarmSettings
from eucentric.store.tables import session as sessions

log = logging.getLogger(__name__)

SETTINGS = "alarms.toml"
"""A session's own thresholds, in its folder: keys as in the site's section `[alarms]`."""
_FLOW = ("no-movie", "transfer", "processing")


@dataclass(frozen=True)
class AlarmEvent:
    """Something that is told of an alarm."""

    kind: Kind
    alarm: Alarm


class AlarmKeeper:
    """The alarms of one session."""

    def __init__(self, site: Site, database: Database, session: str) -> None:
        """Prepare to look, and begin to send what an earlier monitor left unsent.

        Raises:
            NoSuchSession: There is none.
        """
        self._database = database
        self._file = site.session_folder(session) / SETTINGS
        self._site_settings = self._settings = site.settings.alarms
        self._read_at: tuple[int, int] | None = None
        self._troubles: dict[str, str] = {}
        with database.read() as connection:
            self._session_id = session_id_of(connection, session)
        channels = site.settings.notices.channels()
        self._channels = {name: channel.severity for name, channel in channels.items()}
        words = {rule.name: (rule.title, rule.advice) for rule in RULES.values()}
        self._sender = NoticeSender(database, self._session_id, session, channels, words)

    @property
    def settings(self) -> AlarmSettings:
        """The thresholds that hold now: the site's with the session's own over them."""
        return self._settings

    def report_trouble(self, rule: str, message: str | None) -> None:
        """Say what went wrong that only the caller knows, or None when it works again."""
        self._troubles.pop(rule, None)
        if message is not None:
            self._troubles[rule] = message

    def look(
        self, record: SessionRecord, samples: Sequence[Sample], now: float | None = None
    ) -> list[AlarmEvent]:
        """Raise and clear alarms, and return what is told of them; call it every few seconds.

        Args:
            record: The session, updated.
            samples: The load of the machine, oldest first.
            now: Seconds since 1970, UTC; by default the present.

        Raises:
            StoreError: The database cannot be used; nothing has changed, and trying again may help.
        """
        now = time.time() if now is None else now
        self._read_settings()
        started = self._engine_started() if record.engine == "running" else None
        situation = Situation(record, now, started, samples, dict(self._troubles))
        readings = measure(situation, self._settings)
        with self._database.read() as connection:
            alarms = read_open(connection, self._session_id)
        # Most of the time nothing is wrong, and nobody has to wait for a transaction.
        if not alarms and not any(reading.bad for reading in readings):
            return []
        return self._judge(readings, situation)

    def _judge(self, readings: list[Reading], situation: Situation) -> list[AlarmEvent]:
        now = situation.now
        with self._database.write() as connection:
            alarms = read_open(connection, self._session_id)
            since = now - self._settings.remind.total_seconds()
            judged: Judgement = judge(
                readings,
                alarms,
                now,
                self._settings,
                told_before=read_told(connection, self._session_id, since),
                muted=read_muted(connection, self._session_id, now),
                over=self._over(alarms, situation),
            )
            told = write_judgement(connection, self._session_id, judged, self._channels, now)
        events = [AlarmEvent(kind, alarm) for (kind, _), alarm in zip(judged.news, told, strict=True)]
        for event in events:
            log.warning("Alarm %s: %s", event.kind, event.alarm.message)
        if events:
            self._sender.wake()
        return events

    def _over(self, alarms: dict[Key, Alarm], situation: Situation) -> dict[Key, str]:
        """Return the alarms that mean nothing any more, and why."""
        living, found = situation.living(), {}
        for rule, subject in alarms:
            if rule not in RULES or self._settings.of(rule).off:
                found[rule, subject] = "The rule is off."
            elif RULES[rule].of_acquisition and subject not in living:
                found[rule, subject] = f"The acquisition {subject} is over."
            elif rule in _FLOW and situation.record.engine == "stopped":
                found[rule, subject] = "The session was stopped."
        return found

    def _engine_started(self) -> float | None:
        """Return when the engine that runs the session was started; its name in the lease holds it."""
        with self._database.read() as connection:
            query = select(sessions.c.lease_holder).where(sessions.c.id == self._session_id)
            holder = connection.execute(query).scalar_one()
        return None if holder is None else float(holder.rsplit(":", 1)[1])

    def _read_settings(self) -> None:
        """Read the session's own thresholds when they have changed; what is wrong there is only logged."""
        try:
            status = self._file.stat()
        except OSError:
            self._settings, self._read_at = self._site_settings, None
            return
        if self._read_at == (status.st_mtime_ns, status.st_size):
            return
        self._read_at = (status.st_mtime_ns, status.st_size)
        try:
            self._settings = session_settings(self._site_settings, self._file)
        except ValueError as error:
            log.error("%s", error)

    def close(self, patience: float = 10.0) -> None:
        """Send what is due, for `patience` seconds at most, and end the thread that sends."""
        self._sender.close(patience)


def session_settings(settings: AlarmSettings, file: Path) -> AlarmSettings:
    """Return the thresholds of a session: those of its site, changed by its own file, if there is one.

    Raises:
        ValueError: The file cannot be read, or something in it is wrong.
    """
    try:
        return settings.altered(tomllib.loads(file.read_text()))
    except FileNotFoundError:
        return settings
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}".lstrip(": ") for each in error.errors()
        )
        raise ValueError(f"{file} is not used: {problems}.") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} is not used: {error}.") from error
