"""Rules of retention remove what they name, nothing else, at any instant; removed files come back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import sum_protocols
from engine.stage import Stage
from eucentric.engine.commands import Revise, Withdraw
from eucentric.engine.recompute import recompute
from eucentric.engine.retention import JOURNAL, Leaving, leaving, remove, removed_by
from eucentric.engine.volume import measure_volume
from eucentric.engine.workflow import RunSpec, Workflow
from eucentric.store import tables
from eucentric.store.retention_settings import RetentionSettings

NOW = "0 min"
SUMS = Workflow(
    name="sums",
    runs={
        "inbox": RunSpec(protocol="sample-inbox"),
        "align": RunSpec(protocol="sum-up", inputs={"number": "inbox.value"}),
        "select": RunSpec(protocol="choose", inputs={"micrograph": "align.micrograph"}, params={"bad": "e1"}),
        "use": RunSpec(protocol="use", inputs={"micrograph": "select.micrograph"}),
        "total": RunSpec(protocol="sample-sum", inputs={"number": "inbox.value"}),
    },
)


def rules(**chosen: str) -> RetentionSettings:
    """As they stand in `eucentric.toml`."""
    return RetentionSettings.model_validate(chosen)


@pytest.fixture
async def night(staged: Callable[[Workflow], Stage]) -> Stage:
    stage = staged(SUMS)
    shutil.copy(Path(sum_protocols.__file__), stage.site.protocols_folder / "sums.py")
    stage.give(["e0", "e1", "e2"])
    (stage.folder / "data/raw").mkdir(parents=True)
    (stage.folder / "data/raw/movie.mrc").write_bytes(b"raw")
    await stage.run()
    assert stage.states("select") == {"e0": "done", "e1": "rejected", "e2": "done"}
    return stage


def found(stage: Stage, chosen: RetentionSettings, later: float = 1.0) -> dict[str, str]:
    """What goes, and by which rule."""
    with stage.database.read() as connection:
        files = leaving(connection, stage.number, stage.folder, chosen, now=time.time() + later)
        return {each.path: each.rule for each in files}


def tidy(stage: Stage, chosen: RetentionSettings) -> int:
    with stage.database.read() as connection:
        files = list(leaving(connection, stage.number, stage.folder, chosen, now=time.time() + 1))
    return remove(stage.folder, files, lambda _: None)


def everything(stage: Stage) -> set[str]:
    files = (each.relative_to(stage.folder).as_posix() for each in stage.folder.rglob("*") if each.is_file())
    return {file for file in files if file.startswith(("runs/", "state/", "data/")) and file != JOURNAL}


def test_without_rules_all_stays(night: Stage) -> None:
    assert found(night, rules()) == {}


def test_images_of_rejected_exposures_go(night: Stage) -> None:
    before = everything(night)
    folder = "runs/align/r1/a/e1"
    names = {"weighted.mrc", "sum.mrc", "spectrum.mrc", "even.mrc", "odd.mrc"}
    assert tidy(night, rules(rejected=NOW)) == 500
    assert before - everything(night) == {f"{folder}/{name}" for name in names}
    assert removed_by(night.folder, f"{folder}/sum.mrc") == "rejected"
    assert removed_by(night.folder, f"{folder}/small.png") is None
    assert found(night, rules(rejected=NOW)) == {}


async def test_an_exposure_that_is_accepted_after_all_keeps_its_images(night: Stage) -> None:
    night.write_command(Revise(run="select", params={"bad": "e2"}))
    await night.run()
    assert {path.split("/")[4] for path in found(night, rules(rejected=NOW))} == {"e2"}


def test_a_rule_waits_for_its_time(night: Stage) -> None:
    chosen = rules(unweighted="7 d")
    assert found(night, chosen) == {}
    week = 7 * 86_400 + 60
    assert set(found(night, chosen, later=week).values()) == {"unweighted"}


def test_sums_go_when_nobody_waits_for_them(night: Stage) -> None:
    chosen = rules(unweighted=NOW, spectra=NOW, halves=NOW)
    gone = found(night, chosen)
    names = {path.rsplit("/")[-1] for path in gone}
    assert names == {"sum.mrc", "spectrum.mrc", "even.mrc", "odd.mrc"}
    # The one that was rejected has been answered too.
    assert {path.split("/")[4] for path in gone} == {"e0", "e1", "e2"}
    night.give(["e3"])
    assert {path.split("/")[4] for path in found(night, chosen)} == {"e0", "e1", "e2"}


async def test_sums_stay_while_a_revised_run_needs_them(night: Stage) -> None:
    night.mood("total", "0")
    with night.database.write() as connection:
        # As an engine leaves it that was killed right after a revision was committed.
        from sqlalchemy import update

        from eucentric.store.tables import run, run_revision

        row = next(each for each in night.rows_of("run") if each.name == "select")
        old = connection.execute(run_revision.select().where(run_revision.c.run_id == row.id)).one()
        connection.execute(run_revision.insert().values({**old._asdict(), "number": 2}))
        connection.execute(update(run).where(run.c.id == row.id).values(revision=2))
    gone = found(night, rules(unweighted=NOW))
    assert gone == {}


async def test_replaced_results_and_old_versions_go(night: Stage) -> None:
    old = everything(night)
    night.write_command(Revise(run="align", params={"size": 10}))
    night.give(["e5"])
    await night.run()
    night.give(["e6"])
    await night.run()
    night.give(["e7"])
    await night.run()
    current = {
        str(value)
        for run in ("align", "use")
        for each in night.items(run).values()
        for value in each.values()
    }
    tidy(night, rules(superseded=NOW))
    left = everything(night)
    assert {path for path in old if path.startswith("runs/align/r1/")}.isdisjoint(left)
    assert {path for path in current if path.startswith("runs/")} <= left
    versions = {path.split("/")[4] for path in left if path.startswith("state/")}
    assert len(versions) == 2
    assert not (night.folder / "runs/align/r1").exists()
    night.give(["e8"])
    await night.run()
    assert night.total("total")[0] == 7


async def test_the_version_that_another_revision_went_on_from_stays(night: Stage) -> None:
    night.write_command(Revise(run="total", params={"colour": "blue"}))
    await night.run()
    tidy(night, rules(superseded=NOW))
    versions = {"/".join(path.split("/")[2:5]) for path in everything(night) if path.startswith("state/")}
    newest = max(row.version for row in night.rows_of("batch"))
    assert versions == {f"r1/a/v{newest - 1}", f"r2/a/v{newest}"}
    assert recompute(night.site, night.database, "night", "total", ("a",)).identical


async def test_a_result_stays_until_another_has_replaced_it(night: Stage) -> None:
    """A redone task retires the old one when it starts; until it is done, nothing has replaced that."""
    (first, *_) = night.tasks("align")
    with night.database.write() as connection:
        tasks = tables.task
        connection.execute(tasks.update().where(tasks.c.id == first.id).values(current=False))
        running = {**first._asdict(), "revision": 2, "state": "running", "finished": None}
        running.pop("id")
        connection.execute(tasks.insert().values(running))
    assert found(night, rules(superseded=NOW)) == {}


async def test_a_missing_file_says_how_it_comes_back(night: Stage) -> None:
    before = (night.folder / "runs/align/r1/a/e0/sum.mrc").read_bytes()
    tidy(night, rules(unweighted=NOW))
    night.write_command(Revise(run="use", params={"again": 1}))
    await night.run()
    (failed,) = [row for row in night.tasks("use") if row.key == "e0"]
    assert failed.error == (
        "The retention rule unweighted removed runs/align/r1/a/e0/sum.mrc; bring it back with"
        " `eucentric recompute night align a/e0 --restore`, then retry."
    )
    found = recompute(night.site, night.database, "night", "align", ("a", "e0"), restore=True)
    assert found.identical
    assert found.restored_files == ["sum.mrc"]
    assert (night.folder / "runs/align/r1/a/e0/sum.mrc").read_bytes() == before


def test_raw_data_and_links_are_refused(night: Stage) -> None:
    precious = night.folder.parent / "precious.mrc"
    precious.write_bytes(b"precious")
    micrograph = night.folder / "runs/align/r1/a/e1/weighted.mrc"
    micrograph.unlink()
    micrograph.symlink_to(precious)
    gone = found(night, rules(rejected=NOW))
    assert "runs/align/r1/a/e1/weighted.mrc" not in gone
    assert not [path for path in gone if path.startswith("data/")]


async def test_withdrawn_exposures_keep_their_files(night: Stage) -> None:
    night.write_command(Withdraw(run="align", paths=[["a", "e0"]], reason="thick ice"))
    await night.run()
    chosen = rules(superseded=NOW, rejected=NOW)
    assert not [path for path in found(night, chosen) if "/e0/" in path]


def test_a_removal_that_is_killed_is_gone_on_with(tmp_path: Path) -> None:
    names = [f"runs/a/r1/x/{number}/sum.mrc" for number in range(3000)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "runs/a/r1/x/0/kept.mrc").write_bytes(b"x")
    code = (
        "import sys, time; from pathlib import Path; from eucentric.engine.retention import Leaving, remove\n"
        f"files = [Leaving(f'runs/a/r1/x/{{n}}/sum.mrc', 'rejected', 1) for n in range(3000)]\n"
        "def tell(each):\n print(each.path, flush=True)\n"
        f"remove(Path({str(tmp_path)!r}), files, tell)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(700):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    gone = [name for name in names if not (tmp_path / name).exists()]
    assert 700 <= len(gone) < 3000
    told = {json.loads(line)["path"] for line in (tmp_path / JOURNAL).read_text().splitlines()}
    assert set(gone) <= told
    left = [Leaving(name, "rejected", 1) for name in names if (tmp_path / name).exists()]
    assert remove(tmp_path, left, lambda _: None) == len(left)
    assert [each.name for each in tmp_path.rglob("*.mrc")] == ["kept.mrc"]


def test_the_volume_is_that_of_the_files(night: Stage) -> None:
    with night.database.read() as connection:
        volume = measure_volume(connection, night.number, night.folder, now=time.time())
    sizes = {(each.run, each.name): (each.per_exposure, each.exposures) for each in volume.files}
    assert sizes[("align", "sum.mrc")] == (100, 3)
    on_disk = sum(
        (night.folder / path).stat().st_size for path in everything(night) if path.startswith("runs/")
    )
    assert volume.bytes == on_disk
    assert volume.free > 0
