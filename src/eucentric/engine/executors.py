"""The executors there are: the site's Dask cluster, and this process itself (`inline`)."""

import asyncio
import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eucentric.engine.dask_executor import DaskExecutor
from eucentric.engine.executor import Executor, ExecutorLost, WorkerGone
from eucentric.engine.scheduler import Worker
from eucentric.engine.worker import TaskSpec, execute

__all__ = ["DaskExecutor", "Executor", "ExecutorLost", "InlineExecutor", "WorkerGone"]

log = logging.getLogger(__name__)


class InlineExecutor(Executor):
    """One worker: a thread of the engine's own process. For tests, small sites and debugging.

    A crash in native code ends the engine; a task cannot be ended by force.
    """

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, session: Path) -> list[Worker]:  # noqa: ARG002 - nothing outlives this process
        """Return the one worker."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="task")
        return [Worker("inline")]

    def submit(self, ticket: int, worker: str, spec: TaskSpec) -> None:  # noqa: ARG002 - there is but one
        """Run the task in the thread."""
        task = asyncio.create_task(self._run(ticket, spec))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, ticket: int, spec: TaskSpec) -> None:
        result = await asyncio.get_running_loop().run_in_executor(self._thread, execute, spec)
        self.answer(ticket, result)

    async def kill(self, workers: Collection[str]) -> None:
        """Refuse: a thread cannot be ended."""
        if workers:
            log.warning("A task within the engine's own process cannot be ended by force; it goes on.")

    async def close(self) -> None:
        """Wait for the running task, whose result is dropped."""
        for task in list(self._tasks):
            task.cancel()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown, cancel_futures=True)
