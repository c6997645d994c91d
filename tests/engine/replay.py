"""A scheduler between a model of the world and a model of the journal, to replay days good and bad."""

from engine.ledger import Journal, Row, Value, flat, key_of, path_of
from engine.wiring import wire
from eucentric.engine import scheduler as ev
from eucentric.engine.graph import Plan, Port, Stream
from eucentric.engine.scheduler import BatchMemory, Inputs, Path, Scheduler, TaskMemory


class Replay:
    """A scheduler whose every instruction is carried out by the models, and checked."""

    def __init__(
        self, *plans: Plan, workers: int = 1, gpus: int = 0, cpus: int = 99, memory: int = 99
    ) -> None:
        self.plans = wire(*plans)
        revisions = {plan.name: 1 for plan in self.plans}
        self.journal = Journal(self.plans, revisions=revisions, firsts=dict(revisions))
        self.scheduler = Scheduler(self.plans)
        self.running: dict[int, ev.Start | ev.StartBatch] = {}
        self.started: list[tuple[str, str]] = []
        self.given_up: list[int] = []
        self.values: dict[int, Value] = {}
        self.rejected: set[Value] = set()
        self.versions: dict[tuple[str, str, Path], int] = {}
        self.set_workers(workers, gpus, cpus, memory)

    # ---------------------------------------------------------------- the world

    def set_workers(self, workers: int, gpus: int = 0, cpus: int = 99, memory: int = 99) -> None:
        names = [ev.Worker(f"cpu-{n}") for n in range(workers)] + [
            ev.Worker(f"gpu-{n}", gpu=True) for n in range(gpus)
        ]
        self.workers = ev.Workers(tuple(names), cpus, memory)
        self.tell(self.workers)

    def arrive(
        self, *keys: str, stream: str = "movies.out", acquisition: str = "a", trouble: bool = False
    ) -> None:
        """A source finds items: key "" for the acquisition's own, "s/e" for an exposure in a series."""
        run, output = stream.split(".")
        for key in keys:
            path = path_of(key, acquisition)
            number = 0 if trouble else self._write_found(run, output, path)
            if trouble:
                self.journal.supersede(run, output, path)
                self.journal.troubles[run, output, path] = None
            self.tell(ev.Arrived(run, output, path, number))

    def _write_found(self, run: str, output: str, path: Path) -> int:
        version = self.versions[run, output, path] = self.versions.get((run, output, path), 0) + 1
        revision = self.journal.revisions[run]
        epoch = (run, output, path, revision)
        number = len(self.journal.rows) + 1
        self.journal.troubles.pop((run, output, path), None)
        lineage = frozenset({(run, revision)})
        self.journal.write(Row(number, run, output, path, revision, (*epoch, version), epoch, lineage))
        return number

    def withdraw(self, run: str, *keys: str, acquisition: str = "a") -> None:
        paths = tuple(path_of(key, acquisition) for key in keys)
        self.journal.withdrawn.update(dict.fromkeys((run, path) for path in paths))
        self.tell(ev.Withdraw(run, paths))

    def restore(self, run: str, *keys: str, acquisition: str = "a") -> None:
        paths = tuple(path_of(key, acquisition) for key in keys)
        for path in paths:
            self.journal.withdrawn.pop((run, path), None)
        self.tell(ev.Restore(run, paths))

    def revise(self, run: str, goes_on: bool = False) -> None:
        """A new revision, of which nothing is committed yet; it may go on from the state there is."""
        journal = self.journal
        journal.revisions[run] += 1
        if not goes_on:
            journal.firsts[run] = journal.revisions[run]
        journal.tasks = {place: task for place, task in journal.tasks.items() if task.run != run}
        journal.batches = {
            place: batch
            for place, batch in journal.batches.items()
            if batch.run != run or (goes_on and batch.state == "done")
        }
        journal.troubles = {place: None for place in journal.troubles if place[0] != run}
        self.tell(ev.Revise(run, goes_on))

    def retry(self, run: str, *keys: str) -> None:
        paths = tuple(path_of(key) for key in keys) or None
        journal = self.journal
        for (name, path), task in list(journal.tasks.items()):
            if name == run and task.outcome == "failed" and (paths is None or path in paths):
                journal.tasks[name, path] = task._replace(outcome=None)  # its folder stays taken
        for place, batch in list(journal.batches.items()):
            if batch.run == run and batch.state == "failed" and (paths is None or batch.path in paths):
                del journal.batches[place]
        self.tell(ev.Retry(run, paths))

    def extend(self, plan: Plan) -> None:
        self.plans = wire(*self.plans, plan)
        self.journal.plans = self.plans
        self.journal.revisions[plan.name] = self.journal.firsts[plan.name] = 1
        self.tell(ev.Extend(self.plans[-1]))

    def crash(self) -> None:
        """Lose everything but what was committed, and start again."""
        self.running.clear()
        self.scheduler = Scheduler(self.plans, self.journal.memory())
        self.tell(self.workers)

    # ---------------------------------------------------------------- tasks

    def ticket(self, run: str, key: str = "") -> int:
        """The newest ticket that runs for a path."""
        places = {_place(start): number for number, start in self.running.items()}
        return places[run, key]

    def finish(self, run: str, key: str = "") -> None:
        self.done(self.ticket(run, key))

    def finish_all(self) -> None:
        while self.running:
            self.done(next(iter(self.running)))

    def done(self, ticket: int) -> None:
        """The worker brings a result; it is committed when it is still wanted."""
        start = self.running[ticket]
        if not self.scheduler.accepts(ticket):
            self.interrupt(ticket)
        elif self.values[ticket] in self.rejected:
            self.fail(ticket, rejected=True)
        else:
            del self.running[ticket]
            numbers = self._commit(ticket, start)
            self.tell(ev.Done(ticket, numbers))
            if isinstance(start, ev.Start):
                self._check_result(start, numbers)

    def _commit(self, ticket: int, start: ev.Start | ev.StartBatch) -> tuple[int, ...]:
        journal = self.journal
        plan = self.plan(start.run)
        revision = journal.firsts[start.run]
        value, made_from = self.values[ticket], ()
        epoch: Value = (start.run, revision)
        lineage = {(start.run, revision)}
        if isinstance(start, ev.StartBatch):
            path: Path = (start.acquisition,)
            place = (start.run, path, start.version)
            journal.batches[place] = journal.batches[place]._replace(state="done")
            value = (*epoch, "version", len(journal.rows))
            if start.run == "latch" and not self._gives(start.version, path, revision):
                return ()
        else:
            path = start.path
            assert (start.run, revision, path, start.generation) not in journal.folders
            journal.folders.add((start.run, revision, path, start.generation))
            journal.tasks[start.run, path] = TaskMemory(
                start.run, path, start.inputs, "done", start.generation + 1
            )
            lineage.update(*(journal.rows[number].lineage for number in flat(start.inputs)))
            if len(path) == 1:
                made_from = tuple(flat(start.inputs))
                epoch = self.value(start, epoch_only=True)
        numbers = []
        for output in plan.outputs:
            numbers.append(len(journal.rows) + 1)
            identity = (numbers[-1], start.run, output, path, revision)
            values = ((*value, output), (*epoch, output))
            journal.write(Row(*identity, *values, frozenset(lineage), made_from))
        return tuple(numbers)

    def _gives(self, version: int, path: Path, revision: int) -> bool:
        """An accumulator of this name has nothing to give at first, then one output, which stands."""
        given = self.journal.live.get(("latch", "out", path))
        return version > 1 and (given is None or given.revision != revision)

    def fail(self, ticket: int, rejected: bool = False) -> None:
        if not self.scheduler.accepts(ticket):
            self.interrupt(ticket)
            return
        start = self.running.pop(ticket)
        self._write_failure(start, "rejected" if rejected else "failed")
        if rejected and isinstance(start, ev.Start):
            self.rejected.add(self.values[ticket])
        self.tell(ev.Failed(ticket, rejected))

    def _write_failure(self, start: ev.Start | ev.StartBatch, outcome: str) -> None:
        if isinstance(start, ev.StartBatch):
            place = (start.run, (start.acquisition,), start.version)
            self.journal.batches[place] = self.journal.batches[place]._replace(state="failed")
            return
        for output in self.plan(start.run).outputs:
            self.journal.supersede(start.run, output, start.path)
        task = TaskMemory(start.run, start.path, start.inputs, outcome, start.generation)  # type: ignore[arg-type]
        self.journal.tasks[start.run, start.path] = task

    def die(self, ticket: int) -> None:
        self._dying = self.running.pop(ticket)
        self.tell(ev.Died(ticket))

    def interrupt(self, ticket: int) -> None:
        del self.running[ticket]
        self.tell(ev.Interrupted(ticket))

    # ---------------------------------------------------------------- instructions

    def tell(self, *events: ev.Event) -> None:
        """Hand events to the scheduler, and carry out what it says."""
        new = set()
        for instruction in self.scheduler.handle(*events):
            match instruction:
                case ev.Hide(items) | ev.Show(items):
                    for number in items:
                        row = self.journal.rows[number]
                        if row.state != "superseded":
                            row.state = "withdrawn" if isinstance(instruction, ev.Hide) else "current"
                case ev.GiveUp(ticket):
                    self.given_up.append(ticket)
                    self._write_failure(self._dying, "failed")
                case ev.Start():
                    self._check_start(instruction)
                    self.values[instruction.ticket] = self.value(instruction)
                    if self.journal.forgets:
                        place = (instruction.run, instruction.path)
                        self.journal.tasks[place] = TaskMemory(
                            *place, instruction.inputs, None, instruction.generation
                        )
                case ev.StartBatch():
                    self._check_batch(instruction)
                    self.values[instruction.ticket] = ()
            if isinstance(instruction, ev.Start | ev.StartBatch):
                new.add(instruction.ticket)
                self.running[instruction.ticket] = instruction
                self.started.append(_place(instruction))
        self._check_limits(new)

    def value(self, start: ev.Start, epoch_only: bool = False) -> Value:
        """What a task's result is: the run, its revision, and the values of its inputs."""
        plan = self.plan(start.run)
        parts = self.parts(plan, start.inputs, epoch_only)
        return (start.run, self.journal.revisions[start.run], start.path, *parts)

    def parts(self, plan: Plan, inputs: Inputs, epoch_only: bool = False) -> Value:
        """The values of the items at every input port of a run."""
        parts = []
        for name, port in plan.ports.items():
            by_epoch = epoch_only or (port.level == 0 and plan.level > 0)
            rows = [self.journal.rows[number] for number in flat({name: inputs[name]})]
            parts.append(tuple(row.epoch if by_epoch else row.exact for row in rows))
        return tuple(parts)

    # ---------------------------------------------------------------- checks

    def _check_start(self, start: ev.Start) -> None:
        plan = self.plan(start.run)
        for name, port in plan.ports.items():
            used = start.inputs[name]
            if not port.several:
                assert used or port.optional
                assert not isinstance(used, list)
            self._check_inputs(port, used, start.path)
        gpu = start.worker.startswith("gpu")
        kinds = {worker.gpu for worker in self.workers.workers}
        assert gpu == (plan.need.gpus > 0 if len(kinds) == 2 else kinds.pop())

    def _check_inputs(self, port: Port, used: int | list[int] | None, path: Path) -> None:
        """What starts is made from what is in the stream, all of it of present revisions."""
        for number in used if isinstance(used, list) else [used] if used else []:
            row = self.journal.rows[number]
            assert row.state == "current"
            assert Stream(row.run, row.output) in port.streams
            assert path[: port.level + 1] == row.path
            for run, revision in row.lineage:
                assert revision == self.journal.firsts[run], f"{row} mixes revisions of {run}"

    def _check_result(self, start: ev.Start, numbers: tuple[int, ...]) -> None:
        """What was made of replaced inputs, or before a revision, is not in the stream."""
        level = self.plan(start.run).level
        inputs = [self.journal.rows[number] for number in flat(start.inputs)]
        replaced = any(row.state == "superseded" for row in inputs if len(row.path) > 1 or level == 0)
        for row in (self.journal.rows[number] for number in numbers):
            late = any(revision != self.journal.firsts[run] for run, revision in row.lineage)
            assert row.state != "current" or not (late or replaced)

    def _check_batch(self, start: ev.StartBatch) -> None:
        changed = {path for path, _ in (*start.added, *start.removed)}
        place = (start.run, (start.acquisition,), start.version)
        revision = self.journal.revisions[start.run]
        assert changed or start.before not in (0, revision), "a batch brings something, or a revision goes on"
        if start.version > 1:
            made = self.journal.batches[start.run, (start.acquisition,), start.version - 1]
            assert (made.state, made.revision) == ("done", start.before)
        record = BatchMemory(*place, revision, list(start.added), list(start.removed), "journalled")
        before = self.journal.batches.get(place)
        if before is not None and before.state == "journalled":
            assert before == record, "a journalled batch is repeated exactly"
        else:
            assert before is None or before.state == "failed"
            assert len(changed) <= self.plan(start.run).most
            for path, inputs in start.added:
                for name, port in self.plan(start.run).ports.items():
                    self._check_inputs(port, inputs[name], path)
        included = self.journal.included(start.run, start.acquisition)
        assert all(included[path] == inputs for path, inputs in start.removed)
        assert not set(included).difference(dict(start.removed)).intersection(dict(start.added))
        self.journal.batches[place] = record

    def _check_limits(self, new: set[int]) -> None:
        tickets = self.scheduler.tickets.values()
        started = [ticket for ticket in tickets if ticket.number in new]
        assert set(self.scheduler.tickets) == set(self.running)
        assert len({ticket.worker for ticket in tickets}) == len(tickets)
        if started:  # what runs when limits are lowered goes on
            assert {ticket.worker for ticket in started} <= {worker.name for worker in self.workers.workers}
            assert sum(ticket.cpus for ticket in tickets) <= self.workers.cpus
            assert sum(ticket.memory for ticket in tickets) <= self.workers.memory
        accepted = [(ticket.run, ticket.path) for ticket in tickets if self.scheduler.accepts(ticket.number)]
        assert len(accepted) == len(set(accepted)), "two results would be accepted for one path"

    # ---------------------------------------------------------------- questions

    def plan(self, run: str) -> Plan:
        return next(plan for plan in self.plans if plan.name == run)

    @property
    def now(self) -> set[tuple[str, str]]:
        """What runs, as (run, key)."""
        return {_place(start) for start in self.running.values()}

    def take_started(self) -> list[tuple[str, str]]:
        """What was started since this was last asked."""
        started, self.started = self.started, []
        return started

    def visible(self, run: str, output: str = "out") -> set[str]:
        """Keys of the items of an output that are in the stream."""
        return {
            key_of(path)
            for (name, of, path), row in self.journal.live.items()
            if (name, of) == (run, output) and row.state == "current"
        }

    def included(self, run: str, acquisition: str = "a") -> set[str]:
        """Keys of what an accumulator has folded in."""
        return {key_of(path) for path in self.journal.included(run, acquisition)}


def _place(start: ev.Start | ev.StartBatch) -> tuple[str, str]:
    return start.run, key_of(start.path) if isinstance(start, ev.Start) else ""
