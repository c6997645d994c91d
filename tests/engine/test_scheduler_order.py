"""Fresh and fair, under the limits: what starts first, where, and how much at once."""

import pytest

from engine.replay import Replay
from engine.wiring import SMALL, fold, source, step
from eucentric.engine import scheduler as ev
from eucentric.engine.graph import Need

GPU = Need(memory=1, gpus=1)


def test_the_newest_exposure_reaches_its_ctf_before_the_backlog_is_touched() -> None:
    replay = Replay(source(), step("align", movie="movies"), step("ctf", micrograph="align"), workers=0)
    replay.arrive("1", "2", "3")
    replay.set_workers(1)
    replay.finish_all()
    assert replay.take_started()[:2] == [("align", "3"), ("ctf", "3")]


def test_an_exposure_that_comes_later_overtakes_the_backlog() -> None:
    replay = Replay(source(), step("align", movie="movies"), workers=0)
    replay.arrive("1", "2", "3")
    replay.set_workers(1)
    replay.arrive("4")
    replay.finish("align", "3")
    assert replay.now == {("align", "4")}


def test_the_oldest_starts_although_newer_exposures_never_cease_to_come() -> None:
    replay = Replay(source(), step("align", movie="movies"), workers=0)
    replay.arrive("first", "second")
    replay.set_workers(1)
    for number in range(30):
        replay.arrive(f"{number}a", f"{number}b")
        replay.done(next(iter(replay.running)))
    started = [key for _, key in replay.started]
    assert "first" in started
    assert "second" in started


def test_what_belongs_to_the_whole_acquisition_goes_first() -> None:
    replay = Replay(
        source(out=1, gain=0), step("align", movie="movies"), step("flip", gain="movies.gain"), workers=0
    )
    replay.arrive("", stream="movies.gain")
    replay.arrive("1", "2")
    replay.set_workers(1)
    assert replay.now == {("flip", "")}


def test_as_many_tasks_run_as_there_are_workers() -> None:
    replay = Replay(source(), step("align", movie="movies"), workers=3)
    replay.arrive(*"12345")
    assert len(replay.running) == 3
    assert len({start.worker for start in replay.running.values()}) == 3


@pytest.mark.parametrize(
    ("need", "at_once"),
    [(Need(cpus=1, memory=1), 4), (Need(cpus=2, memory=1), 2), (Need(cpus=1, memory=5), 1)],
)
def test_the_tasks_fit_into_the_cpus_and_the_memory(need: Need, at_once: int) -> None:
    replay = Replay(source(), step("align", need=need, movie="movies"), workers=5, cpus=4, memory=8)
    replay.arrive(*"123456")
    assert len(replay.running) == at_once


def test_a_task_that_asks_for_more_than_there_is_runs_alone() -> None:
    replay = Replay(source(), step("align", need=Need(64, 64), movie="movies"), workers=3, cpus=4, memory=8)
    replay.arrive("1", "2")
    (start,) = replay.running.values()
    assert start.cpus == 4


def test_a_wide_task_is_not_overtaken_for_ever_by_narrow_ones() -> None:
    narrow, wide = step("align", movie="movies"), step("wide", need=Need(4, 1), movie="movies")
    replay = Replay(source(), narrow, wide, workers=4, cpus=4)
    replay.arrive(*"123")
    for number in range(10):
        replay.arrive(f"more {number}")
        replay.done(min(replay.running))
    assert any(run == "wide" for run, _ in replay.started)


def test_nothing_starts_without_workers_cpus_or_memory() -> None:
    replay = Replay(source(), step("align", movie="movies"), workers=0)
    replay.arrive("1")
    replay.set_workers(1, cpus=0)
    replay.set_workers(1, memory=0)
    assert not replay.running
    assert not replay.scheduler.idle
    replay.set_workers(1)
    assert replay.running


def test_fewer_workers_let_what_runs_go_on_and_start_nothing_more() -> None:
    replay = Replay(source(), step("align", movie="movies"), workers=2)
    replay.arrive(*"1234")
    replay.set_workers(1)
    replay.finish("align", "1")
    replay.finish("align", "2")
    assert len(replay.running) == 1


def test_gpu_tasks_go_to_gpu_workers_and_others_do_not() -> None:
    replay = Replay(
        source(), step("align", need=GPU, movie="movies"), step("ctf", movie="movies"), workers=1, gpus=1
    )
    replay.arrive("1", "2")
    workers = {start.run: start.worker for start in replay.running.values()}
    assert workers == {"align": "gpu-0", "ctf": "cpu-0"}


def test_gpu_tasks_run_on_cpus_while_there_is_no_gpu() -> None:
    replay = Replay(source(), step("align", need=GPU, movie="movies"))
    replay.arrive("1", "2")
    assert [start.worker for start in replay.running.values()] == ["cpu-0"]
    replay.set_workers(1, gpus=1)
    assert sorted(start.worker for start in replay.running.values()) == ["cpu-0", "gpu-0"]


def test_all_tasks_run_on_gpu_workers_where_there_are_no_others() -> None:
    replay = Replay(source(), step("ctf", movie="movies"), workers=0, gpus=1)
    replay.arrive("1")
    assert replay.now == {("ctf", "1")}


@pytest.mark.parametrize("starved", ["on-gpu", "on-cpu"])
def test_neither_kind_of_worker_takes_all_the_cpus(starved: str) -> None:
    """With one CPU for both, a backlog of one kind leaves turns to the other."""
    replay = Replay(
        source(),
        step("on-gpu", need=GPU, movie="movies"),
        step("on-cpu", need=SMALL, movie="movies"),
        workers=1,
        gpus=1,
        cpus=1,
    )
    replay.arrive(*"12345")
    for _ in range(4):
        replay.done(next(iter(replay.running)))
    assert [run for run, _ in replay.started].count(starved) >= 2


def test_hold_starts_nothing_and_release_goes_on() -> None:
    replay = Replay(source(), step("align", movie="movies"), step("ctf", micrograph="align"), workers=2)
    replay.arrive("1")
    replay.tell(ev.Hold())
    replay.finish("align", "1")
    replay.arrive("2")
    assert not replay.running
    assert not replay.scheduler.idle
    replay.tell(ev.Release())
    assert replay.now == {("ctf", "1"), ("align", "2")}


def test_two_acquisitions_never_mix() -> None:
    replay = Replay(
        source(out=1, gain=0),
        step("align", movie="movies", gain="movies.gain"),
        fold("statistics", micrograph="align"),
    )
    replay.arrive("", stream="movies.gain", acquisition="a")
    replay.arrive("1", acquisition="a")
    replay.arrive("1", "2", acquisition="b")
    replay.finish_all()
    assert replay.included("statistics", "a") == {"1"}
    assert not replay.included("statistics", "b")  # its gain has not come
    replay.arrive("", stream="movies.gain", acquisition="b")
    replay.finish_all()
    assert replay.included("statistics", "b") == {"1", "2"}


def test_idle_means_that_nothing_is_left_to_do() -> None:
    replay = Replay(source(), step("align", movie="movies"))
    assert replay.scheduler.idle
    replay.arrive("1")
    assert not replay.scheduler.idle
    replay.finish_all()
    assert replay.scheduler.idle
