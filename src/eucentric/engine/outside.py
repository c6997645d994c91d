"""What a step of the engine asks to be done outside the transaction. Plain data."""

from collections.abc import Iterable
from dataclasses import dataclass

from eucentric.engine.protocol import Found
from eucentric.engine.worker import TaskSpec


@dataclass(frozen=True)
class Submit:
    """Begin a task on a worker; end it by force after `timeout` seconds."""

    ticket: int
    worker: str
    spec: TaskSpec
    timeout: float | None


@dataclass(frozen=True)
class StartSource:
    """Begin a source's scan, or begin it anew: another `life` of it, which is told what is `known`."""

    run: str
    life: int
    known: Iterable[Found]


@dataclass(frozen=True)
class StopSource:
    """End a source's scan."""

    run: str


@dataclass(frozen=True)
class StopEngine:
    """End the engine."""


@dataclass(frozen=True)
class RingForWorkers:
    """Tell the site's other engines that workers are free, or wanted."""


Action = Submit | StartSource | StopSource | StopEngine | RingForWorkers
