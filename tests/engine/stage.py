"""A session on its stage: to be given files and moods, run, looked at, and compared with another."""

import asyncio
import contextlib
import hashlib
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Row, select

from engine import sample_protocols as sample
from engine.run_engine import run_engine
from eucentric.engine.cluster import connect
from eucentric.engine.commands import Command, send_command
from eucentric.engine.engine import Engine
from eucentric.engine.executors import DaskExecutor, Executor, InlineExecutor
from eucentric.engine.recollect import first_revisions
from eucentric.engine.sessions import create_session, tell
from eucentric.engine.workflow import RunSpec, Workflow
from eucentric.store import Bell, Database, Site, tables

PRELOAD = ["engine.run_engine", "engine.stage", "distributed", "psycopg"]
PATIENCE = 100.0

processes = get_context("forkserver")
processes.set_forkserver_preload(PRELOAD)


def chain(**more: RunSpec) -> Workflow:
    """Numbers through two steps, joined with the first of them, and summed up."""
    runs = {
        "inbox": RunSpec(protocol="sample-inbox"),
        "one": RunSpec(protocol="sample-step", inputs={"number": "inbox.value"}),
        "two": RunSpec(protocol="sample-step", inputs={"number": "one.value"}),
        "join": RunSpec(protocol="sample-join", inputs={"first": "two.value", "second": "inbox.value"}),
        "sum": RunSpec(protocol="sample-sum", inputs={"number": "two.value"}),
    }
    return Workflow(name="chain", runs={**runs, **more})


