"""Bringing the tables of a database from any earlier form to the present one.

One script per change, in `versions/`; `python -m eucentric.store.migrations "What changes"` writes the next
one by comparing the scripts with the tables.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import URL, Connection, text

from eucentric.store.connections import WRITING, make_engine, sqlite_file
from eucentric.store.errors import StoreError

SCRIPTS = Path(__file__).parent
_ADVISORY_LOCK = 0x6575_6365_6E74  # any number that all migrators share


def alembic_config(connection: Connection, scripts: Path = SCRIPTS) -> Config:
    """Return the settings with which Alembic works on `connection`."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def migrate(url: URL, scripts: Path = SCRIPTS) -> None:
    """Bring the database at `url` to the newest revision in `scripts`, in one transaction.

    One process migrates at a time. A SQLite database that holds something is first copied to
    `FILE.backup-REVISION`, and its foreign keys are checked afterwards.

    Raises:
        StoreError: The database is newer than the scripts, or a migration would break references.
    """
    engine = make_engine(url, foreign_keys=False, pooled=False)
    file = sqlite_file(url)
    with engine.connect() as connection:
        if (file is None or file.stat().st_size > 0) and not _is_old(connection, scripts):
            return
    with contextlib.ExitStack() as stack:
        if file is not None:
            stack.enter_context(FileLock(f"{file}.lock"))
            _keep_journal_aside(file)
        connection = stack.enter_context(engine.connect().execution_options(**{WRITING: True}))
        stack.enter_context(connection.begin())
        if file is None:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        if not _is_old(connection, scripts):
            return
        revision = _revision(connection)
        if file is not None and revision is not None:
            _back_up(file, revision)
        command.upgrade(alembic_config(connection, scripts), "head")
        if file is not None:
            _check_references(connection, file)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_old(connection: Connection, scripts: Path) -> bool:
    """Say whether there is something to do.

    Raises:
        StoreError: The database is newer than the scripts.
    """
    directory = ScriptDirectory(scripts)
    revision = _revision(connection)
    if revision is not None and revision not in {script.revision for script in directory.walk_revisions()}:
        where = connection.engine.url.render_as_string(hide_password=True)
        raise StoreError(
            f"{where} was written by a newer version of Eucentric (revision {revision} is not known here):"
            " install that version again, or put back the backup that was made before the upgrade."
        )
    return revision != directory.get_current_head()


@contextlib.contextmanager
def _plain(file: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as connection:
        yield connection


def _keep_journal_aside(file: Path) -> None:
    """Turn on the write-ahead log, which lets others read while one writes; the file remembers it."""
    with _plain(file) as connection:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"{file} cannot have a write-ahead log here; move the site to a local disk.")


def _back_up(file: Path, revision: str) -> None:
    """Copy the database as it is, while others may be reading it."""
    backup = file.with_name(f"{file.name}.backup-{revision}")
    unfinished = backup.with_name(f"{backup.name}.part")
    unfinished.unlink(missing_ok=True)
    with _plain(file) as source, _plain(unfinished) as copy:
        source.backup(copy)
    unfinished.replace(backup)


def _check_references(connection: Connection, file: Path) -> None:
    broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        raise StoreError(
            f"The migration of {file} was undone, since it would leave rows of {tables} without the rows they"
            " belong to. Please report this; the earlier version still works with the file."
        )
