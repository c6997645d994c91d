"""Tasks and batches: begun as the scheduler says, and what becomes of them committed."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eucentric.engine import places
from eucentric.engine import scheduler as ev
from eucentric.engine.executor import WorkerGone
from eucentric.engine.journal import Writer
from eucentric.engine.outside import Submit
from eucentric.engine.provenance import digest_of
from eucentric.engine.records import Records
from eucentric.engine.worker import BatchSpec, ItemRecord, PortRecords, Result, TaskSpec

if TYPE_CHECKING:
    from eucentric.engine.steps import Steps


@dataclass(frozen=True)
class _Running:
    """What belongs to a ticket: the row (of a task or a batch) and the description that was sent."""

    row: int
    start: ev.Start | ev.StartBatch
    revision: int
    spec: TaskSpec


class Tasks:
    """What runs in a living session; all methods work within a transaction of `steps`.

    Attributes:
        records: The items that tasks take in.
    """

    def __init__(self, steps: "Steps") -> None:
        self._steps = steps
        self._running: dict[int, _Running] = {}
        self.records = Records()

    @property
    def busy(self) -> set[str]:
        """The workers on which something runs."""
        return {running.start.worker for running in self._running.values()}

    def carry_out(self, instructions: Sequence[ev.Instruction], writer: Writer) -> None:
        """Do what the scheduler says, but for giving up a task, which `ended` does."""
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
        run = self._steps.runs[start.run]
        inputs: PortRecords = self.records.of([start.inputs], writer.connection)[0]
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
        run = self._steps.runs[start.run]
        place = (start.run, run.revision, start.acquisition)
        entries = self.records.of([inputs for _, inputs in (*start.added, *start.removed)], writer.connection)
        before = (start.run, start.before, start.acquisition, start.version - 1)
        batch = BatchSpec(
            before=places.version_folder(*before) if start.before else None,
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
        run = self._steps.runs[start.run]
        path = start.path if isinstance(start, ev.Start) else (start.acquisition,)
        kind = "task" if isinstance(start, ev.Start) else "batch"
        return TaskSpec(
            protocol=run.protocol,
            protocols=str(self._steps.protocols) if self._steps.protocols else None,
            code=run.code,
            params=run.params,
            path=path,
            session=str(self._steps.folder),
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
        timeout = self._steps.registry[running.spec.protocol].resources.timeout
        self._steps.actions.append(Submit(start.ticket, start.worker, running.spec, timeout))

    def ended(self, ticket: int, outcome: Result | WorkerGone, writer: Writer) -> None:
        """Commit what became of a task or batch, after its files are in place."""
        running = self._running.pop(ticket)
        work = self._steps.folder / running.spec.work
        if isinstance(outcome, WorkerGone):
            places.keep_crash(self._steps.folder, running.spec.work, running.spec.log)
        if isinstance(outcome, WorkerGone) and outcome.began:
            self._died(ticket, running, outcome.reason, writer)
        elif isinstance(outcome, WorkerGone):
            self._interrupted(ticket, running, outcome.reason, writer)
        elif not self._steps.scheduler.accepts(ticket):
            self._interrupted(ticket, running, "Its inputs or parameters changed while it ran.", writer)
        elif outcome.status == "no_space":
            shutil.rmtree(work, ignore_errors=True)
            self._interrupted(ticket, running, outcome.reason, writer)
            self._steps.hold(outcome.reason, writer)
        elif outcome.status == "done":
            if outcome.files:
                writer.check_not_frozen()
                places.move_into_place(self._steps.folder, running.spec.work, running.spec.destination)
            self._done(ticket, running, outcome, writer)
        else:
            self._failed(ticket, running, outcome, writer)
        shutil.rmtree(work, ignore_errors=True)

    def _done(self, ticket: int, running: _Running, result: Result, writer: Writer) -> None:
        start = running.start
        # All of them, or, of an accumulator that lets stand what there is, none.
        outputs = [
            (output, result.outputs[output])
            for output in self._steps.graph[start.run].outputs
            if result.outputs
        ]
        place = (running.row, start.run, running.revision)
        logged = self._logged(running)
        if isinstance(start, ev.Start):
            numbers = self._unchanged(start, result, outputs, writer)
            if numbers:
                writer.task_confirmed(running.row, numbers, logged)
            else:
                numbers = writer.task_done(*place, start.path, outputs, logged)
        else:
            numbers = writer.batch_done(*place, start.acquisition, outputs, logged)
        for number, (_, record) in zip(numbers, outputs, strict=True):
            self.records.remember(number, record)
        self.carry_out(self._steps.scheduler.handle(ev.Done(ticket, numbers)), writer)

    def _unchanged(
        self, start: ev.Start, result: Result, outputs: Sequence[tuple[str, ItemRecord]], writer: Writer
    ) -> tuple[int, ...]:
        """Return the numbers of the items there are, if the task has only made equal ones, else none.

        They stay, and so does all that was made from them: a revised threshold redoes nothing of the
        exposures that pass as before. What belongs to a whole acquisition is always new, with its epoch.
        """
        before = self._steps.scheduler.runs[start.run].nodes[start.path].items
        if result.files or not before or len(start.path) == 1:
            return ()
        known = self.records.get(before, writer.connection)
        return before if [known[number] for number in before] == [record for _, record in outputs] else ()

    def _failed(self, ticket: int, running: _Running, result: Result, writer: Writer) -> None:
        self._write_failure(running, result.status, result.reason, writer)
        failed = ev.Failed(ticket, rejected=result.status == "rejected")
        self.carry_out(self._steps.scheduler.handle(failed), writer)

    def _write_failure(self, running: _Running, state: str, reason: str, writer: Writer) -> None:
        start, logged = running.start, self._logged(running)
        if isinstance(start, ev.Start):
            outputs = self._steps.graph[start.run].outputs
            writer.task_failed(
                running.row, start.run, start.path, outputs, state=state, reason=reason, log=logged
            )
        else:
            writer.batch_failed(running.row, reason, logged)

    def _logged(self, running: _Running) -> str | None:
        """Return the task's log; there is one if the task had something to say, or crashed."""
        return running.spec.log if (self._steps.folder / running.spec.log).exists() else None

    def _died(self, ticket: int, running: _Running, reason: str, writer: Writer) -> None:
        instructions = self._steps.scheduler.handle(ev.Died(ticket))
        if ev.GiveUp(ticket) in instructions:
            self._write_failure(running, "failed", reason, writer)
        elif isinstance(running.start, ev.Start):
            writer.task_interrupted(running.row, reason, self._logged(running))
        self.carry_out(instructions, writer)

    def _interrupted(self, ticket: int, running: _Running, reason: str, writer: Writer) -> None:
        if isinstance(running.start, ev.Start):
            writer.task_interrupted(running.row, reason)
        self.carry_out(self._steps.scheduler.handle(ev.Interrupted(ticket)), writer)
