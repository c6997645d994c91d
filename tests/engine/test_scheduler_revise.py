"""A revision redoes what depends on it, joins never mix revisions, old results stay until replaced."""

from engine.replay import Replay
from engine.wiring import fold, source, step


def diamond() -> Replay:
    """movies → align → ctf → pick, and align → pick directly."""
    replay = Replay(
        source(),
        step("align", movie="movies"),
        step("ctf", micrograph="align"),
        step("pick", micrograph="align", ctf="ctf"),
        step("thumbnail", movie="movies"),
        workers=9,
    )
    replay.arrive("1")
    replay.finish_all()
    replay.take_started()
    return replay


def test_only_what_depends_on_a_revision_is_done_again() -> None:
    replay = diamond()
    replay.revise("ctf")
    replay.finish_all()
    assert replay.take_started() == [("ctf", "1"), ("pick", "1")]


def test_a_join_waits_for_both_its_inputs_of_the_new_revision() -> None:
    replay = diamond()
    replay.revise("align")
    assert replay.now == {("align", "1")}
    replay.finish("align", "1")
    assert replay.now == {("ctf", "1")}  # and not pick, from the new micrograph and the old CTF
    replay.finish_all()
    assert replay.take_started() == [("align", "1"), ("ctf", "1"), ("pick", "1")]


def test_old_results_stay_until_they_are_replaced() -> None:
    replay = diamond()
    before = {place: row.number for place, row in replay.journal.live.items()}
    replay.revise("align")
    assert {place: row.number for place, row in replay.journal.live.items()} == before
    assert replay.visible("pick") == {"1"}
    replay.finish("align", "1")
    assert replay.journal.live["align", "out", ("a", "1")].revision == 2
    assert replay.visible("pick") == {"1"}


def test_a_result_of_the_old_revision_that_arrives_late_is_not_accepted() -> None:
    replay = diamond()
    replay.revise("align")
    late = replay.ticket("align", "1")
    replay.revise("align")
    new = replay.ticket("align", "1")
    assert late != new
    assert not replay.scheduler.accepts(late)
    replay.done(new)
    replay.done(late)
    replay.finish_all()
    assert replay.journal.live["align", "out", ("a", "1")].revision == 3
    assert replay.scheduler.idle


def test_a_result_made_of_what_was_replaced_is_not_accepted() -> None:
    replay = diamond()
    replay.revise("ctf")
    late = replay.ticket("ctf", "1")
    replay.revise("align")
    assert not replay.scheduler.accepts(late)
    replay.finish_all()
    assert replay.scheduler.idle


def test_a_new_version_of_the_movie_is_followed() -> None:
    replay = diamond()
    replay.arrive("1")
    replay.finish_all()
    assert {run for run, _ in replay.take_started()} == {"align", "ctf", "pick", "thumbnail"}


def with_gain() -> Replay:
    """The gain is used as it is, and flipped by an acquisition-level run."""
    replay = Replay(
        source(),
        source("camera", gain=0),
        step("flip", gain="camera.gain"),
        step("align", movie="movies", gain="flip"),
        step("check", micrograph="align", gain="camera.gain"),
        workers=9,
    )
    replay.arrive("", stream="camera.gain")
    replay.arrive("1")
    replay.finish_all()
    replay.take_started()
    return replay


def test_a_newer_version_of_an_acquisition_level_input_redoes_no_exposure() -> None:
    replay = with_gain()
    replay.arrive("", stream="camera.gain")
    assert replay.now == {("flip", "")}
    replay.arrive("2")
    assert replay.now == {("flip", ""), ("align", "2")}  # with the version there is
    replay.finish_all()
    replay.crash()
    assert {key for _, key in replay.take_started()} == {"", "2"}


def test_a_newer_version_is_used_by_what_comes_later() -> None:
    replay = with_gain()
    replay.arrive("", stream="camera.gain")
    replay.finish_all()
    newest = replay.journal.live["flip", "out", ("a",)].number
    replay.arrive("2")
    assert replay.running[replay.ticket("align", "2")].inputs["gain"] == newest


def test_a_newer_version_leaves_what_runs_alone() -> None:
    replay = with_gain()
    replay.arrive("2")
    replay.arrive("", stream="camera.gain")
    replay.finish("flip")
    assert replay.scheduler.accepts(replay.ticket("align", "2"))


def test_a_newer_version_in_a_list_redoes_nothing_either() -> None:
    replay = Replay(
        source(),
        source("maps", one=0, two=0),
        step("pick", movie="movies", templates=["maps.one", "maps.two"]),
    )
    replay.arrive("", stream="maps.one")
    replay.arrive("", stream="maps.two")
    replay.arrive("1")
    replay.finish_all()
    replay.arrive("", stream="maps.two")
    assert replay.scheduler.idle
    replay.crash()
    assert replay.scheduler.idle


def test_a_revision_of_its_producer_does() -> None:
    replay = with_gain()
    replay.revise("flip")
    assert replay.now == {("flip", "")}
    replay.finish_all()
    assert replay.take_started() == [("flip", ""), ("align", "1"), ("check", "1")]


def test_a_revision_further_up_does_as_well() -> None:
    """Otherwise `check` would join a micrograph of the old gain's revision with the new one's gain."""
    replay = with_gain()
    replay.revise("camera")
    replay.arrive("", stream="camera.gain")
    replay.finish_all()
    assert replay.take_started() == [("flip", ""), ("align", "1"), ("check", "1")]
    replay.crash()
    assert replay.scheduler.idle


def test_a_revised_source_finds_everything_again() -> None:
    replay = diamond()
    replay.revise("movies")
    assert replay.scheduler.idle
    assert replay.visible("pick") == {"1"}
    replay.arrive("1")
    replay.finish_all()
    assert len(replay.take_started()) == 4


def test_a_revised_accumulator_starts_from_version_one_with_all_entries() -> None:
    replay = Replay(source(), fold("sum", movie="movies"), step("report", total="sum"), workers=9)
    replay.arrive("1")
    replay.finish_all()
    replay.arrive("2")
    replay.finish_all()
    replay.revise("sum")
    assert replay.visible("sum") == {""}
    (start,) = replay.running.values()
    assert (start.run, start.version, len(start.added)) == ("sum", 1, 2)
    replay.finish_all()
    assert replay.included("sum") == {"1", "2"}


def test_a_batch_of_the_old_revision_is_not_accepted() -> None:
    replay = Replay(source(), fold("sum", movie="movies"), workers=9)
    replay.arrive("1")
    late = replay.ticket("sum")
    replay.revise("sum")
    assert not replay.scheduler.accepts(late)
    assert len(replay.running) == 2
    replay.finish_all()
    assert replay.included("sum") == {"1"}


def test_a_revision_survives_a_crash() -> None:
    replay = diamond()
    replay.revise("align")
    replay.crash()
    assert replay.now == {("align", "1")}
    replay.finish_all()
    assert {run for run, _ in replay.take_started()} == {"align", "ctf", "pick"}
