"""When is a file complete?  The rules, apart from all looking and waiting.

A TIFF that is still growing is a valid shorter movie after every page, so being readable proves nothing.
Complete means: closed by its writer or renamed in; else whole by its contents (the expected number of
frames); else quiet, unchanged for a while.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from eucentric.formats import FormatError, read_info

SETTLE = 0.005
"""Seconds to wait after a file was closed: many copying programs set its time of change just after."""


class Version(NamedTuple):
    """What tells one state of a file from another.

    Attributes:
        size: Bytes.
        modified: Time of last change, s since the epoch, in whole microseconds, so that it is the same
            after a passage through a `datetime`.
    """

    size: int
    modified: float

    @classmethod
    def of(cls, info: os.stat_result) -> Self:
        """Return the version that a file's status tells."""
        return cls(info.st_size, round(info.st_mtime, 6))


class Clock:
    """The time by which the ages of files below one root are told.

    On a local disk this is the machine's own clock. A file server's may differ from it by minutes, so
    there its time is the newest time of change seen: it has passed that moment for certain.
    """

    def __init__(self) -> None:
        self.on_network = False
        self._newest = 0.0

    def saw(self, modified: float) -> None:
        """Take note of a file's time of change (s since the epoch)."""
        self._newest = max(self._newest, modified)

    def now(self) -> float:
        """Return a time (s since the epoch) that has certainly come."""
        return min(time.time(), self._newest) if self.on_network else time.time()


@dataclass
class Growing:
    """A file that is not known to be complete yet.

    Attributes:
        version: What it was when last looked at.
        since: When that version was first seen (monotonic s).
        due: When to look again (monotonic s).
        finished: It was closed by a writer, or renamed in.
        asked: The version whose contents were last asked whether they are whole.
    """

    version: Version
    since: float
    due: float
    finished: bool = False
    asked: Version | None = None

    def update(self, version: Version, now: float) -> None:
        """Take in what a look at the file showed at `now` (monotonic s)."""
        if version == self.version:
            return
        if version.size != self.version.size:
            self.finished = False  # somebody has opened it again, and will close it again
        self.version = version
        self.since = now

    def is_quiet(self, now: float, quiet_period: float, clock: Clock) -> bool:
        """Say whether it has not changed for `quiet_period` seconds, by observation or by its own time."""
        age = clock.now() - self.version.modified
        return now - self.since >= quiet_period or age >= quiet_period


def has_frames(expected: int) -> Callable[[Path], bool]:
    """Return a test that says whether a movie holds at least `expected` frames by now.

    A file that cannot be read (yet), such as a companion's text, does not pass.

    Raises:
        ValueError: `expected` is less than 1.
    """
    if expected < 1:
        raise ValueError(f"The expected number of frames must be at least 1, not {expected}.")

    def holds_them(path: Path) -> bool:
        try:
            return read_info(path).frames >= expected
        except (FormatError, OSError):
            return False

    return holds_them
