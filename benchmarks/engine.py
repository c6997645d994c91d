"""What the engine adds to the computing: latency, cost per task, resuming, withdrawing.

Run as `python benchmarks/engine.py [PART ...] [--sqlite]`; it prints Markdown tables. The parts are latency,
hops and long. PostgreSQL is measured on a server of the tests' own where one is installed.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import insert, select, update

from eucentric.engine.cluster import connect
from eucentric.engine.commands import Restore, Withdraw, send_command
from eucentric.engine.engine import Engine
from eucentric.engine.executors import DaskExecutor, InlineExecutor
from eucentric.engine.journal import Journal
from eucentric.engine.lease import take_lease
from eucentric.engine.outside import Action, StartSource, Submit
from eucentric.engine.registry import Registry
from eucentric.engine.scheduler import Worker
from eucentric.engine.sessions import create_session
from eucentric.engine.sources import FoundItem
from eucentric.engine.steps import Ended, Rang, Staff, Steps
from eucentric.engine.worker import Result
from eucentric.engine.workflow import RunSpec, Workflow
from eucentric.store import Database, Site, tables

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from postgres_server import PostgresServer, find_programs

PROTOCOLS = Path(__file__).parent / "engine_protocols" / "noop.py"
PEER = "Peer, scipion-pyworkflow 3.11:"


def chain(source: str, runs: int, **params: Any) -> Workflow:
    """Return a workflow of a source and so many runs, each fed by the one before."""
    specs = {"source": RunSpec(protocol=source, params=params)}
    for number in range(runs):
        fed = f"run{number - 1}.tick" if number else "source.tick"
        specs[f"run{number}"] = RunSpec(protocol="bench-pass", inputs={"tick": fed})
    return Workflow(name="bench", runs=specs)


@contextlib.contextmanager
def new_site(kind: str, settings: str = "") -> Iterator[tuple[Site, Database]]:
    """Give a site with a database of a kind ("SQLite", "PostgreSQL") on two CPUs."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eucentric-bench-")))
        if kind == "PostgreSQL":
            programs = find_programs()
            assert programs is not None
            server = PostgresServer(programs)
            stack.callback(server.remove)
            settings = f'database = "{stack.enter_context(server.new_database())}"\n{settings}'
        site = Site.create(folder / "site", settings + "[workers]\ncpus = 2\ngpus = 0\n")
        shutil.copy(PROTOCOLS, site.protocols_folder)
        yield site, stack.enter_context(Database.open(site))


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    """Print a Markdown table."""
    print(f"\n**{title}**\n")
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print(
            "| " + " | ".join(f"{each:.3g}" if isinstance(each, float) else str(each) for each in row) + " |"
        )
    if note:
        print(f"\n{note}")


# -------------------------------------------------------------------- latency


async def latencies(site: Site, database: Database, count: int = 40) -> list[float]:
    """Return the milliseconds from a file's renaming into the folder to the start of its first task."""
    with database.write() as connection:
        create_session(site, connection, "night", chain("bench-drop", 1), "bench")
    folder = site.session_folder("night") / "data"
    engine = Engine(site, database, "night", DaskExecutor(lambda: connect(site)))
    running = asyncio.create_task(engine.run())
    renamed: dict[str, float] = {}
    item = tables.item.c
    query = select(item.key, item.data).where(item.task_id.is_not(None))
    for number in range(-3, count):  # the first ones find the worker still loading the protocols
        name = f"e{number}"
        (folder / f".{name}").write_bytes(os.urandom(1000))
        renamed[name] = time.time()
        (folder / f".{name}").rename(folder / f"{name}.tiff")
        begun: dict[str, float] = {}
        while name not in begun:
            await asyncio.sleep(0.1)
            with database.read() as connection:
                begun = {row.key: row.data["when"] for row in connection.execute(query)}
    engine.stop()
    await running
    return sorted((begun[name] - renamed[name]) * 1000 for name in renamed if not name.startswith("e-"))


