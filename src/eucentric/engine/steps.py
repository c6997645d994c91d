"""One step of an engine: events in, one transaction, and what is then to be done outside.

Everything here is synchronous and is called from one thread at a time. When a step raises, nothing of it was
committed, and the engine starts anew from the database.
"""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sqlalchemy import select, update

from eucentric.engine import places
from eucentric.engine import scheduler as ev
from eucentric.engine.alterations import Alterations
from eucentric.engine.commands import Stop, mark_handled, open_commands
from eucentric.engine.executor import WorkerGone
from eucentric.engine.graph import Graph
from eucentric.engine.journal import Journal, Writer
from eucentric.engine.outside import Action, RingForWorkers, StartSource, Submit
from eucentric.engine.provenance import digest_of
from eucentric.engine.recollect import (
    read_found,
    read_memory,
    read_runs,
    unfinished_folders,
    workflow_of,
)
from eucentric.engine.registry import Registry
from eucentric.engine.scheduler import Scheduler
from eucentric.engine.slots import Leased, lease_slots
from eucentric.engine.sources import CaughtUp, FoundItem, FoundTrouble, SourceEnded, SourceEvent
from eucentric.engine.worker import BatchSpec, ItemRecord, PortRecords, Result, TaskSpec
from eucentric.engine.workflow import WorkflowError, compile_workflow
from eucentric.store.tables import item as items
from eucentric.store.tables import session as sessions

log = logging.getLogger(__name__)

RECORDS_KEPT = 20_000
"""Items kept in memory, so that those just made need not be read for the next run."""
MOST_NUMBERS = 1000
"""Most items named in one query."""


@dataclass(frozen=True)
class Ended:
    """A task or batch has ended on its worker."""

    ticket: int
    outcome: Result | WorkerGone


@dataclass(frozen=True)
class Rang:
    """There may be new commands."""


@dataclass(frozen=True)
class Staff:
    """The workers there are, whether the site's sessions share them, and what they have in all."""

    workers: tuple[ev.Worker, ...]
    shared: bool
    cpus: int
    memory: int


StepEvent = SourceEvent | Ended | Rang | Staff | ev.Release


@dataclass(frozen=True)
class _Running:
    """What belongs to a ticket: the row (of a task or a batch) and the description that was sent."""

    row: int
    start: ev.Start | ev.StartBatch
    revision: int
    spec: TaskSpec


