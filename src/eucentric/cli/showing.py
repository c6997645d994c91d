"""Showing a session on a console: a picture drawn again and again, or lines for a log."""

import contextlib
import logging
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler

from eucentric.cli.looking import Look
from eucentric.cli.picture import picture
from eucentric.monitors.alarms import OpenAlarm


@contextlib.contextmanager
def shown_on(console: Console) -> Iterator["_Live | _Lines"]:
    """Show a session on the console within the block, with what is logged meanwhile above it."""
    view = _Live(console) if console.is_terminal else _Lines(console)
    before = logging.root.handlers[:]
    if console.is_terminal:  # lines that are printed through the console stay out of the picture
        logging.root.handlers[:] = [RichHandler(console=console, show_path=False)]
    try:
        with view:
            yield view
    finally:
        logging.root.handlers[:] = before


class _Live:
    """A picture that is drawn again and again."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._rung = _Heard()

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, look: Look) -> None:
        """Draw the session; a new alarm rings the terminal's bell."""
        if self._rung.new(look.alarms):
            self._live.console.bell()
        width, height = self._live.console.size
        self._live.update(picture(look, width, height), refresh=True)


class _Heard:
    """Alarms that were shown; those that are muted, or that somebody took notice of, are none to call out."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()

    def new(self, alarms: list[OpenAlarm]) -> list[OpenAlarm]:
        """Return the alarms that are new."""
        calling = [each for each in alarms if not each.muted and each.acknowledged is None]
        found = [each for each in calling if each.number not in self._numbers]
        self._numbers |= {each.number for each in found}
        return found


class _Lines:
    """A line whenever something has changed, a few seconds apart: for logs of services and batch systems."""

    SECONDS = 2.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said, self._when = "", -self.SECONDS
        self._newest = ""
        self._heard = _Heard()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._say()

    def show(self, look: Look) -> None:
        """Write the counts of all runs, unless they are as before, and new alarms."""
        for alarm in self._heard.new(look.alarms):
            text = f"Alarm {alarm.number}, {alarm.title} ({alarm.severity}): {alarm.message}"
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        self._newest = summary_line(look)
        if look.seconds >= self._when + self.SECONDS:
            self._when = look.seconds
            self._say()

    def _say(self) -> None:
        if self._newest != self._said:
            self._said = self._newest
            self._console.print(self._said, highlight=False, markup=False, soft_wrap=True)


def summary_line(look: Look) -> str:
    """Return the counts of all runs in one line."""
    parts = []
    for run in look.overview.runs:
        counts = [f"{run.done} done"]
        for name in ("running", "waiting", "rejected", "failed"):
            if number := getattr(run, name):
                counts.append(f"{number} {name}")
        parts.append(f"{run.name} {', '.join(counts)}")
    return "; ".join(parts) or "The session has no runs yet."
