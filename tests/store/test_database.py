"""Transactions: what they promise one caller."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from eucentric.store import Database, DatabaseBusy, Site, StoreError, connections
from eucentric.store.tables import run, session


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(session.c.name).order_by(session.c.id)).scalars())


def add(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(insert(session).values(name=name, created=0))


def test_what_is_written_is_read(database: Database) -> None:
    add(database, "a")
    assert names(database) == ["a"]


def test_a_block_that_fails_writes_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            connection.execute(insert(session).values(name="a", created=0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(database) == []
    add(database, "b")
    assert names(database) == ["b"]


def test_a_faulty_statement_stays_what_it_is(database: Database) -> None:
    add(database, "a")
    with pytest.raises(IntegrityError):
        add(database, "a")
    with pytest.raises(DBAPIError, match="no_such_table"), database.read() as connection:
        connection.execute(text("SELECT * FROM no_such_table"))
    assert names(database) == ["a"]


def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises((DBAPIError, StoreError), match=r"(?i)read-?only"), database.read() as connection:
        connection.execute(insert(session).values(name="a", created=0))
    add(database, "b")
    assert names(database) == ["b"]


def test_a_reader_sees_one_state(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(session)).scalar_one() == 0
        add(database, "a")
        assert connection.execute(select(func.count()).select_from(session)).scalar_one() == 0
    assert names(database) == ["a"]


def test_references_are_kept(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(run).values(session_id=7, name="x", protocol="p", revision=1))


def test_the_lock_of_a_writer_is_waited_for(database: Database) -> None:
    add(database, "a")
    begun = threading.Event()

    def other() -> None:
        begun.set()
        with database.write() as connection:
            token = connection.execute(select(session.c.lease_token).with_for_update()).scalar_one()
            connection.execute(update(session).values(lease_token=token + 1))

    with database.write() as connection:
        token = connection.execute(select(session.c.lease_token).with_for_update()).scalar_one()
        thread = threading.Thread(target=other)
        thread.start()
        begun.wait()
        thread.join(0.2)
        assert thread.is_alive()
        connection.execute(update(session).values(lease_token=token + 1))
    thread.join()
    with database.read() as connection:
        assert connection.execute(select(session.c.lease_token)).scalar_one() == 2


def test_a_lock_that_is_not_let_go_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.1)
    monkeypatch.setitem(connections._SERVER_OPTIONS, "options", "-c lock_timeout=100ms")
    with Database.open(site) as database:
        add(database, "a")
        with database.write() as connection:
            connection.execute(update(session).values(weight=2))
            with pytest.raises(DatabaseBusy, match=r"locked|busy"), database.write() as second:
                second.execute(update(session).values(weight=3))
        add(database, "b")


def test_sqlite_is_durable_and_lets_others_read(tmp_path: Path) -> None:
    with Database.open(Site.create(tmp_path)) as database, database.read() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    site = Site.create(tmp_path)
    (tmp_path / "eucentric.db").write_bytes(b"not a database at all, but some text" * 200)
    with pytest.raises(StoreError, match=r"eucentric\.db is damaged"):
        Database.open(site)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hush@host/name",
        "sqlite://",
        "sqlite:///:memory:",
        "hush",
        "postgresql+asyncpg://a:hush@b/c",
    ],
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Database(url)
    assert "hush" not in str(caught.value)


def test_a_password_is_not_shown() -> None:
    for url in ("postgresql://me:hush@host/name", "postgresql://me@host/name?password=hush"):
        database = Database(url)
        assert database.url.password == "hush"
        assert "hush" not in f"{database!r} {database.url!r} {database.url} {database.engine!r}"
