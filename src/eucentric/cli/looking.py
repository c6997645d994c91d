"""What a live view shows of a session, read from the database whenever the bell rings."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eucentric.engine.follower import SessionFollower
from eucentric.engine.overview import ExposureOverview, Failure, SessionOverview
from eucentric.engine.sessions import session_id_of
from eucentric.monitors.alarms import OpenAlarm, open_alarms
from eucentric.store import Bell, Database, Site

NEWEST = 60
"""Exposures that throughput, latency and the small plots look back on."""
SHORTEST = 0.2
"""Seconds between two looks at the least."""
TICK = 1.0


@dataclass(frozen=True)
class Look:
    """A session at one moment.

    Attributes:
        name: The session's name.
        folder: The session's folder.
        seconds: Since the view was opened.
        overview: Its runs and their counts.
        found: Number of exposures found.
        newest: The newest of them, oldest first.
        failures: The newest failures, newest first.
        statistics: Fields of the running statistics of each acquisition, by name.
        alarms: The open alarms, critical ones first.
    """

    name: str
    folder: Path
    seconds: float
    overview: SessionOverview
    found: int
    newest: list[ExposureOverview]
    failures: list[Failure]
    statistics: dict[str, dict[str, Any]]
    alarms: list[OpenAlarm] = field(default_factory=list)

    @property
    def latency(self) -> float | None:
        """Median time in s from a movie's last byte to its CTF, or None."""
        waits = [found for exposure in self.newest if (found := latency_of(exposure)) is not None]
        return statistics.median(waits) if waits else None

    @property
    def per_hour(self) -> float | None:
        """Exposures that got their CTF, per hour, or None where there are too few."""
        times = sorted(each.items["ctf"].created for each in self.newest if "ctf" in each.items)
        if len(times) < 3 or times[-1] == times[0]:
            return None
        return (len(times) - 1) / (times[-1] - times[0]) * 3600


def latency_of(exposure: ExposureOverview) -> float | None:
    """Return the time in s from the last byte of an exposure's movie to its CTF, or None."""
    if "movie" not in exposure.items or "ctf" not in exposure.items:
        return None
    return float(exposure.items["ctf"].created - exposure.items["movie"].data["modified"])


class Looker:
    """Looks at one session again and again."""

    def __init__(self, site: Site, database: Database, session: str) -> None:
        """Prepare to look. Raises NoSuchSession."""
        self._database = database
        self._name = session
        self._folder = site.session_folder(session)
        self._began = time.monotonic()
        with database.read() as connection:
            self._number = session_id_of(connection, session)
        self._follower = SessionFollower(self._number)

    def look(self) -> Look:
        """Read what has changed, and return how the session stands."""
        with self._database.read() as connection:
            self._follower.update(connection)
            found = self._follower.found()
            return Look(
                name=self._name,
                folder=self._folder,
                seconds=time.monotonic() - self._began,
                overview=self._follower.overview(),
                found=len(found),
                newest=self._follower.exposures(connection, found[-NEWEST:]),
                failures=self._follower.failures(connection, NEWEST),
                statistics=self._follower.gathered(connection, "session_statistics"),
                alarms=open_alarms(connection, self._number),
            )


async def keep_looking(
    site: Site, database: Database, session: str, show: Callable[[Look], None], stop: asyncio.Event
) -> None:
    """Show the session whenever it changes, and every second for the clock, until `stop` is set."""
    looker = Looker(site, database, session)
    rung = asyncio.Event()
    bell = Bell(site, database)

    async def listen() -> None:
        async with contextlib.aclosing(bell.listen()) as topics:
            async for topic in topics:
                if topic in (None, f"changes:{session}"):
                    rung.set()

    listening = asyncio.create_task(listen())
    try:
        while not stop.is_set():
            rung.clear()
            show(await asyncio.to_thread(looker.look))
            await asyncio.sleep(SHORTEST)
            waits = [asyncio.create_task(event.wait()) for event in (rung, stop)]
            await asyncio.wait(waits, timeout=TICK, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        show(await asyncio.to_thread(looker.look))
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
