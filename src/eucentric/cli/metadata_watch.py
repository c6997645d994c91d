"""`eucentric metadata --watch`: follow a session's folder as it grows."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console, Group
from rich.live import Live

from eucentric.cli.interrupts import on_interrupt
from eucentric.cli.metadata_tables import safe
from eucentric.cli.output import console
from eucentric.metadata.records import SessionRecord
from eucentric.microscope.finder import FoundFile
from eucentric.microscope.gather import Gathering
from eucentric.microscope.metadata_readers import suffixes
from eucentric.microscope.watch import watch

QUIET_PERIOD = 5.0
"""Seconds without change after which a file that nobody closed is read."""

EVERY = 1.0
"""Seconds between two pictures at the least."""


def follow(gathering: Gathering, draw: Callable[[SessionRecord], list[Any]]) -> None:
    """Read files as they come, and show what is known, until Ctrl-C.

    On a terminal the tables are drawn again; elsewhere a line is written whenever something has changed.

    Args:
        gathering: Knows the folders.
        draw: Makes the tables.
    """
    printer = Console()
    stop = threading.Event()
    patterns = [f"**/*{suffix}" for suffix in sorted(suffixes())]
    with on_interrupt(stop.set):
        if printer.is_terminal:
            with Live(console=printer, auto_refresh=False, vertical_overflow="visible") as live:
                _run(gathering, patterns, stop, partial(_show, live, draw))
        else:
            _run(gathering, patterns, stop, _line)


def _show(live: Live, draw: Callable[[SessionRecord], list[Any]], record: SessionRecord) -> None:
    live.update(Group(*draw(record)), refresh=True)


def _line(record: SessionRecord) -> None:
    counted = [f"{each.acquisition.name} {len(each.exposures)} exposures" for each in record.acquisitions]
    left_out = f"; {len(record.refused)} left out" if record.refused else ""
    console().print(safe(f"{', '.join(counted) or 'nothing yet'}{left_out}"), soft_wrap=True)


def _run(
    gathering: Gathering,
    patterns: list[str],
    stop: threading.Event,
    show: Callable[[SessionRecord], None],
) -> None:
    changed, shown = True, -EVERY
    files = watch(
        gathering.roots,
        patterns,
        stop=stop,
        quiet_period=QUIET_PERIOD,
        tick=lambda: EVERY if changed else None,
    )
    for found in files:
        if isinstance(found, FoundFile):
            gathering.take(found.path)
            changed = True
        if changed and time.monotonic() - shown >= EVERY:
            show(gathering.record())
            changed, shown = False, time.monotonic()
    if changed:
        show(gathering.record())
