"""The engine of one session: a loop that takes events to the scheduler and its wishes to the outside.

It keeps nothing that is not in the database: whatever goes wrong with the database or the workers, it lets go
of everything, waits until they are back, and starts anew from what was committed.
"""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from eucentric.engine import places
from eucentric.engine import scheduler as ev
from eucentric.engine.executor import Executor, ExecutorLost
from eucentric.engine.journal import Journal
from eucentric.engine.lease import SECONDS as LEASE_SECONDS
from eucentric.engine.lease import LeaseLost, give_lease_back, take_lease
from eucentric.engine.outside import Action, RingForWorkers, StartSource, StopEngine, StopSource, Submit
from eucentric.engine.registry import Registry
from eucentric.engine.sessions import session_id_of
from eucentric.engine.sources import FoundItem, FoundTrouble, RunningSource
from eucentric.engine.steps import Ended, Rang, Staff, StepEvent, Steps
from eucentric.engine.worker import Result
from eucentric.store import Bell, Database, DatabaseUnavailable, DiskFull, Site

log = logging.getLogger(__name__)

HEARTBEAT = LEASE_SECONDS / 4
MOST_EVENTS = 500
"""Most events in one transaction."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
"""Seconds to wait before the engine starts anew."""
LONGEST_HOLD = 60.0
"""Seconds after which a task is tried although the disk has no more space than when it was full."""
SOURCE_PATIENCE = 5.0
"""Seconds that a source gets to end its scan."""

T = TypeVar("T")


class Engine:
    """Runs one session until it is told to stop, or (`until_idle`) until nothing is left to do."""

    def __init__(
        self,
        site: Site,
        database: Database,
        session: str,
        executor: Executor,
        *,
        registry: Registry | None = None,
        until_idle: bool = False,
    ) -> None:
        """Prepare; nothing is read or written before `run`.

        Args:
            site: The site that holds the session.
            database: The site's database.
            session: Name of the session.
            executor: Where tasks are computed.
            registry: The protocols; by default those installed and the site's own.
            until_idle: End when everything that the sources can find is worked on.
        """
        self.site = site
        self.database = database
        self.session = session
        self.until_idle = until_idle
        self._registry = registry if registry is not None else Registry(site.protocols_folder)
        self._executor = executor
        self._bell = Bell(site, database)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="steps")
        self._sources: dict[str, RunningSource] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._busy: dict[int, str] = {}
        self._free_at_hold = 0
        self._held_at = self._next_beat = 0.0
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run the session's engine, once.

        Raises:
            SessionBusy: Another engine runs the session.
            LeaseLost: Another engine has taken it over; this one has stopped.
            WorkflowError: The session's workflow cannot run with the protocols that are here.
            StoreError: The database cannot be used, or not be reached at the start.
            ClusterError: The site's workers could not be started.
        """
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[StepEvent | ExecutorLost] = asyncio.Queue()
        self._executor.answer = lambda ticket, outcome: self._ended(Ended(ticket, outcome))
        self._executor.staffed = lambda workers: self._queue.put_nowait(self._staff(workers))
        self._executor.lost = lambda reason: self._queue.put_nowait(ExecutorLost(reason))
        try:
            number, token = await self._in_thread(self._take_lease)
            listener = asyncio.create_task(self._listen())
            ours = True
            try:
                await self._keep_living(number, token)
            except LeaseLost:
                ours = False
                raise
            finally:
                listener.cancel()
                await self._let_go(ours)
                await self._in_thread(self._give_back, number, token)
                self._bell.ring("workers")
                self._bell.ring(f"changes:{self.session}")
        finally:
            self._thread.shutdown()
            await asyncio.to_thread(self._bell.close)

    def stop(self) -> None:
        """Ask the engine to end, from the event loop (a signal handler, say)."""
        self._stop.set()
        self._queue.put_nowait(Rang())

    async def _keep_living(self, number: int, token: int) -> None:
        wait = FIRST_WAIT
        while not self._stop.is_set():
            began = self._loop.time()
            try:
                await self._live(number, token)
                return
            except (DatabaseUnavailable, DiskFull, ExecutorLost, OSError) as error:
                wait = FIRST_WAIT if self._loop.time() - began > LONGEST_WAIT else wait
                log.error("%s The engine starts anew in %.1f s from what was committed.", error, wait)
                await self._let_go()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), wait)
                wait = min(2 * wait, LONGEST_WAIT)

    async def _live(self, number: int, token: int) -> None:
        """One life of the engine, from what was committed to a stop or a failure of the surroundings."""
        self._queue = asyncio.Queue()
        starting = asyncio.create_task(self._executor.start(self.site.session_folder(self.session)))
        try:
            steps = await self._in_thread(self._read_back, number, token)
            actions = await self._in_thread(steps.begin)
        finally:
            workers = await starting
        events: Sequence[StepEvent] = [self._staff(workers), Rang()]
        while True:
            self._perform(actions, steps)
            actions = await self._in_thread(steps.step, events)
            self._bell.ring(f"changes:{self.session}")
            self._note_written(events)
            self._perform(actions, steps)
            actions = []
            if self._stop.is_set():
                await self._in_thread(steps.end)
                return
            if self.until_idle and steps.idle and self._queue.empty():
                return
            events = await self._next_events(steps)

    # ---------------------------------------------------------------- events

    def _staff(self, workers: Sequence[ev.Worker]) -> Staff:
        has = self.site.workers
        return Staff(tuple(workers), self._executor.shared, has.cpu_count, has.memory_bytes)

    async def _next_events(self, steps: Steps) -> list[StepEvent]:
        """Wait for something to happen; a heartbeat renews the lease and looks for what a bell missed."""
        now = self._loop.time()
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT
            return [ev.Release(), Rang()] if steps.held and self._may_release(now) else [Rang()]
        try:
            first = await asyncio.wait_for(self._queue.get(), self._next_beat - now)
        except TimeoutError:
            return await self._next_events(steps)
        taken = [first]
        while not self._queue.empty() and len(taken) < MOST_EVENTS:
            taken.append(self._queue.get_nowait())
        events: list[StepEvent] = []
        for event in taken:
            if isinstance(event, ExecutorLost):
                raise event
            events.append(event)
        return events

    def _note_written(self, events: Sequence[StepEvent]) -> None:
        for event in events:
            if isinstance(event, FoundItem | FoundTrouble):
                source = self._sources.get(event.run)
                if source is not None and source.life == event.life:
                    source.taken()
            outcome = event.outcome if isinstance(event, Ended) else None
            if isinstance(outcome, Result) and outcome.status == "no_space":
                self._held_at, self._free_at_hold = self._loop.time(), self._free_space()

    def _may_release(self, now: float) -> bool:
        """Say whether to try again after a full disk: there is more space, or it was long ago."""
        return self._free_space() > self._free_at_hold or now > self._held_at + LONGEST_HOLD

    def _free_space(self) -> int:
        return shutil.disk_usage(self.site.session_folder(self.session)).free

    def _ended(self, event: Ended) -> None:
        if (timer := self._timers.pop(event.ticket, None)) is not None:
            timer.cancel()
        if self._busy.pop(event.ticket, None) is not None:
            self._queue.put_nowait(event)

    def _post(self, event: StepEvent) -> None:
        """Take an event from another thread."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, event)

    async def _listen(self) -> None:
        async with contextlib.aclosing(self._bell.listen()) as topics:
            async for topic in topics:
                if topic in (None, f"commands:{self.session}", "workers"):
                    self._queue.put_nowait(Rang())

    # ---------------------------------------------------------------- actions

    def _perform(self, actions: Sequence[Action], steps: Steps) -> None:
        for action in actions:
            match action:
                case Submit():
                    self._submit(action)
                case StartSource():
                    self._start_source(action, steps)
                case StopSource():
                    self._stop_source(action.run)
                case StopEngine():
                    self._stop.set()
                case RingForWorkers():
                    self._bell.ring("workers")

    def _submit(self, submit: Submit) -> None:
        self._busy[submit.ticket] = submit.worker
        if submit.timeout is not None:
            self._timers[submit.ticket] = self._loop.call_later(submit.timeout, self._time_out, submit)
        self._executor.submit(submit.ticket, submit.worker, submit.spec)

    def _time_out(self, submit: Submit) -> None:
        if self._busy.pop(submit.ticket, None) is None:
            return
        ending = self._loop.create_task(self._end_by_force(submit))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _end_by_force(self, submit: Submit) -> None:
        """End a task that takes too long; it failed, and is not tried again unasked.

        Its own answer does not count any more; ours comes when the worker has let go of it.
        """
        reason = f"It was ended by force: it took longer than {submit.timeout:g} s."
        try:
            await self._executor.kill([submit.worker])
        except OSError as error:
            self._executor.lost(f"A worker could not be ended ({error}).")
            return
        self._queue.put_nowait(Ended(submit.ticket, Result(status="failed", reason=reason)))

    def _start_source(self, start: StartSource, steps: Steps) -> None:
        self._stop_source(start.run)
        row = steps.runs[start.run]
        protocol: Any = self._registry[row.protocol]
        source = RunningSource(
            start.run,
            start.life,
            protocol(protocol.Params.model_validate(row.params)),
            self.site.session_folder(self.session),
            self._post,
        )
        self._sources[start.run] = source
        source.start(start.known)

    def _stop_source(self, run: str) -> None:
        if (source := self._sources.pop(run, None)) is not None:
            source.stop()

    async def _let_go(self, ours: bool = True) -> None:
        """End everything outside: sources, timers, tasks.

        Where another engine has taken the session over (not `ours`), it has ended our tasks and may use our
        workers: they are left alone.
        """
        stopped, self._sources = list(self._sources.values()), {}
        for source in stopped:
            source.stop()
        for timer in self._timers.values():
            timer.cancel()
        for ending in self._endings:
            ending.cancel()
        self._timers.clear()
        workers, self._busy = set(self._busy.values()), {}
        try:
            if ours:
                await self._executor.kill(workers)
            await self._executor.close()
        except OSError as error:
            log.warning("The workers could not be told to stop (%s).", error)
        for source in stopped:
            await asyncio.to_thread(source.join, SOURCE_PATIENCE)

    # ---------------------------------------------------------------- in the steps' thread

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        return await self._loop.run_in_executor(self._thread, function, *args)

    def _take_lease(self) -> tuple[int, int]:
        with self.database.write() as connection:
            number = session_id_of(connection, self.session)
            return number, take_lease(connection, number)

    def _give_back(self, number: int, token: int) -> None:
        try:
            with self.database.write() as connection:
                if give_lease_back(connection, number, token):
                    places.sweep(self.site.session_folder(self.session))
        except (DatabaseUnavailable, DiskFull) as error:
            log.warning("The session's lease runs out by itself: %s", error)

    def _read_back(self, number: int, token: int) -> Steps:
        journal = Journal(self.database, number, token)
        return Steps(
            journal, self._registry, self.site.session_folder(self.session), self.site.protocols_folder
        )
