"""One engine per session."""

import os
import subprocess
import sys
import time

import psutil
import pytest
from sqlalchemy import insert, select, update

from eucentric.engine.lease import (
    SECONDS,
    LeaseLost,
    SessionBusy,
    check_lease,
    check_not_frozen,
    give_lease_back,
    holder_name,
    take_lease,
)
from eucentric.store import Database, DatabaseUnavailable, tables

session = tables.session


@pytest.fixture
def number(database: Database) -> int:
    with database.write() as connection:
        statement = insert(session).values(name="night", created=0).returning(session.c.id)
        return connection.execute(statement).scalar_one()


def take(database: Database, number: int) -> int:
    with database.write() as connection:
        return take_lease(connection, number)


def check(database: Database, number: int, token: int) -> None:
    with database.write() as connection:
        check_lease(connection, number, token)


def hold(database: Database, **values: object) -> None:
    with database.write() as connection:
        connection.execute(update(session).values(values))


def test_taken_renewed_and_given_back(database: Database, number: int) -> None:
    token = take(database, number)
    hold(database, lease_expires=0)
    check(database, number, token)
    with database.read() as connection:
        row = connection.execute(select(session)).one()
    assert row.lease_holder == holder_name()
    assert row.lease_expires > time.time() + SECONDS - 5
    with pytest.raises(SessionBusy, match="session night is run by another engine"):
        take(database, number)
    with database.write() as connection:
        assert give_lease_back(connection, number, token)
    assert take(database, number) == token + 1
    with database.write() as connection:
        assert not give_lease_back(connection, number, token)


def test_an_older_token_is_worth_nothing(database: Database, number: int) -> None:
    old = take(database, number)
    hold(database, lease_expires=0)
    new = take(database, number)
    with pytest.raises(LeaseLost):
        check(database, number, old)
    check(database, number, new)


def test_an_engine_of_another_machine_has_its_time(database: Database, number: int) -> None:
    hold(database, lease_holder="elsewhere:1:1.0", lease_expires=time.time() + 60)
    with pytest.raises(SessionBusy, match="on elsewhere"):
        take(database, number)
    hold(database, lease_expires=time.time() - 1)
    take(database, number)


def test_a_dead_engine_of_this_machine_is_noticed_at_once(database: Database, number: int) -> None:
    take(database, number)
    host = holder_name().split(":")[0]
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    created = psutil.Process(process.pid).create_time()
    hold(database, lease_holder=f"{host}:{process.pid}:{created:.2f}")
    with pytest.raises(SessionBusy):
        take(database, number)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    take(database, number)  # a zombie is dead
    process.communicate()
    hold(database, lease_holder=f"{host}:{process.pid}:{created:.2f}")
    take(database, number)


def test_a_number_that_another_process_has_now_is_no_engine(database: Database, number: int) -> None:
    take(database, number)
    host = holder_name().split(":")[0]
    hold(database, lease_holder=f"{host}:{os.getpid()}:1.00")
    take(database, number)


def test_after_a_freeze_nothing_is_relied_upon() -> None:
    check_not_frozen(time.time())
    for since in (time.time() - SECONDS, time.time() + 100):
        with pytest.raises(DatabaseUnavailable, match="frozen"):
            check_not_frozen(since)
