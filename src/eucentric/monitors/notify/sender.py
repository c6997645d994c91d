"""Sending notices in a thread of its own, so that nobody waits for a mail server.

A notice is marked as sent after it was sent. Where the program is killed between the two, it is sent again,
with the same key: a notice twice is better than none.
"""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from eucentric.monitors.notify.channels import Channel, send
from eucentric.monitors.notify.message import Message
from eucentric.store import Database, StoreError
from eucentric.store.tables import alarm, notice

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 10.0, 30 * 60.0
"""Seconds until a notice that failed is tried again: three times as long after every try."""
GIVEN_UP = 24 * 3600.0
"""Seconds after which a notice is not tried any more."""
TICK = 30.0
"""Seconds after which the thread looks by itself, at the latest."""
AT_ONCE = 20
"""Notices that are read at a time."""


class NoticeSender:
    """Sends the notices of one session."""

    def __init__(
        self,
        database: Database,
        session_id: int,
        session: str,
        channels: dict[str, Channel],
        words: Mapping[str, tuple[str, str]],
    ) -> None:
        """Begin to send what is due.

        Args:
            database: The site's database.
            session_id: The session's number.
            session: Its name.
            channels: Where to send, by name.
            words: Title and advice of every rule.
        """
        self._database = database
        self._session_id = session_id
        self._session = session
        self._channels = channels
        self._words = words
        self._unmarked: dict[int, dict[str, Any]] = {}
        """What became of notices while the database could not take it down."""
        self._wanted, self._closing = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)
        self._wanted.set()  # an earlier monitor may have left something
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to send."""
        self._wanted.set()

    def close(self, patience: float) -> None:
        """Try once more what is due, for `patience` seconds at most, and end."""
        self._closing = True
        self._wanted.set()
        self._thread.join(patience)

    def _work(self) -> None:
        wait = 0.0
        while True:
            self._wanted.wait(wait)
            self._wanted.clear()
            last = self._closing
            try:
                wait = self._send_what_is_due()
            except StoreError as error:
                log.warning("Notices are not sent for now: %s", error)
                wait = TICK
            if last:
                return

    def _send_what_is_due(self) -> float:
        """Send; return the seconds until the next may be due."""
        self._write_marks()
        tried: set[int] = set()
        while True:
            with self._database.read() as connection:
                rows = [row for row in self._due(connection, time.time()) if row.id not in tried]
                soonest = connection.execute(self._next()).scalar_one()
            if not rows:
                return TICK if soonest is None else min(TICK, max(1.0, soonest - time.time()))
            for row in rows:
                tried.add(row.id)
                self._send(row)

    def _mine(self, query: Any) -> Any:
        here = alarm.c.session_id == self._session_id
        return query.select_from(notice.join(alarm)).where(here, notice.c.due.is_not(None))

    def _next(self) -> Any:
        return self._mine(select(func.min(notice.c.due)))

    def _due(self, connection: Connection, now: float) -> list[Row[Any]]:
        columns = (alarm.c.rule, alarm.c.subject, alarm.c.severity, alarm.c.raised)
        query = self._mine(select(notice, *columns)).where(notice.c.due <= now)
        return list(connection.execute(query.order_by(notice.c.id).limit(AT_ONCE)))

    def _send(self, row: Row[Any]) -> None:
        channel = self._channels.get(row.channel)
        if channel is None:
            self._mark(row.id, due=None, error="The site has no such channel any more.")
            return
        try:
            send(channel, self._message(row))
        except Exception as error:  # whatever one notice suffers from, the others must go
            now = time.time()
            wait = min(LONGEST_WAIT, FIRST_WAIT * 3**row.attempts)
            due = now + wait if now + wait < row.created + GIVEN_UP else None
            again = f"trying again in {wait:.0f} s" if due is not None else "given up"
            log.warning("A notice by %s failed, %s: %s", row.channel, again, error)
            self._mark(row.id, attempts=row.attempts + 1, due=due, error=str(error) or repr(error))
        else:
            self._mark(row.id, attempts=row.attempts + 1, due=None, sent=time.time(), error=None)

    def _message(self, row: Row[Any]) -> Message:
        title, advice = self._words.get(row.rule, (row.rule, ""))
        return Message(
            key=f"{self._session}.{row.id}",
            session=self._session,
            alarm=row.alarm_id,
            kind=row.kind,
            rule=row.rule,
            title=title,
            subject=row.subject,
            severity=row.severity,
            text=row.message,
            advice=advice,
            time=row.created,
            raised=row.raised,
        )

    def _mark(self, number: int, **values: Any) -> None:
        self._unmarked[number] = values
        self._write_marks()

    def _write_marks(self) -> None:
        """Take down what became of notices; until that is possible (the disk is full) none is sent again."""
        if not self._unmarked:
            return
        with self._database.write() as connection:
            for number, values in self._unmarked.items():
                connection.execute(update(notice).where(notice.c.id == number).values(**values))
        self._unmarked.clear()
