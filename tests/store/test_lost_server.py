"""PostgreSQL is stopped, killed and started while it is used."""

import traceback

import pytest
from sqlalchemy import insert, select, update

from eucentric.store import Database, DatabaseUnavailable, Site
from eucentric.store.tables import session
from postgres_server import PostgresServer

pytestmark = pytest.mark.parametrize("site", ["postgresql"], indirect=True)


def add(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(insert(session).values(name=name, created=0))


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(session.c.name).order_by(session.c.id)).scalars())


def test_a_restart_between_transactions_is_not_noticed(
    database: Database, postgres_server: PostgresServer
) -> None:
    add(database, "a")
    postgres_server.restart()
    add(database, "b")
    assert names(database) == ["a", "b"]


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_what_was_committed_survives_and_the_rest_is_undone(
    database: Database, postgres_server: PostgresServer, how: str
) -> None:
    add(database, "whole")

    def lose_the_connection() -> None:
        with database.write() as connection:
            connection.execute(insert(session).values(name="half", created=0))
            getattr(postgres_server, how)()
            connection.execute(update(session).values(weight=7))

    with pytest.raises(DatabaseUnavailable):
        lose_the_connection()
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        add(database, "meanwhile")
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        names(database)
    postgres_server.start()
    assert names(database) == ["whole"]


def test_a_connection_lost_at_the_commit_is_told(database: Database, postgres_server: PostgresServer) -> None:
    def lose_the_connection() -> None:
        with database.write() as connection:
            connection.execute(insert(session).values(name="half", created=0))
            postgres_server.crash()

    with pytest.raises(DatabaseUnavailable):
        lose_the_connection()
    postgres_server.start()
    assert names(database) == []


def test_opening_without_a_server_is_told_without_the_password(
    site: Site, postgres_server: PostgresServer
) -> None:
    postgres_server.stop()
    with pytest.raises(DatabaseUnavailable) as caught:
        Database.open(site)
    assert postgres_server.password not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_password_or_name_is_told(site: Site, postgres_server: PostgresServer) -> None:
    wrong = Database(site.database_url.replace(postgres_server.password, "hush"))
    with pytest.raises(DatabaseUnavailable, match="password authentication failed") as caught:
        wrong.migrate()
    assert "hush" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        Database.open(postgres_server.url("no_such_database"))
