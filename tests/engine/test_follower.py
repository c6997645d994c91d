"""What the follower and the list of sessions tell, after what an engine's journal has written."""

import time
from typing import Any

import pytest
from sqlalchemy import insert, update

from eucentric.engine.follower import SessionFollower, paths_of_run
from eucentric.engine.journal import Journal, Writer
from eucentric.engine.lease import take_lease
from eucentric.engine.overview import NoSuchRun, RunOverview, SessionOverview, list_sessions
from eucentric.engine.provenance import environment_id
from eucentric.engine.worker import ItemRecord
from eucentric.store import Database, tables

INPUTS: dict[str, dict[str, Any]] = {
    "movies": {},
    "align": {"movie": "movies.movie", "gain": "movies.gain"},
    "pick": {"micrograph": "align.micrograph", "others": ["align.micrograph", "movies.metadata"]},
    "sums": {"micrograph": "align.micrograph"},
}


class Night:
    """A session, written as its engine would."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.write() as connection:
            values = {"name": "night", "created": time.time()}
            number = connection.execute(
                insert(tables.session).values(values).returning(tables.session.c.id)
            ).scalar_one()
            token = take_lease(connection, number)
            for name, inputs in INPUTS.items():
                row = {"session_id": number, "name": name, "protocol": f"{name}-it", "revision": 1}
                run = connection.execute(
                    insert(tables.run).values(row).returning(tables.run.c.id)
                ).scalar_one()
                revision = {
                    "run_id": run,
                    "protocol_version": "1",
                    "code": "",
                    "params": {},
                    "inputs": inputs,
                }
                more = {"environment_id": environment_id(connection), "created": 0.0}
                for each in (1, 2):
                    connection.execute(insert(tables.run_revision).values(**revision, **more, number=each))
        self.number = number
        self.journal = Journal(database, number, token)
        self.follower = SessionFollower(number)
        self.found("", output="gain")

    def found(self, *keys: str, output: str = "movie") -> None:
        """A source has found exposures."""
        with self.journal.write() as writer:
            rows = [(output, ("grid", key) if key else ("grid",), record(key)) for key in keys]
            writer.items_found("movies", 1, "movie", rows)

    def start(self, run: str, key: str, revision: int = 1) -> int:
        with self.journal.write() as writer:
            return start(writer, run, key, revision)

    def done(self, run: str, key: str, revision: int = 1) -> None:
        """A task has been done from beginning to end."""
        with self.journal.write() as writer:
            task = start(writer, run, key, revision)
            writer.task_done(task, run, revision, ("grid", key), [("micrograph", record(key))])

    def failed(self, run: str, key: str, state: str = "failed") -> None:
        with self.journal.write() as writer:
            task = start(writer, run, key, 1)
            writer.task_failed(
                task, run, ("grid", key), (), state=state, reason=f"{key} is bad", log="logs/x.log"
            )

    def folded(self, version: int, added: str, removed: str = "", *, fail: bool = False) -> None:
        """A batch of exposures, a letter each, was folded in and taken back."""
        with self.journal.write() as writer:
            entries = ([(("grid", key), {}) for key in keys] for keys in (added, removed))
            batch = writer.journal_batch("sums", 1, "grid", version, *entries, seed="")
            if fail:
                writer.batch_failed(batch.id, "too much", None)
            else:
                writer.batch_done(batch.id, "sums", 1, "grid", [("session_statistics", record("all"))])

    def look(self) -> SessionOverview:
        with self.database.read() as connection:
            self.follower.update(connection)
        fresh = SessionFollower(self.number)
        with self.database.read() as connection:
            fresh.update(connection)
        # What was followed bit by bit is what a newcomer sees.
        assert fresh.overview() == self.follower.overview()
        assert fresh.found() == self.follower.found()
        return self.follower.overview()

    def run(self, name: str) -> RunOverview:
        return next(run for run in self.look().runs if run.name == name)


def record(key: str) -> ItemRecord:
    return {"kind": "micrograph", "data": {"path": key}}


def start(writer: Writer, run: str, key: str, revision: int) -> int:
    path = ("grid", key)
    return writer.start_task(run, revision, path, generation=0, inputs={}, seed="", worker="w").id


@pytest.fixture
def night(database: Database) -> Night:
    return Night(database)


def counts(run: RunOverview) -> tuple[int, int, int, int, int]:
    """Done, running, waiting, failed, rejected."""
    return run.done, run.running, run.waiting, run.failed, run.rejected


def test_a_new_session_has_nothing(night: Night) -> None:
    look = night.look()
    assert look.engine == "running"
    assert look.holder is not None
    assert [counts(run) for run in look.runs] == [(0, 0, 0, 0, 0)] * 4


def test_every_state_is_counted(night: Night) -> None:
    night.found("a", "b", "c", "d", "e")
    night.done("align", "a")
    night.start("align", "b")
    night.failed("align", "c")
    night.failed("align", "d", "rejected")
    assert night.run("movies").done == 5
    assert counts(night.run("align")) == (1, 1, 1, 1, 1)


def test_several_streams_and_lists_wait_for_what_is_there(night: Night) -> None:
    night.found("a", "b")
    night.found("a", output="metadata")
    assert night.run("pick").waiting == 0
    night.done("align", "a")
    night.done("align", "b")
    assert night.run("pick").waiting == 2


def test_trouble_of_a_source_ends_with_the_item(night: Night) -> None:
    with night.journal.write() as writer:
        writer.trouble("movies", 1, ("grid", "a"), "cut short")
    assert counts(night.run("movies")) == (0, 0, 0, 1, 0)
    assert night.follower.found() == [("grid", "a")]
    night.found("a")
    assert counts(night.run("movies")) == (1, 0, 0, 0, 0)


def test_a_new_revision_starts_from_nothing(night: Night) -> None:
    night.found("a")
    night.done("align", "a")
    with night.database.write() as connection:
        connection.execute(update(tables.run).where(tables.run.c.name == "align").values(revision=2))
    assert counts(night.run("align")) == (0, 0, 1, 0, 0)
    night.done("align", "a", revision=2)
    assert counts(night.run("align")) == (1, 0, 0, 0, 0)


def test_interrupted_tasks_wait_again(night: Night) -> None:
    night.found("a")
    task = night.start("align", "a")
    with night.journal.write() as writer:
        writer.task_interrupted(task, "killed")
    assert counts(night.run("align")) == (0, 0, 1, 0, 0)


def test_withdrawn_items_are_out_until_they_are_restored(night: Night) -> None:
    with night.journal.write() as writer:
        numbers = writer.items_found("movies", 1, "movie", [("movie", ("grid", "a"), record("a"))])
        writer.withdraw("movies", [("grid", "a")], "ice")
        writer.set_visible(numbers, False)
    assert (night.run("movies").done, night.run("movies").withdrawn, night.run("align").waiting) == (0, 1, 0)
    with night.journal.write() as writer:
        writer.restore("movies", [("grid", "a")])
        writer.set_visible(numbers, True)
    assert (night.run("movies").done, night.run("movies").withdrawn, night.run("align").waiting) == (1, 0, 1)


def test_what_is_gathered_is_counted_by_exposure(night: Night) -> None:
    night.found("a", "b", "c")
    for key in ("a", "b", "c"):
        night.done("align", key)
    night.folded(1, "ab")
    assert (night.run("sums").done, night.run("sums").waiting, night.run("sums").versions) == (2, 1, 1)
    night.folded(2, "c", "a")
    assert (night.run("sums").done, night.run("sums").waiting, night.run("sums").versions) == (2, 1, 2)
    night.folded(3, "a", fail=True)
    assert (night.run("sums").failed, night.run("sums").versions) == (1, 2)
    with night.database.read() as connection:
        assert night.follower.failures(connection)[0].reason == "too much"
    night.folded(3, "a")
    assert (night.run("sums").failed, night.run("sums").done) == (0, 3)


def test_failures_come_newest_first_and_go_when_done(night: Night) -> None:
    night.found("a", "b")
    night.failed("align", "a")
    night.failed("align", "b", "rejected")
    night.look()
    with night.database.read() as connection:
        first, second = night.follower.failures(connection)
        assert night.follower.failures(connection, 1) == [first]
    assert (first.path, first.state, first.reason) == ("grid/b", "rejected", "b is bad")
    assert (second.run, second.log) == ("align", "logs/x.log")
    night.done("align", "a")
    night.look()
    with night.database.read() as connection:
        assert [each.path for each in night.follower.failures(connection)] == ["grid/b"]


def test_an_exposure_has_the_newest_item_of_each_kind(night: Night) -> None:
    night.found("a", "b")
    night.done("align", "a")
    night.start("align", "b")
    night.look()
    with night.database.read() as connection:
        first, second = night.follower.exposures(connection, night.follower.found())
    assert first.path == ("grid", "a")
    assert first.items["micrograph"].data == {"path": "a"}
    assert (first.states, second.states) == ({"align": "done"}, {"align": "running"})


def test_paths_of_a_run(night: Night) -> None:
    night.found("a")
    night.failed("align", "b")
    with night.database.read() as connection:
        assert paths_of_run(connection, night.number, "movies") == [("grid",), ("grid", "a")]
        assert paths_of_run(connection, night.number, "align") == [("grid", "b")]
        with pytest.raises(NoSuchRun, match="it has movies, align"):
            paths_of_run(connection, night.number, "nothing")


def test_the_list_counts_as_the_follower_does(night: Night) -> None:
    night.found("a", "b", "c")
    night.found("a", output="metadata")
    night.done("align", "a")
    night.failed("align", "b")
    night.start("align", "c")
    night.folded(1, "a")
    with night.database.read() as connection:
        (listed,) = list_sessions(connection)
    close = night.look()
    for mine, theirs in zip(listed.runs, close.runs, strict=True):
        if mine.name != "sums":
            assert mine == theirs.model_copy(update={"waiting": 0})
    assert listed.runs[-1].versions == 1
    assert (listed.engine, listed.holder) == (close.engine, close.holder)


@pytest.mark.parametrize(
    ("values", "engine"),
    [
        ({"lease_holder": None, "state": None}, "new"),
        ({"lease_holder": None, "state": "stopped"}, "stopped"),
        ({"lease_expires": 1.0}, "interrupted"),
        ({"lease_holder": "elsewhere:1:2.0"}, "running"),
    ],
)
def test_whether_the_engine_lives(night: Night, values: dict[str, Any], engine: str) -> None:
    with night.database.write() as connection:
        connection.execute(update(tables.session).values(values))
    assert night.look().engine == engine
