"""Which answers there are, and how a change of one travels down the workflow.

For every run and path there is one *answer*: the items made, the fact that there is none (failed, rejected,
skipped, withdrawn: a tombstone), or nothing yet. A task is due when all its inputs have answers and its last
result was made from others. When an answer is lost (a revision, a replaced input), those that depend on it
are lost with it, down the whole workflow, before anything is started: so a join never mixes revisions.
"""

from collections.abc import Callable, Iterable

from eucentric.engine.graph import Plan
from eucentric.engine.scheduler.batches import is_due, reconsider_entry
from eucentric.engine.scheduler.events import Path
from eucentric.engine.scheduler.records import Feed, Group, Node, RunRecord, Signature, Ticket
from eucentric.engine.scheduler.wanted import SKIP, lacks_what_comes, wanted

FIRST = 2**60
"""The order of what belongs to a whole acquisition: everything else waits for it."""


class Flow:
    """The answers of all runs, and what follows from them.

    Attributes:
        runs: The runs by name, each after those that feed it.
        tickets: What runs now.
        touched: Items that entered (False) or left (True) the stream since somebody looked.
        epochs: The epoch of every acquisition-level item.
        recalling: The past is being taken over: changes are not passed on, since every run is asked in turn.
    """

    def __init__(self, push: Callable[[RunRecord, Path, int], None]) -> None:
        """Start without runs; `push` is called with whatever becomes ready to start, and its order."""
        self.runs: dict[str, RunRecord] = {}
        self.tickets: dict[int, Ticket] = {}
        self.touched: dict[int, bool] = {}
        self.epochs: dict[int, int] = {}
        self.recalling = False
        self._push = push
        self._orders: dict[Path, int] = {}

    def add(self, plan: Plan) -> RunRecord:
        """Add a run after those that feed it."""
        run = RunRecord(
            plan,
            answers={output: {} for output in plan.outputs},
            found={output: {} for output in plan.outputs} if plan.station == "source" else {},
            consumers={output: [] for output in plan.outputs},
        )
        feeds = []
        for name, port in plan.ports.items():
            full = port.level == plan.level
            feeds.append(
                Feed(
                    name=name,
                    producers=tuple(self.runs[stream.run] for stream in port.streams),
                    answers=tuple(self.runs[stream.run].answers[stream.output] for stream in port.streams),
                    length=port.level + 1,
                    full=full,
                    by_epoch=port.level == 0 and plan.level > 0,
                    several=port.several,
                    optional=port.optional,
                )
            )
            for stream in port.streams:
                consumers = self.runs[stream.run].consumers[stream.output]
                if not any(consumer is run for consumer, _ in consumers):
                    consumers.append((run, full))
        run.feeds = tuple(feeds)
        self.runs[plan.name] = run
        return run

    def order(self, path: Path) -> int:
        """Return the arrival number of a path: the first that is seen gets the lowest."""
        return self._orders.setdefault(path, len(self._orders) + 1)

    def node(self, run: RunRecord, path: Path) -> Node:
        """Return the node of an exposure-level run for a path; there is one from now on."""
        node = run.nodes.get(path)
        if node is None:
            node = run.nodes[path] = Node(self.order(path) if run.plan.level else FIRST)
        return node

    # ---------------------------------------------------------------- what is due

    def evaluate(self, run: RunRecord, path: Path) -> None:
        """Work out anew what is due for one path of one run, and pass on what changed."""
        if run.plan.station == "accumulator":
            self._evaluate_entry(run, path)
            return
        node = self.node(run, path)
        now = wanted(run, path, self.epochs)
        due = False
        if path in run.withdrawn or (now == SKIP and _is_known(run, node, path)):
            node.answer = "none"
        elif isinstance(now, str):
            node.answer = None
        elif node.outcome is not None and node.signature == now:
            node.answer = "items" if node.outcome == "done" else "none"
        else:
            node.answer = "items" if self._lacks_newer_versions(node, now) else None
            running = node.ticket is not None and self.tickets[node.ticket].signature == now
            due = not running and not lacks_what_comes(run, path)
        if due and not node.ready:
            self._push(run, path, node.order)
        node.ready = due
        if node.answer is not None and node.items and node.hidden != (node.answer == "none"):
            node.hidden = not node.hidden
            self.touched.update(dict.fromkeys(node.items, node.hidden))
        for index, output in enumerate(run.plan.outputs):
            answer = node.items[index] if node.answer == "items" else 0 if node.answer == "none" else None
            self.set_answer(run, output, path, answer)

    def _lacks_newer_versions(self, node: Node, now: Signature) -> bool:
        """Say whether an acquisition-level result lacks only newer versions of what it is made of.

        Then it stays in use until it is replaced, so that its consumers lose nothing meanwhile.
        """
        if node.order != FIRST or node.outcome != "done" or node.signature is None:
            return False
        return self.epoch_above(node.signature) == self.epoch_above(now)

    def epoch_above(self, signature: Signature) -> int:
        """Return the sum of the epochs of the acquisition-level items in a signature."""
        used = [each for part in signature for each in (part if isinstance(part, tuple) else (part,))]
        return sum(self.epochs.get(each, 0) for each in used)

    def _evaluate_entry(self, run: RunRecord, path: Path) -> None:
        group = run.groups.get(path[:1])
        if group is None:
            group = run.groups[path[:1]] = Group(self.order(path))
        reconsider_entry(run, group, path, self.order(path), self.epochs)
        self.queue_group(run, path[:1], group)

    def queue_group(self, run: RunRecord, path: Path, group: Group) -> None:
        """Queue the group's next batch if there is one to start."""
        if self.recalling:
            return
        due = is_due(run, group)
        if due and not group.ready:
            self._push(run, path, group.order)
        group.ready = due

    # ---------------------------------------------------------------- answers

    def set_answer(self, run: RunRecord, output: str, path: Path, answer: int | None) -> None:
        """Set what consumers see of an output: an item, 0 for none, or None for nothing yet."""
        answers = run.answers[output]
        before = answers.get(path)
        if before == answer:
            return
        if answer is None:
            del answers[path]
        else:
            answers[path] = answer
        if self.recalling:
            return
        for consumer, full in run.consumers[output]:
            if full:
                self.evaluate(consumer, path)
            elif not (before and answer and len(path) == 1):  # a newer version redoes nothing unasked
                for each in [each for each in self._paths(consumer) if each[: len(path)] == path]:
                    self.evaluate(consumer, each)

    def answer_found(self, run: RunRecord, output: str, path: Path) -> None:
        """Set a source's answer to what it found, unless that is withdrawn."""
        found = run.found[output].get(path)
        hidden = path in run.withdrawn
        if found:
            if len(path) == 1:
                self.epochs[found] = run.revision
            if hidden != (found in run.hidden):
                (run.hidden.add if hidden else run.hidden.discard)(found)
                self.touched[found] = hidden
        self.set_answer(run, output, path, 0 if hidden and found is not None else found)

    def catch_up(self, run: RunRecord) -> None:
        """Evaluate every path of which the run, or one of its full-length inputs, knows anything."""
        if run.plan.station == "source":
            for output, found in run.found.items():
                for path in found:
                    self.answer_found(run, output, path)
            return
        paths = dict.fromkeys((*self._paths(run), *run.withdrawn))
        for feed in run.feeds:
            if feed.full:
                for answers in feed.answers:
                    paths.update(dict.fromkeys(answers))
        for path in paths:
            self.evaluate(run, path)

    def _paths(self, run: RunRecord) -> Iterable[Path]:
        """Return the paths that a change of a shorter input may concern."""
        if run.plan.station != "accumulator":
            return run.nodes
        known = {path for feed in run.feeds if feed.full for answers in feed.answers for path in answers}
        known.update(*(group.included for group in run.groups.values()))
        return sorted(known, key=self.order)


def _is_known(run: RunRecord, node: Node, path: Path) -> bool:
    """Say whether there is such a path: a lack of what belongs to the whole acquisition creates none."""
    if node.items or node.outcome is not None:
        return True
    return any(path in answers for feed in run.feeds if feed.full for answers in feed.answers)
