"""The state machine: what every event changes, and the instructions that follow."""

from collections.abc import Iterable

from eucentric.engine.graph import Plan
from eucentric.engine.scheduler import events as ev
from eucentric.engine.scheduler.batches import choose_batch, fold_in
from eucentric.engine.scheduler.dispatch import Assignment, Dispatcher
from eucentric.engine.scheduler.events import Path
from eucentric.engine.scheduler.flow import Flow
from eucentric.engine.scheduler.memory import Memory
from eucentric.engine.scheduler.recall import recall
from eucentric.engine.scheduler.records import Group, Node, RunRecord, Signature, Ticket
from eucentric.engine.scheduler.wanted import SKIP, inputs_of, wanted

DEATHS_ALLOWED = 2
"""A task is failed when so many workers ended while they computed it."""


class Scheduler:
    """Events in (`handle`), instructions out; the only other entries are questions that change nothing.

    Attributes:
        runs: The runs by name, each after those that feed it.
        tickets: What was started and has not ended.
        held: Nothing is started until Release.
    """

    def __init__(self, plans: Iterable[Plan] = (), memory: Memory | None = None) -> None:
        """Start with the runs `plans`, each after those that feed it, and what was committed earlier."""
        self._dispatcher = Dispatcher()
        self._flow = Flow(self._dispatcher.push)
        self._dispatcher.watch(self._flow.runs)
        self.runs = self._flow.runs
        self.tickets = self._flow.tickets
        self.held = False
        self._next_ticket = 1
        for plan in plans:
            self._flow.add(plan)
        if memory is not None:
            recall(self._flow, memory)

    # ---------------------------------------------------------------- questions

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing could start, now or after a release."""
        return not self.tickets and self._dispatcher.empty

    def demand(self, most: int) -> int:
        """Return how many workers could be used now, `most` at the most."""
        return min(most, len(self.tickets) + self._dispatcher.waiting(most))

    def accepts(self, ticket: int) -> bool:
        """Say whether the result of a running task is still wanted."""
        held = self.tickets[ticket]
        run, record = self.runs[held.run], self._record(held)
        if record is None or record.ticket != ticket:
            return False  # a newer revision, or a task with other inputs, has taken its place
        if isinstance(record, Group):
            return True
        now = wanted(run, held.path, self._flow.epochs)
        return now in (SKIP, held.signature)

    # ---------------------------------------------------------------- events

    def handle(self, *events: ev.Event) -> list[ev.Instruction]:
        """Take in events, in order, and return what is to be done: visibility first, then starts."""
        instructions: list[ev.Instruction] = []
        for event in events:
            instructions += self._take_in(event)
        touched = self._flow.touched
        shown = tuple(item for item, hidden in touched.items() if not hidden)
        gone = tuple(item for item, hidden in touched.items() if hidden)
        touched.clear()
        if gone:
            instructions.append(ev.Hide(gone))
        if shown:
            instructions.append(ev.Show(shown))
        if not self.held:
            instructions += [self._start(each) for each in self._dispatcher.take(self.tickets)]
        return instructions

    def _take_in(self, event: ev.Event) -> list[ev.Instruction]:
        match event:
            case ev.Workers():
                self._dispatcher.set_workers(event)
            case ev.Arrived():
                self._arrived(event)
            case ev.Done() | ev.Failed():
                self._finished(event)
            case ev.Died():
                return self._died(event.ticket)
            case ev.Interrupted():
                self._again(event.ticket)
            case ev.Hold() | ev.Release():
                self.held = isinstance(event, ev.Hold)
            case ev.Extend():
                self._flow.catch_up(self._flow.add(event.plan))
            case ev.Revise():
                self._revise(self.runs[event.run], event.goes_on)
            case ev.Retry():
                self._retry(self.runs[event.run], event.paths)
            case ev.Withdraw():
                self.runs[event.run].withdrawn.update(event.paths)
                self._reconsider(self.runs[event.run], event.paths)
            case ev.Restore():
                self.runs[event.run].withdrawn.difference_update(event.paths)
                self._reconsider(self.runs[event.run], event.paths)
        return []

    def _arrived(self, event: ev.Arrived) -> None:
        run = self.runs[event.run]
        run.found[event.output][event.path] = event.item
        self._flow.order(event.path)
        self._flow.answer_found(run, event.output, event.path)

    def _finished(self, event: ev.Done | ev.Failed) -> None:
        ticket = self.tickets.pop(event.ticket)
        run = self.runs[ticket.run]
        if run.plan.station == "accumulator":
            self._batch_finished(run, ticket, event)
            return
        node = run.nodes[ticket.path]
        if node.ticket == ticket.number:
            node.ticket = None
        node.deaths = 0
        node.signature = ticket.signature
        node.hidden = False
        if isinstance(event, ev.Done):
            node.outcome, node.items = "done", event.items
            node.generation += 1
            if len(ticket.path) == 1:
                self._set_epochs(run, event.items, ticket.signature)
        else:
            node.outcome, node.items = "rejected" if event.rejected else "failed", ()
        self._flow.evaluate(run, ticket.path)

    def _batch_finished(self, run: RunRecord, ticket: Ticket, event: ev.Done | ev.Failed) -> None:
        group = run.groups[ticket.path]
        group.ticket = None
        group.deaths = 0
        sent, group.sending, group.replay = group.sending, {}, None
        if isinstance(event, ev.Failed):
            group.failed = True
        else:
            group.version, group.revision = group.version + 1, run.revision
            fold_in(group, sent)
            for path in sent:
                self._flow.evaluate(run, path)
            self._set_epochs(run, event.items)
            # Without items, what an earlier version gave still stands.
            for output, item in zip(run.plan.outputs, event.items, strict=bool(event.items)):
                self._flow.set_answer(run, output, ticket.path, item)
        self._flow.queue_group(run, ticket.path, group)

    def _set_epochs(self, run: RunRecord, items: Iterable[int], made_from: Signature = ()) -> None:
        """Note the epoch of acquisition-level items: their revision and the epochs of what they are made of.

        Revisions that share a state are one here: their versions are but newer versions. What an accumulator
        makes is not traced further: its versions are a mixture by nature.
        """
        epoch = run.first + self._flow.epoch_above(made_from)
        self._flow.epochs.update(dict.fromkeys(items, epoch))

    def _died(self, number: int) -> list[ev.Instruction]:
        record = self._record(self.tickets[number])
        if record is not None and self.accepts(number):
            record.deaths += 1
            if record.deaths >= DEATHS_ALLOWED:
                self._finished(ev.Failed(number))
                return [ev.GiveUp(number)]
        self._again(number)
        return []

    def _again(self, number: int) -> None:
        ticket = self.tickets.pop(number)
        run, record = self.runs[ticket.run], self._record(ticket)
        if record is None or record.ticket != number:
            return  # another task has taken its place
        record.ticket = None
        if isinstance(record, Group):
            self._flow.queue_group(run, ticket.path, record)
        else:
            self._flow.evaluate(run, ticket.path)

    def _record(self, ticket: Ticket) -> Node | Group | None:
        run = self.runs[ticket.run]
        return (run.groups if run.plan.station == "accumulator" else run.nodes).get(ticket.path)

    def _revise(self, run: RunRecord, goes_on: bool) -> None:
        run.revision += 1
        if goes_on:
            self._go_on(run)
            return
        run.first = run.revision
        for node in run.nodes.values():
            node.outcome, node.signature, node.ticket = None, None, None
            node.generation = node.deaths = 0
        run.groups.clear()
        for found in run.found.values():
            found.clear()
        if run.plan.station == "exposure":
            self._flow.catch_up(run)
            return
        for output, answers in run.answers.items():
            for path in list(answers):
                self._flow.set_answer(run, output, path, None)
        # What was being waited for may not come any more, wherever it is an optional input.
        for each in self.runs.values():
            self._flow.catch_up(each)

    def _go_on(self, run: RunRecord) -> None:
        """Let every group make its next version from the last one, whatever was to come of it before."""
        for path, group in run.groups.items():
            group.ticket, group.replay, group.sending = None, None, {}
            group.failed, group.deaths = False, 0
            self._flow.queue_group(run, path, group)

    def _retry(self, run: RunRecord, paths: tuple[Path, ...] | None) -> None:
        for path in list(run.nodes) if paths is None else paths:
            node = run.nodes.get(path)
            if node is not None and node.outcome == "failed":
                node.outcome, node.signature, node.deaths = None, None, 0
                self._flow.evaluate(run, path)
        for path, group in run.groups.items():
            if group.failed and (paths is None or path in paths):
                group.failed = False
                self._flow.queue_group(run, path, group)

    def _reconsider(self, run: RunRecord, paths: tuple[Path, ...]) -> None:
        for path in paths:
            if run.plan.station != "source":
                self._flow.evaluate(run, path)
                continue
            for output, found in run.found.items():
                if path in found:
                    self._flow.answer_found(run, output, path)

    # ---------------------------------------------------------------- starting

    def _start(self, assignment: Assignment) -> ev.Instruction:
        run, path, worker, cpus, memory = assignment
        number, self._next_ticket = self._next_ticket, self._next_ticket + 1
        if run.plan.station == "accumulator":
            self.tickets[number] = Ticket(number, run.plan.name, path, run.revision, (), worker, cpus, memory)
            return self._start_batch(run, path, number, worker, cpus)
        node = run.nodes[path]
        now = wanted(run, path, self._flow.epochs)
        assert isinstance(now, tuple), "a ready task has its inputs"
        self.tickets[number] = Ticket(number, run.plan.name, path, run.revision, now, worker, cpus, memory)
        node.ready, node.ticket = False, number
        inputs = inputs_of(run, path)
        return ev.Start(number, run.plan.name, path, inputs, worker, node.generation, cpus)

    def _start_batch(self, run: RunRecord, path: Path, number: int, worker: str, cpus: int) -> ev.StartBatch:
        group = run.groups[path]
        group.ready, group.ticket = False, number
        if group.replay is None:  # what is journalled once is what a repetition gets
            group.replay = choose_batch(run, group, self._flow.epochs)
        added, removed = group.replay
        return ev.StartBatch(
            number,
            run.plan.name,
            path[0],
            group.version + 1,
            group.revision,
            tuple(added),
            tuple(removed),
            worker,
            cpus,
        )
