"""Which of the tasks that could start does start, and on which worker: order and limits."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from eucentric.engine.scheduler.events import Path, Worker, Workers
from eucentric.engine.scheduler.ready import ReadyQueue
from eucentric.engine.scheduler.records import Group, Node, RunRecord, Ticket

Entry = tuple[str, Path]


class Assignment(NamedTuple):
    """A task or batch that is to start now, where, and what it occupies."""

    run: RunRecord
    path: Path
    worker: str
    cpus: int
    memory: int


class Dispatcher:
    """The workers, and a queue of ready work for each kind of worker: with a GPU, and without."""

    def __init__(self) -> None:
        self._workers: tuple[Worker, ...] = ()
        self._kinds: set[bool] = set()
        self._cpus = self._memory = 0
        self._runs: Mapping[str, RunRecord] = {}
        self._queues = self._new_queues()
        self._turns = [True, False]

    @property
    def empty(self) -> bool:
        """Nothing could start, however many workers there were."""
        return not any(queue.peek() for queue in self._queues.values())

    def waiting(self, most: int) -> int:
        """Return how many tasks and batches could start on free workers, counting to about `most`."""
        return sum(queue.count(most) for queue in self._queues.values())

    def watch(self, runs: Mapping[str, RunRecord]) -> None:
        """Take work from these runs, which may grow in number."""
        self._runs = runs

    def push(self, run: RunRecord, path: Path, order: int) -> None:
        """Queue a task or batch that is ready; a greater `order` is newer."""
        self._queues[self._kind(run)].push(order, (run.plan.name, path))

    def set_workers(self, event: Workers) -> None:
        """Use these workers from now on."""
        self._workers, self._cpus, self._memory = event.workers, event.cpus, event.memory
        before, self._kinds = self._kinds, {worker.gpu for worker in self._workers}
        if before != self._kinds:  # work may have to go to the other kind now
            self._queues = self._new_queues()
            for run in self._runs.values():
                records: dict[Path, Node | Group] = {**run.nodes, **run.groups}
                for path, record in records.items():
                    if record.ready:
                        self.push(run, path, record.order)

    def take(self, tickets: Mapping[int, Ticket]) -> Iterator[Assignment]:
        """Yield what is to start now, beside `tickets`; what was yielded must be running when asked again.

        The two kinds of worker take turns, and what is next in turn waits for room: nothing overtakes it.
        """
        if min(self._cpus, self._memory) <= 0:
            return
        busy = {ticket.worker for ticket in tickets.values()}
        cpus = self._cpus - sum(ticket.cpus for ticket in tickets.values())
        memory = self._memory - sum(ticket.memory for ticket in tickets.values())
        free: dict[bool, list[str]] = {True: [], False: []}
        for worker in self._workers:
            if worker.name not in busy:
                free[worker.gpu].append(worker.name)
        while (turn := self._whose_turn(free)) is not None:
            gpu, (name, path) = turn
            need = self._runs[name].plan.need
            # A task never asks for more than there is: alone, it gets what the session may use.
            needs_cpus, needs_memory = min(need.cpus, self._cpus), min(need.memory, self._memory)
            if needs_cpus > cpus or needs_memory > memory:
                return
            self._queues[gpu].pop()
            self._turns = [not gpu, gpu]
            cpus -= needs_cpus
            memory -= needs_memory
            yield Assignment(self._runs[name], path, free[gpu].pop(0), needs_cpus, needs_memory)

    def _whose_turn(self, free: dict[bool, list[str]]) -> tuple[bool, Entry] | None:
        """Return the kind of worker that is next to start something, and what; None where nothing can."""
        for gpu in self._turns:
            if free[gpu] and (entry := self._queues[gpu].peek()) is not None:
                return gpu, entry
        return None

    def _kind(self, run: RunRecord) -> bool:
        """Say whether a run's tasks go to workers with a GPU.

        Those that ask for one do, where there are any; all do, where there are no other workers.
        """
        return True in self._kinds and (run.plan.need.gpus > 0 or False not in self._kinds)

    def _new_queues(self) -> dict[bool, ReadyQueue[Entry]]:
        return {False: ReadyQueue[Entry](self._is_ready), True: ReadyQueue[Entry](self._is_ready)}

    def _is_ready(self, entry: Entry) -> bool:
        run = self._runs[entry[0]]
        record = run.groups.get(entry[1]) or run.nodes.get(entry[1])
        return record is not None and record.ready
