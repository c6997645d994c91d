"""Accumulators: ordered, bounded batches, one at a time, journalled, and never anything twice."""

from engine.replay import Replay
from engine.wiring import fold, source, step
from eucentric.engine.scheduler import StartBatch


def total(most: int = 3, workers: int = 9) -> Replay:
    return Replay(source(), fold("sum", most=most, movie="movies"), workers=workers)


def batch(replay: Replay) -> StartBatch:
    start = replay.running[replay.ticket("sum")]
    assert isinstance(start, StartBatch)
    return start


def keys(entries: tuple[tuple[tuple[str, ...], object], ...]) -> list[str]:
    return [path[1] for path, _ in entries]


def test_batches_are_bounded_and_in_order_of_arrival() -> None:
    replay = total(workers=0)
    replay.arrive(*"1234567")
    replay.set_workers(9)
    found = []
    while replay.running:
        found.append(keys(batch(replay).added))
        replay.finish("sum")
    assert found == [["1", "2", "3"], ["4", "5", "6"], ["7"]]


def test_one_batch_at_a_time() -> None:
    replay = total()
    replay.arrive("1", "2", "3")
    assert len(replay.running) == 1
    assert keys(batch(replay).added) == ["1"]
    replay.finish("sum")
    assert keys(batch(replay).added) == ["2", "3"]


def test_what_is_withdrawn_is_removed_in_the_next_version() -> None:
    replay = total()
    replay.arrive("1", "2")
    replay.finish_all()
    inputs = dict(replay.journal.included("sum", "a"))
    replay.withdraw("movies", "1")
    assert not batch(replay).added
    assert batch(replay).removed == ((("a", "1"), inputs["a", "1"]),)
    assert batch(replay).version == 3


def test_what_is_replaced_is_removed_and_added_in_one_batch() -> None:
    replay = total()
    replay.arrive("1")
    replay.finish_all()
    replay.arrive("1")
    assert keys(batch(replay).removed) == keys(batch(replay).added) == ["1"]
    assert batch(replay).removed[0][1] != batch(replay).added[0][1]


def test_what_is_withdrawn_before_its_turn_never_enters() -> None:
    replay = total(workers=0)
    replay.arrive("1", "2")
    replay.withdraw("movies", "1")
    replay.set_workers(1)
    assert keys(batch(replay).added) == ["2"]


def test_what_is_withdrawn_while_it_is_folded_in_leaves_with_the_version_after() -> None:
    replay = total()
    replay.arrive("1")
    replay.withdraw("movies", "1")
    replay.finish("sum")
    assert replay.included("sum") == {"1"}
    assert keys(batch(replay).removed) == ["1"]
    replay.finish_all()
    assert not replay.included("sum")


def test_what_lacks_its_gain_leaves_although_its_movie_is_being_looked_for() -> None:
    replay = Replay(
        source(), source("camera", gain=0), fold("sum", movie="movies", gain="camera.gain"), workers=9
    )
    replay.arrive("", stream="camera.gain")
    replay.arrive("1")
    replay.finish_all()
    replay.revise("movies")
    replay.finish_all()
    assert replay.included("sum") == {"1"}
    replay.withdraw("camera", "")
    replay.finish_all()
    assert not replay.included("sum")


def test_what_returns_while_it_is_removed_is_added_again() -> None:
    replay = total()
    replay.arrive("1")
    replay.finish_all()
    replay.withdraw("movies", "1")
    replay.restore("movies", "1")
    replay.finish_all()
    assert replay.included("sum") == {"1"}


def test_an_entry_waits_for_all_its_inputs() -> None:
    replay = Replay(
        source(), step("align", movie="movies"), fold("sum", movie="movies", micrograph="align"), workers=9
    )
    replay.arrive("1", "2")
    assert replay.now == {("align", "1"), ("align", "2")}
    replay.fail(replay.ticket("align", "1"))
    replay.finish_all()
    assert replay.included("sum") == {"2"}


