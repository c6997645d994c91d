"""What commands do to a living session: runs added and revised, tasks retried, items withdrawn."""

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import Row, insert, update

from eucentric.engine import commands as cmd
from eucentric.engine import scheduler as ev
from eucentric.engine.journal import Writer
from eucentric.engine.outside import Action, StopEngine, StopSource
from eucentric.engine.protocol import Accumulator
from eucentric.engine.provenance import environment_id
from eucentric.engine.recollect import read_runs, workflow_of
from eucentric.engine.registry import code_digest
from eucentric.engine.workflow import RunSpec, Workflow, WorkflowError, compile_workflow
from eucentric.store import tables

if TYPE_CHECKING:
    from eucentric.engine.steps import Steps


class Alterations:
    """Carries out one command within a transaction; what follows is in `instructions` and `actions`."""

    def __init__(self, steps: "Steps", writer: Writer) -> None:
        self._steps = steps
        self._writer = writer
        self.instructions: list[ev.Instruction] = []
        self.actions: list[Action] = []

    def carry_out(self, command: cmd.Command | None) -> str | None:
        """Do what the command says, or return why not."""
        if command is None:
            return "This version of the engine does not understand the command."
        run = getattr(command, "run", None)
        if run is not None and run not in self._steps.runs:
            return f"The session has no run {run}; it has {', '.join(self._steps.runs) or 'none yet'}."
        match command:
            case cmd.Stop():
                self.actions.append(StopEngine())
            case cmd.Close() | cmd.Reopen():
                return self._close(command.run, isinstance(command, cmd.Close))
            case cmd.Extend():
                return self._extend(command.runs)
            case cmd.Revise():
                return self._revise(command.run, command.params)
            case cmd.Retry():
                return self._retry(command.run, command.paths)
            case cmd.Withdraw():
                paths = self._paths(command.paths)
                self._writer.withdraw(command.run, paths, command.reason)
                self._tell(ev.Withdraw(command.run, paths))
            case cmd.Restore():
                paths = self._paths(command.paths)
                self._writer.restore(command.run, paths)
                self._tell(ev.Restore(command.run, paths))
        return None

    def renew_changed_code(self) -> list[str]:
        """Revise the runs whose protocol has another version or other code than recorded; return them."""
        changed = []
        for name, row in list(self._steps.runs.items()):
            protocol = self._steps.registry[row.protocol]
            if (protocol.version, code_digest(protocol)) != (row.protocol_version, row.code):
                self._revise(name, row.params)
                changed.append(name)
        return changed

    def _tell(self, event: ev.Event) -> None:
        self.instructions += self._steps.scheduler.handle(event)

    @staticmethod
    def _paths(paths: list[list[str]]) -> tuple[ev.Path, ...]:
        return tuple(dict.fromkeys(tuple(path) for path in paths))

    def _close(self, run: str, closed: bool) -> str | None:
        if self._steps.graph[run].station != "source":
            return f"The run {run} is not a source; only sources are closed and reopened."
        self._writer.connection.execute(
            update(tables.run).where(tables.run.c.id == self._steps.runs[run].id).values(closed=closed)
        )
        self._reread()
        if closed:
            self.actions.append(StopSource(run))
        else:
            self.actions.append(self._steps.begin_source(run, self._writer))
        return None

    def _retry(self, run: str, paths: list[list[str]] | None) -> str | None:
        if self._steps.graph[run].station != "source":
            which = None if paths is None else self._paths(paths)
            self._writer.forget_failures(run, which)
            self._tell(ev.Retry(run, which))
        elif self._steps.runs[run].closed:
            return f"The source {run} is closed; reopen it instead."
        else:
            self.actions.append(self._steps.begin_source(run, self._writer))
        return None

    def _extend(self, runs: dict[str, RunSpec]) -> str | None:
        session = self._steps.folder.name
        present = workflow_of(self._steps.runs, session).runs
        if both := sorted(set(present) & set(runs)):
            return f"The session already has a run {both[0]}; give the new one another name."
        self._steps.registry.look_for_new_files()
        try:
            graph = compile_workflow(Workflow(name="session", runs={**present, **runs}), self._steps.registry)
        except WorkflowError as error:
            return str(error)
        for name in [name for name in graph if name in runs]:
            spec = runs[name]
            values = {"session_id": self._steps.journal.session_id, "name": name, "revision": 0}
            run_id = self._writer.connection.execute(
                insert(tables.run).values(**values, protocol=spec.protocol).returning(tables.run.c.id)
            ).scalar_one()
            self._steps.journal.run_ids[name] = run_id
            self._write_revision(run_id, 1, spec.protocol, spec.params, dict(spec.inputs))
            self._steps.graph[name] = graph[name]
        self._reread()
        for name in [name for name in graph if name in runs]:
            self._tell(ev.Extend(graph[name]))
            if graph[name].station == "source":
                self.actions.append(self._steps.begin_source(name, self._writer))
        return None

    def _revise(self, name: str, params: dict[str, Any] | None) -> str | None:
        row = self._steps.runs[name]
        params = row.params if params is None else params
        try:
            self._steps.registry[row.protocol].Params.model_validate(params)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(str(part) for part in problem["loc"])
            return f"Run {name}: parameter {place}: {problem['msg']}."
        record = self._steps.scheduler.runs[name]
        if self._steps.graph[name].station == "source":
            left = self._steps.leftover.setdefault(name, set())
            left.update((output, path) for output, found in record.found.items() for path in found)
        goes_on = self._goes_on(row, params)
        continues = row.revision if goes_on else None
        self._write_revision(row.id, row.revision + 1, row.protocol, params, row.inputs, continues)
        self._reread()
        self._tell(ev.Revise(name, goes_on))
        if self._steps.graph[name].station == "source" and not row.closed:
            self.actions.append(self._steps.begin_source(name, self._writer))
        return None

    def _goes_on(self, row: Row[Any], params: dict[str, Any]) -> bool:
        """Say whether a revision with `params` goes on from the state of the one before."""
        kind = self._steps.registry[row.protocol]
        same_code = (kind.version, code_digest(kind)) == (row.protocol_version, row.code)
        if not issubclass(kind, Accumulator) or not same_code:
            return False
        before, after = kind.Params.model_validate(row.params), kind.Params.model_validate(params)
        changed = {name for name in kind.Params.model_fields if getattr(before, name) != getattr(after, name)}
        return bool(changed) and changed <= kind.carries

    def _write_revision(
        self,
        run_id: int,
        number: int,
        protocol: str,
        params: dict[str, Any],
        inputs: dict[str, Any],
        continues: int | None = None,
    ) -> None:
        kind = self._steps.registry[protocol]
        connection = self._writer.connection
        connection.execute(
            insert(tables.run_revision).values(
                run_id=run_id,
                number=number,
                protocol_version=kind.version,
                code=code_digest(kind),
                params=params,
                inputs=inputs,
                continues=continues,
                environment_id=environment_id(connection),
                created=self._writer.time,
            )
        )
        connection.execute(update(tables.run).where(tables.run.c.id == run_id).values(revision=number))

    def _reread(self) -> None:
        self._steps.runs = read_runs(self._writer.connection, self._steps.journal.session_id)
