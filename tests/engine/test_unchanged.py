"""A task that makes the same items once more leaves all that was made from them alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import sum_protocols
from engine.stage import Stage
from eucentric.engine.commands import Restore, Revise, Withdraw
from eucentric.engine.recompute import recompute
from eucentric.engine.workflow import RunSpec, Workflow

CHOICE = Workflow(
    name="choice",
    runs={
        "inbox": RunSpec(protocol="sample-inbox"),
        "align": RunSpec(protocol="sum-up", inputs={"number": "inbox.value"}),
        "select": RunSpec(protocol="choose", inputs={"micrograph": "align.micrograph"}, params={"bad": "e1"}),
        "use": RunSpec(protocol="use", inputs={"micrograph": "select.micrograph"}),
    },
)


@pytest.fixture
async def night(staged: Callable[[Workflow], Stage]) -> Stage:
    stage = staged(CHOICE)
    shutil.copy(Path(sum_protocols.__file__), stage.site.protocols_folder / "sums.py")
    stage.give(["e0", "e1", "e2", "e3"])
    await stage.run()
    assert stage.states("use").keys() == {"e0", "e2", "e3"}
    return stage


def uses(stage: Stage) -> dict[str, int]:
    """How often each exposure was used."""
    keys = [row.key for row in stage.tasks("use", current=False)]
    return {key: keys.count(key) for key in sorted(set(keys))}


async def test_a_revised_threshold_redoes_only_what_it_changes(night: Stage) -> None:
    night.write_command(Revise(run="select", params={"bad": "e2"}))
    await night.run()
    assert night.states("select") == {"e0": "done", "e1": "done", "e2": "rejected", "e3": "done"}
    assert {row.revision for row in night.tasks("select")} == {2}
    assert uses(night) == {"e0": 1, "e1": 1, "e2": 1, "e3": 1}
    assert set(night.items("use")) == {"e0", "e1", "e3"}
    night.write_command(Revise(run="select", params={"bad": ""}))
    await night.run()
    assert set(night.items("use")) == {"e0", "e1", "e2", "e3"}
    assert uses(night) == {"e0": 1, "e1": 1, "e2": 2, "e3": 1}
    night.check_nothing_twice()


async def test_an_engine_that_comes_later_finds_it_all_in_order(night: Stage) -> None:
    night.write_command(Revise(run="select", params={"bad": "e1 e1"}))
    await night.run()
    before = night.result()
    await night.run()
    assert night.result() == before
    assert uses(night) == {"e0": 1, "e2": 1, "e3": 1}
    assert recompute(night.site, night.database, "night", "select", ("a", "e0")).identical


async def test_what_was_withdrawn_meanwhile_stays_away(night: Stage) -> None:
    night.write_command(Withdraw(run="select", paths=[["a", "e0"]], reason="ice"))
    night.write_command(Revise(run="select", params={"bad": "e2"}))
    await night.run()
    assert set(night.items("use")) == {"e1", "e3"}
    assert set(night.items("select", state="withdrawn")) == {"e0"}
    night.write_command(Restore(run="select", paths=[["a", "e0"]]))
    await night.run()
    assert set(night.items("use")) == {"e0", "e1", "e3"}
    assert uses(night) == {"e0": 1, "e1": 1, "e2": 1, "e3": 1}


async def test_other_results_replace_what_is_there(night: Stage) -> None:
    night.write_command(Revise(run="align", params={"size": 7}))
    await night.run()
    assert uses(night) == {"e0": 2, "e2": 2, "e3": 2}
    assert (night.folder / night.items("use")["e0"]["path"]).stat().st_size == 7
