"""Inputs that join by prefix, several inputs, optional inputs, and what happens where one is lacking."""

from engine.replay import Replay
from engine.wiring import fold, source, step

ALIGN = step("align", movie="movies")


def test_exposures_wait_for_the_gain_of_their_acquisition() -> None:
    replay = Replay(source(out=1, gain=0), step("align", movie="movies", gain="movies.gain"), workers=2)
    replay.arrive("1", "2")
    assert not replay.running
    replay.arrive("", stream="movies.gain")
    assert replay.now == {("align", "1"), ("align", "2")}


def test_tilt_images_join_what_belongs_to_their_series() -> None:
    replay = Replay(source(out=2, grid=1), step("align", tilt="movies", grid="movies.grid"), workers=9)
    replay.arrive("s/1", "s/2", "t/1")
    replay.arrive("s", stream="movies.grid")
    assert replay.now == {("align", "s/1"), ("align", "s/2")}
    replay.finish_all()
    replay.arrive("s", stream="movies.grid")  # a newer one, which does concern them
    assert replay.now == {("align", "s/1"), ("align", "s/2")}


def test_a_run_may_take_two_outputs_of_another() -> None:
    replay = Replay(
        source(),
        step("align", outputs=("out", "shifts"), movie="movies"),
        step("polish", a="align", b="align.shifts"),
    )
    replay.arrive("1")
    replay.finish_all()
    assert replay.take_started() == [("align", "1"), ("polish", "1")]


def consensus() -> Replay:
    replay = Replay(
        source(),
        step("pick-a", movie="movies"),
        step("pick-b", movie="movies"),
        step("agree", picks=["pick-a", "pick-b"]),
        step("extract", picks="agree"),
        workers=9,
    )
    replay.arrive("1")
    return replay


def test_a_list_waits_until_every_edge_has_answered() -> None:
    replay = consensus()
    replay.finish("pick-a", "1")
    assert ("agree", "1") not in replay.now
    replay.finish("pick-b", "1")
    assert replay.now == {("agree", "1")}


def test_a_failed_picker_never_stalls_the_consensus() -> None:
    replay = consensus()
    replay.fail(replay.ticket("pick-a", "1"))
    replay.finish("pick-b", "1")
    (start,) = replay.running.values()
    assert start.run == "agree"
    assert len(start.inputs["picks"]) == 1
    replay.finish_all()
    assert replay.visible("extract") == {"1"}


def test_a_list_of_which_nothing_remains_is_skipped_and_so_is_what_follows() -> None:
    replay = consensus()
    replay.fail(replay.ticket("pick-a", "1"), rejected=True)
    replay.fail(replay.ticket("pick-b", "1"))
    assert replay.scheduler.idle
    assert not replay.visible("agree")


def test_rejected_goes_no_further() -> None:
    replay = Replay(source(), ALIGN, step("ctf", micrograph="align"))
    replay.arrive("1", "2")
    replay.fail(replay.ticket("align", "1"), rejected=True)
    replay.finish_all()
    assert replay.visible("ctf") == {"2"}
    replay.retry("align")
    assert replay.scheduler.idle  # what was rejected is not tried again


def test_an_optional_input_is_not_waited_for_and_used_when_it_comes() -> None:
    replay = Replay(source(out=1, note=1), step("report", movie="movies", note="movies.note?"))
    replay.arrive("1")
    replay.finish("report", "1")
    assert replay.visible("report") == {"1"}
    replay.arrive("1", stream="movies.note")
    (start,) = replay.running.values()
    assert start.inputs["note"] is not None
    assert replay.visible("report") == {"1"}  # the old result stays until it is replaced


def test_an_optional_input_that_is_being_made_is_waited_for() -> None:
    replay = Replay(
        source(),
        ALIGN,
        step("ctf", micrograph="align"),
        step("report", movie="movies", ctf="ctf?"),
        workers=9,
    )
    replay.arrive("1")
    replay.finish_all()
    assert replay.take_started() == [("align", "1"), ("ctf", "1"), ("report", "1")]


def test_an_optional_input_that_fails_is_done_without() -> None:
    replay = Replay(source(), ALIGN, step("report", movie="movies", micrograph="align?"))
    replay.arrive("1")
    replay.fail(replay.ticket("align", "1"))
    replay.finish_all()
    assert replay.visible("report") == {"1"}


def test_an_optional_input_is_not_waited_for_while_its_own_inputs_are_not_there() -> None:
    replay = Replay(
        source(out=1, note=1),
        step("tilt", movie="movies", note="movies.note"),
        step("report", movie="movies", tilt="tilt?"),
    )
    replay.arrive("1")
    replay.finish_all()
    assert replay.visible("report") == {"1"}
    replay.arrive("1", stream="movies.note")
    replay.finish_all()
    assert [run for run, _ in replay.take_started()] == ["report", "tilt", "report"]


def test_an_optional_input_may_begin_to_come_when_its_consumer_is_ready() -> None:
    """The task that waits for a worker starts without; it is not left in between."""
    replay = Replay(
        source(out=1, note=1),
        step("read", note="movies.note"),
        step("report", movie="movies", note="read?"),
        workers=0,
    )
    replay.arrive("1")
    replay.arrive("1", stream="movies.note")
    replay.set_workers(1)
    replay.finish_all()
    assert replay.visible("report") == {"1"}
    assert replay.scheduler.idle


def test_what_waits_for_an_optional_input_goes_on_when_that_will_not_come() -> None:
    replay = Replay(
        source(),
        source("notes"),
        step("read", note="notes"),
        step("report", movie="movies", note="read?"),
        workers=0,
    )
    replay.arrive("1", stream="notes.out")
    replay.arrive("1")
    replay.revise("notes")  # and finds nothing any more
    replay.set_workers(1)
    replay.finish_all()
    assert replay.visible("report") == {"1"}


def test_nothing_is_expected_of_a_run_that_has_no_input_yet() -> None:
    replay = Replay(
        source(out=1, note=1),
        step("read", note="movies.note?"),
        step("report", movie="movies", read="read?"),
    )
    replay.arrive("1")
    replay.finish_all()
    assert replay.visible("report") == {"1"}


def test_trouble_at_the_source_is_an_answer() -> None:
    replay = Replay(
        source(out=1, note=1),
        ALIGN,
        step("report", some=["align", "movies.note"]),
        fold("sum", micrograph="align"),
    )
    replay.arrive("1", trouble=True)
    replay.arrive("1", stream="movies.note")
    replay.finish_all()
    assert not replay.visible("align")
    assert replay.visible("report") == {"1"}
    replay.arrive("1")  # it could be read at last
    replay.finish_all()
    assert replay.visible("align") == {"1"}
    assert replay.included("sum") == {"1"}


def test_a_file_that_cannot_be_read_any_more_leaves_with_all_that_was_made_of_it() -> None:
    replay = Replay(source(), ALIGN, fold("sum", micrograph="align"))
    replay.arrive("1", "2")
    replay.finish_all()
    replay.arrive("1", trouble=True)
    replay.finish_all()
    assert replay.visible("align") == {"2"}
    assert replay.included("sum") == {"2"}


def test_an_extension_catches_up_with_all_past_exposures() -> None:
    replay = Replay(source(), ALIGN, workers=9)
    replay.arrive("1", "2", "3")
    replay.finish_all()
    replay.extend(step("ctf", micrograph="align"))
    assert replay.now == {("ctf", "1"), ("ctf", "2"), ("ctf", "3")}
    replay.extend(fold("sum", ctf="ctf"))
    replay.finish_all()
    assert replay.included("sum") == {"1", "2", "3"}