class Steps:
    """The state of a living session: its scheduler, its journal, and what runs."""

    def __init__(self, journal: Journal, registry: Registry, folder: Path, protocols: Path | None) -> None:
        """Read back what was committed for the journal's session, whose folder is `folder`."""
        self.journal = journal
        self.registry = registry
        self.folder = folder
        self.protocols = protocols
        self.held: str | None = None
        self.caught_up: set[str] = set()
        self._broken_sources: dict[str, str] = {}
        self._lives: dict[str, int] = {}
        self._lives_begun = 0
        self._running: dict[int, _Running] = {}
        self._records: dict[int, ItemRecord] = {}
        self._actions: list[Action] = []
        self._staff: Staff | None = None
        self._leased = Leased([], [])
        self._demand = 0
        with journal.database.read() as connection:
            self.runs = read_runs(connection, journal.session_id)
            self.graph = self._compile()
            memory = read_memory(connection, journal.session_id, self.graph)
        self.scheduler = Scheduler(self.graph.values(), memory)
        self.leftover: dict[str, set[tuple[str, ev.Path]]] = {}
        for run, output, path, _, _, revision in memory.items:
            if self.graph[run].station == "source" and revision < memory.revisions[run]:
                self.leftover.setdefault(run, set()).add((output, path))

    def _compile(self) -> Graph:
        try:
            return compile_workflow(workflow_of(self.runs, self.folder.name), self.registry)
        except WorkflowError as error:
            raise WorkflowError(error.problems, f"session {self.folder.name}") from error

    # ---------------------------------------------------------------- steps

    def begin(self) -> list[Action]:
        """Take the first step: clear up what an earlier engine left, and renew what has changed since."""
        with self.journal.write() as writer:
            places.sweep(self.folder)
            for destination in unfinished_folders(writer.connection, self.journal.session_id):
                shutil.rmtree(self.folder / destination, ignore_errors=True)
            writer.interrupt_all("The engine ended before the task did.")
            alterations = Alterations(self, writer)
            for run in alterations.renew_changed_code():
                log.info("The code of run %s has changed: it is done again.", run)
            self._carry_out([*alterations.instructions, *self.scheduler.handle()], writer)
            self._actions += alterations.actions
            self._commands(writer, at_start=True)
            for name in self._open_sources() - set(self._lives):
                self._actions.append(self.begin_source(name, writer))
        return self._take_actions()

    def end(self) -> None:
        """Take the last step: what still runs is done again when the session is continued."""
        with self.journal.write() as writer:
            writer.interrupt_all("The session was stopped.")

    def step(self, events: Sequence[StepEvent]) -> list[Action]:
        """Take in events, commit, and return what is to be done outside."""
        with self.journal.write() as writer:
            for (kind, _), group in groupby(events, lambda event: (type(event), getattr(event, "run", ""))):
                if kind is FoundItem:
                    self._found([event for event in group if isinstance(event, FoundItem)], writer)
                    continue
                for event in group:
                    self._take_in(event, writer)
            self._lease(any(isinstance(event, Rang | Staff) for event in events), writer)
        return self._take_actions()

    def _lease(self, asked: bool, writer: Writer) -> None:
        """Take or give back shared workers: when asked to look, or when work has come or run out.

        And when one that is to be given back has become free.
        """
        if self._staff is None or not self._staff.shared or not self._staff.workers:
            return
        names = [worker.name for worker in self._staff.workers]
        demand = self.scheduler.demand(len(names))
        busy = {running.start.worker for running in self._running.values()}
        steady = bool(demand) == bool(self._demand) and (self._leased.usable or not demand)
        if not asked and steady and busy.issuperset(self._leased.excess):
            return
        leased = lease_slots(writer.connection, self.journal.session_id, names, demand, busy)
        if set(leased.usable + leased.excess) != set(self._leased.usable + self._leased.excess) or (
            demand > len(leased.usable) and not self._demand
        ):
            self._actions.append(RingForWorkers())
        self._demand, self._leased = demand, leased
        workers = tuple(worker for worker in self._staff.workers if worker.name in leased.usable)
        part = len(workers) / len(names)
        event = ev.Workers(workers, round(self._staff.cpus * part), int(self._staff.memory * part))
        self._carry_out(self.scheduler.handle(event), writer)

    def _take_actions(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    @property
    def idle(self) -> bool:
        """All that the sources have found is worked on to the end, and they have found all there is."""
        return self.scheduler.idle and self._open_sources() <= self.caught_up and not self.held

    def _open_sources(self) -> set[str]:
        sources = {name for name, plan in self.graph.items() if plan.station == "source"}
        return {name for name in sources if not self.runs[name].closed}

    def _take_in(self, event: StepEvent, writer: Writer) -> None:
        match event:
            case FoundTrouble() | CaughtUp() | SourceEnded() if event.life != self._lives.get(event.run):
                pass  # from an earlier life of the source
            case FoundTrouble():
                self._trouble(event, writer)
            case CaughtUp():
                self.caught_up.add(event.run)
                self._clear_leftover(event.run, writer)
            case SourceEnded():
                self.caught_up.add(event.run)
                if event.reason:
                    self._broken_sources[event.run] = f"The source {event.run} has failed: {event.reason}"
                    self._write_held(writer)
            case Ended():
                self._ended(event.ticket, event.outcome, writer)
            case Rang():
                self._commands(writer)
            case Staff():
                self._staff = event
                if not event.shared or not event.workers:
                    workers = ev.Workers(event.workers, event.cpus, event.memory)
                    self._carry_out(self.scheduler.handle(workers), writer)
            case ev.Release():
                self.held = None
                self._write_held(writer)
                self._carry_out(self.scheduler.handle(event), writer)

    # ---------------------------------------------------------------- sources

    def begin_source(self, run: str, writer: Writer) -> StartSource:
        """Return the order to scan (anew); what comes from earlier scans counts no more."""
        self._lives_begun += 1
        self._lives[run] = self._lives_begun
        self.caught_up.discard(run)
        if self._broken_sources.pop(run, None):
            self._write_held(writer)
        row = self.runs[run]
        known = read_found(writer.connection, self.journal.session_id, row.id, row.revision)
        return StartSource(run, self._lives_begun, known)

    def _found(self, found: Sequence[FoundItem], writer: Writer) -> None:
        run = found[0].run
        plan, revision = self.graph[run], self.scheduler.runs[run].revision
        # Of several versions in one step only the last counts.
        latest = {(event.output, event.path): event for event in found if event.life == self._lives.get(run)}
        if not latest:
            return
        rows = [(event.output, event.path, event.record) for event in latest.values()]
        numbers = writer.items_found(run, revision, plan.outputs[0], rows)
        for number, (_, _, record) in zip(numbers, rows, strict=True):
            self._remember(number, record)
        if run in self.leftover:
            self.leftover[run].difference_update(latest)
        arrived = [
            ev.Arrived(run, output, path, number)
            for number, (output, path, _) in zip(numbers, rows, strict=True)
        ]
        self._carry_out(self.scheduler.handle(*arrived), writer)

    def _trouble(self, event: FoundTrouble, writer: Writer) -> None:
        revision, output = self.scheduler.runs[event.run].revision, self.graph[event.run].outputs[0]
        writer.trouble(event.run, revision, event.path, event.reason)
        writer.supersede(event.run, event.path, output)
        self._carry_out(self.scheduler.handle(ev.Arrived(event.run, output, event.path, 0)), writer)

    def _clear_leftover(self, run: str, writer: Writer) -> None:
        """What the source's earlier revision found and this one did not leaves the stream."""
        for output, path in self.leftover.pop(run, set()):
            writer.supersede(run, path, output)
            self._carry_out(self.scheduler.handle(ev.Arrived(run, output, path, 0)), writer)

    # ---------------------------------------------------------------- tasks

    def _carry_out(self, instructions: Sequence[ev.Instruction], writer: Writer) -> None:
        for instruction in instructions:
            match instruction:
                case ev.Hide():
                    writer.set_visible(instruction.items, False)
                case ev.Show():
                    writer.set_visible(instruction.items, True)
                case ev.Start():
                    self._start(instruction, writer)
                case ev.StartBatch():
                    self._start_batch(instruction, writer)

    def _start(self, start: ev.Start, writer: Writer) -> None:
        run = self.runs[start.run]
        inputs: PortRecords = self._ports(start.inputs, writer)
        identity = [run.protocol, run.protocol_version, run.code, run.params, start.path, inputs]
        seed = digest_of(identity)
        row, attempt = writer.start_task(
            start.run,
            run.revision,
            start.path,
            generation=start.generation,
            inputs=start.inputs,
            seed=seed,
            worker=start.worker,
        )
        spec = self._spec(start, seed, row, attempt).model_copy(
            update={
                "inputs": inputs,
                "destination": places.task_destination(start.run, run.revision, start.path, start.generation),
            }
        )
        self._submit(_Running(row, start, run.revision, spec))

    def _start_batch(self, start: ev.StartBatch, writer: Writer) -> None:
        run = self.runs[start.run]
        place = (start.run, run.revision, start.acquisition)
        entries = self._port_records([inputs for _, inputs in (*start.added, *start.removed)], writer)
        batch = BatchSpec(
            before=places.version_folder(*place, start.version - 1) if start.version > 1 else None,
            added=entries[: len(start.added)],
            removed=entries[len(start.added) :],
        )
        identity = [run.protocol, run.protocol_version, run.code, run.params, start.acquisition]
        seed = digest_of([*identity, start.version, batch.model_dump()])
        row, attempt = writer.journal_batch(*place, start.version, start.added, start.removed, seed)
        spec = self._spec(start, seed, row, attempt).model_copy(
            update={"batch": batch, "destination": places.version_folder(*place, start.version)}
        )
        self._submit(_Running(row, start, run.revision, spec))

    def _spec(self, start: ev.Start | ev.StartBatch, seed: str, row: int, attempt: int) -> TaskSpec:
        run = self.runs[start.run]
        path = start.path if isinstance(start, ev.Start) else (start.acquisition,)
        kind = "task" if isinstance(start, ev.Start) else "batch"
        return TaskSpec(
            protocol=run.protocol,
            protocols=str(self.protocols) if self.protocols else None,
            code=run.code,
            params=run.params,
            path=path,
            session=str(self.folder),
            work=f"work/{kind}-{row}.{attempt}",
            destination="",
            log=places.log_file(start.run, path, row, attempt),
            seed=seed,
            cpus=start.cpus,
            device="cuda" if start.worker.startswith("gpu") else "cpu",
        )

    def _submit(self, running: _Running) -> None:
        start = running.start
        self._running[start.ticket] = running
        timeout = self.registry[running.spec.protocol].resources.timeout
        self._actions.append(Submit(start.ticket, start.worker, running.spec, timeout))

    def _ended(self, ticket: int, outcome: Result | WorkerGone, writer: Writer) -> None:
        running = self._running.pop(ticket)
        work = self.folder / running.spec.work
        if isinstance(outcome, WorkerGone):
            places.keep_crash(self.folder, running.spec.work, running.spec.log)
        if isinstance(outcome, WorkerGone) and outcome.began:
            self._died(ticket, running, outcome.reason, writer)
        elif isinstance(outcome, WorkerGone):
            self._interrupted(ticket, running, outcome.reason, writer)
        elif not self.scheduler.accepts(ticket):
            self._interrupted(ticket, running, "Its inputs or parameters changed while it ran.", writer)
        elif outcome.status == "no_space":
            shutil.rmtree(work, ignore_errors=True)
            self._interrupted(ticket, running, outcome.reason, writer)
            self.hold(outcome.reason, writer)
        elif outcome.status == "done":
            if outcome.files:
                writer.check_not_frozen()
                places.move_into_place(self.folder, running.spec.work, running.spec.destination)
            self._done(ticket, running, outcome, writer)
        else:
            self._failed(ticket, running, outcome, writer)
        shutil.rmtree(work, ignore_errors=True)

    def _done(self, ticket: int, running: _Running, result: Result, writer: Writer) -> None:
        start = running.start
        outputs = [(output, result.outputs[output]) for output in self.graph[start.run].outputs]
        place = (running.row, start.run, running.revision)
        logged = self._logged(running)
        if isinstance(start, ev.Start):
            numbers = writer.task_done(*place, start.path, outputs, logged)
        else:
            numbers = writer.batch_done(*place, start.acquisition, outputs, logged)
        for number, (_, record) in zip(numbers, outputs, strict=True):
            self._remember(number, record)
        self._carry_out(self.scheduler.handle(ev.Done(ticket, numbers)), writer)

    def _failed(self, ticket: int, running: _Running, result: Result, writer: Writer) -> None:
        self._write_failure(running, result.status, result.reason, writer)
        failed = ev.Failed(ticket, rejected=result.status == "rejected")
        self._carry_out(self.scheduler.handle(failed), writer)

    def _write_failure(self, running: _Running, state: str, reason: str, writer: Writer) -> None:
        start, logged = running.start, self._logged(running)
        if isinstance(start, ev.Start):
            outputs = self.graph[start.run].outputs
            writer.task_failed(
                running.row, start.run, start.path, outputs, state=state, reason=reason, log=logged
            )
        else:
            writer.batch_failed(running.row, reason, logged)

    def _logged(self, running: _Running) -> str | None:
        """Return the task's log; there is one if the task had something to say, or crashed."""
        return running.spec.log if (self.folder / running.spec.log).exists() else None

    def _died(self, ticket: int, running: _Running, reason: str, writer: Writer) -> None:
        instructions = self.scheduler.handle(ev.Died(ticket))
        if ev.GiveUp(ticket) in instructions:
            self._write_failure(running, "failed", reason, writer)
        elif isinstance(running.start, ev.Start):
            writer.task_interrupted(running.row, reason, self._logged(running))
        self._carry_out(instructions, writer)

    def _interrupted(self, ticket: int, running: _Running, reason: str, writer: Writer) -> None:
        if isinstance(running.start, ev.Start):
            writer.task_interrupted(running.row, reason)
        self._carry_out(self.scheduler.handle(ev.Interrupted(ticket)), writer)

    def hold(self, reason: str, writer: Writer) -> None:
        """Say what is wrong, and start nothing until a release."""
        log.error("%s", reason)
        self.held = reason
        self._write_held(writer)
        self._carry_out(self.scheduler.handle(ev.Hold()), writer)

    def _write_held(self, writer: Writer) -> None:
        reasons = [*([self.held] if self.held else []), *self._broken_sources.values()]
        writer.connection.execute(
            update(sessions)
            .where(sessions.c.id == self.journal.session_id)
            .values(held=" ".join(reasons) or None)
        )

    # ---------------------------------------------------------------- commands

    def _commands(self, writer: Writer, at_start: bool = False) -> None:
        for number, command in open_commands(writer.connection, self.journal.session_id):
            alterations = Alterations(self, writer)
            # A stop that was asked for while no engine ran has come about already.
            refusal = None if at_start and isinstance(command, Stop) else alterations.carry_out(command)
            if refusal:
                log.warning("Refused: %s", refusal)
            mark_handled(writer.connection, number, refusal)
            self._actions += alterations.actions
            self._carry_out(alterations.instructions, writer)

    # ---------------------------------------------------------------- records

    def _remember(self, number: int, record: ItemRecord) -> None:
        self._records[number] = record
        while len(self._records) > RECORDS_KEPT:
            del self._records[next(iter(self._records))]

    def _ports(self, inputs: ev.Inputs, writer: Writer) -> PortRecords:
        """Return the records of the items whose numbers are given."""
        return self._port_records([inputs], writer)[0]

    def _port_records(self, several: Sequence[ev.Inputs], writer: Writer) -> list[PortRecords]:
        """Return the records of items for many tasks or entries, those that are not at hand in one query."""
        numbers = {
            number
            for inputs in several
            for given in inputs.values()
            for number in (given if isinstance(given, list) else [given])
            if number is not None
        }
        at_hand = {number: self._records[number] for number in numbers if number in self._records}
        if len(at_hand) < len(numbers):
            read = self._read_records(sorted(numbers - set(at_hand)), writer)
            at_hand.update(read)
            for number, record in read.items():
                self._remember(number, record)
        return [
            {
                port: [at_hand[number] for number in given]
                if isinstance(given, list)
                else at_hand[given]
                if given is not None
                else None
                for port, given in inputs.items()
            }
            for inputs in several
        ]

    @staticmethod
    def _read_records(numbers: list[int], writer: Writer) -> dict[int, ItemRecord]:
        read: dict[int, ItemRecord] = {}
        for first in range(0, len(numbers), MOST_NUMBERS):
            some = numbers[first : first + MOST_NUMBERS]
            query = select(items.c.id, items.c.kind, items.c.data).where(items.c.id.in_(some))
            read |= {
                number: {"kind": kind, "data": data}
                for number, kind, data in writer.connection.execute(query)
            }
        return read
