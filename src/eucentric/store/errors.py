"""What can go wrong with the database, told apart by what the caller can do about it."""

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# Primary result codes of SQLite that are not a fault of the statement.
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_CLOSED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}
# SQLite reports a full disk as such, but a quota, and the shared index of its journal, as these.
_NO_SPACE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
}
# SQLSTATEs of PostgreSQL: serialization failure, deadlock, lock not available, too many connections.
_BUSY_STATES = {"40001", "40P01", "55P03", "53300"}
_DISK_FULL_STATE = "53100"


class StoreError(RuntimeError):
    """The database cannot be used; the message says how to mend that."""


class DatabaseUnavailable(StoreError):
    """The database cannot be reached now; wait, read what was committed, and try again.

    Where the connection was lost at the very moment of the commit, nobody can know whether it took place.
    """


class DatabaseBusy(DatabaseUnavailable):
    """Others kept the database locked for too long; nothing was written, and trying again may help."""


class DiskFull(StoreError):
    """The database's disk takes no more data; nothing of the transaction was written."""


@contextlib.contextmanager
def translated(url: URL) -> Iterator[None]:
    """Raise a `StoreError` for what is wrong around the database; faulty statements pass as they are.

    No message holds the password that may be part of `url`.
    """
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy(f"All connections to {_name(url)} have been in use for too long.") from error
    except (DBAPIError, sqlite3.Error) as error:
        found = _meaning(error, url)
        if found is None:
            raise
        raise found from error


def _name(url: URL) -> str:
    sqlite = url.get_backend_name() == "sqlite"
    return str(url.database) if sqlite else url.render_as_string(hide_password=True)


def _meaning(error: DBAPIError | sqlite3.Error, url: URL) -> StoreError | None:
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, _name(url))
    if isinstance(error.orig, sqlite3.Error):
        return _of_sqlite(error.orig, _name(url))
    return _of_server(error, _name(url))


def _of_sqlite(reason: sqlite3.Error, where: str) -> StoreError | None:
    code = getattr(reason, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary in _BUSY:
        return DatabaseBusy(
            f"Another process kept {where} locked for too long; try again, or end that process."
        )
    if primary == sqlite3.SQLITE_FULL or code in _NO_SPACE:
        return DiskFull(f"The disk (or quota) of {where} is full, or fails; free space there and try again.")
    if primary in _DAMAGED:
        return StoreError(f"{where} is damaged or no database; put back a backup of it.")
    if primary in _CLOSED:
        return StoreError(
            f"{where} cannot be opened or written ({reason}); check its permissions"
            " (or, in a program, that what changes it is within `Database.write`)."
        )
    return None


def _of_server(error: DBAPIError, where: str) -> StoreError | None:
    state = getattr(error.orig, "sqlstate", None)
    reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no answer"
    if state == _DISK_FULL_STATE:
        return DiskFull(f"The disk of {where} is full; free space there and try again.")
    if state in _BUSY_STATES:
        return DatabaseBusy(f"{where} is busy ({reason}); try again.")
    lost = error.connection_invalidated or type(error.orig).__name__ == "ConnectionTimeout"
    # Without a state the server gave no answer; 08 and 57P are its own words for "not now".
    if lost or (state is None and type(error.orig).__name__ == "OperationalError"):
        return DatabaseUnavailable(f"{where} cannot be reached ({reason}).")
    if state is not None and state.startswith(("08", "57P")):
        return DatabaseUnavailable(f"{where} is not available now ({reason}).")
    return None
