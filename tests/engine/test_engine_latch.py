"""An accumulator over what belongs to the whole acquisition, which gives one output and lets it stand."""

import time
from collections.abc import Callable

import pytest
from sqlalchemy import select

from engine.stage import Stage
from eucentric.engine.commands import Revise
from eucentric.engine.recompute import recompute
from eucentric.engine.retention import leaving, remove
from eucentric.engine.workflow import RunSpec, Workflow
from eucentric.store.retention_settings import RetentionSettings
from eucentric.store.tables import batch, item

WORKFLOW = Workflow(
    name="latched",
    runs={
        "inbox": RunSpec(protocol="sample-inbox"),
        "sum": RunSpec(protocol="sample-sum", inputs={"number": "inbox.value"}),
        "latch": RunSpec(protocol="sample-latch", inputs={"total": "sum.total"}),
        "shift": RunSpec(
            protocol="sample-may-shift", inputs={"number": "inbox.value", "offset": "latch.offset"}
        ),
    },
)


@pytest.fixture
async def latched(staged: Callable[[Workflow], Stage]) -> Stage:
    """One number before the latch gives its output, and two with which it does."""
    stage = staged(WORKFLOW)
    stage.give(["e1"])
    await stage.run()
    assert stage.values("shift") == {"e1": 1}
    assert _offsets(stage) == []
    stage.give(["e5", "e6"])
    await stage.run()
    return stage


def _offsets(stage: Stage) -> list[int]:
    """Every offset there ever was."""
    with stage.database.read() as connection:
        query = select(item.c.data).where(item.c.output == "offset").order_by(item.c.id)
        return [data["offset"] for data in connection.execute(query).scalars()]


async def test_earlier_and_later_items_are_made_with_it_and_nothing_twice(latched: Stage) -> None:
    assert latched.values("shift") == {"e1": 13, "e5": 17, "e6": 18}
    before = {row.id for row in latched.tasks("shift")}
    latched.give(["e8"])
    await latched.run()  # another engine, which takes over what was committed
    assert latched.values("shift") == {"e1": 13, "e5": 17, "e6": 18, "e8": 20}
    assert _offsets(latched) == [12]
    assert {row.key for row in latched.tasks("shift") if row.id not in before} == {"e8"}
    with latched.database.read() as connection:
        states = connection.execute(select(batch.c.state)).scalars()
        assert set(states) == {"done"}
    latched.check_journal()


async def test_what_stands_keeps_its_files_however_many_versions_come(latched: Stage) -> None:
    for number in range(3):
        latched.give([f"e{number + 20}"])
        await latched.run()
    chosen = RetentionSettings.model_validate({"superseded": "0 min"})
    with latched.database.read() as connection:
        found = leaving(connection, latched.number, latched.folder, chosen, now=time.time() + 1)
        files = list(found)
    assert any(each.path.startswith("state/latch/") for each in files)
    remove(latched.folder, files, lambda _: None)
    (kept,) = latched.folder.glob("state/latch/r1/a/*/chosen")
    assert kept.read_text() == "12"
    assert recompute(latched.site, latched.database, "night", "latch", ("a",)).same_items
    latched.give(["e30"])
    await latched.run()
    assert latched.values("shift")["e30"] == 42


async def test_a_revision_chooses_anew_and_is_followed(latched: Stage) -> None:
    latched.give(["e8"])
    await latched.run()
    latched.write_command(Revise(run="latch", params={"least": 15}))
    await latched.run()
    assert _offsets(latched) == [12, 20]
    assert latched.values("shift") == {"e1": 21, "e5": 25, "e6": 26, "e8": 28}
    latched.write_command(Revise(run="latch", params={"least": 100}))
    await latched.run()
    assert latched.values("shift") == {"e1": 1, "e5": 5, "e6": 6, "e8": 8}
