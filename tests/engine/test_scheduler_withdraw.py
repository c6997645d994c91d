"""Taking out of the stream and putting back, by thousands, while everything runs."""

from engine.replay import Replay
from engine.wiring import fold, source, step
from eucentric.engine import scheduler as ev
from eucentric.engine.scheduler import Scheduler


def chain() -> Replay:
    return Replay(
        source(),
        step("align", movie="movies"),
        step("ctf", micrograph="align"),
        fold("statistics", micrograph="align", ctf="ctf"),
        workers=9,
    )


def test_what_descends_from_the_withdrawn_follows_and_comes_back_without_work() -> None:
    replay = chain()
    replay.arrive("1", "2", "3")
    replay.finish_all()
    replay.withdraw("movies", "1", "3")
    assert replay.visible("movies") == replay.visible("align") == replay.visible("ctf") == {"2"}
    replay.finish_all()
    assert replay.included("statistics") == {"2"}
    replay.take_started()
    replay.restore("movies", "1", "3")
    assert replay.visible("movies") == replay.visible("align") == replay.visible("ctf") == {"1", "2", "3"}
    replay.finish_all()
    assert replay.take_started() == [("statistics", "")]
    assert replay.included("statistics") == {"1", "2", "3"}


def test_one_station_can_be_withdrawn_from_on() -> None:
    replay = chain()
    replay.arrive("1", "2")
    replay.finish_all()
    replay.withdraw("ctf", "1")
    replay.finish_all()
    assert replay.visible("align") == {"1", "2"}
    assert replay.visible("ctf") == {"2"}
    assert replay.included("statistics") == {"2"}


def test_withdrawn_while_it_runs_the_result_is_kept_out_of_the_stream() -> None:
    replay = chain()
    replay.arrive("1")
    replay.withdraw("movies", "1")
    replay.finish("align", "1")
    assert not replay.visible("align")
    assert replay.scheduler.idle
    replay.restore("movies", "1")
    assert replay.visible("align") == {"1"}
    assert replay.now == {("ctf", "1")}


def test_withdrawn_and_restored_while_it_runs_nothing_happens() -> None:
    replay = chain()
    replay.arrive("1")
    replay.withdraw("movies", "1")
    replay.restore("movies", "1")
    replay.finish_all()
    assert replay.take_started() == [("align", "1"), ("ctf", "1"), ("statistics", "")]


def test_withdrawn_before_it_comes() -> None:
    replay = chain()
    replay.withdraw("movies", "1")
    replay.arrive("1")
    assert not replay.visible("movies")
    assert replay.scheduler.idle


def test_a_list_is_made_again_from_what_remains_and_again_from_all() -> None:
    replay = Replay(
        source(),
        step("pick-a", movie="movies"),
        step("pick-b", movie="movies"),
        step("agree", picks=["pick-a", "pick-b"]),
    )
    replay.arrive("1")
    replay.finish_all()
    replay.withdraw("pick-a", "1")
    (start,) = replay.running.values()
    assert (start.run, len(start.inputs["picks"])) == ("agree", 1)
    replay.finish_all()
    replay.restore("pick-a", "1")
    (start,) = replay.running.values()
    assert (start.run, len(start.inputs["picks"])) == ("agree", 2)


def test_of_two_tasks_for_the_same_inputs_one_is_accepted() -> None:
    """An edge is withdrawn and restored while its consumer runs with it, then without it."""
    replay = Replay(
        source(),
        source("other"),
        step("agree", picks=["movies", "other"]),
        workers=9,
    )
    replay.arrive("1")
    replay.arrive("1", stream="other.out")
    replay.withdraw("other", "1")
    replay.restore("other", "1")
    assert len(replay.running) == 3
    replay.finish_all()  # in the order in which they were started
    assert replay.visible("agree") == {"1"}
    assert len([row for row in replay.journal.rows.values() if row.run == "agree"]) == 1


def test_thousands_at_once_are_one_instruction() -> None:
    replay = Replay(source(), *(step(f"run-{n}", movie=f"run-{n - 1}" if n else "movies") for n in range(3)))
    keys = [str(number) for number in range(3000)]
    replay.set_workers(0)
    replay.arrive(*keys[:20])
    replay.set_workers(4)
    replay.finish_all()
    paths = tuple(("a", key) for key in keys)
    (hide,) = replay.scheduler.handle(ev.Withdraw("movies", paths))
    assert isinstance(hide, ev.Hide)
    assert len(hide.items) == 80
    (show,) = replay.scheduler.handle(ev.Restore("movies", paths))
    assert isinstance(show, ev.Show)
    assert set(show.items) == set(hide.items)


def test_a_withdrawal_outlives_a_crash() -> None:
    replay = chain()
    replay.arrive("1", "2")
    replay.finish_all()
    replay.withdraw("align", "1")
    replay.crash()
    replay.finish_all()
    assert replay.visible("ctf") == {"2"}
    replay.restore("align", "1")
    assert replay.visible("ctf") == {"1", "2"}
    replay.finish_all()
    assert [run for run, _ in replay.take_started()].count("ctf") == 2


def test_what_a_crash_left_visible_is_hidden_at_the_next_start() -> None:
    replay = chain()
    replay.arrive("1")
    replay.finish_all()
    replay.journal.withdrawn["movies", ("a", "1")] = None  # committed, but what follows from it was not
    replay.scheduler = Scheduler(replay.plans, replay.journal.memory())
    replay.tell(replay.workers)
    assert not replay.visible("ctf")


def test_a_restart_touches_nothing_that_is_as_it_should_be() -> None:
    replay = chain()
    replay.arrive("1", "2")
    replay.withdraw("align", "1")
    replay.finish_all()
    assert Scheduler(replay.plans, replay.journal.memory()).handle(replay.workers) == []
