"""Running the engine of a session until it is told to stop, with a view of what it does."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from eucentric.cli.interrupts import on_interrupt
from eucentric.cli.looking import Look, keep_looking
from eucentric.cli.monitoring import monitored
from eucentric.cli.showing import shown_on
from eucentric.engine.cluster import connect
from eucentric.engine.dask_executor import DaskExecutor
from eucentric.engine.engine import Engine
from eucentric.engine.executors import Executor, InlineExecutor
from eucentric.monitors.report.archive import CURRENT
from eucentric.store import Database, Site

log = logging.getLogger(__name__)

TASKS_FAILED = 3
"""Exit code of a session that went on to its end although some tasks failed."""


def run_session(
    site: Site,
    database: Database,
    session: str,
    *,
    inline: bool,
    until_idle: bool,
    monitor: bool = False,
    on_look: Callable[[Look, Engine], None] = lambda _look, _engine: None,
    on_stop: Callable[[], None] = lambda: None,
    quiet: bool = False,
) -> Look:
    """Run the engine of a session to its end, show it on stderr, and return how the session stands then.

    Args:
        site: The site.
        database: Its database.
        session: Name of the session.
        inline: Compute in this process instead of the site's workers.
        until_idle: End when everything that is there is worked on.
        monitor: Let a monitor write its report and watch for alarms, in another process.
        on_look: Called whenever the session was looked at, in the event loop.
        on_stop: Called when somebody wants it to end.
        quiet: Show nothing.

    Raises:
        SessionBusy, LeaseLost, WorkflowError, ClusterError: As the engine.
    """
    executor: Executor = InlineExecutor() if inline else DaskExecutor(lambda: connect(site))
    engine = Engine(site, database, session, executor, until_idle=until_idle)
    console = Console(stderr=True, quiet=quiet)
    if monitor:
        console.print(
            f"Live report: {report_of(site.session_folder(session))}", soft_wrap=True, highlight=False
        )
    with monitored(site, session, monitor), shown_on(console) as view:
        return asyncio.run(_run(engine, view.show, on_look, on_stop))


async def _run(
    engine: Engine,
    show: Callable[[Look], None],
    on_look: Callable[[Look, Engine], None],
    on_stop: Callable[[], None],
) -> Look:
    looks: list[Look] = []

    def seen(look: Look) -> None:
        looks[:] = [look]
        show(look)
        on_look(look, engine)

    loop, broken = asyncio.get_running_loop(), _BrokenSources()

    def stop() -> None:
        log.warning("Stopping in good order; Ctrl-C again to stop at once.")
        on_stop()
        loop.call_soon_threadsafe(engine.stop)

    ended = asyncio.Event()
    looking = asyncio.create_task(keep_looking(engine.site, engine.database, engine.session, seen, ended))
    try:
        with on_interrupt(stop), broken:
            await engine.run()
    finally:
        ended.set()
        await looking
    # An engine that has ended holds nothing any more, but a source that failed may have left movies unseen.
    if broken.reasons and not looks[0].overview.held:
        overview = looks[0].overview.model_copy(update={"held": " ".join(broken.reasons)})
        return replace(looks[0], overview=overview)
    return looks[0]


class _BrokenSources(logging.Handler):
    """Within the block takes down which sources have failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.reasons: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take down the message, and the error behind it."""
        error = record.exc_info[1] if record.exc_info else None
        self.reasons.append(f"{record.getMessage()} {error or ''}".strip())

    def __enter__(self) -> None:
        logging.getLogger("eucentric.engine.sources").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("eucentric.engine.sources").removeHandler(self)


def exit_code(look: Look) -> int:
    """Return 3 where tasks or sources of the session have failed, else 0."""
    failed = any(run.failed for run in look.overview.runs)
    return TASKS_FAILED if failed or look.overview.held else 0


def report_of(folder: Path) -> Path:
    """Return where the live report of the session in `folder` is."""
    return folder / "report" / CURRENT


def say_how_it_stands(look: Look, folder: Path) -> None:
    """Tell where results lie and what has failed, on stderr."""
    console = Console(stderr=True)
    lines = [f"Results: {folder}"]
    report = report_of(folder)
    if report.exists():
        lines.append(f"Report: {report}")
    if look.overview.held:
        lines.append(look.overview.held)
    failed = [each for each in look.failures if each.state == "failed"]
    lines += [f"Failed: {each.run} {each.path}: {each.reason}" for each in failed[:5]]
    if failed:
        lines.append(f"All that failed is listed by `eucentric status {look.name}`.")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
