"""`eucentric monitor`: the live report and the alarms of a session."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.sites import SiteOption, opened

if TYPE_CHECKING:
    from eucentric.monitors.monitor import Monitor

_NICE = 10


def command(
    session: Annotated[str, typer.Argument(help="The session.")],
    site: SiteOption = None,
    attached: Annotated[
        bool, typer.Option("--attached", hidden=True, help="End when the standard input ends.")
    ] = False,
) -> None:
    """Follow a session: write its live report, watch for alarms, publish. Until Ctrl-C.

    `run`, `continue` and `demo` start this by themselves; it is for sessions whose engine was started with
    --no-monitor, or runs on another machine. Only one follows a session at a time.
    """
    from eucentric.cli.errors import CommandFailed
    from eucentric.monitors.monitor import AlreadyMonitored, Monitor

    if attached:
        _stay_in_the_background()
    with opened(site) as (place, database):
        monitor = Monitor(place, database, session)
        if not attached:
            typer.echo(f"Report: {monitor.report}")
        try:
            asyncio.run(_follow(monitor, attached))
        except AlreadyMonitored as error:
            raise CommandFailed(str(error)) from error


async def _follow(monitor: "Monitor", attached: bool) -> None:
    from eucentric.cli.interrupts import on_interrupt

    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)

    if attached:
        threading.Thread(target=_until_input_ends, args=(end,), daemon=True).start()
        await monitor.run(stop)
    else:
        with on_interrupt(end):
            await monitor.run(stop)


def _until_input_ends(end: Callable[[], None]) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    end()


def _stay_in_the_background() -> None:
    """Give way to the engine and its tasks, leave Ctrl-C to the engine, and say when something was said."""
    os.nice(_NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form, force=True)
    logging.getLogger("eucentric.monitors").setLevel(logging.INFO)