class Stage:
    """One session of a site."""

    def __init__(self, site: Site, workflow: Workflow, name: str = "night", database: Database | None = None):
        self.site = site
        self.name = name
        self.database = database or Database.open(site)
        if not (site.protocols_folder / "sample.py").exists():
            shutil.copy(Path(sample.__file__), site.protocols_folder / "sample.py")
        with self.database.write() as connection:
            self.number = create_session(site, connection, name, workflow, "tester")
        self.folder = site.session_folder(name)
        self.bell = Bell(site, self.database)
        for each in ("data/inbox/a", "data/moods"):
            (self.folder / each).mkdir(parents=True, exist_ok=True)

    # ---------------------------------------------------------------- what happens to it

    def give(self, names: Iterable[str], acquisition: str = "a", value: int | str | None = None) -> None:
        """New files for the source; a number's value is that of its name's digits unless given."""
        for name in names:
            digits = "".join(each for each in name if each.isdigit())
            file = self.folder / "data/inbox" / acquisition / name
            file.parent.mkdir(exist_ok=True)
            hidden = file.with_name(f".{name}")
            hidden.write_text(str(value) if value is not None else digits)
            hidden.rename(file)

    def mood(self, run: str, mood: str | None, key: str | None = None) -> None:
        """What the tasks of a run do beside their work, or that of one key; None: nothing any more."""
        file = self.folder / "data/moods" / (f"{run}~{key}" if key else run)
        if mood is None:
            file.unlink()
        else:
            file.write_text(mood)

    def tell(self, command: Command) -> int:
        return tell(self.database, self.bell, self.name, command, "tester")

    def write_command(self, command: Command) -> None:
        """Without ringing."""
        with self.database.write() as connection:
            send_command(connection, self.number, command, "tester")

    # ---------------------------------------------------------------- engines

    def engine(self, *, until_idle: bool = False, dask: bool = False) -> Engine:
        executor: Executor = DaskExecutor(lambda: connect(self.site)) if dask else InlineExecutor()
        return Engine(self.site, self.database, self.name, executor, until_idle=until_idle)

    async def run(self, *, dask: bool = False, patience: float = PATIENCE) -> None:
        """Run an engine until nothing is left to do."""
        async with asyncio.timeout(patience):
            await self.engine(until_idle=True, dask=dask).run()

    @contextlib.asynccontextmanager
    async def live(self, *, dask: bool = False) -> AsyncIterator[Engine]:
        """An engine that runs until the block is left."""
        engine = self.engine(dask=dask)
        running = asyncio.create_task(engine.run())
        try:
            yield engine
        finally:
            if not running.done():
                engine.stop()
            await running

    def start(self, kind: str = "dask", until_idle: bool = True) -> BaseProcess:
        """An engine in a process of its own."""
        process = processes.Process(
            target=run_engine, args=(str(self.site.folder), self.name, kind, until_idle), daemon=True
        )
        process.start()
        return process

    async def until(self, question: Callable[[], object], what: str = "") -> None:
        """Wait until the answer is yes."""
        end = time.monotonic() + PATIENCE
        while not question():
            if time.monotonic() > end:
                raise TimeoutError(f"It never came about: {what}\n{self.told()}")
            await asyncio.sleep(0.02)

    # ---------------------------------------------------------------- what came of it

    def rows(self, query: Any) -> list[Row[Any]]:
        with self.database.read() as connection:
            return list(connection.execute(query).all())

    def rows_of(self, table: str, **values: Any) -> list[Row[Any]]:
        """The session's rows of a table with these values."""
        found = tables.metadata.tables[table]
        query = select(found).where(found.c.session_id == self.number).order_by(found.c.id)
        return self.rows(query.where(*(found.c[name] == value for name, value in values.items())))

    def insert(self, table: str, **values: Any) -> None:
        with self.database.write() as connection:
            connection.execute(tables.metadata.tables[table].insert().values(values))

    def items(self, run: str, state: str = "current") -> dict[str, dict[str, Any]]:
        """The fields of a run's items, by key."""
        item = tables.item.c
        query = (
            select(item.key, item.data)
            .join(tables.run, tables.run.c.id == item.run_id)
            .where(item.session_id == self.number, tables.run.c.name == run, item.state == state)
        )
        return {row.key: row.data for row in self.rows(query)}

    def values(self, run: str) -> dict[str, int]:
        return {key: data["value"] for key, data in self.items(run).items() if "value" in data}

    def total(self, run: str = "sum") -> tuple[int, int]:
        """How many entries a sum has, and what it comes to."""
        found = self.items(run).get("", {})
        return found.get("entries", 0), found.get("total", 0)

    def tasks(self, run: str, *, current: bool = True) -> list[Row[Any]]:
        task = tables.task.c
        query = (
            select(tables.task)
            .join(tables.run, tables.run.c.id == task.run_id)
            .where(task.session_id == self.number, tables.run.c.name == run)
            .order_by(task.id)
        )
        return [row for row in self.rows(query) if row.current or not current]

    def rows_of_run(self, run: str) -> list[Row[Any]]:
        """The revisions of a run."""
        revision = tables.run_revision
        query = select(revision).join(tables.run, tables.run.c.id == revision.c.run_id)
        return self.rows(query.where(tables.run.c.session_id == self.number, tables.run.c.name == run))

    def states(self, run: str) -> dict[str, str]:
        return {row.key: row.state for row in self.tasks(run)}

    def session(self) -> Row[Any]:
        return self.rows(select(tables.session).where(tables.session.c.id == self.number))[0]

    def refusals(self) -> list[str]:
        command = tables.command.c
        query = select(command.error).where(command.session_id == self.number, command.error.is_not(None))
        return [row.error for row in self.rows(query)]

    def told(self) -> str:
        """How everything stands, for a failing test."""
        runs = [
            row.name for row in self.rows(select(tables.run).where(tables.run.c.session_id == self.number))
        ]
        states = {run: [(row.key, row.state, row.error) for row in self.tasks(run)] for run in runs}
        file = self.site.folder / "logs" / "engine.log"
        log = file.read_text()[-8000:] if file.exists() else ""
        return f"{states}\n{self.session()}\n{self.refusals()}\n{log}"

    # ---------------------------------------------------------------- nothing lost, nothing twice

    def result(self) -> dict[str, Any]:
        """All that counts of a session's results, the same however often its engine was killed.

        How entries were batched depends on time, so of a sum only the number and the total count here;
        `check_journal` looks at the rest.
        """
        run, item = tables.run.c, tables.item.c
        query = (
            select(run.name, item.output, item.acquisition, item.key, item.data, item.state, item.revision)
            .join(tables.run, run.id == item.run_id)
            .where(item.session_id == self.number, item.state != "superseded")
        )
        found: dict[str, Any] = {}
        for row in self.rows(query):
            data = {name: value for name, value in row.data.items() if name != "chain"}
            found[f"{row.name}.{row.output} {row.acquisition}/{row.key}"] = (row.state, row.revision, data)
        for file in (self.folder / "runs").rglob("*"):
            if file.is_file():
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                found[str(file.relative_to(self.folder))] = digest
        return found

    def check_journal(self, run: str = "sum") -> None:
        """Every version of a sum is what its batch makes of the version before, and none is missing."""
        batch, revision = tables.batch.c, tables.run_revision.c
        query = (
            select(tables.batch, revision.params, tables.run.c.revision.label("current"))
            .join(tables.run, tables.run.c.id == batch.run_id)
            .join(
                tables.run_revision,
                (revision.run_id == batch.run_id) & (revision.number == batch.revision),
            )
            .where(batch.session_id == self.number, tables.run.c.name == run, batch.state == "done")
            .order_by(batch.version)
        )
        with self.database.read() as connection:
            firsts = first_revisions(connection, self.number)
        state: sample.Total | None = None
        rows = [
            row
            for row in self.rows(query)
            if firsts[row.run_id, row.revision] == firsts[row.run_id, row.current]
        ]
        for number, row in enumerate(rows, start=1):
            assert row.version == number
            seed = int.from_bytes(hashlib.sha256(row.seed.encode()).digest()[:8], "big")
            noise = np.random.default_rng(seed).bytes(4)
            colour = row.params.get("colour", "red")
            state = sample.folded(state, self._numbers(row.added), self._numbers(row.removed), noise, colour)
            folder = self.folder / f"state/{run}/r{row.revision}/{row.acquisition}/v{number}"
            assert (folder / "chain").read_text() == state.chain, f"version {number} is not what it should be"
        assert state is not None
        assert self.items(run)[""] == state.model_dump(exclude_defaults=True)

    def _numbers(self, entries: list[Any]) -> list[int]:
        numbers = [inputs["number"] for _, inputs in entries]
        rows = self.rows(select(tables.item.c.id, tables.item.c.data).where(tables.item.c.id.in_(numbers)))
        values = {row.id: row.data["value"] for row in rows}
        return [values[number] for number in numbers]

    def check_nothing_twice(self) -> None:
        """No task was done twice from the same inputs, nothing seems to run, and no folder is a leftover."""
        query = select(tables.task).where(tables.task.c.session_id == self.number)
        done = [
            (row.run_id, row.revision, row.acquisition, row.key, str(row.inputs))
            for row in self.rows(query)
            if row.state == "done"
        ]
        assert len(done) == len(set(done))
        assert not [row for row in self.rows(query) if row.state == "running"]
        values = [value for row in self.rows(select(tables.item)) for value in row.data.values()]
        said = [text for value in values for text in (value if isinstance(value, list) else [value])]
        kept = {str(self.folder / str(text)) for text in said}
        lying = {str(file) for file in (self.folder / "runs").rglob("*") if file.is_file()}
        assert lying <= kept, f"files of nothing: {lying - kept}"
        assert not list((self.folder / "work").iterdir())
