"""Migrations: from every earlier form to the present one, with the rows kept."""

import multiprocessing
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    URL,
    Boolean,
    Connection,
    Float,
    Integer,
    MetaData,
    create_engine,
    insert,
    inspect,
    select,
    text,
)

from eucentric.store import Database, StoreError
from eucentric.store.connections import WRITING, checked_url, make_engine
from eucentric.store.migrations import SCRIPTS, alembic_config, migrate
from eucentric.store.tables import metadata
from next_revision import scripts_with
from postgres_server import PostgresServer
from processes import open_database

REVISIONS = [script.revision for script in ScriptDirectory(SCRIPTS).walk_revisions()]
HEAD = REVISIONS[0]
spawn = multiprocessing.get_context("spawn")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        yield checked_url(f"sqlite:///{tmp_path / 'eucentric.db'}")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.new_database(template="template0") as address:
        yield checked_url(address)


def upgrade_to(url: URL, revision: str) -> None:
    engine = make_engine(url, foreign_keys=False, pooled=False).execution_options(**{WRITING: True})
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), revision)


def reflected(connection: Connection) -> MetaData:
    found = MetaData()
    found.reflect(connection)
    found.remove(found.tables["alembic_version"])
    return found


def value_for(column: Any) -> Any:
    if column.foreign_keys or (column.primary_key and isinstance(column.type, Integer)):
        return 1
    if column.name == "state":
        return {"task": "done", "batch": "done", "item": "current"}.get(column.table.name, "idle")
    if column.name == "severity" or (column.table.name, column.name) == ("notice", "kind"):
        return {"severity": "warning", "kind": "raised"}[column.name]
    if isinstance(column.type, JSON):
        return {"a": [1, None]}
    for kind, value in ((Boolean, True), (Integer, 1), (Float, 1.5)):
        if isinstance(column.type, kind):
            return value
    return f"some {column.name}"


def add_a_row_to_each_table(url: URL) -> None:
    with make_engine(url, pooled=False).execution_options(**{WRITING: True}).begin() as connection:
        for table in reflected(connection).sorted_tables:
            connection.execute(insert(table), {column.name: value_for(column) for column in table.columns})


def rows(url: URL) -> dict[str, list[dict[str, Any]]]:
    with make_engine(url, pooled=False).connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in reflected(connection).sorted_tables
        }


def options_of(index: Any) -> dict[str, str]:
    return {name: str(value) for name, value in index.pop("dialect_options", {}).items()}


def shape(connection: Connection) -> dict[str, Any]:
    """All that the database itself knows of its tables."""
    seen = inspect(connection)
    return {
        table: {
            "columns": [str(column) for column in seen.get_columns(table)],
            "key": seen.get_pk_constraint(table),
            "references": sorted(map(str, seen.get_foreign_keys(table))),
            "unique": sorted(map(str, seen.get_unique_constraints(table))),
            "checks": sorted(map(str, seen.get_check_constraints(table))),
            "indexes": sorted(str(index | options_of(index)) for index in seen.get_indexes(table)),
        }
        for table in seen.get_table_names()
        if table != "alembic_version"
    }


# ------------------------------------------------------------------ the scripts that there are


def test_the_scripts_lead_to_the_tables(database: Database) -> None:
    with database.read() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_the_scripts_lead_to_what_the_tables_would_make(url: URL) -> None:
    with make_engine(url, pooled=False).execution_options(**{WRITING: True}).begin() as connection:
        metadata.create_all(connection)
        expected = shape(connection)
        metadata.drop_all(connection)
    migrate(url)
    with make_engine(url, pooled=False).connect() as connection:
        assert shape(connection) == expected


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_earlier_form_is_brought_up_with_its_rows(url: URL, revision: str) -> None:
    upgrade_to(url, revision)
    add_a_row_to_each_table(url)
    before = rows(url)
    Database.open(url).close()
    after = rows(url)
    assert set(after) == set(metadata.tables)
    assert {name: len(found) for name, found in after.items() if name in before} == dict.fromkeys(before, 1)
    if revision == HEAD:
        assert after == before


def test_several_open_a_new_database_at_once(url: URL) -> None:
    address = url.render_as_string(hide_password=False)
    processes = [spawn.Process(target=open_database, args=(address,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert set(rows(url)) == set(metadata.tables)


# ------------------------------------------------------------------ what any script may do


def test_a_table_made_anew_takes_no_rows_of_others_with_it(url: URL, tmp_path: Path) -> None:
    migrate(url)
    add_a_row_to_each_table(url)
    before = rows(url)
    migrate(url, scripts_with(tmp_path, url))
    before["session"][0]["colour"] = "blue"
    assert rows(url) == before


def test_a_backup_is_made_first(tmp_path: Path) -> None:
    url = checked_url(f"sqlite:///{tmp_path / 'eucentric.db'}")
    migrate(url)
    assert not list(tmp_path.glob("*backup*"))
    add_a_row_to_each_table(url)
    before = rows(url)
    migrate(url, scripts_with(tmp_path, url))
    backups = list(tmp_path.glob("*backup*"))
    assert backups == [tmp_path / f"eucentric.db.backup-{HEAD}"]
    assert rows(checked_url(f"sqlite:///{backups[0]}")) == before


def test_a_newer_database_is_refused(url: URL, tmp_path: Path) -> None:
    migrate(url, scripts_with(tmp_path, url))
    add_a_row_to_each_table(url)
    before = rows(url)
    with pytest.raises(StoreError, match=r"newer version of Eucentric \(revision 9999"):
        Database.open(url)
    assert rows(url) == before


def test_a_migration_that_fails_is_undone(url: URL, tmp_path: Path) -> None:
    migrate(url)
    add_a_row_to_each_table(url)
    before = rows(url)
    with pytest.raises(ZeroDivisionError):
        migrate(url, scripts_with(tmp_path, url, more="1 / 0"))
    assert rows(url) == before
    Database.open(url).close()


def test_a_migration_that_breaks_references_is_undone(tmp_path: Path) -> None:
    url = checked_url(f"sqlite:///{tmp_path / 'eucentric.db'}")
    migrate(url)
    add_a_row_to_each_table(url)
    before = rows(url)
    scripts = scripts_with(tmp_path, url, more='op.execute("DELETE FROM environment")')
    with pytest.raises(StoreError, match=r"undone, .* rows of run_revision"):
        migrate(url, scripts)
    assert rows(url) == before


def test_migrators_wait_for_each_other(tmp_path: Path) -> None:
    """The second finds nothing left to do, though it had begun before the first was done."""
    url = checked_url(f"sqlite:///{tmp_path / 'eucentric.db'}")
    migrate(url)
    with sqlite3.connect(tmp_path / "eucentric.db", isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM session").fetchall()
        migrate(url, scripts_with(tmp_path, url))  # a reader holds up nobody
        reader.execute("COMMIT")
    reader.close()


def test_a_database_of_somebody_else_is_left_as_it_is(url: URL) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (a integer)"))
    engine.dispose()
    Database.open(url).close()
    assert set(rows(url)) == {*metadata.tables, "theirs"}
