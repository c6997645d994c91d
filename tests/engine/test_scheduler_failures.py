"""Failures, deaths, interruptions, and starting again."""

from engine.replay import Replay
from engine.wiring import source, step


def chain(workers: int = 1) -> Replay:
    replay = Replay(source(), step("align", movie="movies"), step("ctf", micrograph="align"), workers=workers)
    replay.arrive("1")
    return replay


def test_a_failure_is_an_answer_until_it_is_tried_again() -> None:
    replay = chain()
    replay.fail(replay.ticket("align", "1"))
    assert replay.scheduler.idle
    replay.crash()
    assert replay.scheduler.idle
    replay.retry("align")
    replay.finish_all()
    assert replay.visible("ctf") == {"1"}


def test_only_the_named_paths_are_tried_again() -> None:
    replay = chain(workers=9)
    replay.arrive("2")
    replay.fail(replay.ticket("align", "1"))
    replay.fail(replay.ticket("align", "2"))
    replay.retry("align", "2")
    assert replay.now == {("align", "2")}


def test_a_failure_after_a_revision_takes_the_old_result_out() -> None:
    replay = chain()
    replay.finish_all()
    replay.revise("align")
    replay.fail(replay.ticket("align", "1"))
    assert not replay.visible("align")
    assert not replay.visible("ctf")
    assert replay.scheduler.idle


def test_a_task_whose_worker_died_is_tried_once_more_and_then_given_up() -> None:
    replay = chain()
    first = replay.ticket("align", "1")
    replay.die(first)
    second = replay.ticket("align", "1")
    assert replay.given_up == []
    replay.die(second)
    assert replay.given_up == [second]
    assert replay.scheduler.idle


def test_a_retry_forgets_the_deaths() -> None:
    replay = chain()
    replay.die(replay.ticket("align", "1"))
    replay.die(replay.ticket("align", "1"))
    replay.retry("align")
    replay.die(replay.ticket("align", "1"))
    assert replay.now == {("align", "1")}


def test_a_death_of_a_task_that_nobody_wants_any_more_is_not_counted() -> None:
    replay = chain(workers=9)
    replay.die(replay.ticket("align", "1"))
    unwanted = replay.ticket("align", "1")
    replay.arrive("1")  # a newer version of the movie
    replay.die(unwanted)
    assert replay.given_up == []
    replay.finish_all()
    assert replay.visible("ctf") == {"1"}


def test_interruptions_are_nobodys_fault() -> None:
    replay = chain()
    for _ in range(10):
        replay.interrupt(replay.ticket("align", "1"))
    replay.finish_all()
    assert replay.given_up == []
    assert replay.visible("ctf") == {"1"}


def test_results_get_a_folder_each() -> None:
    """The generation counts on over replaced inputs and crashes; the journal checks that no two are equal."""
    replay = chain()
    replay.finish_all()
    for _ in range(2):
        replay.arrive("1")
        replay.finish_all()
    replay.crash()
    replay.arrive("1")
    replay.finish_all()
    generations = [folder[3] for folder in replay.journal.folders if folder[0] == "align"]
    assert sorted(generations) == [0, 1, 2, 3]


def test_a_crash_at_any_moment_loses_only_what_was_running() -> None:
    replay = chain(workers=2)
    replay.arrive("2", "3")
    while not replay.scheduler.idle:
        replay.crash()
        replay.done(next(iter(replay.running)))
    assert replay.visible("ctf") == {"1", "2", "3"}
    finished = [(row.run, row.path) for row in replay.journal.rows.values()]
    assert len(finished) == len(set(finished))


def test_a_restart_of_finished_work_starts_nothing() -> None:
    replay = chain()
    replay.finish_all()
    replay.take_started()
    replay.crash()
    assert replay.take_started() == []
    assert replay.scheduler.idle
