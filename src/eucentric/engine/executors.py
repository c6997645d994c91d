"""Where tasks are computed: in this process (`inline`), or on the site's Dask cluster.

An executor has named workers, each of which computes one task at a time; which task goes where is the
scheduler's business. Results come back through a callback, on the engine's event loop.
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from eucentric.engine.scheduler import Worker
from eucentric.engine.worker import Result, TaskSpec, execute

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerGone:
    """The worker ended before its task did, and what is known of the cause."""

    reason: str


Answer = Callable[[int, Result | WorkerGone], None]
"""Called with the ticket of a task and how it ended."""


class ExecutorLost(RuntimeError):
    """The executor as a whole has gone (the cluster's scheduler ended); it must be started anew."""


class Executor(ABC):
    """Runs tasks on named workers."""

    shared: bool = False
    """The workers are those of the whole site, which its sessions share."""
    answer: Answer
    """Set by the engine before the first task."""
    lost: Callable[[str], None]
    """Likewise; called with the reason when all workers are lost at once."""

    @abstractmethod
    async def start(self) -> list[Worker]:
        """Make the workers ready and return them; nothing of an earlier engine of theirs runs any more."""

    @abstractmethod
    def submit(self, ticket: int, worker: str, spec: TaskSpec) -> None:
        """Begin a task on a worker that is free."""

    @abstractmethod
    async def kill(self, worker: str) -> None:
        """End what the worker does, by force; it is ready for another task afterwards."""

    @abstractmethod
    async def close(self) -> None:
        """End all tasks and let go of the workers."""


class InlineExecutor(Executor):
    """One worker: a thread of the engine's own process. For tests, small sites and debugging.

    A crash in native code ends the engine; a task cannot be ended by force.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="task")
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> list[Worker]:
        """Return the one worker."""
        return [Worker("inline")]

    def submit(self, ticket: int, worker: str, spec: TaskSpec) -> None:
        """Run the task in the thread."""
        assert worker == "inline"
        task = asyncio.create_task(self._run(ticket, spec))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, ticket: int, spec: TaskSpec) -> None:
        result = await asyncio.get_running_loop().run_in_executor(self._thread, execute, spec)
        self.answer(ticket, result)

    async def kill(self, worker: str) -> None:
        """Refuse: a thread cannot be ended."""
        log.warning("The task of worker %s cannot be ended; it goes on until it is done.", worker)

    async def close(self) -> None:
        """Wait for the running task, whose result is dropped."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)


class DaskExecutor(Executor):
    """The workers of a Dask cluster: one single-thread process each, named by the cluster."""

    shared = True

    def __init__(self, connect: Callable[[], Any]) -> None:
        """Use the cluster to which `connect()`, a coroutine function, gives an asynchronous client."""
        self._connect = connect
        self._client: Any = None
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def start(self) -> list[Worker]:
        """Connect, and end what an earlier engine of this session may have left running."""
        self._client = await self._connect()
        info = await self._client.scheduler.identity(n_workers=-1)
        names = sorted(str(worker["name"]) for worker in info["workers"].values())
        return [Worker(name, gpu=name.startswith("gpu")) for name in names]

    def submit(self, ticket: int, worker: str, spec: TaskSpec) -> None:
        """Send the task to exactly that worker."""
        assert self._client is not None
        future = self._client.submit(
            execute,
            spec,
            key=f"{spec.work}-{spec.seed[:8]}",
            workers=[worker],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        self._tasks[ticket] = asyncio.create_task(self._wait(ticket, future))

    async def _wait(self, ticket: int, future: Any) -> None:
        from distributed import CancelledError, KilledWorker

        try:
            outcome: Result | WorkerGone = await future
        except KilledWorker:
            outcome = WorkerGone(
                "the worker process ended before the task did: out of memory, a crash in native code, or"
                " ended from outside"
            )
        except (CancelledError, asyncio.CancelledError, OSError, RuntimeError) as error:
            if self._client is not None and ticket in self._tasks:
                self.lost(f"The connection to the workers was lost ({type(error).__name__}: {error}).")
            return
        self._tasks.pop(ticket, None)
        self.answer(ticket, outcome)

    async def kill(self, worker: str) -> None:
        """Restart the worker's process."""
        assert self._client is not None
        await self._client.restart_workers([worker], timeout=30, raise_for_error=False)

    async def close(self) -> None:
        """Let go of all tasks and of the cluster."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError, TimeoutError):
                await client.close()
