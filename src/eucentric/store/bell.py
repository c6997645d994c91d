"""The bell: after a commit the writer rings, so that nobody has to poll the database.

A ring is a hint. It may be lost, doubled or late; who hears it reads the database by a cursor. On PostgreSQL
the bell is NOTIFY; beside a SQLite file it is a datagram to the Unix socket of every listener.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from types import TracebackType

from sqlalchemy import URL, text

from eucentric.store.bell_sockets import listen_on_socket, ring_sockets
from eucentric.store.connections import server_arguments
from eucentric.store.database import Database
from eucentric.store.errors import StoreError, translated
from eucentric.store.site import Site

log = logging.getLogger(__name__)

_CHANNEL = "eucentric"  # names of channels are those of one database
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 10.0


class Bell:
    """The bell of a site: `ring` a topic, or `listen` for topics (short texts such as `changes:SESSION`).

    Close it before its database: what is being rung holds a connection.
    """

    def __init__(self, site: Site, database: Database) -> None:
        self._folder = site.run_folder / "bells"
        self._database = database
        self._pending: set[str] = set()
        self._lock = threading.Lock()
        self._ringer = ThreadPoolExecutor(1, thread_name_prefix="bell")

    def ring(self, topic: str) -> None:
        """Tell all who listen, on this site, that there is something new; never waits and never fails.

        Call it after the transaction has ended.
        """
        if self._database.file is not None:
            ring_sockets(self._folder, topic)
            return
        # In a thread, since the server may take its time; what waits there already is not doubled.
        with self._lock:
            waiting = bool(self._pending)
            self._pending.add(topic)
        if not waiting:
            with suppress(RuntimeError):  # closed, or the program ends
                self._ringer.submit(self._notify)

    def _notify(self) -> None:
        with self._lock:
            topics, self._pending = list(self._pending), set()
        database = self._database
        try:
            with translated(database.url), database.engine.connect() as connection:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                notify = text("SELECT pg_notify(:channel, :topic)")
                for topic in topics:
                    connection.execute(notify, {"channel": _CHANNEL, "topic": topic})
        except StoreError as error:
            log.debug("The bell was not rung: %s", error)

    async def listen(self) -> AsyncGenerator[str | None]:
        """Yield the topics that are rung; close it (`contextlib.aclosing`) when you leave it early.

        The first comes at once, and is None: anything may have changed before. None comes again whenever
        rings may have been lost, as after a lost connection, which is made again for as long as it takes.
        """
        on_server = self._database.file is None
        rings = _listen_on_server(self._database.url) if on_server else listen_on_socket(self._folder)
        async with aclosing(rings):
            async for topic in rings:
                yield topic

    def close(self) -> None:
        """Wait until what was rung is on its way; rings after this are lost."""
        self._ringer.shutdown()

    def __enter__(self) -> "Bell":
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _listen_on_server(url: URL) -> AsyncGenerator[str | None]:
    import psycopg

    wait = _FIRST_WAIT
    while True:
        try:
            arguments = server_arguments(url)
            async with await psycopg.AsyncConnection.connect(**arguments, autocommit=True) as connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                wait = _FIRST_WAIT
                yield None
                async with aclosing(connection.notifies()) as notices:
                    async for notice in notices:
                        yield notice.payload
        except psycopg.OperationalError as error:
            log.warning("The bell is not heard for now; trying again in %.1f s (%s).", wait, error)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