def measure_latency(kinds: Sequence[str]) -> None:
    """Print the latency of an idle session."""
    rows = []
    for kind in kinds:
        with new_site(kind) as (site, database):
            taken = asyncio.run(latencies(site, database))
        rows.append((kind, statistics.median(taken), taken[int(0.9 * len(taken))], taken[-1]))
    table(
        "From a file renamed into a local folder to the start of its first task (idle session, Dask)",
        ("database", "median (ms)", "90 % (ms)", "longest (ms)"),
        rows,
        f"Wanted: median < 100 ms. {PEER} 18–52 s from the movie to its CTF row, 7–12 s a hop.",
    )


# -------------------------------------------------------------------- tasks that do nothing


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU time (s) of a process and all below it."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


async def run_hops(site: Site, database: Database, items: int, dask: bool) -> tuple[float, float, float]:
    """Return wall time, CPU time of the engine, and of everything (s), for `items` through three runs."""
    workflow = chain("bench-count", 3, count=items)
    with database.write() as connection:
        create_session(site, connection, "night", workflow, "bench")
    executor = DaskExecutor(lambda: connect(site)) if dask else InlineExecutor()
    if dask:  # the cluster's start is not measured
        client = await connect(site)
        await client.wait_for_workers(2)
        await client.close()
    start, cpu, all_cpu = time.perf_counter(), time.process_time(), cpu_of(psutil.Process())
    await Engine(site, database, "night", executor, until_idle=True).run()
    return time.perf_counter() - start, time.process_time() - cpu, cpu_of(psutil.Process()) - all_cpu


def measure_hops(kinds: Sequence[str]) -> None:
    """Print what tasks without any work cost."""
    items, rows = 1000, []
    for kind in kinds:
        for dask in (True, False):
            with new_site(kind) as (site, database):
                wall, engine, everything = asyncio.run(run_hops(site, database, items, dask))
            name = "Dask, 2 workers" if dask else "inline"
            rows.append((kind, name, wall, engine, everything, wall / items / 3 * 1000))
    table(
        "1,000 items through 3 runs that do nothing",
        ("database", "executor", "wall (s)", "CPU, engine (s)", "CPU, all (s)", "wall per task (ms)"),
        rows,
        f"Wanted: < 20 s. {PEER} 49 ms a step that does nothing.",
    )


# -------------------------------------------------------------------- a long session


def fill(database: Database, number: int, exposures: range, runs: int) -> None:
    """Write the rows of a session whose exposures went through all runs."""
    with database.write() as connection:
        ids = dict(connection.execute(select(tables.run.c.name, tables.run.c.id)).all())  # type: ignore[arg-type]
        common = {"session_id": number, "revision": 1, "acquisition": "a", "change": 1}
        made = {**common, "output": "tick", "kind": "tick", "state": "current", "created": 0.0}
        rows = [
            {**made, "run_id": ids["source"], "key": f"e{each}", "data": {"when": each}} for each in exposures
        ]
        statement = insert(tables.item).returning(tables.item.c.id, sort_by_parameter_order=True)
        before = list(connection.execute(statement, rows).scalars())
        for run in range(runs):
            place = {**common, "run_id": ids[f"run{run}"]}
            tasks = [
                {
                    **place, "key": f"e{each}", "generation": 0, "attempt": 1, "state": "done",
                    "current": True, "inputs": {"tick": given}, "seed": "0" * 64,
                }
                for each, given in zip(exposures, before, strict=True)
            ]  # fmt: skip
            start = insert(tables.task).returning(tables.task.c.id, sort_by_parameter_order=True)
            numbers = list(connection.execute(start, tasks).scalars())
            rows = [
                {
                    **made,
                    "run_id": place["run_id"],
                    "key": f"e{each}",
                    "data": {"when": each},
                    "task_id": task,
                }
                for each, task in zip(exposures, numbers, strict=True)
            ]
            before = list(connection.execute(statement, rows).scalars())


