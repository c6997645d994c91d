"""Following one session: its record, the load of the machine, alarms, the live report, publishing.

The monitor only reads what the engine writes. Whatever fails here is logged, and nothing waits for it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from eucentric.engine.retention import leaving, remove
from eucentric.engine.sessions import session_id_of
from eucentric.monitors.alarms import AlarmKeeper, recent_alarms
from eucentric.monitors.exposures import SessionRecord
from eucentric.monitors.publish import Publisher
from eucentric.monitors.report.archive import CURRENT, keep_earlier, write_index
from eucentric.monitors.report.writer import ReportWriter
from eucentric.monitors.system import SampleLog, Sampler
from eucentric.store import Bell, Database, Site, StoreError

log = logging.getLogger(__name__)

SHORTEST = 5.0
"""Seconds from one writing of the report to the next, at the least."""
SHARE = 0.05
"""Of the time of one processor at the most goes into writing the report: a long one is written less often."""
TICK = 10.0
"""Seconds from one look at machine and alarms to the next."""
TIDY = 3600.0
"""Seconds from one tidying by the site's rules of retention to the next, where they are automatic."""
STALE = 60.0
"""After so many seconds the report is written although only the load of the machine has changed."""


class AlreadyMonitored(RuntimeError):
    """Another process follows this session."""


class Monitor:
    """Follows one session until it is stopped."""

    def __init__(self, site: Site, database: Database, session: str) -> None:
        """Prepare to follow.

        Raises:
            NoSuchSession: There is none.
            OSError: The session's folder cannot be written to.
        """
        self.site, self.database, self.session = site, database, session
        self.folder = site.session_folder(session)
        self.report = self.folder / "report" / CURRENT
        with database.read() as connection:
            self.record = SessionRecord(session_id_of(connection, session))
        self.samples = SampleLog(self.folder / "monitor" / "load.jsonl")
        self._sampler = Sampler([site.folder])
        self._writer = ReportWriter(self.folder)
        self._keeper = AlarmKeeper(site, database, session)
        self._publisher = Publisher(
            site, session, lambda trouble: self._keeper.report_trouble("publishing", trouble)
        )
        self._changed = True
        self._looked = self._written = -1e9
        self._tidied = time.monotonic()
        self._began = time.monotonic()
        self._cost = 0.0
        self._revisions: list[tuple[str, int]] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the session until `stop` is set; then look, write and publish once more."""
        with locked(self.folder / "monitor"):
            rung = asyncio.Event()
            listening = asyncio.create_task(self._listen(rung))
            try:
                await asyncio.to_thread(self._guarded, self._keep_earlier)
                while not stop.is_set():
                    rung.clear()
                    await asyncio.to_thread(self.look)
                    await _first_of(rung, stop, timeout=TICK)
                    # Changes come in swarms; a second of patience takes in many at once.
                    await _first_of(stop, timeout=1.0)
                await asyncio.to_thread(self.end)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, rung: asyncio.Event) -> None:
        async with contextlib.aclosing(Bell(self.site, self.database).listen()) as topics:
            async for topic in topics:
                if topic in (None, f"changes:{self.session}"):
                    rung.set()

    # ---------------------------------------------------------------- one look

    def look(self) -> None:
        """Read what is new; look at machine and alarms, and write the report, when it is time."""
        self._guarded(self._update)
        now = time.monotonic()
        if now - self._looked >= TICK:
            self._looked = now
            self._guarded(self._look_around)
        if self.site.settings.retention.automatic and now - self._tidied >= TIDY:
            self._tidied = now
            self._guarded(self._tidy)
        since = now - self._written
        pause = max(SHORTEST, self._cost / SHARE)
        if since >= (pause if self._changed else max(pause, STALE)):
            self._guarded(self._write)

    def end(self) -> None:
        """Look once more, write the last report, and publish it."""
        self._guarded(self._update)
        self._guarded(self._look_around)
        self._guarded(self._write)
        self._publisher.close()
        self._keeper.close()

    @staticmethod
    def _guarded(step: Callable[[], None]) -> None:
        """Do one step; a database that is away, or a full disk, must not end the monitor."""
        try:
            step()
        except (StoreError, OSError) as error:
            log.warning("%s", error)
        except Exception:
            log.exception("The monitor goes on after a fault of its own.")

    def _update(self) -> None:
        with self.database.read() as connection:
            changed = self.record.update(connection)
        self._changed = self._changed or changed
        revisions = [(name, row.revision) for name, row in self.record.runs.items()]
        names = {name for name, _ in revisions}
        if revisions != self._revisions and names == {name for name, _ in self._revisions}:
            log.info("The session was revised; the report of before is kept.")
            self._keep_earlier()
        self._revisions = revisions

    def _look_around(self) -> None:
        self._sampler.watch(data_folders(self.folder))
        if time.monotonic() - self._began >= SHORTEST:  # rates over a moment mean nothing
            self.samples.add(self._sampler.take())
        if self._keeper.look(self.record, self.samples.samples):
            self._changed = True

    def _tidy(self) -> None:
        """Remove what the rules let go."""
        rules = self.site.settings.retention
        with self.database.read() as connection:
            files = list(leaving(connection, self.record.session_id, self.folder, rules, now=time.time()))
        freed = remove(self.folder, files, lambda _: None)
        log.info("%d files were removed by the rules of retention, %d MB.", len(files), freed // 10**6)

    def _write(self) -> None:
        began = time.process_time()
        # Failed or not, it is not tried again at once.
        self._written, self._changed = time.monotonic(), False
        with self.database.read() as connection:
            alarms = recent_alarms(connection, self.record.session_id)
        self._writer.write(self.report, self.record, self.samples.samples, alarms)
        with self.database.read() as connection:
            write_index(self.site, connection)
        self._cost = time.process_time() - began
        self._publisher.publish()

    def _keep_earlier(self) -> None:
        kept = keep_earlier(self.report.parent)
        if kept is not None:
            log.info("The report of an earlier time is kept as %s.", kept)


def write_report(site: Site, database: Database, session: str, file: Path | None = None) -> Path:
    """Write the report of a session once, from the database, and return its file.

    Args:
        site: The site.
        database: Its database.
        session: Name of the session, which need not run.
        file: Where; by default where the live report is, which is then listed in the index, too.

    Raises:
        NoSuchSession: There is none.
        OSError: The file cannot be written.
    """
    folder = site.session_folder(session)
    with database.read() as connection:
        record = SessionRecord(session_id_of(connection, session))
        record.update(connection)
        alarms = recent_alarms(connection, record.session_id)
    samples = SampleLog(folder / "monitor" / "load.jsonl").samples
    chosen = file or folder / "report" / CURRENT
    ReportWriter(folder).write(chosen, record, samples, alarms)
    if file is None:
        with database.read() as connection:
            write_index(site, connection)
    return chosen


def data_folders(session_folder: Path) -> list[Path]:
    """Return the folders with the raw data of a session: where the links in its `data/` lead."""
    links = session_folder / "data"
    return sorted(each.resolve() for each in links.iterdir()) if links.is_dir() else []


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only monitor of a session within the block; `folder` is made.

    Raises:
        AlreadyMonitored: Another process is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyMonitored(f"Session {folder.parent.name} is followed by a monitor already.") from None
    try:
        yield
    finally:
        lock.release()


async def _first_of(*events: asyncio.Event, timeout: float) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
