"""Several processes write at once, and some are killed."""

import multiprocessing
import os
import signal

from sqlalchemy import insert, select, update

from eucentric.store import Database
from eucentric.store.tables import session
from processes import count_up, write_and_hang

WRITERS, TIMES = 4, 500
spawn = multiprocessing.get_context("spawn")


def url_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def test_no_update_is_lost(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(session).values(name="a", created=0))
    arguments = (url_of(database), TIMES)
    writers = [spawn.Process(target=count_up, args=arguments) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    with database.read() as connection:
        assert connection.execute(select(session.c.lease_token)).scalar_one() == WRITERS * TIMES


def test_a_killed_writer_leaves_whole_transactions_only(database: Database) -> None:
    here, there = spawn.Pipe()
    writer = spawn.Process(target=write_and_hang, args=(url_of(database), there))
    writer.start()
    assert here.recv() == "in the middle"
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    with database.write() as connection:  # the dead hold no lock
        connection.execute(update(session).values(created=1))
    with database.read() as connection:
        rows = connection.execute(select(session.c.name, session.c.weight)).all()
    assert [tuple(row) for row in rows] == [("whole", 1.0)]
