"""The record of a session: states, reasons, newest items; the same bit by bit and all at once."""

import random

import pytest
from sqlalchemy import func, select

from eucentric.metadata import SessionStatistics
from eucentric.monitors.exposures import Exposure, SessionRecord
from eucentric.monitors.results import read_results
from eucentric.store import Database, tables
from monitors.written_session import (
    WrittenSession,
    classes_of,
    coordinates_of,
    ctf_of,
    metadata_of,
    micrograph_of,
    movie_of,
    particles_of,
)

A, B = ("grid", "a"), ("grid", "b")
CHANCE = random.Random(3)


class Watched(WrittenSession):
    """A session with a record that follows it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.record = SessionRecord(self.number)

    def look(self) -> SessionRecord:
        """Update the record; a fresh one knows the same."""
        fresh = SessionRecord(self.number)
        with self.database.read() as connection:
            self.record.update(connection)
            fresh.update(connection)
        for mine, theirs in zip(self.record.exposures(), fresh.exposures(), strict=True):
            assert _told(mine) == _told(theirs)
            # Who comes later has not seen the trouble there was with a movie at first.
            assert mine.found <= theirs.found
        assert self.record.shared == fresh.shared
        return self.record

    def one(self) -> Exposure:
        (exposure,) = self.look().exposures()
        return exposure

    def aligned(self, path: tuple[str, ...]) -> None:
        self.found(path, "movie", movie_of(path, 1000.0))
        self.done("align", path, micrograph_of(path, CHANCE, drifting=False, number=1))


def _told(exposure: Exposure) -> tuple[object, ...]:
    return (
        exposure.path,
        exposure.recorded,
        exposure.items,
        exposure.made,
        exposure.state,
        exposure.reason,
        exposure.run,
    )


@pytest.fixture
def session(database: Database) -> Watched:
    return Watched(database)


def test_a_new_session_has_no_exposure(session: Watched) -> None:
    record = session.look()
    assert (record.acquisitions, record.name, record.engine, record.held) == ({}, "night", "running", None)
    assert list(record.runs) == [
        "movies",
        "align",
        "ctf",
        "select",
        "pick",
        "extract",
        "statistics",
        "classify",
        "choose",
    ]


def test_an_exposure_is_done_when_all_runs_but_those_that_gather_have_answered(session: Watched) -> None:
    with session.journal.write() as writer:
        session.gathered(writer, "statistics", "grid", SessionStatistics(exposures=0, fitted=0))
        session.gathered(writer, "classify", "grid", classes_of("grid"))
    session.aligned(A)
    assert session.one().state == "waiting"
    ctf = ctf_of(A, CHANCE, 10_000, bad=False, number=1)
    session.done("ctf", A, ctf, at=1012.5)
    assert session.one().latency == pytest.approx(12.5)
    session.done("select", A, micrograph_of(A, CHANCE, drifting=False, number=1), ctf)
    session.done("pick", A, coordinates_of(A, 30))
    session.done("extract", A, particles_of(A, 28))
    exposure = session.one()
    assert (exposure.state, exposure.reason, exposure.run) == ("done", "", None)
    assert exposure.items["particles"]["count"] == 28
    assert exposure.latency == pytest.approx(12.5)  # a run that passes the CTF on does not make it later


def test_the_first_gathering_frees_those_that_seemed_to_wait_for_it(session: Watched) -> None:
    session.aligned(A)
    for run in ("ctf", "select", "pick", "extract"):
        session.done(run, A, coordinates_of(A, 3))
    assert session.one().state == "waiting"
    with session.journal.write() as writer:
        session.gathered(writer, "statistics", "grid", SessionStatistics(exposures=0, fitted=0))
    assert session.one().state == "waiting"
    # What is made of classes alone is of the whole acquisition, too.
    with session.journal.write() as writer:
        session.gathered(writer, "classify", "grid", classes_of("grid"))
    assert session.one().state == "done"


def test_what_went_wrong_first_is_the_reason(session: Watched) -> None:
    session.aligned(A)
    session.ended("pick", A, "failed", "too late")
    session.ended("select", A, "rejected", "motion 80 Å exceeds 50 Å")
    exposure = session.one()
    assert (exposure.state, exposure.run, exposure.reason) == (
        "rejected",
        "select",
        "motion 80 Å exceeds 50 Å",
    )
    assert exposure.items["micrograph"]["dose"] == 50.0  # what is known stays visible


def test_a_movie_that_cannot_be_read_fails_until_it_can(session: Watched) -> None:
    with session.journal.write() as writer:
        writer.trouble("movies", 1, A, "cut short")
    assert (session.one().state, session.one().run, session.one().reason) == ("failed", "movies", "cut short")
    session.found(A, "movie", movie_of(A, 1000.0))
    assert session.one().state == "waiting"


def test_metadata_alone_are_no_exposure_and_tell_when_it_was_taken(session: Watched) -> None:
    session.found(A, "metadata", metadata_of(A, 500.0, 10_000))
    assert session.look().exposures() == []
    session.found(A, "movie", movie_of(A, 1000.0))
    assert session.one().recorded == 500.0


def test_withdrawn_exposures_are_rejected_until_restored(session: Watched) -> None:
    session.found(A, "movie", movie_of(A, 1000.0))
    with session.database.read() as connection:
        number = connection.execute(
            select(tables.item.c.id).where(tables.item.c.kind == "movie")
        ).scalar_one()
    with session.journal.write() as writer:
        writer.withdraw("movies", [A], "ice")
        writer.set_visible([number], False)
    exposure = session.one()
    assert (exposure.state, exposure.reason, exposure.run) == ("rejected", "withdrawn: ice", "movies")
    assert exposure.items["movie"]["frames"] == 40
    with session.journal.write() as writer:
        writer.restore("movies", [A])
        writer.set_visible([number], True)
    assert session.one().state == "waiting"


def test_what_a_source_takes_back_is_gone(session: Watched) -> None:
    session.found(A, "movie", movie_of(A, 1000.0))
    session.found(B, "movie", movie_of(B, 1000.0))
    session.look()
    with session.journal.write() as writer:
        writer.supersede("movies", A, "movie")
    assert [each.path for each in session.look().exposures()] == [B]


def test_a_night_is_read_by_what_changed(session: Watched) -> None:
    session.night(120)
    record = session.look()
    (exposures,) = record.acquisitions.values()
    assert len(exposures) == 120
    assert {each.state for each in exposures} == {"done", "rejected", "failed", "waiting"}
    assert [each.recorded for each in exposures] == sorted(each.recorded for each in exposures)
    assert record.shared["grid-1"]["gain"]["detector"] == "Gatan K3"
    session.aligned(("grid-2", "x"))
    with session.database.read() as connection:
        assert record.update(connection)
        assert [each.path for each in record.changed] == [("grid-2", "x")]
        assert not record.update(connection)
        assert connection.execute(select(func.count()).select_from(tables.item)).scalar_one() > 120


def test_of_several_runs_the_last_one_tells_the_classes(session: Watched) -> None:
    session.aligned(A)
    classes = classes_of("grid")
    chosen = classes.model_copy(update={"selected_classes": 3})
    session.done("choose", ("grid",), chosen)
    # A later version of the classes that it was chosen from changes nothing until it is chosen from.
    with session.journal.write() as writer:
        session.gathered(writer, "classify", "grid", classes)
    assert session.look().shared["grid"]["class_averages"]["selected_classes"] == 3
    with session.database.read() as connection:
        (found,) = read_results(connection, session.number)["grid"]
    assert ("classes selected", "3 of 24") in found["figures"]
    assert found["path"] == classes.path
