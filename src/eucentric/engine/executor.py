"""Where tasks are computed: what every such place must do.

An executor has named workers, each of which computes one task at a time; which task goes where is the
scheduler's business. Results come back through a callback, on the engine's event loop.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from eucentric.engine.scheduler import Worker
from eucentric.engine.worker import Result, TaskSpec


@dataclass(frozen=True)
class WorkerGone:
    """The worker ended before its task did.

    Attributes:
        reason: What is known of the cause.
        began: Whether the task may have begun, so that it may itself be the cause.
    """

    reason: str
    began: bool = True


class ExecutorLost(RuntimeError):
    """The executor as a whole has gone (the cluster's scheduler ended); it must be started anew."""


class Executor(ABC):
    """Runs tasks on named workers.

    Attributes:
        shared: The workers are those of the whole site, which its sessions share.
        answer: Called with the ticket of a task and how it ended; set by the engine, as those that follow.
        staffed: Called with all workers there are whenever some have come or gone.
        lost: Called with the reason when all workers are lost at once.
    """

    shared: bool = False
    answer: Callable[[int, Result | WorkerGone], None]
    staffed: Callable[[Sequence[Worker]], None]
    lost: Callable[[str], None]

    @abstractmethod
    async def start(self, session: Path) -> list[Worker]:
        """Make the workers ready and return them; no task of the session in this folder runs any more.

        Raises:
            ExecutorLost: They cannot be reached now; trying again may help.
        """

    @abstractmethod
    def submit(self, ticket: int, worker: str, spec: TaskSpec) -> None:
        """Begin a task on a worker that is free."""

    @abstractmethod
    async def kill(self, workers: Collection[str]) -> None:
        """End what these workers do, by force."""

    @abstractmethod
    async def close(self) -> None:
        """Forget all tasks and let go of the workers; `start` may follow."""
