"""The one database of a site: opening it, and short transactions that lose nothing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from sqlalchemy import URL, Connection

from eucentric.store.connections import WRITING, checked_url, make_engine, sqlite_file
from eucentric.store.errors import StoreError, translated
from eucentric.store.file_systems import shared_file_system
from eucentric.store.migrations import migrate
from eucentric.store.site import Site


class Database:
    """A site's database; its transactions may be used from several threads, one connection each.

    `read` and `write` raise `DatabaseUnavailable` where trying again later may help, `DiskFull` where
    somebody must free space first, and `StoreError` where somebody must mend the installation.
    """

    def __init__(self, place: Site | URL | str) -> None:
        """Prepare to use the database at `place`; nothing is connected, made or migrated yet."""
        self.url = checked_url(place.database_url if isinstance(place, Site) else place)
        self.engine = make_engine(self.url)
        self._writer = self.engine.execution_options(**{WRITING: True})
        self._reader = self.engine
        if self.file is None:
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            self._reader = self.engine.execution_options(**options)
            self._writer = self.engine.execution_options(isolation_level="READ COMMITTED")

    @classmethod
    def open(cls, place: Site | URL | str) -> "Database":
        """Open the database of a site (or at a URL), and bring its tables to the present form.

        A SQLite database is made if it is missing, and is backed up beside itself before tables change.

        Raises:
            StoreError: It cannot be used: it lies on a network file system, was made by a newer version, ...
            DatabaseUnavailable: PostgreSQL does not answer.
        """
        database = cls(place)
        database.migrate()
        return database

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database; None for PostgreSQL."""
        return sqlite_file(self.url)

    def migrate(self) -> None:
        """Bring the tables to the form that this version of the program needs."""
        if self.file is not None:
            _refuse_shared_disk(self.file)
        with translated(self.url):
            migrate(self.url)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database and cannot change it."""
        with translated(self.url), self._reader.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction; it is committed (and on disk) at the end of the block, or not at all.

        On SQLite there is one writer at a time, from the first line of the block. On PostgreSQL writers run
        side by side (READ COMMITTED): rows are yours from your first UPDATE or SELECT ... FOR UPDATE of
        them, so begin with the row that all writers share, such as the `session`.
        """
        with translated(self.url), self._writer.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"


def _refuse_shared_disk(file: Path) -> None:
    type_ = shared_file_system(file.parent)
    if type_ is not None:
        raise StoreError(
            f"{file} lies on a network file system ({type_}), where SQLite can lose data: keep the site's"
            " folder on a local disk, or set `database` in eucentric.toml to a PostgreSQL URL."
        )
