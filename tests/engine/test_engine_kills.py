"""Kill -9 at any instant, and start again: nothing is lost, nothing is twice, nothing is different."""

import asyncio

import pytest

from engine.conftest import append, end_cluster
from engine.stage import Stage, chain
from engine.tormentor import Tormentor
from eucentric.store import Database, Site


@pytest.mark.parametrize("seed", [1, 2])
async def test_kills_of_engines_and_workers(worked: Stage, workers_site: Site, seed: int) -> None:
    tormentor = Tormentor(worked, seed, workers_site, {"engine": 3, "worker": 1, "both": 1})
    await tormentor.torment(6)
    while not tormentor.interruptions:  # on a busy machine some kills hit nothing
        await tormentor.torment(1)
    await tormentor.finish()
    await tormentor.judge()


async def test_kills_of_a_sum_that_goes_on_with_other_parameters(worked: Stage, workers_site: Site) -> None:
    tormentor = Tormentor(worked, 5, workers_site, {"engine": 3, "both": 1}, ("blue", "green", "white"))
    await tormentor.torment(6)
    await tormentor.finish()
    await tormentor.judge()
    revisions = {row.number: row for row in worked.rows_of_run("sum")}
    assert [revisions[number].continues for number in (1, 2, 3, 4)] == [None, 1, 2, 3]


async def test_kills_of_the_cluster_too(site: Site) -> None:
    append(site, "[workers]\ncpus = 2\ngpus = 0\n")
    site = Site.open(site.folder)
    with Database.open(site) as database:
        stage = Stage(site, chain(), database=database)
        tormentor = Tormentor(stage, 3, site, {"engine": 1, "worker": 1, "both": 1, "cluster": 2})
        try:
            await tormentor.torment(4)
            await tormentor.finish()
        finally:
            await asyncio.to_thread(end_cluster, site)
        await tormentor.judge()
        stage.bell.close()


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
async def test_an_inline_engine_is_ended_within_a_task(stage: Stage, how: str) -> None:
    stage.give(f"e{number}" for number in range(5))
    stage.mood("two", "0.3")
    process = await asyncio.to_thread(stage.start, "inline")
    await stage.until(lambda: "running" in stage.states("two").values(), "a task runs")
    process.kill() if how == "SIGKILL" else process.terminate()
    await asyncio.to_thread(process.join)
    assert stage.session().state == ("running" if how == "SIGKILL" else "stopped")
    stage.mood("two", None)
    await stage.run()
    assert "interrupted" in [row.state for row in stage.tasks("two", current=False)]
    assert stage.total()[0] == 5
    stage.check_journal()
    stage.check_nothing_twice()
