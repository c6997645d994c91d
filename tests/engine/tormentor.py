"""Kills engines, workers and clusters at random instants, and counts what is lost or twice."""

import asyncio
import contextlib
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import psutil

from engine.stage import PATIENCE, Stage, chain
from eucentric.engine.commands import Retry, Revise
from eucentric.store import Site

WHAT = {"engine": 10, "worker": 4, "both": 5, "cluster": 1}


def pids_of_workers(site: Site) -> list[int]:
    """The processes of a site's own workers."""
    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        cluster = psutil.Process(json.loads((site.run_folder / "cluster.json").read_text())["pid"])
        children = cluster.children(recursive=True)
        return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]
    return []


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Tormentor:
    """A session that gets new exposures and kills in turn.

    Attributes:
        runs: Runs whose failures are tried again in the end.
        given: How many exposures there are.
        kills: How often what was killed.
    """

    runs: tuple[str, ...] = ("one", "two", "join", "sum")

    def __init__(
        self,
        stage: Stage,
        seed: int,
        workers_site: Site,
        what: dict[str, int] | None = None,
        colours: tuple[str, ...] = (),
    ) -> None:
        """`workers_site` is the site whose cluster computes; `what` weighs what is killed.

        `colours` are what the sum goes on with, one after the other, one before every other kill.
        """
        self.stage = stage
        self.workers_site = workers_site
        self.kills: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._what = what or WHAT
        self._colours = colours
        self.given = 0
        self._engine: BaseProcess | None = None
        for run in ("one", "two", "sum"):
            stage.mood(run, "0.03")

    def give(self, count: int) -> None:
        """Give the session so many new exposures."""
        self.stage.give(f"e{number}" for number in range(self.given, self.given + count))
        self.given += count

    async def torment(self, kills: int, progress: Callable[[], object] = lambda: None) -> None:
        """Let the session run, and kill so many times."""
        for number in range(kills):
            self.give(self._random.randint(2, 5))
            if number % 2 and number // 2 < len(self._colours):
                self.stage.tell(Revise(run="sum", params={"colour": self._colours[number // 2]}))
            done = self._count_done()
            if self._engine is None or not self._engine.is_alive():
                self._engine = await asyncio.to_thread(self.stage.start)
            if self._random.random() < 0.8:  # most of the time while it works, else while it starts
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(3):
                        while self._count_done() == done:
                            await asyncio.sleep(0.02)
            await asyncio.sleep(self._random.uniform(0, 0.3))
            self._kill(self._random.choices(list(self._what), list(self._what.values()))[0])
            progress()
        if self._engine is not None:
            self._engine.kill()
            self._engine.join()

    def _count_done(self) -> int:
        return len(self.stage.rows_of("task", state="done"))

    def _kill(self, what: str) -> None:
        self.kills[what] += 1
        if what == "cluster":
            with contextlib.suppress(OSError, ValueError):
                kill(json.loads((self.workers_site.run_folder / "cluster.json").read_text())["pid"])
        if what in ("worker", "both") and (workers := pids_of_workers(self.workers_site)):
            kill(self._random.choice(workers))
        if what in ("engine", "both"):
            assert self._engine is not None
            self._engine.kill()
            self._engine.join()

    async def finish(self, patience: float = PATIENCE) -> None:
        """Let the session run to its end, undisturbed; what was killed too often is tried again."""
        await self.stage.run(dask=True, patience=patience)
        for run in self.runs:
            self.stage.write_command(Retry(run=run))
        await self.stage.run(dask=True, patience=patience)

    @property
    def interruptions(self) -> int:
        """How many tasks were ended by the kills."""
        return len(self.stage.rows_of("task", state="interrupted"))

    async def judge(self, patience: float = PATIENCE) -> None:
        """Raise AssertionError where anything is lost, twice, or other than in a session left in peace."""
        count = self.given
        assert self.stage.total() == (count, sum(range(count)) + 2 * count), self.stage.told()
        self.stage.check_journal()
        self.stage.check_nothing_twice()
        quiet = Stage(self.stage.site, chain(), "quiet", self.stage.database)
        quiet.give(f"e{number}" for number in range(count))
        for colour in self._colours:
            quiet.write_command(Revise(run="sum", params={"colour": colour}))
        await quiet.run(patience=patience)
        quiet.bell.close()
        assert self.stage.result() == quiet.result()
