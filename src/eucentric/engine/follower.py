"""Following one session in the database: what each run has done, what failed, what was made of an exposure.

A look reads what has changed since the one before, so that it costs the same however long the session is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select

from eucentric.engine.overview import (
    ExposureOverview,
    Failure,
    Made,
    NoSuchRun,
    RunOverview,
    SessionOverview,
    run_overview,
    session_overview,
)
from eucentric.engine.recollect import first_revisions, path_of, read_runs
from eucentric.engine.scheduler import Path
from eucentric.store.tables import batch, item, session, task, withdrawal


class SessionFollower:
    """Follows one session; call `update` whenever the bell rings, then ask."""

    def __init__(self, session_id: int) -> None:
        self._session_id = session_id
        self._cursor = 0
        self._row: Row[Any] | None = None
        self._runs: dict[str, Row[Any]] = {}
        self._firsts: dict[tuple[int, int], int] = {}
        self._tasks: dict[int, dict[Path, tuple[int, int, str]]] = {}
        """For every run and path the newest task: its number, its revision, its state."""
        self._items: dict[tuple[int, str], dict[Path, None]] = {}
        """For every run and output the paths that have a current item."""
        self._found: dict[Path, float] = {}
        """All exposures that the sources have ever found, or could not read, and when."""
        self._folded: dict[int, dict[Path, None]] = {}
        """For every accumulator the paths in its newest version."""
        self._versions: dict[int, tuple[int, int]] = {}
        """For every accumulator its state (the first revision that has it) and its newest version."""
        self._broken: dict[tuple[int, str], int] = {}
        """For every accumulator and acquisition that does not get on the batch that failed."""
        self._withdrawn: Counter[int] = Counter()

    def update(self, connection: Connection) -> None:
        """Read what has changed since the last time."""
        self._row = connection.execute(select(session).where(session.c.id == self._session_id)).one()
        self._runs = read_runs(connection, self._session_id)
        self._firsts = first_revisions(connection, self._session_id)
        newest = max([self._cursor, *self._read_tasks(connection), *self._read_items(connection)])
        self._cursor = max([newest, *self._read_batches(connection)])
        numbers = [row.id for row in self._runs.values()]
        gone = select(withdrawal.c.run_id, func.count()).where(withdrawal.c.run_id.in_(numbers))
        grouped = gone.group_by(withdrawal.c.run_id)
        self._withdrawn = Counter(dict(connection.execute(grouped).all()))

    def _read_tasks(self, connection: Connection) -> Iterator[int]:
        """Take in changed tasks. Of sources, whose troubles end without a change, all that are there."""
        sources = [row.id for row in self._runs.values() if not row.inputs]
        for number in sources:
            self._tasks[number] = {}
        columns = (task.c.id, task.c.run_id, task.c.acquisition, task.c.key, task.c.revision, task.c.state)
        here = select(*columns, task.c.started, task.c.change).where(
            task.c.session_id == self._session_id, task.c.current
        )
        for query in (here.where(task.c.change > self._cursor), here.where(task.c.run_id.in_(sources))):
            for row in connection.execute(query):
                path = path_of(row.acquisition, row.key)
                self._tasks.setdefault(row.run_id, {})[path] = (row.id, row.revision, row.state)
                if row.run_id in sources:
                    self._found.setdefault(path, row.started)
                yield row.change

    def _read_items(self, connection: Connection) -> Iterator[int]:
        columns = (item.c.run_id, item.c.output, item.c.acquisition, item.c.key, item.c.state)
        more = (item.c.created, item.c.change)
        sources = {row.id for row in self._runs.values() if not row.inputs}
        changed = select(*columns, *more).where(
            item.c.session_id == self._session_id, item.c.change > self._cursor
        )
        for row in connection.execute(changed.order_by(item.c.id)):
            there = self._items.setdefault((row.run_id, row.output), {})
            path = path_of(row.acquisition, row.key)
            if row.run_id in sources:
                self._found.setdefault(path, row.created)
            if row.state == "current":
                there[path] = None
            else:
                there.pop(path, None)
            yield row.change

    def _read_batches(self, connection: Connection) -> Iterator[int]:
        changed = select(batch).where(batch.c.session_id == self._session_id, batch.c.change > self._cursor)
        for row in connection.execute(changed.order_by(batch.c.revision, batch.c.version)):
            yield row.change
            folded = self._folded.setdefault(row.run_id, {})
            self._broken.pop((row.run_id, row.acquisition), None)
            if row.state == "failed":
                self._broken[(row.run_id, row.acquisition)] = row.id
            if row.state != "done":
                continue
            newest = (self._firsts[row.run_id, row.revision], row.version)
            if newest[0] > self._versions.get(row.run_id, (0, 0))[0]:
                folded.clear()
            self._versions[row.run_id] = max(newest, self._versions.get(row.run_id, newest))
            for key, _ in row.removed:
                folded.pop(path_of(row.acquisition, key), None)
            for key, _ in row.added:
                folded[path_of(row.acquisition, key)] = None

    # ---------------------------------------------------------------- answers

    def overview(self) -> SessionOverview:
        """Return the session as it was at the last update."""
        assert self._row is not None, "update first"
        return session_overview(self._row, [self._run(row) for row in self._runs.values()])

    def _run(self, row: Row[Any]) -> RunOverview:
        counts = Counter(state for _, revision, state in self._current_tasks(row))
        withdrawn = self._withdrawn[row.id]
        if not row.inputs:
            outputs = [paths for (number, _), paths in self._items.items() if number == row.id]
            counts["done"] = max((sum(len(path) > 1 for path in paths) for paths in outputs), default=0)
            return run_overview(row, counts, withdrawn=withdrawn)
        given = self._given(row)
        if row.id in self._folded:
            first, version = self._versions.get(row.id, (0, 0))
            folded = self._folded[row.id] if first == self._firsts[row.id, row.revision] else {}
            counts["done"] = len(folded)
            counts["failed"] += sum(run == row.id for run, _ in self._broken)
            waiting = len(given.keys() - folded.keys())
            return run_overview(row, counts, versions=version, waiting=waiting, withdrawn=withdrawn)
        tasks = self._tasks.get(row.id, {})
        answered = {
            path
            for path, (_, revision, state) in tasks.items()
            if revision == row.revision and state != "interrupted"
        }
        return run_overview(row, counts, waiting=len(given.keys() - answered), withdrawn=withdrawn)

    def _current_tasks(self, row: Row[Any]) -> Iterable[tuple[int, int, str]]:
        return (found for found in self._tasks.get(row.id, {}).values() if found[1] == row.revision)

    def _given(self, row: Row[Any]) -> dict[Path, None]:
        """Return the paths for which all inputs of a run are there.

        Inputs that belong to a whole acquisition, or to a series, are there long before; they do not count.
        """
        ports = []
        for streams in row.inputs.values():
            paths: dict[Path, None] = {}
            for stream in [streams] if isinstance(streams, str) else streams:
                name, output = stream.split(".")
                paths |= self._items.get((self._runs[name].id, output), {})
            ports.append(paths)
        if not all(ports):
            return {}
        depths = [len(next(iter(paths))) for paths in ports]
        first, *others = (paths for paths, depth in zip(ports, depths, strict=True) if depth == max(depths))
        return {path: None for path in first if all(path in paths for paths in others)}

    def failures(self, connection: Connection, limit: int = 10) -> list[Failure]:
        """Return the tasks that failed or were rejected, and not done since, newest first."""
        numbers = [
            number
            for row in self._runs.values()
            for number, _, state in self._current_tasks(row)
            if state in ("failed", "rejected")
        ]
        newest = sorted(numbers, reverse=True)[:limit]
        found = self._failed(connection, batch, list(self._broken.values()))
        return (found + self._failed(connection, task, newest))[:limit]

    def _failed(self, connection: Connection, table: Table, numbers: list[int]) -> list[Failure]:
        names = {row.id: row.name for row in self._runs.values()}
        rows = connection.execute(select(table).where(table.c.id.in_(numbers)).order_by(table.c.id.desc()))
        return [
            Failure(
                run=names[row.run_id],
                path="/".join(path_of(row.acquisition, row.key if table is task else "")),
                state=row.state,
                reason=row.error or "",
                log=row.log,
                finished=row.finished,
            )
            for row in rows
        ]

    def found(self) -> list[Path]:
        """Return the exposures that the sources have found, and those they could not read, oldest first."""
        return [path for path in sorted(self._found, key=self._found.__getitem__) if len(path) > 1]

    def exposures(self, connection: Connection, paths: Sequence[Path]) -> list[ExposureOverview]:
        """Return what has been made of these exposures."""
        items: dict[Path, dict[str, Made]] = {path: {} for path in paths}
        query = (
            select(item.c.acquisition, item.c.key, item.c.kind, item.c.data, item.c.created)
            .where(item.c.run_id.in_({number for number, _ in self._items}))
            .where(item.c.output.in_({output for _, output in self._items}))
            .where(item.c.acquisition.in_({path[0] for path in paths}))
            .where(item.c.key.in_({"/".join(path[1:]) for path in paths}))
            .where(item.c.state == "current")
            .order_by(item.c.id)
        )
        for row in connection.execute(query):
            path = path_of(row.acquisition, row.key)
            if path in items:
                items[path][row.kind] = Made(data=row.data, created=row.created)
        return [
            ExposureOverview(path=path, items=found, states=self._states(path))
            for path, found in items.items()
        ]

    def _states(self, path: Path) -> dict[str, str]:
        return {
            name: self._tasks[row.id][path][2]
            for name, row in self._runs.items()
            if path in self._tasks.get(row.id, {})
        }

    def gathered(self, connection: Connection, kind: str) -> dict[str, dict[str, Any]]:
        """Return, for every acquisition, the fields of its current item of a kind (statistics, say)."""
        query = select(item.c.acquisition, item.c.data).where(
            item.c.run_id.in_({number for number, _ in self._items}),
            item.c.output.in_({output for _, output in self._items}),
            item.c.key == "",
            item.c.kind == kind,
            item.c.state == "current",
        )
        return dict(connection.execute(query.order_by(item.c.id)).all())


def paths_of_run(connection: Connection, session_id: int, name: str) -> list[Path]:
    """Return the paths for which a run has an item or a task, withdrawn ones too.

    Raises:
        NoSuchRun: The session has no run of this name; the message names those it has.
    """
    runs = read_runs(connection, session_id)
    if name not in runs:
        there = f"it has {', '.join(runs)}" if runs else "it gets its runs when it is first continued"
        raise NoSuchRun(f"The session has no run {name}; {there}.")
    paths: dict[Path, None] = {}
    for table, condition in ((item, item.c.state != "superseded"), (task, task.c.current)):
        query = select(table.c.acquisition, table.c.key).where(table.c.run_id == runs[name].id, condition)
        paths |= {path_of(row.acquisition, row.key): None for row in connection.execute(query)}
    return list(paths)