def test_an_entry_waits_for_an_optional_input_that_is_being_made() -> None:
    replay = Replay(source(), step("ctf", movie="movies"), fold("sum", movie="movies", ctf="ctf?"), workers=9)
    replay.arrive("1", "2")
    assert replay.now == {("ctf", "1"), ("ctf", "2")}
    replay.fail(replay.ticket("ctf", "1"))
    replay.finish_all()
    assert replay.included("sum") == {"1", "2"}
    assert not any(batch.removed for batch in replay.journal.batches.values())


def test_a_failed_batch_is_tried_again_when_asked_for() -> None:
    replay = total()
    replay.arrive("1")
    replay.fail(replay.ticket("sum"))
    replay.arrive("2")
    assert replay.scheduler.idle
    replay.crash()
    assert replay.scheduler.idle
    replay.retry("sum")
    assert (batch(replay).version, keys(batch(replay).added)) == (1, ["1", "2"])
    replay.finish_all()
    assert replay.included("sum") == {"1", "2"}


def test_a_failure_leaves_the_version_before() -> None:
    replay = total()
    replay.arrive("1")
    replay.finish_all()
    replay.arrive("2")
    replay.fail(replay.ticket("sum"))
    assert replay.included("sum") == {"1"}
    assert replay.visible("sum") == {""}


def test_a_journalled_batch_is_replayed_exactly_after_a_crash() -> None:
    replay = total()
    replay.arrive("1")
    before = batch(replay)
    replay.withdraw("movies", "1")
    replay.arrive("2")
    replay.crash()
    again = batch(replay)
    assert (again.version, again.added, again.removed) == (before.version, before.added, before.removed)
    replay.finish_all()
    assert replay.included("sum") == {"2"}


def test_an_interrupted_batch_is_repeated_as_it_was() -> None:
    replay = total()
    replay.arrive("1")
    before = batch(replay)
    replay.arrive("2")
    replay.interrupt(replay.ticket("sum"))
    assert batch(replay).added == before.added


def test_each_acquisition_has_its_own() -> None:
    replay = total()
    replay.arrive("1", acquisition="a")
    replay.arrive("1", acquisition="b")
    assert {start.acquisition for start in replay.running.values() if isinstance(start, StartBatch)} == {
        "a",
        "b",
    }


def test_exposures_use_the_output_and_are_not_redone_for_every_version() -> None:
    replay = Replay(
        source(),
        step("blobs", movie="movies"),
        fold("classes", picks="blobs"),
        step("pick", movie="movies", templates="classes"),
    )
    replay.arrive("1")
    replay.finish_all()
    assert replay.visible("pick") == {"1"}
    replay.take_started()
    replay.arrive("2")
    replay.finish_all()
    assert ("classes", "") in replay.started
    assert ("pick", "1") not in replay.started
    assert replay.visible("pick") == {"1", "2"}


def test_what_belongs_to_the_acquisition_follows_every_version() -> None:
    replay = Replay(source(), fold("sum", movie="movies"), step("report", total="sum"))
    replay.arrive("1")
    replay.finish_all()
    replay.arrive("2")
    replay.finish_all()
    assert [run for run, _ in replay.take_started()] == ["sum", "report", "sum", "report"]


def test_an_accumulator_may_live_on_what_belongs_to_the_acquisition() -> None:
    replay = Replay(source(), fold("classes", movie="movies"), fold("map", classes="classes"))
    replay.arrive("1")
    replay.finish("classes")
    start = replay.running[replay.ticket("map")]
    assert isinstance(start, StartBatch)
    assert ([path for path, _ in start.added], start.removed, start.version) == ([("a",)], (), 1)
    replay.finish_all()
    assert replay.visible("map") == {""}


def test_of_many_versions_such_an_accumulator_takes_the_newest() -> None:
    replay = Replay(source(), fold("classes", movie="movies"), fold("map", classes="classes"), workers=2)
    replay.arrive("1")
    replay.finish("classes")
    for key in "234":  # the map of the first version takes its time
        replay.arrive(key)
        replay.finish("classes")
    replay.finish("map")
    start = replay.running[replay.ticket("map")]
    assert isinstance(start, StartBatch)
    newest = replay.scheduler.runs["classes"].answers["out"]["a",]
    assert start.added == ((("a",), {"classes": newest}),)
    assert start.removed[0][1] != start.added[0][1]
    replay.crash()
    replay.finish_all()
    assert replay.included("map") == {""}
    assert replay.journal.included("map", "a")["a",] == {"classes": newest}
    assert replay.scheduler.idle


