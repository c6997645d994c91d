"""What a workflow's results should be, recomputed from scratch: plain recursion, no events, no order."""

from functools import cache

from engine.ledger import Value
from engine.replay import Replay
from eucentric.engine.graph import Port
from eucentric.engine.scheduler import Path

NONE: Value = ("none",)
"""The answer that there is none. (Python's None: nothing is known, an input is yet to come.)"""


class Oracle:
    """Recomputes what follows from what the sources found, what is withdrawn and what was rejected.

    The output of an accumulator depends on its history, so it is taken from the journal as it is; what
    should be in it is recomputed.
    """

    def __init__(self, replay: Replay, rejections: bool = True) -> None:
        self.journal = replay.journal
        self.plans = {plan.name: plan for plan in replay.plans}
        self.rejected = replay.rejected if rejections else set()
        self.result = cache(self._result)
        found = [row.path for row in self.journal.rows.values() if self.plans[row.run].station == "source"]
        found += [path for _, _, path in self.journal.troubles]
        self.paths = {path[:length] for path in found for length in range(1, len(path) + 1)}

    def _result(self, run: str, output: str, path: Path, epoch: bool) -> Value | None:
        """The value of one output for one path, NONE, or None."""
        plan = self.plans[run]
        if plan.station == "accumulator":
            row = self.journal.live.get((run, output, path))
            if row is None or row.revision != self.journal.firsts[run]:
                return None  # an older revision's output stays in the stream, but feeds nothing
            return row.epoch if epoch else row.exact
        if plan.station == "source":
            row = self.journal.live.get((run, output, path))
            if row is None or row.revision != self.journal.revisions[run]:
                return NONE if (run, output, path) in self.journal.troubles else None
            if (run, path) in self.journal.withdrawn:
                return NONE
            return row.epoch if epoch else row.exact
        exact = self.inputs(run, path, False)
        if (run, path) in self.journal.withdrawn or (exact == NONE and self.is_known(run, path)):
            return NONE
        if exact in (None, NONE):
            return None
        revision = self.journal.revisions[run]
        value = (run, revision, path, *exact)
        if value in self.rejected:
            return NONE
        if epoch:
            parts = self.inputs(run, path, True) or ()
            value = (run, revision, path, *parts)
        return (*value, output)

    def inputs(self, run: str, path: Path, epoch: bool) -> Value | None:
        """The values of all input ports, NONE where one is lacking, None where one is yet to come."""
        parts = []
        for port in self.plans[run].ports.values():
            by_epoch = epoch or (port.level == 0 and self.plans[run].level > 0)
            parts.append(self._port(port, path[: port.level + 1], by_epoch))
        return NONE if NONE in parts else None if None in parts else tuple(parts)

    def _port(self, port: Port, path: Path, epoch: bool) -> Value | None:
        answers = [self.result(stream.run, stream.output, path, epoch) for stream in port.streams]
        there = tuple(answer for answer in answers if answer not in (None, NONE))
        if port.optional:
            return there
        if None in answers:
            return None
        return there or NONE

    def is_known(self, run: str, path: Path) -> bool:
        """Whether an input of full length, or the past, knows a path: a missing gain does not create any."""
        ports = [port for port in self.plans[run].ports.values() if port.level == self.plans[run].level]
        past = (run, path) in self.journal.tasks or any(
            (run, output, path) in self.journal.live for output in self.plans[run].outputs
        )
        return past or any(
            self.result(stream.run, stream.output, path, False) is not None
            for port in ports
            for stream in port.streams
        )

    def entries(self, run: str, acquisition: str) -> dict[Path, Value]:
        """What an accumulator should hold."""
        plan = self.plans[run]
        found = {}
        for path in self.paths:
            if path[0] == acquisition and len(path) == plan.level + 1:
                value = self.inputs(run, path, False)
                if value not in (None, NONE) and (run, path) not in self.journal.withdrawn:
                    found[path] = value
        return found
