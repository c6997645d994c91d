"""What the sessions of a site are doing, read from the database alone: for people, pages and scripts.

The engine need not run, and nothing but the database is asked. Here is the list of sessions; `follower`
looks closely at one.
"""

import time
from collections import Counter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, func, select

from eucentric.engine.lease import has_died
from eucentric.engine.scheduler import Path
from eucentric.store.tables import batch, item, run, run_revision, session, task

EngineState = Literal["new", "running", "stopped", "interrupted"]


class NoSuchRun(LookupError):
    """A session has no run of this name."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunOverview(_Record):
    """What one run of a session has done under its current revision."""

    name: str
    protocol: str
    revision: int = Field(description="Current revision of the run.")
    closed: bool = Field(description="A source that looks for nothing new.")
    source: bool = Field(description="It finds items instead of making them from others.")
    versions: int = Field(description="Versions made so far, where results of all exposures are gathered.")
    done: int = Field(
        description="Exposures (or whole acquisitions) done, or gathered; of a source those found. The list"
        " of sessions leaves open how many are gathered, and how many wait."
    )
    running: int
    waiting: int = Field(description="Those with all inputs there that have not been answered yet.")
    failed: int
    rejected: int
    withdrawn: int = Field(description="Those that somebody took out of the stream here.")


class SessionOverview(_Record):
    """A session, whether its engine lives, and what its runs have done."""

    name: str
    created: float = Field(description="Seconds since 1970, UTC.")
    engine: EngineState = Field(description="`interrupted` is an engine that ended without a word.")
    holder: str | None = Field(description="Process and machine of the living engine.")
    held: str | None = Field(description="Why the engine holds back work, if it does.")
    runs: list[RunOverview]


class Failure(_Record):
    """A task that failed or was rejected, and was not tried again since."""

    run: str
    path: str = Field(description="Acquisition and key, joined by slashes.")
    state: Literal["failed", "rejected"]
    reason: str
    log: str | None = Field(description="Its log, relative to the session's folder.")
    finished: float | None


class Made(_Record):
    """One current item: its fields, and when it was committed."""

    data: dict[str, Any]
    created: float


class ExposureOverview(_Record):
    """One exposure: the newest item of each kind, and how its tasks stand, by run."""

    path: Path
    items: dict[str, Made]
    states: dict[str, str]


def list_sessions(connection: Connection) -> list[SessionOverview]:
    """Return all sessions, newest first, with the counts of their tasks; what waits is not counted here.

    It costs as much as there are tasks and items in the site.
    """
    rows = connection.execute(select(session).order_by(session.c.created.desc(), session.c.id.desc())).all()
    counts: dict[int, Counter[str]] = {}
    grouped = (
        select(task.c.run_id, task.c.state, func.count())
        .join(run, (run.c.id == task.c.run_id) & (run.c.revision == task.c.revision))
        .where(task.c.current)
        .group_by(task.c.run_id, task.c.state)
    )
    for run_id, state, number in connection.execute(grouped):
        counts.setdefault(run_id, Counter())[state] = number
    for run_id, number in connection.execute(_found_by_sources()):
        counts.setdefault(run_id, Counter())["done"] = number
    made = (
        select(batch.c.run_id, func.max(batch.c.version))
        .join(run, (run.c.id == batch.c.run_id) & (run.c.revision == batch.c.revision))
        .where(batch.c.state == "done")
        .group_by(batch.c.run_id)
    )
    versions = dict(connection.execute(made).all())
    runs: dict[int, list[RunOverview]] = {}
    for row in connection.execute(_runs()):
        overview = run_overview(row, counts.get(row.id, Counter()), versions=versions.get(row.id, 0))
        runs.setdefault(row.session_id, []).append(overview)
    return [session_overview(row, runs.get(row.id, [])) for row in rows]


def _runs() -> Any:
    revision = (run_revision.c.run_id == run.c.id) & (run_revision.c.number == run.c.revision)
    return select(run, run_revision.c.inputs).join(run_revision, revision).order_by(run.c.id)


def _found_by_sources() -> Any:
    """Return the query for how many exposures each source has found: those of its most frequent output."""
    each = (
        select(item.c.run_id, func.count().label("number"))
        .where(item.c.task_id.is_(None), item.c.batch_id.is_(None))
        .where(item.c.key != "", item.c.state == "current")
        .group_by(item.c.run_id, item.c.output)
        .subquery()
    )
    return select(each.c.run_id, func.max(each.c.number)).group_by(each.c.run_id)


def run_overview(row: Row[Any], counts: Counter[str], **more: int) -> RunOverview:
    """Return the overview of a run from its row (with its `inputs`) and the counts of its tasks by state."""
    return RunOverview(
        name=row.name,
        protocol=row.protocol,
        revision=row.revision,
        closed=row.closed,
        source=not row.inputs,
        versions=more.get("versions", 0),
        done=counts["done"],
        running=counts["running"],
        waiting=more.get("waiting", 0),
        failed=counts["failed"],
        rejected=counts["rejected"],
        withdrawn=more.get("withdrawn", 0),
    )


def session_overview(row: Row[Any], runs: list[RunOverview]) -> SessionOverview:
    """Return the overview of a session from its row and those of its runs."""
    engine, holder = engine_of(row)
    return SessionOverview(
        name=row.name, created=row.created, engine=engine, holder=holder, held=row.held, runs=runs
    )


def engine_of(row: Row[Any]) -> tuple[EngineState, str | None]:
    """Say whether a row of `session` has a living engine, and which process on which machine it is."""
    if row.lease_holder is None:
        return ("new" if row.state is None else "stopped"), None
    if row.lease_expires < time.time() or has_died(row.lease_holder):
        return "interrupted", None
    host, pid, _ = row.lease_holder.split(":")
    return "running", f"process {pid} on {host}"
