"""Tasks on the site's Dask cluster.

Dask carries a task to the worker that our scheduler chose and brings back its result; it neither chooses,
steals nor repeats. A worker is known here by its name and is addressed by the address of its present process:
when the process ends, whatever it was given is answered at once, and the worker is offered again when its
next process is there.
"""

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eucentric.engine.cluster import ClusterError
from eucentric.engine.executor import Executor, ExecutorLost, WorkerGone
from eucentric.engine.scheduler import Worker
from eucentric.engine.worker import Result, TaskSpec, execute

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often the list of workers is read for what the cluster's events missed."""
_END_SECONDS = 3.0
_LONGEST_ANSWER = 30.0
_GONE = (
    "The worker process ended before the task did: a crash in native code, out of memory, or ended from"
    " outside."
)


class _Given(NamedTuple):
    """What was given to a worker: its address, the key of the task, and who waits for the result."""

    address: str
    key: str
    waiting: asyncio.Task[None]


class DaskExecutor(Executor):
    """The workers of a Dask cluster: one single-thread process each, named by the cluster."""

    shared = True

    def __init__(self, connect: Callable[[], Awaitable["Client"]]) -> None:
        """Use the cluster to which `connect()` gives an asynchronous client."""
        self._connect = connect
        self._client: Client | None = None
        self._topic = f"eucentric-{secrets.token_hex(8)}"  # under which workers tell results
        self._names: dict[str, str] = {}  # by address
        self._tickets: dict[int, _Given] = {}
        self._changed = asyncio.Event()
        self._was_there = False
        self._chores: set[asyncio.Task[None]] = set()

    async def start(self, session: Path) -> list[Worker]:
        """Connect, and end what an earlier engine of this session may have left running."""
        try:
            self._client = client = await self._connect()
            _hurry(client)
            client.subscribe_topic("all", self._noticed)
            client.subscribe_topic(self._topic, self._told)
            await self._look(client)
            await self._end_orphans(client, session)
        except OSError as error:
            raise ExecutorLost(f"The workers cannot be reached ({error or type(error).__name__}).") from error
        except ClusterError as error:
            if not self._was_there:
                raise
            raise ExecutorLost(str(error)) from error
        self._was_there = True
        self._begin(self._keep_looking(client))
        return self._workers()

    def _workers(self) -> list[Worker]:
        return [Worker(name, gpu=name.startswith("gpu")) for name in sorted(self._names.values())]

    def _begin(self, chore: Any) -> None:
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    # ---------------------------------------------------------------- which workers there are

    def _noticed(self, event: tuple[float, Any]) -> None:
        """Take a note of the cluster about what happened there."""
        _, said = event
        action = said.get("action") if isinstance(said, dict) else None
        if self._client is not None and action == "remove-worker":
            self._gone(said["worker"])
            self.staffed(self._workers())
        elif self._client is not None and action == "add-worker":
            self._begin(self._look_quietly(self._client))

    async def _look_quietly(self, client: "Client") -> None:
        with contextlib.suppress(OSError):  # the chore that keeps looking tells
            await self._look(client)

    async def _look(self, client: "Client") -> None:
        """Read which workers there are now."""
        assert client.scheduler is not None
        info = await client.scheduler.identity(n_workers=-1)
        there = {address: str(worker["name"]) for address, worker in info["workers"].items()}
        if client is not self._client or there == self._names:
            return
        for address in set(self._names) - set(there):
            self._gone(address)
        self._names = there
        self._changed.set()
        self.staffed(self._workers())

    async def _keep_looking(self, client: "Client") -> None:
        try:
            while client.status == "running":
                await asyncio.sleep(LOOK_SECONDS / 4)
                await self._look(client)
        except OSError as error:
            log.debug("The list of workers could not be read: %s", error)
        self.lost("The connection to the workers was lost.")

    def _gone(self, address: str) -> None:
        """Answer for what was given to a worker process that has ended."""
        self._names.pop(address, None)
        self._changed.set()
        for ticket, given in list(self._tickets.items()):
            if given.address == address:
                del self._tickets[ticket]
                given.waiting.cancel()
                self.answer(ticket, WorkerGone(_GONE))

    # ---------------------------------------------------------------- tasks

    def submit(self, ticket: int, worker: str, spec: TaskSpec) -> None:
        """Send the task to exactly that worker."""
        address = next((address for address, name in self._names.items() if name == worker), None)
        if address is None or self._client is None:
            self.answer(ticket, WorkerGone("The worker has ended before the task was begun.", began=False))
            return
        key = f"{spec.session}/{spec.work}"
        try:
            future = self._client.submit(
                execute_and_tell,
                spec,
                ticket,
                self._topic,
                key=key,
                workers=[address],
                allow_other_workers=False,
                retries=0,
                pure=False,
            )
        except Exception as error:  # the client has several words for having lost its connection
            self.lost(f"The connection to the workers was lost ({type(error).__name__}: {error}).")
            return
        waiting = asyncio.create_task(self._wait(ticket, future))
        self._tickets[ticket] = _Given(address, key, waiting)

    def _told(self, event: tuple[float, Any]) -> None:
        """Take a result that a worker tells by the cluster's events, which is sooner than by Dask's way."""
        _, (key, ticket, result) = event
        if ticket in self._tickets and self._tickets[ticket].key == key:
            self._tickets.pop(ticket).waiting.cancel()
            self.answer(ticket, Result.model_validate(result))

    async def _wait(self, ticket: int, future: "Future[Result]") -> None:
        """Wait for a result in Dask's way: for what a worker could not tell by itself."""
        from distributed import CancelledError, KilledWorker

        try:
            outcome = await future
        except KilledWorker:  # the news that comes first: the process has ended
            if ticket in self._tickets:
                self._gone(self._tickets[ticket].address)
                self.staffed(self._workers())
            return
        except (CancelledError, OSError) as error:
            if ticket in self._tickets:
                self.lost(f"The connection to the workers was lost ({type(error).__name__}: {error}).")
            return
        except Exception as error:  # the worker could not even begin
            outcome = Result(status="failed", reason=f"{type(error).__name__}: {error}")
        if self._tickets.pop(ticket, None) is not None:
            self.answer(ticket, outcome)

    # ---------------------------------------------------------------- ending by force

    async def kill(self, workers: Collection[str]) -> None:
        """End the processes of these workers; the cluster begins new ones."""
        addresses = [address for address, name in self._names.items() if name in set(workers)]
        if addresses and self._client is not None and self._client.status == "running":
            await self._end(self._client, addresses)

    async def _end(self, client: "Client", addresses: list[str]) -> None:
        """End processes from within; from outside where a task keeps the interpreter to itself."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await client.run(os._exit, 1, workers=addresses, on_error="ignore")
                await self._are_gone(addresses)
        if left := [address for address in addresses if address in self._names]:
            await client.restart_workers(left, timeout=30, raise_for_error=False)
            async with asyncio.timeout(_END_SECONDS):
                await self._are_gone(left)

    async def _are_gone(self, addresses: list[str]) -> None:
        while any(address in self._names for address in addresses):
            self._changed.clear()
            await self._changed.wait()

    async def _end_orphans(self, client: "Client", session: Path) -> None:
        """End tasks of this session that go on although their engine has died: Dask cannot interrupt them."""
        async with asyncio.timeout(_LONGEST_ANSWER):
            running = await client.run(running_keys, on_error="ignore")
        busy = [
            address for address, keys in running.items() if any(key.startswith(f"{session}/") for key in keys)
        ]
        if busy:
            log.info("%d tasks of an earlier engine are ended.", len(busy))
            await self._end(client, busy)

    async def close(self) -> None:
        """Let go of all tasks and of the cluster."""
        client, self._client = self._client, None
        tasks = [given.waiting for given in self._tickets.values()]
        self._tickets, self._names = {}, {}
        for task in [*tasks, *self._chores]:
            task.cancel()
        if client is not None:
            with contextlib.suppress(OSError):
                await client.close(timeout=_LONGEST_ANSWER)


def execute_and_tell(spec: TaskSpec, ticket: int, topic: str) -> Result:
    """Run a task in a worker, and tell its result to the engine that listens to `topic`."""
    from distributed import get_worker

    result = execute(spec)
    get_worker().log_event(topic, [f"{spec.session}/{spec.work}", ticket, result.model_dump(mode="json")])
    return result


def _hurry(client: "Client") -> None:
    """Let the client send what it has at once; by default it waits up to 10 ms for more."""
    client.scheduler_comm.interval = 0.001  # type: ignore[union-attr]


def running_keys(dask_worker: Any) -> list[str]:
    """Return the keys of what a worker computes now, wanted or not. Dask calls it in the worker."""
    return [str(task.key) for task in dask_worker.state.all_running_tasks]
