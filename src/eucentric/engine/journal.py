"""What an engine writes: runs, tasks, items and batches of its session, in short transactions.

Every transaction first checks the lease, and gives all rows it touches new change numbers, so that readers
can ask for what changed since the number they know.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from eucentric.engine.lease import check_lease, check_not_frozen
from eucentric.engine.scheduler import Inputs, Path
from eucentric.engine.statements import END, HERE, INSERT_ITEMS, RETIRE, START, SUPERSEDE
from eucentric.engine.worker import ItemRecord
from eucentric.store import Database, tables

_task = tables.task.c
MOST_PARAMETERS = 5000
"""Most values in one statement."""


class StartedTask(NamedTuple):
    """A task as its start was written."""

    id: int
    attempt: int


class Journal:
    """The one writer of a session; open a transaction with `write`."""

    def __init__(self, database: Database, session_id: int, token: int) -> None:
        self.database = database
        self.session_id = session_id
        self.token = token
        self.run_ids: dict[str, int] = {}
        with database.read() as connection:
            self.change = max(
                connection.execute(
                    select(func.coalesce(func.max(table.c.change), 0)).where(table.c.session_id == session_id)
                ).scalar_one()
                for table in (tables.item, tables.task, tables.batch)
            )
            self.run_ids.update(
                connection.execute(
                    select(tables.run.c.name, tables.run.c.id).where(tables.run.c.session_id == session_id)
                ).all()
            )

    @contextlib.contextmanager
    def write(self) -> Iterator["Writer"]:
        """Open a transaction; it is committed at the end of the block, or not at all.

        Raises:
            LeaseLost: Another engine has taken over.
            DatabaseUnavailable, DiskFull: Nothing was written.
        """
        with self.database.write() as connection:
            check_lease(connection, self.session_id, self.token)
            yield Writer(self, connection)


class Writer:
    """The statements of one transaction."""

    def __init__(self, journal: Journal, connection: Connection) -> None:
        self.connection = connection
        self._journal = journal
        self._session = journal.session_id
        self._runs = journal.run_ids
        self.time = time.time()
        journal.change += 1
        self._change = journal.change

    # ---------------------------------------------------------------- sources

    def items_found(
        self, run: str, revision: int, first_output: str, found: Sequence[tuple[str, Path, ItemRecord]]
    ) -> list[int]:
        """Write items of a source, (output, path, item) each, replacing older ones; return their numbers.

        An item of the source's first output ends the trouble there was with it.
        """
        run_id = self._runs[run]
        for output, path, _ in found:
            self._supersede(run_id, path, [output])
            if output == first_output:
                self._retire_task(run_id, path)
        return self._insert_items(run_id, revision, found)

    def trouble(self, run: str, revision: int, path: Path, reason: str, state: str = "failed") -> None:
        """Write down that a source has no item for a path: it cannot read it, or leaves it out."""
        run_id = self._runs[run]
        self._retire_task(run_id, path)
        self.connection.execute(
            insert(tables.task).values(
                **self._place(run_id, path),
                revision=revision,
                generation=0,
                attempt=1,
                state=state,
                current=True,
                inputs={},
                seed="",
                started=self.time,
                finished=self.time,
                error=reason,
                change=self._change,
            )
        )

    def supersede(self, run: str, path: Path, output: str) -> None:
        """Write that one output of `run` is not in the stream any more."""
        self._supersede(self._runs[run], path, [output])

    # ---------------------------------------------------------------- tasks

    def start_task(
        self,
        run: str,
        revision: int,
        path: Path,
        *,
        generation: int,
        inputs: Inputs,
        seed: str,
        worker: str,
    ) -> StartedTask:
        """Write that a task begins; its attempts are counted before it can end anything."""
        run_id = self._runs[run]
        before = self._retire_task(run_id, path)
        same = before is not None and (before.revision, before.generation) == (revision, generation)
        attempt = before.attempt + 1 if before is not None and same else 1
        values = {
            **self._place(run_id, path),
            "revision": revision,
            "generation": generation,
            "attempt": attempt,
            "state": "running",
            "current": True,
            "inputs": inputs,
            "seed": seed,
            "worker": worker,
            "started": self.time,
            "change": self._change,
        }
        number = self.connection.execute(START, values).scalar_one()
        return StartedTask(number, attempt)

    def task_done(
        self,
        task: int,
        run: str,
        revision: int,
        path: Path,
        outputs: Sequence[tuple[str, ItemRecord]],
        log: str | None = None,
    ) -> tuple[int, ...]:
        """Write the outputs of a task in place of older ones, and return their numbers."""
        run_id = self._runs[run]
        self._end_task(task, "done", None, log)
        self._supersede(run_id, path, [output for output, _ in outputs])
        rows = [(output, path, record) for output, record in outputs]
        return tuple(self._insert_items(run_id, revision, rows, task_id=task))

    def task_confirmed(self, task: int, items: Sequence[int], log: str | None = None) -> None:
        """Write that a task has made the items that are there once more."""
        self._end_task(task, "done", None, log)
        self.set_visible(items, True)

    def task_failed(
        self,
        task: int,
        run: str,
        path: Path,
        outputs: Iterable[str],
        *,
        state: str,
        reason: str,
        log: str | None,
    ) -> None:
        """Write that a task failed or was rejected; older outputs are not in the stream any more."""
        self._end_task(task, state, reason, log)
        self._supersede(self._runs[run], path, outputs)

    def task_interrupted(self, task: int, reason: str, log: str | None = None) -> None:
        """Write that a task ended without an answer."""
        self._end_task(task, "interrupted", reason, log)

    def forget_failures(self, run: str, paths: Sequence[Path] | None) -> None:
        """Write that what failed at `run`, under these paths or anywhere, is to be tried again."""
        places: list[dict[str, Any]] = [{}]
        here, failed = _task.run_id == self._runs[run], _task.state == "failed"
        tasks = update(tables.task).where(here, _task.current, failed)
        batches = tables.batch.delete().where(
            tables.batch.c.run_id == self._runs[run], tables.batch.c.state == "failed"
        )
        if paths is not None:
            places = [{"of_acquisition": path[0], "of_key": "/".join(path[1:])} for path in paths]
            tasks = tasks.where(_task.acquisition == HERE["acquisition"], _task.key == HERE["key"])
            batches = batches.where(tables.batch.c.acquisition == HERE["acquisition"])
        tasks = tasks.values(state="interrupted", change=self._change)
        for place in places:
            self.connection.execute(tasks, place)
            if not place.get("of_key"):
                self.connection.execute(batches, {name: place[name] for name in place if name != "of_key"})

    def interrupt_all(self, reason: str) -> None:
        """Write that whatever seems to run does not (any more)."""
        self.connection.execute(
            update(tables.task)
            .where(tables.task.c.session_id == self._session, tables.task.c.state == "running")
            .values(state="interrupted", finished=self.time, error=reason, change=self._change)
        )

    # ---------------------------------------------------------------- accumulators

    def journal_batch(
        self,
        run: str,
        revision: int,
        acquisition: str,
        version: int,
        added: Iterable[tuple[Path, Inputs]],
        removed: Iterable[tuple[Path, Inputs]],
        seed: str,
    ) -> StartedTask:
        """Write down a batch before it runs; a repetition keeps its row and counts as another attempt."""
        values: dict[str, Any] = {
            "added": [["/".join(path[1:]), inputs] for path, inputs in added],
            "removed": [["/".join(path[1:]), inputs] for path, inputs in removed],
            "seed": seed,
            "state": "journalled",
            "started": self.time,
            "finished": None,
            "error": None,
            "change": self._change,
        }
        place = {"run_id": self._runs[run], "revision": revision, "version": version}
        batch = tables.batch.c
        row = self.connection.execute(
            update(tables.batch)
            .where(*(batch[name] == value for name, value in place.items()), batch.acquisition == acquisition)
            .values(**values, attempt=batch.attempt + 1)
            .returning(batch.id, batch.attempt)
        ).first()
        if row is None:
            values |= place | {"session_id": self._session, "acquisition": acquisition, "attempt": 1}
            row = self.connection.execute(
                insert(tables.batch).values(values).returning(batch.id, batch.attempt)
            ).one()
        return StartedTask(row.id, row.attempt)

    def batch_done(
        self,
        batch: int,
        run: str,
        revision: int,
        acquisition: str,
        outputs: Sequence[tuple[str, ItemRecord]],
        log: str | None = None,
    ) -> tuple[int, ...]:
        """Write the next version of an accumulator's output, and return its number.

        Without outputs, those of an earlier version stay.
        """
        run_id = self._runs[run]
        self._end_batch(batch, "done", None, log)
        if not outputs:
            return ()
        self._supersede(run_id, (acquisition,), [output for output, _ in outputs])
        rows = [(output, (acquisition,), record) for output, record in outputs]
        return tuple(self._insert_items(run_id, revision, rows, batch_id=batch))

    def batch_failed(self, batch: int, reason: str, log: str | None) -> None:
        """Write that a batch failed; the version before stays."""
        self._end_batch(batch, "failed", reason, log)

    # ---------------------------------------------------------------- visibility

    def set_visible(self, items: Sequence[int], visible: bool) -> None:
        """Take items out of the stream, or put them back."""
        state = "current" if visible else "withdrawn"
        item = tables.item.c
        statement = (
            update(tables.item)
            # Numbers written into the statement, since databases limit the parameters of one.
            .where(item.id.in_(bindparam("numbers", expanding=True, literal_execute=True)))
            .where(item.state != "superseded")
            .values(state=state, change=self._change)
        )
        for first in range(0, len(items), 10_000):
            self.connection.execute(statement, {"numbers": items[first : first + 10_000]})

    def withdraw(self, run: str, paths: Sequence[Path], reason: str) -> None:
        """Remember that these paths were taken out at `run`."""
        self.restore(run, paths)
        self.connection.execute(
            # RETURNING lets SQLAlchemy write many rows with one statement.
            insert(tables.withdrawal).returning(tables.withdrawal.c.run_id),
            [{**self._key(self._runs[run], path), "reason": reason, "created": self.time} for path in paths],
        )

    def restore(self, run: str, paths: Sequence[Path]) -> None:
        """Forget that these paths were taken out at `run`."""
        gone = tables.withdrawal.c
        statement = tables.withdrawal.delete().where(
            gone.run_id == self._runs[run],
            gone.acquisition == bindparam("of_acquisition"),
            gone.key.in_(bindparam("of_keys", expanding=True)),
        )
        keys: dict[str, list[str]] = {}
        for path in paths:
            keys.setdefault(path[0], []).append("/".join(path[1:]))
        for acquisition, of_keys in keys.items():
            for first in range(0, len(of_keys), MOST_PARAMETERS):
                some = of_keys[first : first + MOST_PARAMETERS]
                self.connection.execute(statement, {"of_acquisition": acquisition, "of_keys": some})

    # ---------------------------------------------------------------- helpers

    def check_not_frozen(self) -> None:
        """Raise DatabaseUnavailable where the lease that this transaction began with may have run out."""
        check_not_frozen(self.time)

    def _key(self, run_id: int, path: Path) -> dict[str, Any]:
        return {"run_id": run_id, "acquisition": path[0], "key": "/".join(path[1:])}

    def _place(self, run_id: int, path: Path) -> dict[str, Any]:
        return {"session_id": self._session, **self._key(run_id, path)}

    def _insert_items(
        self,
        run_id: int,
        revision: int,
        rows: Sequence[tuple[str, Path, ItemRecord]],
        task_id: int | None = None,
        batch_id: int | None = None,
    ) -> list[int]:
        common = {
            "revision": revision,
            "task_id": task_id,
            "batch_id": batch_id,
            "state": "current",
            "created": self.time,
            "change": self._change,
        }
        values = [
            {**common, **self._place(run_id, path), "output": output, **record}
            for output, path, record in rows
        ]
        return list(self.connection.execute(INSERT_ITEMS, values).scalars())

    def _supersede(self, run_id: int, path: Path, outputs: Iterable[str]) -> None:
        values = {**self._of(run_id, path), "new_change": self._change}
        for output in outputs:
            self.connection.execute(SUPERSEDE, {**values, "of_output": output})

    def _retire_task(self, run_id: int, path: Path) -> Any:
        return self.connection.execute(RETIRE, self._of(run_id, path)).first()

    def _of(self, run_id: int, path: Path) -> dict[str, Any]:
        return {"of_run": run_id, "of_acquisition": path[0], "of_key": "/".join(path[1:])}

    def _end_task(self, task: int, state: str, error: str | None = None, log: str | None = None) -> None:
        values = {"of_task": task, "new_state": state, "new_finished": self.time, "new_error": error}
        self.connection.execute(END, {**values, "new_log": log, "new_change": self._change})

    def _end_batch(self, batch: int, state: str, error: str | None = None, log: str | None = None) -> None:
        self.connection.execute(
            update(tables.batch)
            .where(tables.batch.c.id == batch)
            .values(state=state, finished=self.time, error=error, log=log, change=self._change)
        )
