"""What goes wrong around a session, or within a task: each has a defined outcome."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text, update

from engine.conftest import append, end_cluster
from engine.stage import Stage, chain
from eucentric.engine.commands import Retry, Stop
from eucentric.engine.lease import LeaseLost, SessionBusy
from eucentric.engine.workflow import RunSpec, Workflow
from eucentric.store import Database, Site, tables
from postgres_server import PostgresServer

postgresql_only = pytest.mark.parametrize("site", ["postgresql"], indirect=True)


def names(count: int) -> list[str]:
    return [f"e{number}" for number in range(count)]


# -------------------------------------------------------------------- within a task


@pytest.mark.parametrize("mood", ["crash", "leave"])
async def test_a_crash_fails_its_exposure_and_nothing_else(worked: Stage, mood: str) -> None:
    worked.mood("one", mood, "e1")
    worked.give(names(4))
    await worked.run(dask=True)
    bad = next(row for row in worked.tasks("one") if row.key == "e1")
    assert bad.state == "failed"
    assert "worker process ended before the task did" in bad.error
    deaths = [row.error for row in worked.tasks("one", current=False) if row.key == "e1"].count(bad.error)
    assert deaths == 2
    if mood == "crash":
        assert "Fatal Python error: Segmentation fault" in (worked.folder / bad.log).read_text()
    assert worked.total()[0] == 3
    worked.mood("one", None, "e1")
    worked.write_command(Retry(run="one"))
    await worked.run(dask=True)
    assert worked.total()[0] == 4
    worked.check_journal()
    worked.check_nothing_twice()


async def test_works_with_workers_on_both_databases(worked: Stage) -> None:
    worked.give(names(6))
    worked.mood("two", "fail", "e4")
    await worked.run(dask=True)
    assert worked.total()[0] == 5
    assert worked.states("two")["e4"] == "failed"
    worked.check_journal()
    worked.check_nothing_twice()


@pytest.mark.parametrize("mood", ["600", "keep-interpreter"])
async def test_a_task_that_takes_too_long_is_ended_by_force(worked: Stage, mood: str) -> None:
    quick = {"quick": RunSpec(protocol="sample-quick", inputs={"number": "inbox.value"})}
    worked = Stage(worked.site, Workflow(name="x", runs={**chain().runs, **quick}), "late", worked.database)
    worked.mood("quick", mood, "e1")
    worked.give(names(3))
    await worked.run(dask=True)
    assert worked.states("quick") == {"e0": "done", "e1": "failed", "e2": "done"}
    bad = [row for row in worked.tasks("quick", current=False) if row.key == "e1"]
    assert [row.error for row in bad] == ["It was ended by force: it took longer than 1 s."]
    assert worked.total()[0] == 3
    worked.bell.close()


async def test_a_stop_ends_what_runs(worked: Stage) -> None:
    worked.mood("one", "600", "e1")
    worked.give(names(3))
    async with worked.live(dask=True):
        await worked.until(lambda: worked.states("one").get("e1") == "running" and worked.total()[0] == 2)
        worked.tell(Stop())
        await worked.until(lambda: worked.session().state == "stopped", "the end")
    assert worked.states("one")["e1"] == "interrupted"
    worked.mood("one", None, "e1")
    await worked.run(dask=True)
    assert worked.total()[0] == 3
    worked.check_nothing_twice()


async def test_a_task_without_memory_fails_alone(site: Site) -> None:
    append(site, '[workers]\ncpus = 1\ngpus = 0\nmemory = "700 MB"\n')
    with Database.open(site) as database:
        stage = Stage(Site.open(site.folder), chain(), database=database)
        stage.mood("one", "take-memory", "e1")
        stage.give(names(2))
        try:
            await stage.run(dask=True)
        finally:
            end_cluster(stage.site)
        assert stage.states("one") == {"e0": "done", "e1": "failed"}
        assert "out of memory" in next(row.error for row in stage.tasks("one") if row.key == "e1")
        stage.bell.close()


async def test_a_vanished_input_fails_its_exposure(stage: Stage) -> None:
    stage.mood("one", "miss-file", "e1")
    stage.give(names(3))
    await stage.run()
    assert stage.total()[0] == 2
    bad = next(row for row in stage.tasks("one") if row.key == "e1")
    assert bad.error.startswith("FileNotFoundError")
    assert "no-such-file" in bad.error


# -------------------------------------------------------------------- a full disk


@pytest.mark.parametrize("small_disk", ["4m"], indirect=True)
async def test_a_full_disk_holds_the_session_until_there_is_space(
    stage: Stage, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eucentric.engine.engine.HEARTBEAT", 0.2)
    monkeypatch.setattr("eucentric.engine.engine.LONGEST_HOLD", 3)
    shutil.move(stage.folder, small_disk / "night")
    stage.folder.symlink_to(small_disk / "night")
    (stage.folder / "ballast").write_bytes(bytes(2 << 20))
    stage.mood("one", "fill-disk", "e1")
    stage.give(names(4))
    async with stage.live():
        await stage.until(lambda: stage.session().held, "it is held")
        assert "No space is left" in stage.session().held
        await asyncio.sleep(0.5)
        assert stage.session().held, "still"
        assert stage.states("one")["e1"] == "interrupted"
        stage.mood("one", None, "e1")
        (stage.folder / "ballast").unlink()
        await stage.until(lambda: stage.total()[0] == 4, "it goes on")
        assert stage.session().held is None
    stage.check_journal()
    stage.check_nothing_twice()


@pytest.mark.parametrize("small_disk", ["4m"], indirect=True)
async def test_a_full_disk_of_the_database_is_waited_for(small_disk: Path) -> None:
    site = Site.create(small_disk / "site")
    with Database.open(site) as database:
        stage = Stage(site, chain(), database=database)
        stage.give(names(3))
        async with stage.live():
            await stage.until(lambda: stage.total()[0] == 3, "the first")
            ballast = small_disk / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as stream:
                while True:
                    stream.write(bytes(4096))
            (stage.folder / "data/inbox/a/e9").symlink_to(stage.folder / "data/inbox/a/e2")
            await asyncio.sleep(1)
            ballast.unlink()
            await stage.until(lambda: stage.total()[0] == 4, "it goes on")
        stage.check_journal()
        stage.check_nothing_twice()
        stage.bell.close()


# -------------------------------------------------------------------- a lost database


@postgresql_only
async def test_a_lost_database_is_waited_for(stage: Stage, postgres_server: PostgresServer) -> None:
    stage.mood("two", "0.05")
    stage.give(names(8))
    async with stage.live():
        await stage.until(lambda: stage.values("two"), "it works")
        await asyncio.to_thread(postgres_server.crash)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(postgres_server.start)
        await stage.until(lambda: stage.total()[0] == 8, "it goes on")
        await asyncio.to_thread(postgres_server.restart)
        stage.give(["e8"])
        await stage.until(lambda: stage.total()[0] == 9, "and again")
    stage.check_journal()
    stage.check_nothing_twice()


async def test_a_locked_database_is_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.give(names(2))
    async with stage.live():
        await stage.until(lambda: stage.total()[0] == 2, "it works")
        with stage.database.write():
            stage.give(["e2"])
            await asyncio.sleep(0.5)
        await stage.until(lambda: stage.total()[0] == 3, "it goes on")
    stage.check_nothing_twice()


# -------------------------------------------------------------------- two engines


async def test_a_second_engine_is_refused(stage: Stage) -> None:
    stage.give(names(2))
    async with stage.live():
        await stage.until(lambda: stage.session().lease_holder, "the first runs")
        with pytest.raises(SessionBusy, match=f"run by another engine .process {os.getpid()} on"):
            await stage.run()
        await stage.until(lambda: stage.total()[0] == 2, "the first goes on")


async def test_an_engine_whose_lease_was_taken_writes_nothing_more(stage: Stage) -> None:
    stage.give(names(2))
    engine = stage.engine()
    running = asyncio.create_task(engine.run())
    await stage.until(lambda: stage.total()[0] == 2, "it runs")
    session = tables.session
    with stage.database.write() as connection:
        connection.execute(
            update(session).values(lease_token=session.c.lease_token + 1, lease_holder="x:1:1")
        )
    stage.give(["e7"])
    with pytest.raises(LeaseLost):
        await running
    assert "e7" not in stage.values("inbox")
    assert stage.session().lease_holder == "x:1:1"


async def test_a_frozen_engine_is_replaced_and_does_no_harm(
    worked: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP while its tasks run; the lease runs out; another takes over; SIGCONT: nothing of it counts."""
    worked.mood("one", "1.5")
    worked.give(names(4))
    old = await asyncio.to_thread(worked.start)
    assert old.pid is not None
    await worked.until(lambda: "running" in worked.states("one").values(), "the old one works")
    token = worked.session().lease_token
    await _freeze_outside_transaction(worked, old.pid)
    with worked.database.write() as connection:
        connection.execute(update(tables.session).values(lease_expires=0))
    worked.mood("one", None)
    new = asyncio.create_task(worked.run(dask=True))
    await worked.until(lambda: worked.session().lease_token == token + 1, "the new one has taken over")
    os.kill(old.pid, signal.SIGCONT)
    await new
    await asyncio.to_thread(old.join, 20)
    assert old.exitcode == 1
    log = (worked.site.folder / "logs" / "engine.log").read_text()
    assert "LeaseLost" in log
    assert worked.total()[0] == 4
    assert worked.session().lease_token == token + 1
    worked.check_journal()
    worked.check_nothing_twice()


