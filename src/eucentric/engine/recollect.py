"""Reading back from the database what a session's scheduler needs to go on."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, select

from eucentric.engine.graph import Graph
from eucentric.engine.places import task_destination, version_folder
from eucentric.engine.protocol import Found
from eucentric.engine.scheduler import BatchMemory, Memory, Path, TaskMemory
from eucentric.engine.worker import item_of
from eucentric.engine.workflow import RunSpec, Workflow
from eucentric.store.tables import batch, item, run, run_revision, task, withdrawal


def read_runs(connection: Connection, session_id: int) -> dict[str, Row[Any]]:
    """Return the runs of a session with their current revision (params, inputs, code, ...), by name."""
    query = (
        select(run, run_revision)
        .join(run_revision, (run_revision.c.run_id == run.c.id) & (run_revision.c.number == run.c.revision))
        .where(run.c.session_id == session_id)
        .order_by(run.c.id)
    )
    return {row.name: row for row in connection.execute(query)}


def workflow_of(runs: dict[str, Row[Any]], session: str) -> Workflow:
    """Return the runs of a session as the workflow document that they are."""
    specs = {
        name: RunSpec(protocol=row.protocol, params=row.params, inputs=row.inputs)
        for name, row in runs.items()
    }
    return Workflow(name="session", description=f"The workflow of session {session}", runs=specs)


def first_revisions(connection: Connection, session_id: int) -> dict[tuple[int, int], int]:
    """Return for every revision, by run and number, the first of those that share its state.

    It is that revision itself, but where an accumulator goes on from an earlier one.
    """
    query = (
        select(run_revision.c.run_id, run_revision.c.number, run_revision.c.continues)
        .join(run, run.c.id == run_revision.c.run_id)
        .where(run.c.session_id == session_id)
        .order_by(run_revision.c.number)
    )
    firsts: dict[tuple[int, int], int] = {}
    for run_id, number, continues in connection.execute(query):
        firsts[run_id, number] = number if continues is None else firsts[run_id, continues]
    return firsts


def path_of(acquisition: str, key: str) -> Path:
    """Return the path of a row: its acquisition followed by the parts of its key."""
    return (acquisition, *key.split("/")) if key else (acquisition,)


def read_memory(connection: Connection, session_id: int, graph: Graph) -> Memory:
    """Return everything that was committed for a session with the runs of `graph`.

    The rows are read column by column as plain tuples: a session of 20,000 exposures has several hundred
    thousand of them.
    """
    runs = {row.id: row for row in read_runs(connection, session_id).values()}
    names = {number: row.name for number, row in runs.items()}
    firsts = first_revisions(connection, session_id)
    memory = Memory(
        revisions={row.name: row.revision for row in runs.values()},
        firsts={row.name: firsts[row.id, row.revision] for row in runs.values()},
    )
    columns = (item.c.run_id, item.c.output, item.c.acquisition, item.c.key, item.c.id, item.c.state)
    query = select(*columns, item.c.revision).where(
        item.c.session_id == session_id, item.c.state != "superseded"
    )
    items = memory.items
    for run_id, output, acquisition, key, number, state, revision in connection.execute(
        query.order_by(item.c.id)
    ):
        path = path_of(acquisition, key)
        first = firsts[run_id, revision]
        items.append((names[run_id], output, path, number, state == "withdrawn", first))
    shallow = select(item.c.id, item.c.run_id, item.c.revision).where(
        item.c.session_id == session_id, item.c.key == ""
    )
    for number, run_id, revision in connection.execute(shallow):
        memory.shallow[number] = firsts[run_id, revision]
    made = select(item.c.id, task.c.inputs).join(task, item.c.task_id == task.c.id)
    for number, inputs in connection.execute(made.where(item.c.session_id == session_id, item.c.key == "")):
        used = [each for given in inputs.values() for each in (given if isinstance(given, list) else [given])]
        memory.made_from[number] = tuple(each for each in used if each is not None)
    _read_tasks(connection, session_id, runs, graph, memory)
    _read_batches(connection, session_id, runs, firsts, memory)
    gone = select(withdrawal.c.run_id, withdrawal.c.acquisition, withdrawal.c.key)
    for run_id, acquisition, key in connection.execute(gone.where(withdrawal.c.run_id.in_(list(runs)))):
        memory.withdrawn.append((names[run_id], path_of(acquisition, key)))
    return memory


def _read_tasks(
    connection: Connection, session_id: int, runs: dict[int, Row[Any]], graph: Graph, memory: Memory
) -> None:
    query = select(
        task.c.run_id,
        task.c.acquisition,
        task.c.key,
        task.c.revision,
        task.c.state,
        task.c.inputs,
        task.c.generation,
    ).where(task.c.session_id == session_id, task.c.current)
    for run_id, acquisition, key, revision, state, inputs, generation in connection.execute(query):
        owner = runs[run_id]
        if revision != owner.revision:
            continue
        path = path_of(acquisition, key)
        if graph[owner.name].station == "source":
            memory.troubles.append((owner.name, graph[owner.name].outputs[0], path))
        else:
            outcome = state if state in ("done", "failed", "rejected") else None
            done = generation + (state == "done")
            memory.tasks.append(TaskMemory(owner.name, path, inputs, outcome, done))


def _read_batches(
    connection: Connection,
    session_id: int,
    runs: dict[int, Row[Any]],
    firsts: dict[tuple[int, int], int],
    memory: Memory,
) -> None:
    query = select(batch).where(batch.c.session_id == session_id).order_by(batch.c.version)
    for row in connection.execute(query):
        owner = runs[row.run_id]
        shared = firsts[row.run_id, row.revision] == memory.firsts[owner.name]
        if row.revision == owner.revision or (shared and row.state == "done"):
            memory.batches.append(
                BatchMemory(
                    owner.name,
                    (row.acquisition,),
                    row.version,
                    row.revision,
                    [(path_of(row.acquisition, key), inputs) for key, inputs in row.added],
                    [(path_of(row.acquisition, key), inputs) for key, inputs in row.removed],
                    row.state,
                )
            )


def read_found(connection: Connection, session_id: int, run_id: int, revision: int) -> Iterator[Found]:
    """Return what a source yielded under its current revision, in the order in which it came.

    The rows are read at once, and turned into items as these are asked for.
    """
    query = (
        select(item.c.acquisition, item.c.key, item.c.output, item.c.kind, item.c.data)
        .where(item.c.session_id == session_id, item.c.run_id == run_id, item.c.revision == revision)
        .where(item.c.state != "superseded")
        .order_by(item.c.id)
    )
    rows = connection.execute(query).all()
    return (
        Found(acquisition, path_of(acquisition, key)[1:], output, item_of({"kind": kind, "data": data}))
        for acquisition, key, output, kind, data in rows
    )


def unfinished_folders(connection: Connection, session_id: int) -> list[str]:
    """Return where the results of tasks and batches that never ended may already lie."""
    started = (
        select(run.c.name, task.c.revision, task.c.acquisition, task.c.key, task.c.generation)
        .join(task, task.c.run_id == run.c.id)
        .where(task.c.session_id == session_id, task.c.state == "running")
    )
    folders = [
        task_destination(name, revision, path_of(acquisition, key), generation)
        for name, revision, acquisition, key, generation in connection.execute(started)
    ]
    journalled = (
        select(run.c.name, batch.c.revision, batch.c.acquisition, batch.c.version)
        .join(batch, batch.c.run_id == run.c.id)
        .where(batch.c.session_id == session_id, batch.c.state == "journalled")
    )
    return folders + [version_folder(*row) for row in connection.execute(journalled)]
