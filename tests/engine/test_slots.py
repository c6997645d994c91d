"""Sessions share the site's workers by weight."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from eucentric.engine.slots import Leased, divide, lease_slots
from eucentric.store import Database, tables

wants = st.dictionaries(
    st.integers(1, 9), st.tuples(st.floats(0.1, 10, allow_nan=False), st.integers(0, 20)), max_size=6
)


@given(st.integers(0, 30), wants, st.integers(0, 100))
def test_nobody_gets_more_than_it_can_use_and_nothing_is_left_over(
    total: int, wants: dict[int, tuple[float, int]], turn: int
) -> None:
    shares = divide(total, wants, turn)
    assert set(shares) == set(wants)
    assert all(0 <= shares[each] <= most for each, (_, most) in wants.items())
    assert sum(shares.values()) == min(total, sum(most for _, most in wants.values()))


@given(st.integers(1, 30), wants)
def test_nobody_starves(total: int, wants: dict[int, tuple[float, int]]) -> None:
    hungry = [each for each, (_, most) in wants.items() if most]
    got = dict.fromkeys(hungry, 0)
    for turn in range(720):  # divisible by the number of sessions, whatever that is
        for each, share in divide(total, wants, turn).items():
            if share:
                got[each] += share
    assert all(got.values())


@given(st.integers(0, 30), st.integers(1, 6), st.integers(0, 100))
def test_equal_weights_differ_by_one_at_most(total: int, sessions: int, turn: int) -> None:
    shares = divide(total, dict.fromkeys(range(sessions), (1.0, 100)), turn).values()
    assert max(shares) - min(shares) <= 1


def test_weights_divide_in_proportion() -> None:
    assert divide(12, {1: (1.0, 99), 2: (2.0, 99), 3: (3.0, 99)}) == {1: 2, 2: 4, 3: 6}
    assert divide(12, {1: (1.0, 99), 2: (2.0, 1), 3: (3.0, 99)}) == {1: 3, 2: 1, 3: 8}


WORKERS = ["cpu-0", "cpu-1", "cpu-2", "cpu-3"]


@pytest.fixture
def sessions(database: Database) -> dict[str, int]:
    with database.write() as connection:
        lasts = time.time() + 100
        statement = insert(tables.session).returning(tables.session.c.id)
        return {
            name: connection.execute(
                statement, {"name": name, "created": 0, "lease_expires": lasts}
            ).scalar_one()
            for name in ("a", "b")
        }


def lease(database: Database, session: int, demand: int, *busy: str) -> Leased:
    with database.write() as connection:
        return lease_slots(connection, session, WORKERS, demand, busy)


def holders(database: Database) -> dict[str, int | None]:
    with database.read() as connection:
        rows = connection.execute(select(tables.slot.c.worker, tables.slot.c.session_id))
        return {row.worker: row.session_id for row in rows}


def test_one_session_alone_has_them_all(database: Database, sessions: dict[str, int]) -> None:
    assert lease(database, sessions["a"], 1) == Leased(WORKERS, [])


def test_busy_workers_beyond_the_share_are_given_back_when_free(
    database: Database, sessions: dict[str, int]
) -> None:
    a, b = sessions.values()
    lease(database, a, 4)
    assert lease(database, b, 4) == Leased([], []), "all are held"
    assert lease(database, a, 4, *WORKERS) == Leased(WORKERS[:2], WORKERS[2:])
    assert set(holders(database).values()) == {a}
    assert lease(database, a, 4, "cpu-0", "cpu-1", "cpu-3") == Leased(WORKERS[:2], ["cpu-3"])
    assert lease(database, b, 4) == Leased(["cpu-2"], [])
    assert lease(database, a, 4, "cpu-0", "cpu-1") == Leased(WORKERS[:2], [])
    assert lease(database, b, 4, "cpu-2") == Leased(["cpu-2", "cpu-3"], [])
    assert holders(database) == {"cpu-0": a, "cpu-1": a, "cpu-2": b, "cpu-3": b}


def test_workers_of_a_dead_engine_are_free(database: Database, sessions: dict[str, int]) -> None:
    a, b = sessions.values()
    lease(database, a, 4)
    with database.write() as connection:
        connection.execute(tables.session.update().where(tables.session.c.id == a).values(lease_expires=1))
    assert lease(database, b, 4) == Leased(WORKERS, [])


def test_a_session_that_needs_none_gives_all(database: Database, sessions: dict[str, int]) -> None:
    a, b = sessions.values()
    lease(database, a, 4)
    lease(database, b, 4)
    assert lease(database, a, 0) == Leased([], [])
    assert lease(database, b, 4) == Leased(WORKERS, [])