async def _freeze_outside_transaction(stage: Stage, pid: int) -> None:
    """Stop a process at a moment at which it holds no lock, so that others need not wait for its timeout."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(0.1)  # what it has asked for is answered
        if await asyncio.to_thread(_is_unlocked, stage.database):
            return
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(0.05)


def _is_unlocked(database: Database) -> bool:
    if database.file is not None:
        with contextlib.closing(sqlite3.connect(database.file, timeout=0.1)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
        return True
    with database.engine.connect() as connection:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
        return connection.execute(text(query)).scalar_one() == 0


# -------------------------------------------------------------------- workers that go


async def test_more_sessions_than_workers_share_them(worked: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eucentric.engine.engine.HEARTBEAT", 0.1)
    monkeypatch.setattr("eucentric.engine.slots.TURN", 0.2)
    stages = [worked, *(Stage(worked.site, chain(), name, worked.database) for name in ("day", "noon"))]
    for stage in stages:
        stage.mood("two", "0.05")
        stage.give(names(30))
    async with worked.live(dask=True), stages[1].live(dask=True), stages[2].live(dask=True):
        await worked.until(lambda: all(stage.values("two") for stage in stages), "all work")
        assert all(len(stage.values("two")) < 30 for stage in stages)
        await worked.until(lambda: all(stage.total()[0] == 30 for stage in stages), "all finish")
    for stage in stages[1:]:
        stage.bell.close()


async def test_orphans_of_a_killed_engine_are_ended(worked: Stage) -> None:
    """Dask lets a task go on although nobody wants its result; it must not keep the worker."""
    worked.mood("one", "600")
    worked.give(names(4))
    process = await asyncio.to_thread(worked.start)
    await worked.until(lambda: list(worked.states("one").values()).count("running") == 2, "both workers work")
    process.kill()
    process.join()
    worked.mood("one", None)
    await worked.run(dask=True)
    assert worked.total()[0] == 4
    worked.check_nothing_twice()


async def test_a_lost_cluster_is_replaced(site: Site) -> None:
    append(site, "[workers]\ncpus = 1\ngpus = 0\n")
    with Database.open(site) as database:
        stage = Stage(Site.open(site.folder), chain(), database=database)
        stage.give(names(2))
        try:
            async with stage.live(dask=True):
                await stage.until(lambda: stage.total()[0] == 2, "it works")
                await asyncio.to_thread(end_cluster, stage.site)
                stage.give(["e2", "e3"])
                await stage.until(lambda: stage.total()[0] == 4, "another has taken its place")
        finally:
            end_cluster(stage.site)
        stage.check_journal()
        stage.check_nothing_twice()
        stage.bell.close()


async def test_the_bell_is_heard(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are carried out at once, not at the next heartbeat; without a ring at the heartbeat."""
    monkeypatch.setattr("eucentric.engine.engine.HEARTBEAT", 600)
    stage.give(["break"], value="no more events from the source")
    async with stage.live():
        await stage.until(lambda: stage.session().held, "the source has ended")
        stage.tell(Retry(run="nothing"))
        await stage.until(stage.refusals, "the refusal")


async def test_a_bell_that_was_not_rung_is_made_up_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eucentric.engine.engine.HEARTBEAT", 0.1)
    async with stage.live():
        await stage.until(lambda: stage.session().state == "running", "it runs")
        stage.write_command(Retry(run="nothing"))
        await stage.until(stage.refusals, "the refusal")
