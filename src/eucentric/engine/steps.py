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

from sqlalchemy import update

from eucentric.engine import places
from eucentric.engine import scheduler as ev
from eucentric.engine.alterations import Alterations
from eucentric.engine.commands import Stop, mark_handled, open_commands
from eucentric.engine.executor import WorkerGone
from eucentric.engine.graph import Graph
from eucentric.engine.journal import Journal, Writer
from eucentric.engine.outside import Action, RingForWorkers, StartSource
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
from eucentric.engine.tasks import Tasks
from eucentric.engine.worker import Result
from eucentric.engine.workflow import WorkflowError, compile_workflow
from eucentric.store.tables import session as sessions

log = logging.getLogger(__name__)


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
        self.tasks = Tasks(self)
        self.actions: list[Action] = []
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
            self.tasks.carry_out([*alterations.instructions, *self.scheduler.handle()], writer)
            self.actions += alterations.actions
            self._commands(writer, at_start=True)
            for name in self._open_sources() - set(self._lives):
                self.actions.append(self.begin_source(name, writer))
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
        busy = self.tasks.busy
        steady = bool(demand) == bool(self._demand) and (self._leased.usable or not demand)
        if not asked and steady and busy.issuperset(self._leased.excess):
            return
        leased = lease_slots(writer.connection, self.journal.session_id, names, demand, busy)
        if set(leased.usable + leased.excess) != set(self._leased.usable + self._leased.excess) or (
            demand > len(leased.usable) and not self._demand
        ):
            self.actions.append(RingForWorkers())
        self._demand, self._leased = demand, leased
        workers = tuple(worker for worker in self._staff.workers if worker.name in leased.usable)
        part = len(workers) / len(names)
        event = ev.Workers(workers, round(self._staff.cpus * part), int(self._staff.memory * part))
        self.tasks.carry_out(self.scheduler.handle(event), writer)

    def _take_actions(self) -> list[Action]:
        actions, self.actions = self.actions, []
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
                self.tasks.ended(event.ticket, event.outcome, writer)
            case Rang():
                self._commands(writer)
            case Staff():
                self._staff = event
                if not event.shared or not event.workers:
                    workers = ev.Workers(event.workers, event.cpus, event.memory)
                    self.tasks.carry_out(self.scheduler.handle(workers), writer)
            case ev.Release():
                self.held = None
                self._write_held(writer)
                self.tasks.carry_out(self.scheduler.handle(event), writer)

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
            self.tasks.records.remember(number, record)
        if run in self.leftover:
            self.leftover[run].difference_update(latest)
        arrived = [
            ev.Arrived(run, output, path, number)
            for number, (output, path, _) in zip(numbers, rows, strict=True)
        ]
        self.tasks.carry_out(self.scheduler.handle(*arrived), writer)

    def _trouble(self, event: FoundTrouble, writer: Writer) -> None:
        revision, output = self.scheduler.runs[event.run].revision, self.graph[event.run].outputs[0]
        writer.trouble(event.run, revision, event.path, event.reason)
        writer.supersede(event.run, event.path, output)
        self.tasks.carry_out(self.scheduler.handle(ev.Arrived(event.run, output, event.path, 0)), writer)

    def _clear_leftover(self, run: str, writer: Writer) -> None:
        """What the source's earlier revision found and this one did not leaves the stream."""
        revision, first = self.scheduler.runs[run].revision, self.graph[run].outputs[0]
        for output, path in self.leftover.pop(run, set()):
            if output == first:
                reason = "the source does not find it any more with its present parameters"
                writer.trouble(run, revision, path, reason, state="rejected")
            writer.supersede(run, path, output)
            self.tasks.carry_out(self.scheduler.handle(ev.Arrived(run, output, path, 0)), writer)

    def hold(self, reason: str, writer: Writer) -> None:
        """Say what is wrong, and start nothing until a release."""
        log.error("%s", reason)
        self.held = reason
        self._write_held(writer)
        self.tasks.carry_out(self.scheduler.handle(ev.Hold()), writer)

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
            self.actions += alterations.actions
            self.tasks.carry_out(alterations.instructions, writer)
