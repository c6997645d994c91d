"""What is known of every exposure of a session, kept up to date for the report and the alarms.

An update reads what has changed since the one before, so that it costs the same however long the session is.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, Connection, Row, case, func, select, type_coerce

from eucentric.engine.overview import EngineState, engine_of
from eucentric.engine.recollect import path_of, read_runs
from eucentric.engine.scheduler import Path
from eucentric.monitors.run_order import downstream, streams_of
from eucentric.store.tables import batch, item, session, task, withdrawal

State = Literal["waiting", "done", "rejected", "failed"]
_METADATA = "exposure_metadata"
_SHORT = {_METADATA: "metadata"}


@dataclass(slots=True, eq=False)
class Exposure:
    """One exposure: the newest item of each kind that was made of it, and how its tasks stand.

    Attributes:
        path: Acquisition and key.
        found: When the sources first found it, or could not read it; seconds since 1970, UTC.
        recorded: When it was taken, as its metadata say, or else when its movie was last written.
        items: The fields of the newest item of each kind: `movie`, `metadata`, `micrograph`, `ctf`,
            `coordinates`, `particles`, ...
        made: When each kind of item was first committed.
        state: `done` when all runs have answered, `rejected` also when somebody withdrew it.
        reason: Why it was rejected or failed, else empty.
        run: The run that rejected it, or failed.
        version: Grows whenever anything of it changes.
    """

    path: Path
    found: float
    recorded: float = 0.0
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: dict[str, float] = field(default_factory=dict)
    state: State = "waiting"
    reason: str = ""
    run: str | None = None
    version: int = 0
    _streams: dict[tuple[int, str], tuple[int, str, float, bool, dict[str, Any]]] = field(
        default_factory=dict, repr=False
    )
    """For every run and output the item: its number, kind, time, whether it is withdrawn, its fields."""
    _tasks: dict[int, tuple[str, str]] = field(default_factory=dict, repr=False)
    """For every run the state of the newest task, and its error."""

    @property
    def acquisition(self) -> str:
        """The name of its acquisition."""
        return self.path[0]

    @property
    def name(self) -> str:
        """Its name within the acquisition."""
        return "/".join(self.path[1:])

    @property
    def latency(self) -> float | None:
        """Time in s from the last byte of its movie to its CTF, or None."""
        if "ctf" not in self.made or "movie" not in self.items:
            return None
        return max(0.0, self.made["ctf"] - float(self.items["movie"]["modified"]))


class SessionRecord:
    """All exposures of one session; call `update` whenever the bell rings.

    Attributes:
        acquisitions: The exposures of each acquisition, in the order in which they were found.
        shared: Fields of the items of each whole acquisition, by kind: `gain`, `session_statistics`, ...
            Where several runs make a kind, such as classes, those of the last in the workflow.
        changed: The exposures that the last update has changed.
        runs: Rows of the runs with their current revision, by name, sources first.
    """

    def __init__(self, session_id: int) -> None:
        self.acquisitions: dict[str, list[Exposure]] = {}
        self.shared: dict[str, dict[str, dict[str, Any]]] = {}
        self.changed: list[Exposure] = []
        self._makers: dict[tuple[str, str], int] = {}
        """The run of each of the shared items, by acquisition and kind."""
        self.runs: dict[str, Row[Any]] = {}
        self._session_id = session_id
        self._row: Row[Any] | None = None
        self._cursor = self._items_read_to = 0
        self._revisions: list[tuple[int, int]] = []
        self._waited_for: list[int] = []
        """Runs that answer for every exposure."""
        self._known: dict[Path, Exposure] = {}
        self._listed: set[Path] = set()
        self._troubles: set[Path] = set()
        self._accumulators: set[int] = set()
        self._withdrawn: dict[Path, tuple[str, str]] = {}
        self._withdrawals: tuple[int, float] = (0, 0.0)

    # ---------------------------------------------------------------- the session

    @property
    def session_id(self) -> int:
        """The number of the session."""
        return self._session_id

    @property
    def name(self) -> str:
        """The session's name."""
        return str(self._of_session().name)

    @property
    def created(self) -> float:
        """When the session was made, seconds since 1970, UTC."""
        return float(self._of_session().created)

    @property
    def held(self) -> str | None:
        """Why the engine holds back work, if it does."""
        held: str | None = self._of_session().held
        return held

    @property
    def engine(self) -> EngineState:
        """Whether the session's engine lives, now."""
        return engine_of(self._of_session())[0]

    def exposures(self) -> list[Exposure]:
        """Return all exposures, acquisition after acquisition."""
        return [each for listed in self.acquisitions.values() for each in listed]

    def _of_session(self) -> Row[Any]:
        assert self._row is not None, "update first"
        return self._row

    # ---------------------------------------------------------------- reading

    def update(self, connection: Connection) -> bool:
        """Read what has changed since the last time; return whether anything has."""
        before = self._row
        self._row = connection.execute(select(session).where(session.c.id == self._session_id)).one()
        runs = read_runs(connection, self._session_id)
        revised = [(row.id, row.revision) for row in runs.values()] != self._revisions
        self._revisions = [(row.id, row.revision) for row in runs.values()]
        self.runs = {name: runs[name] for name in downstream(runs)}
        touched: dict[Path, None] = {}
        waited_for = self._waited_for
        shared = self._read_items(connection, touched)
        self._read_tasks(connection, touched)
        self._read_accumulators(connection)
        self._read_withdrawals(connection, touched)
        gathering = self._gathering()
        self._waited_for = [row.id for name, row in self.runs.items() if row.inputs and name not in gathering]
        self._take_in(touched if self._waited_for == waited_for else self._known)
        stands = ("state", "held", "lease_holder")
        altered = before is None or any(getattr(before, name) != getattr(self._row, name) for name in stands)
        return bool(self.changed or shared or revised or altered)

    def _read_items(self, connection: Connection, touched: dict[Path, None]) -> bool:
        shared, newest = False, self._cursor
        # The fields of what was replaced are not even fetched.
        data = type_coerce(case((item.c.state != "superseded", item.c.data)), JSON).label("data")
        columns = (item.c.id, item.c.run_id, item.c.output, item.c.acquisition, item.c.key, item.c.kind)
        query = select(*columns, item.c.state, item.c.created, item.c.change, data).where(
            item.c.session_id == self._session_id, item.c.change > self._cursor
        )
        for row in connection.execute(query.order_by(item.c.id)):
            newest = max(newest, row.change)
            if not row.key:
                shared = True
                if row.state == "current":
                    self._take_shared(row.run_id, row.acquisition, row.kind, row.data)
                continue
            path = path_of(row.acquisition, row.key)
            touched[path] = None
            exposure = self._at(path, row.created)
            stream = (row.run_id, row.output)
            if row.state != "superseded":
                withdrawn = row.state == "withdrawn"
                fields = _shared_fields(row.data, exposure)
                exposure._streams[stream] = (row.id, row.kind, row.created, withdrawn, fields)
            elif exposure._streams.get(stream, (None,))[0] == row.id:
                del exposure._streams[stream]
        self._items_read_to = newest
        return shared

    def _take_shared(self, run_id: int, acquisition: str, kind: str, fields: dict[str, Any]) -> None:
        order = [each.id for each in self.runs.values()]
        maker = self._makers.get((acquisition, kind), run_id)
        if order.index(run_id) >= order.index(maker):
            self._makers[acquisition, kind] = run_id
            self.shared.setdefault(acquisition, {})[kind] = fields

    def _read_tasks(self, connection: Connection, touched: dict[Path, None]) -> None:
        """Take in changed tasks. Of sources, whose troubles end without a change, all that are there."""
        sources = [row.id for row in self.runs.values() if not row.inputs]
        troubles: set[Path] = set()
        columns = (task.c.run_id, task.c.acquisition, task.c.key, task.c.state, task.c.error, task.c.started)
        here = select(*columns, task.c.change).where(
            task.c.session_id == self._session_id, task.c.current, task.c.key != ""
        )
        for path in self._troubles:
            for number in sources:
                self._known[path]._tasks.pop(number, None)
        newest = self._items_read_to
        for query in (here.where(task.c.run_id.in_(sources)), here.where(task.c.change > self._cursor)):
            for row in connection.execute(query.order_by(task.c.id)):
                path = path_of(row.acquisition, row.key)
                exposure = self._at(path, row.started)
                exposure._tasks[row.run_id] = (row.state, row.error or "")
                if row.run_id in sources:
                    troubles.add(path)
                if row.change > self._cursor:
                    touched[path] = None
                newest = max(newest, row.change)
        touched.update(dict.fromkeys(troubles ^ self._troubles))
        self._troubles = troubles
        self._cursor = newest

    def _read_accumulators(self, connection: Connection) -> None:
        """Find out which runs gather many exposures: none of these has to wait for them."""
        for row in self.runs.values():
            if row.inputs and row.id not in self._accumulators:
                there = select(batch.c.id).where(batch.c.run_id == row.id).limit(1)
                if connection.execute(there).first() is not None:
                    self._accumulators.add(row.id)

    def _gathering(self) -> set[str]:
        """Return the names of the runs that make something of a whole acquisition."""
        found: set[str] = set()
        for name, row in self.runs.items():
            above = {stream.split(".")[0] for stream in streams_of(row)}
            if row.id in self._accumulators or (above and above <= found):
                found.add(name)
        return found

    def _read_withdrawals(self, connection: Connection, touched: dict[Path, None]) -> None:
        names = {row.id: name for name, row in self.runs.items()}
        gone = withdrawal.c
        here = gone.run_id.in_(list(names))
        count, last = connection.execute(select(func.count(), func.max(gone.created)).where(here)).one()
        if (count, last or 0.0) == self._withdrawals:
            return
        self._withdrawals = (count, last or 0.0)
        before = self._withdrawn
        self._withdrawn = {
            path_of(row.acquisition, row.key): (names[row.run_id], row.reason)
            for row in connection.execute(select(withdrawal).where(here))
        }
        different = {
            path for path in before | self._withdrawn if before.get(path) != self._withdrawn.get(path)
        }
        touched.update(dict.fromkeys(path for path in different if path in self._known))

    def _at(self, path: Path, found: float) -> Exposure:
        exposure = self._known.get(path)
        if exposure is None:
            exposure = self._known[path] = Exposure(path, found)
        exposure.found = min(exposure.found, found)
        return exposure

    # ---------------------------------------------------------------- understanding

    def _take_in(self, touched: Iterable[Path]) -> None:
        """Work out anew what is to be told of these exposures."""
        self.changed = []
        for exposure in sorted((self._known[path] for path in touched), key=lambda each: each.found):
            exposure.version += 1
            _gather(exposure)
            self._judge(exposure)
            self._list(exposure)
            self.changed.append(exposure)

    def _judge(self, exposure: Exposure) -> None:
        exposure.state, exposure.reason, exposure.run = "waiting", "", None
        if exposure.path in self._withdrawn:
            exposure.run, why = self._withdrawn[exposure.path]
            exposure.state, exposure.reason = "rejected", f"withdrawn: {why}" if why else "withdrawn"
            return
        # What went wrong first, on the way down, is why the rest is missing.
        for name, row in self.runs.items():
            state, error = exposure._tasks.get(row.id, ("", ""))
            if state == "rejected" or state == "failed":
                exposure.state, exposure.reason, exposure.run = state, error, name  # type: ignore[assignment]
                return
        if all(exposure._tasks.get(number, ("",))[0] == "done" for number in self._waited_for):
            exposure.state = "done"

    def _list(self, exposure: Exposure) -> None:
        """Keep the lists: metadata may come before its movie, which alone makes an exposure."""
        path = exposure.path
        made = exposure.items.keys() - {"metadata"} or (exposure.items and exposure._tasks)
        wanted = bool(made) or exposure.state in ("failed", "rejected")
        if wanted and path not in self._listed:
            self._listed.add(path)
            self.acquisitions.setdefault(path[0], []).append(exposure)
        elif not wanted and path in self._listed:
            self._listed.remove(path)
            self.acquisitions[path[0]].remove(exposure)


def _gather(exposure: Exposure) -> None:
    """Take the newest item of each kind; those withdrawn only where there is no other."""
    exposure.items, exposure.made = {}, {}
    for _, kind, created, _, fields in sorted(
        exposure._streams.values(), key=lambda each: (not each[3], each[0])
    ):
        kind = _SHORT.get(kind, kind)
        exposure.items[kind] = fields
        exposure.made[kind] = min(created, exposure.made.get(kind, created))
    written = exposure.items.get("movie", {}).get("modified", exposure.found)
    stated = exposure.items.get("metadata", {}).get("recorded")
    exposure.recorded = datetime.fromisoformat(stated).timestamp() if stated else float(written)


def _shared_fields(data: dict[str, Any], exposure: Exposure) -> dict[str, Any]:
    """Return the fields of an item; runs that pass an item on do not make another copy of it in memory."""
    for *_, fields in exposure._streams.values():
        if fields == data:
            return fields
    return {sys.intern(name): value for name, value in data.items()}
