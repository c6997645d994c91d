"""A recorded result is computed again and compared."""

import pytest

from engine.stage import Stage
from eucentric.engine.recompute import NoSuchResult, recompute
from eucentric.engine.sessions import NoSuchSession


@pytest.fixture
async def worked_off(stage: Stage) -> Stage:
    stage.give(f"e{number}" for number in range(9))
    await stage.run()
    return stage


async def test_a_task_gives_the_same_again(worked_off: Stage) -> None:
    before = worked_off.result()
    found = recompute(worked_off.site, worked_off.database, "night", "two", ("a", "e3"))
    assert found.identical
    assert found.same_files == ["part/noise"]
    assert found.same_code
    assert found.other_software == []
    assert worked_off.result() == before


async def test_an_accumulated_version_gives_the_same_again(worked_off: Stage) -> None:
    found = recompute(worked_off.site, worked_off.database, "night", "sum", ("a",))
    assert found.identical
    assert found.same_files == ["chain", "state.json"]


async def test_a_changed_file_is_told(worked_off: Stage) -> None:
    (worked_off.folder / worked_off.items("two")["e3"]["path"]).write_bytes(b"something else")
    found = recompute(worked_off.site, worked_off.database, "night", "two", ("a", "e3"))
    assert not found.identical
    assert found.same_items
    assert found.other_files == ["part/noise"]


async def test_changed_code_is_told(worked_off: Stage) -> None:
    file = worked_off.site.protocols_folder / "sample.py"
    file.write_text(file.read_text().replace("number.value + self.params.add, path", "7, path"))
    found = recompute(worked_off.site, worked_off.database, "night", "two", ("a", "e3"))
    assert not found.same_code
    assert not found.same_items
    assert found.other_files == []


async def test_a_result_that_cannot_be_made_again_is_told(worked_off: Stage) -> None:
    worked_off.mood("two", "fail", "e3")
    found = recompute(worked_off.site, worked_off.database, "night", "two", ("a", "e3"))
    assert found.outcome == "failed: ValueError: told to fail"
    assert not found.identical


async def test_other_software_is_told(worked_off: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from eucentric.engine import recompute as module

    now = module.software()
    other = {**now, "packages": {**now["packages"], "numpy": "0.1"}}
    monkeypatch.setattr(module, "software", lambda: other)
    found = recompute(worked_off.site, worked_off.database, "night", "two", ("a", "e3"))
    assert found.other_software == [f"numpy {now['packages']['numpy']} → 0.1"]
    assert found.identical


async def test_what_is_not_there_is_told(worked_off: Stage) -> None:
    with pytest.raises(NoSuchResult, match="two has no result for a/e99"):
        recompute(worked_off.site, worked_off.database, "night", "two", ("a", "e99"))
    with pytest.raises(NoSuchSession):
        recompute(worked_off.site, worked_off.database, "day", "two", ("a", "e3"))
