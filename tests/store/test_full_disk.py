"""A full disk: told as such, nothing half-written, and all is well when there is space again."""

import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from eucentric.store import Database, DiskFull, Site, StoreError
from eucentric.store.errors import translated
from eucentric.store.migrations import migrate
from eucentric.store.tables import command, session
from next_revision import scripts_with
from postgres_server import PostgresServer


def new_session(database: Database) -> int:
    with database.write() as connection:
        statement = insert(session).values(name="a", created=0).returning(session.c.id)
        number: int = connection.execute(statement).scalar_one()
        return number


def row(number: int, size: int) -> dict[str, Any]:
    arguments = {"a": secrets.token_hex(size // 2)}  # which no database can compress
    return {"session_id": number, "kind": "x", "arguments": arguments, "author": "c", "created": 0}


def check(database: Database, disk: Path) -> None:
    number = new_session(database)
    committed = 0

    def fill() -> None:
        nonlocal committed
        while True:
            with database.write() as connection:
                connection.execute(insert(command), [row(number, 20_000)] * 3)
            committed += 3

    def count() -> int:
        with database.read() as connection:
            return connection.execute(select(func.count()).select_from(command)).scalar_one()

    ballast = disk / "ballast"
    for size in (400_000, 200_000):
        ballast.write_bytes(bytes(size))
        for _ in range(2):  # full, and still full
            with pytest.raises(DiskFull, match=r"free space there"):
                fill()
            assert count() == committed
        ballast.unlink()
        with database.write() as connection:
            connection.execute(insert(command), [row(number, 1000)] * 3)
        committed += 3
        assert count() == committed


@pytest.mark.parametrize("small_disk", ["2m"], indirect=True)
def test_a_full_disk_under_sqlite(small_disk: Path) -> None:
    with Database.open(Site.create(small_disk / "site")) as database:
        check(database, small_disk)
        with database.read() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


@pytest.mark.parametrize("small_disk", ["2m"], indirect=True)
def test_no_space_for_a_backup_no_migration(small_disk: Path, tmp_path: Path) -> None:
    with Database.open(Site.create(small_disk / "site")) as database:
        new_session(database)
        scripts = scripts_with(tmp_path, database.url)
        (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 65_536))
        with pytest.raises(DiskFull), translated(database.url):
            migrate(database.url, scripts)
        (small_disk / "ballast").unlink()
        Database.open(database.url).close()  # still of the present form
        migrate(database.url, scripts)
        with pytest.raises(StoreError, match="newer"):
            Database.open(database.url)


@pytest.mark.parametrize("small_disk", ["16m"], indirect=True)
def test_a_full_disk_under_postgresql(small_disk: Path, postgres_server: PostgresServer) -> None:
    with postgres_server.new_database(disk=small_disk) as url, Database(url) as database:
        check(database, small_disk)
