"""How connections to the database are made and how its transactions begin, on SQLite and PostgreSQL.

On SQLite a transaction that reads and then writes can fail or, worse, lose what another wrote in between;
therefore a transaction that writes takes the one write lock when it begins (`BEGIN IMMEDIATE`).
https://www.sqlite.org/lang_transaction.html
"""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url

from eucentric.store.errors import StoreError

BUSY_SECONDS = 30
"""How long a transaction waits for others before it gives up."""
WRITING = "eucentric_writing"
"""The execution option that marks a transaction that writes."""

_SERVER_OPTIONS: dict[str, Any] = {
    "application_name": "eucentric",
    "connect_timeout": 10,
    # A server that is gone without a word is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    # A client that is frozen within a transaction does not hold up the others for ever.
    "options": f"-c lock_timeout={BUSY_SECONDS}s -c idle_in_transaction_session_timeout=60s",
}


def checked_url(text: str | URL) -> URL:
    """Return the URL of a SQLite file or a PostgreSQL database, with its password where it is hidden.

    Raises:
        StoreError: It is neither. The message does not repeat the text, which may hold a password.
    """
    try:
        url = make_url(text)
    except Exception as error:
        raise StoreError("The database's URL cannot be read; write postgresql://USER@HOST/NAME.") from error
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        if isinstance(password := url.query.get("password"), str):
            url = url.difference_update_query(["password"]).set(password=password)
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "sqlite+pysqlite") and url.database not in (None, "", ":memory:"):
        return url
    raise StoreError(
        f"A database of the kind {url.drivername!r} cannot be used: it is a SQLite file"
        " (sqlite:///FILE) or PostgreSQL (postgresql://USER@HOST/NAME)."
    )


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite database, or None for PostgreSQL."""
    return Path(url.database or "").resolve() if url.get_backend_name() == "sqlite" else None


def make_engine(url: URL, *, foreign_keys: bool = True, pooled: bool = True) -> Engine:
    """Return an engine for `url`, whose transactions begin as the module's text says.

    Args:
        url: As returned by `checked_url`.
        foreign_keys: Whether SQLite enforces foreign keys; only a migration goes without.
        pooled: Whether connections are kept for later.
    """
    options: dict[str, Any] = {} if pooled else {"poolclass": NullPool}
    if sqlite_file(url) is not None:
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **options)
        event.listen(engine, "connect", _configure_sqlite(foreign_keys))
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(url, connect_args=_server_options(url), pool_pre_ping=True, **options)
    except ModuleNotFoundError as error:
        message = "PostgreSQL needs the package psycopg: pip install 'eucentric[postgresql]'."
        raise StoreError(message) from error


def _server_options(url: URL) -> dict[str, Any]:
    return {name: value for name, value in _SERVER_OPTIONS.items() if name not in url.query}


def server_arguments(url: URL) -> dict[str, Any]:
    """Return the arguments with which psycopg connects to the server at `url`."""
    _, arguments = url.get_dialect()().create_connect_args(url)
    return {**_server_options(url), **arguments}


def _configure_sqlite(foreign_keys: bool) -> Any:
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not by the driver's guess
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")

    return configure


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING, False)
    # A write that slips into a transaction for reading is refused instead of being half-protected.
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writing else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
