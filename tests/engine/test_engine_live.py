"""What people do to a session while it lives."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import select

from engine.stage import Stage, chain
from eucentric.engine.commands import (
    Close,
    Extend,
    Reopen,
    Restore,
    Retry,
    Revise,
    Stop,
    Withdraw,
)
from eucentric.engine.recompute import recompute
from eucentric.engine.workflow import RunSpec, Workflow
from eucentric.store.tables import task

Staged = Callable[..., Stage]


FOLLOW = RunSpec(protocol="sample-follow", inputs={"total": "sum.total"})


def names(count: int, first: int = 0) -> list[str]:
    return [f"e{number}" for number in range(first, first + count)]


async def test_everything_is_worked_on_to_the_end(stage: Stage) -> None:
    stage.give(names(20))
    await stage.run()
    assert stage.values("two") == {f"e{number}": number + 2 for number in range(20)}
    assert stage.values("join") == dict.fromkeys(names(20), 2)
    assert stage.total() == (20, sum(range(20)) + 40)
    stage.check_journal()
    stage.check_nothing_twice()
    assert stage.session().state == "stopped"
    assert stage.session().lease_holder is None


async def test_items_are_worked_on_as_they_come(stage: Stage) -> None:
    async with stage.live():
        for name in names(5):
            stage.give([name])
            await stage.until(lambda name=name: name in stage.values("join"), name)
    stage.check_nothing_twice()


async def test_an_accumulator_follows_the_versions_of_another(staged: Staged) -> None:
    stage = staged(chain(follow=FOLLOW))
    async with stage.live():
        for name in names(4, first=1):
            stage.give([name])
            await stage.until(lambda name=name: name in stage.values("join"), name)
        await stage.until(lambda: stage.total("follow") == (1, stage.total()[1]) == (1, 18), "the newest")
    await stage.run()
    assert stage.total("follow") == (1, 18)
    stage.check_nothing_twice()


async def test_stopped_and_continued(stage: Stage) -> None:
    stage.give(names(10))
    stage.mood("two", "0.05")
    async with stage.live():
        await stage.until(lambda: len(stage.values("two")) >= 2, "some work")
        stage.tell(Stop())
        await stage.until(lambda: stage.session().state == "stopped", "the end")
    assert len(stage.values("two")) < 10
    assert "running" not in stage.states("two").values()
    stage.mood("two", None)
    await stage.run()
    assert stage.total() == (10, 45 + 20)
    stage.check_journal()
    stage.check_nothing_twice()


async def test_a_closed_source_finds_nothing_new_until_it_is_reopened(stage: Stage) -> None:
    stage.give(names(3))
    async with stage.live():
        await stage.until(lambda: stage.total()[0] == 3, "the first three")
        stage.tell(Close(run="inbox"))
        await stage.until(lambda: stage.rows_of("run", name="inbox")[0].closed, "closed")
        stage.give(names(3, first=3))
        await asyncio.sleep(0.3)
        assert len(stage.values("inbox")) == 3
        stage.tell(Reopen(run="inbox"))
        await stage.until(lambda: stage.total()[0] == 6, "those that came meanwhile")
    stage.check_nothing_twice()


async def test_a_closed_session_stays_closed_when_it_is_continued(stage: Stage) -> None:
    stage.give(names(3))
    await stage.run()
    stage.write_command(Close(run="inbox"))
    stage.give(names(3, first=3))
    await stage.run()
    assert len(stage.values("inbox")) == 3
    stage.write_command(Reopen(run="inbox"))
    await stage.run()
    assert stage.total()[0] == 6


async def test_changed_parameters_redo_only_what_depends_on_them(stage: Stage) -> None:
    stage.give(names(6))
    async with stage.live():
        await stage.until(lambda: stage.total()[0] == 6, "the first pass")
        first = {run: [row.id for row in stage.tasks(run)] for run in ("one", "two")}
        stage.tell(Revise(run="two", params={"add": 10}))
        await stage.until(lambda: stage.total() == (6, 15 + 6 * 11), "the second pass")
        await stage.until(lambda: set(stage.values("join").values()) == {11}, "the join too")
    assert [row.id for row in stage.tasks("one")] == first["one"]
    assert not {row.id for row in stage.tasks("two")} & set(first["two"])
    assert {row.revision for row in stage.tasks("two")} == {2}
    stage.check_journal()
    stage.check_nothing_twice()


async def test_a_sum_goes_on_where_only_parameters_change_that_it_carries(stage: Stage) -> None:
    stage.give(names(6))
    async with stage.live():
        await stage.until(lambda: stage.total()[0] == 6, "the first pass")
        versions = len(stage.rows_of("batch"))
        stage.tell(Revise(run="sum", params={"colour": "blue"}))
        await stage.until(lambda: len(stage.rows_of("batch", state="done")) == versions + 1, "a version more")
        stage.give(["e6"])
        await stage.until(lambda: stage.total()[0] == 7, "another exposure")
    newest = stage.rows_of("batch")[-2:]
    assert [(row.revision, row.version) for row in newest] == [(2, versions + 1), (2, versions + 2)]
    assert (newest[0].added, newest[0].removed) == ([], [])
    stage.check_journal()
    await stage.run()  # read back
    assert len(stage.rows_of("batch")) == versions + 2
    assert recompute(stage.site, stage.database, "night", "sum", ("a",)).identical


async def test_a_version_of_a_revision_that_went_on_is_made_again_from_the_one_before(stage: Stage) -> None:
    stage.give(names(6))
    await stage.run()
    stage.write_command(Revise(run="sum", params={"colour": "blue"}))
    await stage.run()
    assert recompute(stage.site, stage.database, "night", "sum", ("a",)).identical


async def test_a_sum_begins_anew_where_other_parameters_change(stage: Stage) -> None:
    stage.give(names(6))
    await stage.run()
    for params in ({"colour": "blue"}, {"colour": "blue"}, {"colour": "blue", "times": 2}):
        stage.write_command(Revise(run="sum", params=params))
        await stage.run()
    assert [row.continues for row in stage.rows_of_run("sum")] == [None, 1, None, None]
    assert stage.total() == (6, 2 * (15 + 2 * 6))
    stage.give(["e6"])
    await stage.run()
    assert stage.total()[0] == 7


async def test_a_source_with_changed_parameters_yields_anew(stage: Stage) -> None:
    stage.give(names(6))
    async with stage.live():
        await stage.until(lambda: stage.total()[0] == 6, "the first pass")
        (stage.folder / "data/inbox/a/e5").unlink()
        stage.tell(Revise(run="inbox", params={"times": 3}))
        await stage.until(lambda: stage.total() == (5, 3 * 10 + 10), "the second pass, without the sixth")
    assert stage.values("inbox") == {f"e{number}": 3 * number for number in range(5)}
    await stage.run()
    assert stage.total() == (5, 3 * 10 + 10)  # also when it is read back
    with stage.database.read() as connection:
        gone = select(task.c.key, task.c.state).where(task.c.error.like("%any more%"), task.c.current)
        assert [tuple(row) for row in connection.execute(gone)] == [("e5", "rejected")]
    stage.check_nothing_twice()


async def test_wrong_parameters_are_refused(stage: Stage) -> None:
    stage.give(names(2))
    async with stage.live():
        await stage.until(lambda: stage.total()[0] == 2, "the pass")
        stage.tell(Revise(run="two", params={"add": "many"}))
        stage.tell(Revise(run="three", params={}))
        stage.tell(Close(run="one"))
        await stage.until(lambda: len(stage.refusals()) == 3, "refusals")
    assert "parameter add" in stage.refusals()[0]
    assert "has no run three; it has inbox, one, two, join, sum" in stage.refusals()[1]
    assert "is not a source" in stage.refusals()[2]
    assert {row.revision for row in stage.tasks("two")} == {1}


async def test_a_command_of_the_future_is_refused(stage: Stage) -> None:
    stage.give(names(2))
    stage.insert("command", session_id=stage.number, kind="dance", arguments={}, author="x", created=0)
    await stage.run()
    assert stage.total()[0] == 2
    assert "does not understand" in stage.refusals()[0]


async def test_an_added_run_catches_up_with_the_past(stage: Stage) -> None:
    stage.give(names(8))
    more = {
        "late": RunSpec(protocol="sample-step", params={"add": 100}, inputs={"number": "one.value"}),
        "both": RunSpec(protocol="sample-agree", inputs={"numbers": ["late.value", "two.value"]}),
    }
    async with stage.live():
        await stage.until(lambda: stage.total()[0] == 8, "the past")
        stage.tell(Extend(runs=more))
        await stage.until(lambda: len(stage.values("both")) == 8, "the past, in the new run")
        stage.give(names(2, first=8))
        await stage.until(lambda: len(stage.values("both")) == 10, "the present")
    assert stage.values("both")["e9"] == (9 + 101) + (9 + 2)
    stage.check_nothing_twice()


async def test_a_workflow_cannot_be_extended_by_nonsense(stage: Stage) -> None:
    bad = {"late": RunSpec(protocol="sample-step", inputs={"number": "nowhere.value"})}
    again = {"one": RunSpec(protocol="sample-step", inputs={"number": "inbox.value"})}
    stage.write_command(Extend(runs=bad))
    stage.write_command(Extend(runs=again))
    await stage.run()
    assert "there is no run nowhere" in stage.refusals()[0]
    assert "already has a run one" in stage.refusals()[1]


async def test_thousands_are_withdrawn_and_restored(stage: Stage) -> None:
    count = 400
    stage.give(names(count))
    async with stage.live():
        await stage.until(lambda: len(stage.values("inbox")) == count, "all are found")
        await stage.until(lambda: stage.total()[0] > 20, "the stream runs")
        gone = [["a", name] for name in names(300)]
        stage.tell(Withdraw(run="inbox", paths=gone, reason="an empty grid square"))
        await stage.until(lambda: len(stage.values("inbox")) == 100, "they are gone")
        assert not set(stage.values("one")) & set(names(300))
        assert not set(stage.values("two")) & set(names(300))
        done = len(stage.tasks("two"))
        stage.tell(Restore(run="inbox", paths=gone[:290]))
        await stage.until(lambda: len(stage.values("inbox")) == 390, "they are back")
        assert len(stage.values("two")) >= done - 10
        stage.tell(Restore(run="inbox", paths=gone))
        stage.tell(Withdraw(run="one", paths=[["a", name] for name in names(390)], reason="again"))
        await stage.until(lambda: stage.total() == (10, sum(range(390, 400)) + 20), "ten are left")
    stage.check_journal()
    stage.check_nothing_twice()


async def test_what_is_withdrawn_stays_so_when_the_session_is_continued(stage: Stage) -> None:
    stage.give(names(6))
    await stage.run()
    stage.write_command(Withdraw(run="one", paths=[["a", "e1"], ["a", "e7"]], reason="ice"))
    await stage.run()
    stage.give(names(2, first=6))
    await stage.run()
    assert set(stage.values("two")) == set(names(8)) - {"e1", "e7"}
    assert stage.total()[0] == 6
    stage.write_command(Restore(run="one", paths=[["a", "e1"], ["a", "e7"]]))
    await stage.run()
    assert stage.total()[0] == 8
    stage.check_journal()
    stage.check_nothing_twice()


async def test_one_bad_exposure_stops_nothing_and_is_retried_on_request(stage: Stage) -> None:
    stage.mood("two", "fail", "e3")
    stage.give(names(6))
    async with stage.live():
        await stage.until(lambda: stage.total()[0] == 5, "the others")
        await stage.until(lambda: stage.states("two").get("e3") == "failed", "the failure")
        bad = next(row for row in stage.tasks("two") if row.key == "e3")
        assert bad.error == "ValueError: told to fail"
        assert "about to fail" in (stage.folder / bad.log).read_text()
        assert "Traceback" in (stage.folder / bad.log).read_text()
        stage.mood("two", None, "e3")
        stage.tell(Retry(run="two", paths=[["a", "e3"]]))
        await stage.until(lambda: stage.total()[0] == 6, "the retry")
    stage.check_nothing_twice()


async def test_a_retry_survives_the_end_of_the_engine(stage: Stage) -> None:
    stage.mood("two", "fail")
    stage.mood("sum", "fail")
    stage.give(names(2))
    await stage.run()
    assert set(stage.states("two").values()) == {"failed"}
    stage.mood("two", None)
    await stage.run()
    assert set(stage.states("two").values()) == {"failed"}, "nothing is tried again unasked"
    stage.mood("two", "1")
    async with stage.live():
        stage.tell(Retry(run="two"))
        await stage.until(lambda: "failed" not in stage.states("two").values(), "the retry has begun")
    stage.mood("two", None)
    await stage.run()
    assert stage.rows_of("batch")[0].state == "failed"
    stage.mood("sum", None)
    stage.write_command(Retry(run="sum"))
    await stage.run()
    assert stage.total() == (2, 5)
    stage.check_journal()
    stage.check_nothing_twice()


async def test_a_rejected_exposure_goes_no_further(stage: Stage) -> None:
    stage.mood("one", "reject", "e1")
    stage.give(names(3))
    await stage.run()
    assert set(stage.values("join")) == {"e0", "e2"}
    assert next(row for row in stage.tasks("one") if row.key == "e1").error == "told to reject"


async def test_one_failed_picker_does_not_stall_the_consensus(staged: Staged) -> None:
    runs = {
        "left": RunSpec(protocol="sample-step", inputs={"number": "inbox.value"}),
        "right": RunSpec(protocol="sample-step", params={"add": 5}, inputs={"number": "inbox.value"}),
        "both": RunSpec(protocol="sample-agree", inputs={"numbers": ["left.value", "right.value"]}),
    }
    stage = staged(Workflow(name="consensus", runs={"inbox": RunSpec(protocol="sample-inbox"), **runs}))
    stage.mood("left", "fail", "e1")
    stage.mood("left", "reject", "e2")
    stage.mood("right", "fail", "e2")
    stage.give(names(3))
    await stage.run()
    assert stage.values("both") == {"e0": 1 + 5, "e1": 6}
    stage.mood("left", None, "e1")
    stage.write_command(Retry(run="left"))
    await stage.run()
    assert stage.values("both") == {"e0": 1 + 5, "e1": 2 + 6}


async def test_a_newer_gain_redoes_nothing_but_is_recorded(staged: Staged) -> None:
    runs = {
        "shift": RunSpec(protocol="sample-shift", inputs={"number": "inbox.value", "offset": "inbox.offset"})
    }
    stage = staged(Workflow(name="gain", runs={"inbox": RunSpec(protocol="sample-inbox"), **runs}))
    stage.give(names(2))
    await stage.run()
    assert stage.values("shift") == {}, "they wait for what belongs to the acquisition"
    stage.give(["offset"], value=100)
    await stage.run()
    stage.give(["offset"], value=1000)
    await stage.run()
    stage.give(names(1, first=2))
    await stage.run()
    assert stage.values("shift") == {"e0": 100, "e1": 101, "e2": 1002}
    versions = {row.key: row.inputs["offset"] for row in stage.tasks("shift")}
    assert versions["e0"] == versions["e1"] != versions["e2"]
    stage.write_command(Revise(run="shift"))
    await stage.run()
    assert stage.values("shift") == {"e0": 1000, "e1": 1001, "e2": 1002}


async def test_a_replaced_input_is_followed_and_its_files_lie_apart(stage: Stage) -> None:
    stage.give(names(3))
    await stage.run()
    before = stage.items("one")["e1"]["path"]
    stage.give(["e1"], value=50)
    await stage.run()
    after = stage.items("one")["e1"]["path"]
    assert stage.values("two")["e1"] == 52
    assert stage.total() == (3, 0 + 50 + 2 + 6)
    assert before != after
    assert (stage.folder / before).read_bytes() != (stage.folder / after).read_bytes()
    stage.check_journal()
    stage.check_nothing_twice()


async def test_names_that_look_like_generations_do_not_collide(stage: Stage) -> None:
    stage.give(["e1", "e1.2"])
    await stage.run()
    stage.give(["e1"], value=50)
    await stage.run()
    paths = {data["path"] for data in stage.items("one").values()}
    assert len(paths) == 2
    stage.check_nothing_twice()


async def test_an_unreadable_file_is_trouble_until_it_is_mended(stage: Stage) -> None:
    stage.give(["e1", "e2"])
    stage.give(["e3"], value="bad")
    await stage.run()
    assert stage.states("inbox") == {"e3": "failed"}
    assert stage.tasks("inbox")[0].error == "the number cannot be read"
    assert stage.total()[0] == 2
    stage.give(["e3"], value=3)
    await stage.run()
    assert stage.states("inbox") == {}
    assert stage.total()[0] == 3


async def test_a_failed_source_is_told_and_ends_no_session(stage: Stage) -> None:
    stage.give(names(3))
    stage.give(["break"], value="the disk of the camera")
    await stage.run()
    assert stage.session().held == "The source inbox has failed: RuntimeError: the disk of the camera"
    (stage.folder / "data/inbox/a/break").unlink()
    async with stage.live():
        stage.tell(Retry(run="inbox"))
        await stage.until(lambda: stage.total()[0] == 3, "it goes on")
        assert stage.session().held is None
    assert stage.session().held is None


async def test_two_acquisitions_are_never_mixed(stage: Stage) -> None:
    stage.give(names(3), acquisition="a")
    stage.give(names(2), acquisition="b")
    await stage.run()
    sums = {
        row.acquisition: row.data["entries"] for row in stage.rows_of("item", output="total", state="current")
    }
    assert sums == {"a": 3, "b": 2}


async def test_changed_code_is_a_new_revision(stage: Stage) -> None:
    stage.give(names(3))
    await stage.run()
    file = stage.site.protocols_folder / "sample.py"
    file.write_text(
        file.read_text().replace("number.value + self.params.add, path", "2 * number.value, path")
    )
    await stage.run()
    assert stage.values("one") == {"e0": 0, "e1": 2, "e2": 4}
    assert {row.revision for row in stage.tasks("one")} == {2}
    stage.check_journal()
    stage.check_nothing_twice()


async def test_code_that_changes_under_way_is_not_recorded_as_the_old(stage: Stage) -> None:
    stage.give(names(1))
    async with stage.live():
        await stage.until(lambda: stage.total()[0] == 1, "the first")
        file = stage.site.protocols_folder / "sample.py"
        file.write_text(file.read_text() + "\n# another thought\n")
        stage.give(names(1, first=1))
        await stage.until(lambda: stage.states("one").get("e1") == "failed", "the refusal")
        assert "has changed since the engine was started" in str(stage.tasks("one")[-1].error)
    await stage.run()
    assert stage.total() == (2, 5)


async def test_a_task_that_has_something_to_say_has_a_log(stage: Stage) -> None:
    stage.mood("one", "say", "e1")
    stage.give(names(2))
    await stage.run()
    logs = {row.key: row.log for row in stage.tasks("one")}
    assert logs["e0"] is None
    assert "told to say something" in (stage.folder / logs["e1"]).read_text()


async def test_many_items_need_few_records_in_memory(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eucentric.engine.records.KEPT", 3)
    stage.give(names(30))
    await stage.run()
    assert stage.total() == (30, sum(range(30)) + 60)


async def test_workflow_extended_before_its_first_start(staged: Staged) -> None:
    stage = staged(chain(late=RunSpec(protocol="sample-step", inputs={"number": "two.value"})))
    stage.give(names(2))
    await stage.run()
    assert stage.values("late") == {"e0": 3, "e1": 4}


async def test_a_stop_from_before_the_start_stops_nothing(stage: Stage) -> None:
    stage.give(names(2))
    stage.write_command(Stop())
    await stage.run()
    assert stage.total()[0] == 2


async def test_a_withdrawal_while_tasks_run_on_what_is_withdrawn(stage: Stage) -> None:
    stage.give(names(3))
    stage.mood("two", "0.4", "e1")
    async with stage.live():
        await stage.until(lambda: stage.states("two").get("e1") == "running", "the task runs")
        stage.tell(Withdraw(run="inbox", paths=[["a", "e1"]], reason="a crack"))
        await stage.until(lambda: stage.states("two")["e1"] != "running", "it has ended")
        await stage.until(lambda: stage.total()[0] == 2, "the others")
        assert "e1" not in stage.values("two")
        stage.tell(Restore(run="inbox", paths=[["a", "e1"]]))
        await stage.until(lambda: stage.total()[0] == 3, "it is back")
    stage.check_journal()
    stage.check_nothing_twice()


async def test_stale_finds_of_a_source_do_not_count(stage: Stage) -> None:
    """Parameters change while the source is busy: nothing of the old ones is recorded under the new."""
    stage.give(names(60))
    async with stage.live():
        await stage.until(lambda: len(stage.values("inbox")) > 0, "the first are found")
        for times in range(2, 6):
            stage.tell(Revise(run="inbox", params={"times": times}))
            stage.tell(Reopen(run="inbox"))
        await stage.until(lambda: stage.total() == (60, 5 * sum(range(60)) + 120), "the last parameters")
    assert stage.values("inbox") == {f"e{number}": 5 * number for number in range(60)}
    stage.check_journal()
    stage.check_nothing_twice()