def open_steps(site: Site, database: Database, number: int) -> tuple[Steps, list[Action]]:
    """Read a session back, as its engine does at the start, and take the first step."""
    with database.write() as connection:
        connection.execute(update(tables.session).values(lease_holder=None))
        token = take_lease(connection, number)
    journal = Journal(database, number, token)
    registry = Registry(site.protocols_folder)
    steps = Steps(journal, registry, site.session_folder("night"), site.protocols_folder)
    return steps, steps.begin()


def work_off(steps: Steps, actions: list[Action]) -> None:
    """Answer every task at once with what it would have made."""
    while tasks := [action for action in actions if isinstance(action, Submit)]:
        made = {"tick": {"kind": "tick", "data": {"when": 1.0}}}
        done = [Ended(task.ticket, Result(status="done", outputs=made)) for task in tasks]  # type: ignore[arg-type]
        actions = steps.step(done)


def cost_of_items(steps: Steps, first: int, count: int) -> tuple[float, float]:
    """Return the CPU time (ms) and the memory (kB) that each of `count` new exposures takes."""
    life = steps._lives["source"]
    memory, start = psutil.Process().memory_info().rss, time.process_time()
    for each in range(first, first + count):
        item = FoundItem("source", life, "tick", ("a", f"e{each}"), {"kind": "tick", "data": {"when": 0.0}})
        work_off(steps, steps.step([item]))
    grown = psutil.Process().memory_info().rss - memory
    return (time.process_time() - start) / count * 1000, grown / count / 1000


def withdraw_all(steps: Steps, database: Database, number: int, exposures: int, back: bool) -> float:
    """Return the seconds in which all exposures leave the stream, with all that descends from them."""
    paths = [["a", f"e{each}"] for each in range(exposures)]
    command = (
        Restore(run="source", paths=paths) if back else Withdraw(run="source", paths=paths, reason="ice")
    )
    with database.write() as connection:
        send_command(connection, number, command, "bench")
    start = time.perf_counter()
    steps.step([Rang()])
    return time.perf_counter() - start


def measure_long(kinds: Sequence[str], runs: int = 6) -> None:
    """Print what a session costs when it is long."""
    resumes, costs, withdrawals = [], [], []
    for kind in kinds:
        with new_site(kind) as (site, database):
            with database.write() as connection:
                number = create_session(site, connection, "night", chain("bench-count", runs), "bench")
            open_steps(site, database, number)
            filled = 0
            for exposures in (1000, 10_000, 20_000):
                fill(database, number, range(filled, exposures), runs)
                wall, cpu = time.perf_counter(), time.process_time()
                steps, actions = open_steps(site, database, number)
                resumes.append((kind, exposures, time.perf_counter() - wall, time.process_time() - cpu))
                assert not [each for each in actions if not isinstance(each, StartSource)]
                steps.step([Staff((Worker("x"), Worker("y")), False, 2, 10**12)])
                costs.append((kind, exposures, *cost_of_items(steps, exposures, 300)))
                filled = exposures + 300
            for back in (False, True):
                taken = withdraw_all(steps, database, number, 20_000, back)
                withdrawals.append((kind, "restored" if back else "withdrawn", taken))
    table(
        f"A session of {runs} runs is resumed (without imports and Dask)",
        ("database", "exposures", "wall (s)", "CPU (s)"),
        resumes,
        "Wanted: 20,000 exposures in < 3 s.",
    )
    table(
        f"What a new exposure costs the engine, through {runs} runs",
        ("database", "exposures there are", "CPU (ms)", "memory (kB)"),
        costs,
        "Wanted: the same however many there are.",
    )
    table(
        f"20,000 exposures leave the stream and come back, with their {20_000 * runs} descendants",
        ("database", "", "wall (s)"),
        withdrawals,
        "Wanted: < 2 s.",
    )


PARTS = {"latency": measure_latency, "hops": measure_hops, "long": measure_long}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    parser.add_argument("--sqlite", action="store_true", help="leave PostgreSQL out")
    chosen = parser.parse_args()
    kinds = ["SQLite"] if chosen.sqlite or find_programs() is None else ["SQLite", "PostgreSQL"]
    print(f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs.")
    for part in chosen.parts or PARTS:
        PARTS[part](kinds)


if __name__ == "__main__":
    main()