def test_its_entry_leaves_with_what_it_came_from() -> None:
    replay = Replay(source("camera", gain=0), fold("map", gain="camera.gain"))
    replay.arrive("", stream="camera.gain")
    replay.finish_all()
    replay.withdraw("camera", "")
    replay.finish_all()
    assert not replay.included("map")
    replay.restore("camera", "")
    replay.finish_all()
    assert replay.included("map") == {""}


def test_a_revision_that_goes_on_makes_its_first_version_from_the_last() -> None:
    replay = total()
    replay.arrive("1", "2")
    replay.finish_all()
    replay.revise("sum", goes_on=True)
    assert not batch(replay).added
    assert not batch(replay).removed
    assert (batch(replay).version, batch(replay).before) == (3, 1)
    replay.finish("sum")
    assert replay.scheduler.idle
    replay.arrive("3")
    assert (batch(replay).version, batch(replay).before, keys(batch(replay).added)) == (4, 2, ["3"])
    replay.finish_all()
    assert replay.included("sum") == {"1", "2", "3"}


def test_a_revision_that_goes_on_drops_the_batch_that_runs() -> None:
    replay = total()
    replay.arrive("1", "2")
    replay.finish("sum")
    late = replay.ticket("sum")
    replay.revise("sum", goes_on=True)
    assert not replay.scheduler.accepts(late)
    assert (batch(replay).version, batch(replay).before, keys(batch(replay).added)) == (2, 1, ["2"])
    replay.done(late)
    replay.finish_all()
    assert replay.included("sum") == {"1", "2"}


def test_a_revision_that_goes_on_does_so_after_a_crash() -> None:
    replay = total(workers=0)
    replay.arrive("1", "2")
    replay.set_workers(1)
    replay.finish_all()
    replay.set_workers(0)
    replay.revise("sum", goes_on=True)
    replay.revise("sum", goes_on=True)
    replay.crash()
    replay.set_workers(1)
    before = batch(replay)
    assert (before.version, before.before, before.added) == (2, 1, ())
    replay.crash()
    assert batch(replay).version == 2
    replay.finish_all()
    assert replay.included("sum") == {"1", "2"}
    replay.crash()
    assert replay.scheduler.idle


def test_a_revision_that_goes_on_tries_what_failed_again() -> None:
    replay = total()
    replay.arrive("1")
    replay.finish_all()
    replay.arrive("2")
    replay.fail(replay.ticket("sum"))
    replay.revise("sum", goes_on=True)
    assert (batch(replay).version, keys(batch(replay).added)) == (2, ["2"])


def test_a_revision_that_goes_on_is_a_newer_version_to_others() -> None:
    """What belongs to the acquisition follows it, and keeps its last version meanwhile; exposures stay."""
    replay = Replay(
        source(),
        step("blobs", movie="movies"),
        fold("classes", picks="blobs"),
        step("choose", classes="classes"),
        step("pick", movie="movies", templates="choose"),
    )
    replay.arrive("1")
    replay.finish_all()
    replay.take_started()
    replay.revise("classes", goes_on=True)
    assert replay.visible("choose") == {""}
    replay.finish_all()
    assert replay.take_started() == [("classes", ""), ("choose", "")]
    replay.revise("classes")
    replay.finish_all()
    assert ("pick", "1") in replay.take_started()


def test_a_revision_that_begins_anew_after_one_that_went_on() -> None:
    replay = total()
    replay.arrive("1", "2")
    replay.finish_all()
    replay.revise("sum", goes_on=True)
    replay.finish_all()
    replay.revise("sum")
    assert (batch(replay).version, batch(replay).before, keys(batch(replay).added)) == (1, 0, ["1", "2"])
    replay.crash()
    replay.finish_all()
    assert replay.included("sum") == {"1", "2"}
