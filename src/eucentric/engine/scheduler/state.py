"""The state machine: which tasks are due, for which inputs, and what is in the stream.

For every run and path there is one *answer*: the items made, the fact that there is none (failed, rejected,
skipped, withdrawn: a tombstone), or nothing yet. A task is due when all its inputs have answers and its last
result was made from others. When an answer is lost (a revision, a replaced input), those that depend on it
are lost with it, down the whole workflow, before anything is started: so a join never mixes revisions.
"""

from collections.abc import Iterable

from eucentric.engine.graph import Plan
from eucentric.engine.scheduler import events as ev
from eucentric.engine.scheduler.events import Inputs, Path
from eucentric.engine.scheduler.memory import Memory
from eucentric.engine.scheduler.ready import ReadyQueue
from eucentric.engine.scheduler.records import Feed, Group, Node, RunRecord, Signature, Ticket

DEATHS_ALLOWED = 2
"""A task is failed when so many workers ended while they computed it."""

FIRST = 2**60
"""The order of what belongs to a whole acquisition: everything else waits for it."""

WAIT = "wait"
SKIP = "skip"
Entry = tuple[str, Path]


class Scheduler:
    """Events in (`handle`), instructions out; the only other entries are questions that change nothing."""

    def __init__(self, plans: Iterable[Plan] = (), memory: Memory | None = None) -> None:
        """Start with the runs `plans`, each after those that feed it, and what was committed earlier."""
        self.runs: dict[str, RunRecord] = {}
        self.tickets: dict[int, Ticket] = {}
        self.held = False
        self._workers: dict[str, ev.Worker] = {}
        self._cpus = self._memory = 0
        self._queues = self._new_queues()
        self._orders: dict[Path, int] = {}
        self._next_ticket = 1
        self._touched: dict[int, bool] = {}
        self._recalling = False
        for plan in plans:
            self._add(plan)
        if memory is not None:
            self._recall(memory)

    # ---------------------------------------------------------------- questions

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing could start, now or after a release."""
        return not self.tickets and not any(queue.peek() for queue in self._queues.values())

    def accepts(self, ticket: int) -> bool:
        """Say whether the result of a running task is still wanted."""
        held = self.tickets[ticket]
        run = self.runs[held.run]
        if run.revision != held.revision:
            return False
        if run.plan.station == "accumulator":
            return True
        wanted = self._wanted(run, held.path)
        return wanted == SKIP or wanted == held.signature

    # ---------------------------------------------------------------- events

    def handle(self, *events: ev.Event) -> list[ev.Instruction]:
        """Take in events, in order, and return what is to be done: visibility first, then starts."""
        instructions: list[ev.Instruction] = []
        for event in events:
            instructions += self._take_in(event)
        shown = tuple(item for item, hidden in self._touched.items() if not hidden)
        gone = tuple(item for item, hidden in self._touched.items() if hidden)
        self._touched.clear()
        if gone:
            instructions.append(ev.Hide(gone))
        if shown:
            instructions.append(ev.Show(shown))
        return instructions + self._dispatch()

    def _take_in(self, event: ev.Event) -> list[ev.Instruction]:
        match event:
            case ev.Workers():
                self._set_workers(event)
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
                self._extend(event.plan)
            case ev.Revise():
                self._revise(self.runs[event.run])
            case ev.Retry():
                self._retry(self.runs[event.run], event.paths)
            case ev.Withdraw():
                self._withdraw(self.runs[event.run], event.paths)
            case ev.Restore():
                self._restore(self.runs[event.run], event.paths)
        return []

    def _arrived(self, event: ev.Arrived) -> None:
        run = self.runs[event.run]
        run.found[event.output][event.path] = event.item
        self._order(event.path)
        self._answer_found(run, event.output, event.path)

    def _answer_found(self, run: RunRecord, output: str, path: Path) -> None:
        found = run.found[output].get(path)
        hidden = path in run.withdrawn
        if found:
            self._mark(run, found, hidden)
        self._set_answer(run, output, path, 0 if hidden and found is not None else found)

    def _mark(self, run: RunRecord, item: int, hidden: bool) -> None:
        if hidden != (item in run.hidden):
            (run.hidden.add if hidden else run.hidden.discard)(item)
            self._touched[item] = hidden

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
        else:
            node.outcome, node.items = "rejected" if event.rejected else "failed", ()
        self._evaluate(run, ticket.path)

    def _batch_finished(self, run: RunRecord, ticket: Ticket, event: ev.Done | ev.Failed) -> None:
        group = run.groups[ticket.path]
        group.ticket = None
        group.deaths = 0
        if isinstance(event, ev.Failed):
            group.failed = True
            group.sending, group.replay = {}, None
        else:
            group.version += 1
            group.items = event.items
            group.replay = None
            for path, entry in group.sending.items():
                if entry is None:
                    group.included.pop(path, None)
                else:
                    group.included[path] = entry
            sent, group.sending = list(group.sending), {}
            for path in sent:
                self._evaluate_entry(run, path)
            for output, item in zip(run.plan.outputs, event.items, strict=True):
                self._set_answer(run, output, ticket.path, item)
        self._queue_group(run, ticket.path, group)

    def _died(self, number: int) -> list[ev.Instruction]:
        record = self._record(self.tickets[number])
        if record is not None and record.ticket == number:
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
            return  # a newer revision has taken its place
        record.ticket = None
        if isinstance(record, Group):
            self._queue_group(run, ticket.path, record)
        else:
            self._evaluate(run, ticket.path)

    def _record(self, ticket: Ticket) -> Node | Group | None:
        run = self.runs[ticket.run]
        return (run.groups if run.plan.station == "accumulator" else run.nodes).get(ticket.path)

    def _extend(self, plan: Plan) -> None:
        run = self._add(plan)
        self._catch_up(run)

    def _catch_up(self, run: RunRecord) -> None:
        """Evaluate every path at which the run has a task or any of its full-length inputs an answer."""
        paths = dict.fromkeys(run.nodes)
        for feed in run.feeds:
            if feed.full:
                for answers in feed.answers:
                    paths.update(dict.fromkeys(answers))
        for path in paths:
            self._evaluate(run, path)

    def _revise(self, run: RunRecord) -> None:
        run.revision += 1
        for node in run.nodes.values():
            node.outcome, node.signature, node.ticket = None, None, None
            node.generation = node.deaths = 0
        run.groups.clear()
        for found in run.found.values():
            found.clear()
        if run.plan.station != "exposure":
            for output, answers in run.answers.items():
                for path in list(answers):
                    self._set_answer(run, output, path, None)
        self._catch_up(run)

    def _retry(self, run: RunRecord, paths: tuple[Path, ...] | None) -> None:
        for path in list(run.nodes) if paths is None else paths:
            node = run.nodes.get(path)
            if node is not None and node.outcome == "failed":
                node.outcome, node.signature, node.deaths = None, None, 0
                self._evaluate(run, path)
        for path, group in run.groups.items():
            if group.failed and (paths is None or path in paths):
                group.failed = False
                self._queue_group(run, path, group)

    def _withdraw(self, run: RunRecord, paths: tuple[Path, ...]) -> None:
        run.withdrawn.update(paths)
        self._reconsider(run, paths)

    def _restore(self, run: RunRecord, paths: tuple[Path, ...]) -> None:
        run.withdrawn.difference_update(paths)
        self._reconsider(run, paths)

    def _reconsider(self, run: RunRecord, paths: tuple[Path, ...]) -> None:
        for path in paths:
            if run.plan.station == "source":
                for output, found in run.found.items():
                    if path in found:
                        self._answer_found(run, output, path)
            else:
                self._evaluate(run, path)

    # ---------------------------------------------------------------- what is due

    def _wanted(self, run: RunRecord, path: Path) -> Signature | str:
        """Return what a task for `path` would be made from now, or WAIT, or SKIP."""
        signature: list[int | tuple[int, ...]] = []
        waits = False
        for feed in run.feeds:
            at = path if feed.full else path[: feed.length]
            if feed.several:
                answers = [answers.get(at) for answers in feed.answers]
                if None in answers:
                    waits = True
                elif not any(answers):
                    return SKIP
                signature.append(tuple(answer for answer in answers if answer))
                continue
            answer = feed.answers[0].get(at)
            if answer is None:
                if feed.optional and not self._is_coming(feed.producers[0], at):
                    answer = 0
                else:
                    waits = True
                    continue
            elif answer == 0 and not feed.optional:
                return SKIP
            signature.append(-feed.producers[0].revision if answer and feed.by_revision else answer)
        return WAIT if waits else tuple(signature)

    def _is_coming(self, producer: RunRecord, path: Path) -> bool:
        node = producer.nodes.get(path)
        return node is not None and node.answer is None

    def _inputs(self, run: RunRecord, path: Path) -> Inputs:
        inputs: Inputs = {}
        for feed in run.feeds:
            at = path[: feed.length]
            if feed.several:
                inputs[feed.name] = [answers[at] for answers in feed.answers if answers[at]]
            else:
                inputs[feed.name] = feed.answers[0].get(at) or None
        return inputs

    def _evaluate(self, run: RunRecord, path: Path) -> None:
        """Work out anew what is due for one path of one run, and pass on what changed."""
        if run.plan.station == "accumulator":
            self._evaluate_entry(run, path)
            return
        node = run.nodes.get(path)
        if node is None:
            node = run.nodes[path] = Node(self._order(path) if run.plan.level else FIRST)
        wanted = self._wanted(run, path)
        due = False
        if path in run.withdrawn or wanted == SKIP:
            node.answer = "none"
        elif wanted == WAIT:
            node.answer = None
        elif node.outcome is not None and node.signature == wanted:
            node.answer = "items" if node.outcome == "done" else "none"
        else:
            node.answer = None
            due = node.ticket is None or self.tickets[node.ticket].signature != wanted
        if due and not node.ready:
            self._queues[self._uses_gpu(run)].push(node.order, (run.plan.name, path))
        node.ready = due
        if node.answer is not None and node.items and node.hidden != (node.answer == "none"):
            node.hidden = not node.hidden
            self._touched.update(dict.fromkeys(node.items, node.hidden))
        for index, output in enumerate(run.plan.outputs):
            answer = node.items[index] if node.answer == "items" else 0 if node.answer == "none" else None
            self._set_answer(run, output, path, answer)

    def _set_answer(self, run: RunRecord, output: str, path: Path, answer: int | None) -> None:
        answers = run.answers[output]
        before = answers.get(path)
        if before == answer:
            return
        if answer is None:
            del answers[path]
        else:
            answers[path] = answer
        if self._recalling:
            return
        for consumer, full in run.consumers[output]:
            if full:
                self._evaluate(consumer, path)
            elif not (before and answer and len(path) == 1):  # a newer version redoes nothing unasked
                for each in [each for each in self._paths(consumer) if each[: len(path)] == path]:
                    self._evaluate(consumer, each)

    def _paths(self, run: RunRecord) -> Iterable[Path]:
        if run.plan.station != "accumulator":
            return run.nodes
        return {path for feed in run.feeds if feed.full for answers in feed.answers for path in answers}

    def _evaluate_entry(self, run: RunRecord, path: Path) -> None:
        """Work out anew whether the accumulator's entry for `path` is to be added, replaced or removed."""
        group = run.groups.get(path[:1])
        if group is None:
            group = run.groups[path[:1]] = Group(self._order(path))
        wanted = SKIP if path in run.withdrawn else self._wanted(run, path)
        included = group.included.get(path)
        if wanted == WAIT or (wanted == SKIP and included is None):
            group.dirty.pop(path, None)
        elif wanted == SKIP or included is None or included[0] != wanted:
            group.dirty[path] = None
            group.order = max(group.order, self._order(path))
        else:
            group.dirty.pop(path, None)
        self._queue_group(run, path[:1], group)

    def _queue_group(self, run: RunRecord, path: Path, group: Group) -> None:
        due = bool(group.dirty or group.replay) and group.ticket is None and not group.failed
        if due and not group.ready and not self._recalling:
            self._queues[self._uses_gpu(run)].push(group.order, (run.plan.name, path))
        group.ready = due

    def _order(self, path: Path) -> int:
        """Return the arrival number of a path: the first that is seen gets the lowest."""
        return self._orders.setdefault(path, len(self._orders) + 1)

    # ---------------------------------------------------------------- starting

    def _new_queues(self) -> dict[bool, ReadyQueue[Entry]]:
        return {False: ReadyQueue[Entry](self._is_ready), True: ReadyQueue[Entry](self._is_ready)}

    def _set_workers(self, event: ev.Workers) -> None:
        had_gpu = any(worker.gpu for worker in self._workers.values())
        self._workers = {worker.name: worker for worker in event.workers}
        self._cpus, self._memory = event.cpus, event.memory
        if had_gpu != any(worker.gpu for worker in self._workers.values()):
            self._queues = self._new_queues()  # GPU tasks run on CPUs while there is no GPU
            for run in self.runs.values():
                records: dict[Path, Node | Group] = {**run.nodes, **run.groups}
                for path, record in records.items():
                    if record.ready:
                        self._queues[self._uses_gpu(run)].push(record.order, (run.plan.name, path))

    def _uses_gpu(self, run: RunRecord) -> bool:
        return run.plan.need.gpus > 0 and any(worker.gpu for worker in self._workers.values())

    def _is_ready(self, entry: Entry) -> bool:
        run = self.runs[entry[0]]
        record = run.groups.get(entry[1]) or run.nodes.get(entry[1])
        return record is not None and record.ready

    def _dispatch(self) -> list[ev.Instruction]:
        if self.held:
            return []
        busy = {ticket.worker for ticket in self.tickets.values()}
        free_cpus = self._cpus - sum(ticket.cpus for ticket in self.tickets.values())
        free_memory = self._memory - sum(ticket.memory for ticket in self.tickets.values())
        started: list[ev.Instruction] = []
        for gpu, queue in self._queues.items():
            free = [worker.name for worker in self._workers.values() if worker.gpu == gpu]
            free = [name for name in free if name not in busy]
            while free and (entry := queue.peek()) is not None:
                run = self.runs[entry[0]]
                # A task never asks for more than there is: alone, it gets what the session may use.
                cpus = min(run.plan.need.cpus, self._cpus)
                memory = min(run.plan.need.memory, self._memory)
                if cpus > free_cpus or memory > free_memory:
                    break  # what is next in turn waits for room; nothing overtakes it
                queue.pop()
                free_cpus -= cpus
                free_memory -= memory
                started.append(self._start(run, entry[1], free.pop(0), cpus, memory))
        return started

    def _start(self, run: RunRecord, path: Path, worker: str, cpus: int, memory: int) -> ev.Instruction:
        number = self._next_ticket
        self._next_ticket += 1
        if run.plan.station == "accumulator":
            self.tickets[number] = Ticket(number, run.plan.name, path, run.revision, (), worker, cpus, memory)
            return self._start_batch(run, path, number, worker, cpus)
        node = run.nodes[path]
        wanted = self._wanted(run, path)
        assert not isinstance(wanted, str), "a ready task has its inputs"
        self.tickets[number] = Ticket(number, run.plan.name, path, run.revision, wanted, worker, cpus, memory)
        node.ready, node.ticket = False, number
        inputs = self._inputs(run, path)
        return ev.Start(number, run.plan.name, path, inputs, worker, node.generation, cpus)

    def _start_batch(self, run: RunRecord, path: Path, number: int, worker: str, cpus: int) -> ev.StartBatch:
        group = run.groups[path]
        group.ready, group.ticket = False, number
        if group.replay is not None:
            added, removed = group.replay
        else:
            added, removed = self._choose_batch(run, group)
            group.replay = (added, removed)  # what is journalled once is what a repetition gets
        return ev.StartBatch(
            number, run.plan.name, path[0], group.version + 1, tuple(added), tuple(removed), worker, cpus
        )

    def _choose_batch(
        self, run: RunRecord, group: Group
    ) -> tuple[list[tuple[Path, Inputs]], list[tuple[Path, Inputs]]]:
        added: list[tuple[Path, Inputs]] = []
        removed: list[tuple[Path, Inputs]] = []
        group.sending = {}
        for each in list(group.dirty)[: run.plan.most]:
            wanted = SKIP if each in run.withdrawn else self._wanted(run, each)
            if each in group.included:
                removed.append((each, group.included[each][1]))
            if isinstance(wanted, str):
                group.sending[each] = None
            else:
                inputs = self._inputs(run, each)
                group.sending[each] = (wanted, inputs)
                added.append((each, inputs))
        return added, removed

    # ---------------------------------------------------------------- beginning

    def _add(self, plan: Plan) -> RunRecord:
        run = RunRecord(
            plan,
            answers={output: {} for output in plan.outputs},
            found={output: {} for output in plan.outputs} if plan.station == "source" else {},
            consumers={output: [] for output in plan.outputs},
        )
        feeds = []
        for name, port in plan.ports.items():
            producers = tuple(self.runs[stream.run] for stream in port.streams)
            feeds.append(
                Feed(
                    name=name,
                    streams=port.streams,
                    producers=producers,
                    answers=tuple(self.runs[stream.run].answers[stream.output] for stream in port.streams),
                    length=port.level + 1,
                    full=port.level == plan.level,
                    by_revision=port.level == 0 and plan.level > 0,
                    several=port.several,
                    optional=port.optional,
                )
            )
            for stream in port.streams:
                consumers = self.runs[stream.run].consumers[stream.output]
                if not any(consumer is run for consumer, _ in consumers):
                    consumers.append((run, port.level == plan.level))
        run.feeds = tuple(feeds)
        self.runs[plan.name] = run
        return run

    def _recall(self, memory: Memory) -> None:
        """Take over what was committed, then work out what is due, upstream runs first."""
        self._recalling = True
        for name, revision in memory.revisions.items():
            self.runs[name].revision = revision
        for name, path in memory.withdrawn:
            self.runs[name].withdrawn.add(path)
        self._recall_items(memory)
        for task in memory.tasks:
            run = self.runs[task.run]
            node = run.nodes.get(task.path)
            if node is None:
                node = run.nodes[task.path] = Node(self._order(task.path) if run.plan.level else FIRST)
            node.outcome, node.generation = task.outcome, task.generations
            node.signature = self._signature(run, task.inputs, memory.shallow)
        self._recall_batches(memory)
        for run in self.runs.values():
            for output, found in run.found.items():
                for path in found:
                    self._answer_found(run, output, path)
            self._catch_up(run)
        self._recalling = False
        for run in self.runs.values():
            for path, group in run.groups.items():
                group.ready = False
                self._queue_group(run, path, group)

    def _recall_items(self, memory: Memory) -> None:
        for name, output, path, number, hidden, revision in memory.items:
            run = self.runs[name]
            order = self._order(path)
            if run.plan.station == "source":
                if revision == run.revision:
                    run.found[output][path] = number
                    if hidden:
                        run.hidden.add(number)
            elif run.plan.station == "accumulator":
                if revision == run.revision:
                    run.answers[output][path] = number
            else:
                node = run.nodes.get(path)
                if node is None:
                    node = run.nodes[path] = Node(order if run.plan.level else FIRST)
                node.items += (number,)
                node.hidden = hidden
        for name, output, path in memory.troubles:
            self.runs[name].found[output].setdefault(path, 0)
            self._order(path)

    def _recall_batches(self, memory: Memory) -> None:
        for batch in memory.batches:
            run = self.runs[batch.run]
            group = run.groups.get(batch.path)
            if group is None:
                group = run.groups[batch.path] = Group(0)
            sending: dict[Path, tuple[Signature, Inputs] | None] = {path: None for path, _ in batch.removed}
            for path, inputs in batch.added:
                sending[path] = (self._signature(run, inputs, memory.shallow), inputs)
            if batch.state == "done":
                group.version = batch.version
                for path, entry in sending.items():
                    if entry is None:
                        group.included.pop(path, None)
                    else:
                        group.included[path] = entry
            elif batch.state == "failed":
                group.failed = True
            else:
                group.replay, group.sending = (batch.added, batch.removed), sending

    def _signature(self, run: RunRecord, inputs: Inputs, shallow: dict[int, int]) -> Signature:
        """Return what `_wanted` would give for these inputs, had they been answers when they were used."""
        signature: list[int | tuple[int, ...]] = []
        for feed in run.feeds:
            used = inputs.get(feed.name)
            if isinstance(used, list):
                signature.append(tuple(used))
            elif used and feed.by_revision:
                signature.append(-shallow.get(used, 0))
            else:
                signature.append(used or 0)
        return tuple(signature)
