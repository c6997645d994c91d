"""What is there, what is new, what is still growing: the watcher without its waiting.

All times are handed in, so that a test can let hours pass.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eucentric.microscope.complete import SETTLE, Clock, Growing, Version
from eucentric.microscope.events import Events, Touched
from eucentric.microscope.folders import Tree
from eucentric.microscope.mounts import is_on_network
from eucentric.microscope.patterns import Patterns

EVENT_CHECK = 30.0
"""Seconds between looks at the folders' times where events report what happens: a mount is no event."""

RECHECKED = 100
"""How many of the files that were reported are looked at again in every round of polling: a file that is
changed in place leaves no trace in its folder."""


@dataclass(frozen=True)
class FoundFile:
    """A file that is complete, as far as can be known.

    Attributes:
        path: Below the root as that was given.
        size: Bytes.
        modified: Time of last change, s since the epoch, in whole microseconds.
    """

    path: Path
    size: int
    modified: float


class Root:
    """One watched folder, its clock and its timetable."""

    def __init__(self, path: Path, patterns: Patterns, before_listing: Callable[[Path], None]) -> None:
        self.tree = Tree(path, patterns, before_listing)
        self.clock = Clock()
        self.next_scan = 0.0
        self.recheck: dict[Path, None] = {}
        """Files to look at again, in turn."""


class Finder:
    """Finds complete files below some roots; `watch` drives it.

    Args:
        roots: Folders, none within another.
        patterns: What is looked for, relative to each root.
        known: Versions of files that need not be reported, by path.
        quiet_period: Seconds without change after which a file is taken to be complete.
        poll_interval: Seconds between looks at growing files, and at folders without events.
        whole: Says from the contents of a file whether it is whole.
        events: Where to follow the folders; what it reads is for `notice`. None where there are no events.
        on_network: Whether other machines write to the roots; None to find out.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        patterns: Patterns,
        known: Mapping[Path, Version],
        *,
        quiet_period: float,
        poll_interval: float,
        whole: Callable[[Path], bool] | None = None,
        events: Events | None = None,
        on_network: bool | None = None,
    ) -> None:
        follow = events.follow if events is not None else lambda _folder: None
        self._roots = [Root(path, patterns, follow) for path in roots]
        self._reported = dict(known)
        self._growing: dict[Path, tuple[Growing, Root]] = {}
        self._quiet_period = quiet_period
        self._poll_interval = poll_interval
        self._whole = whole
        self._events = events
        self._on_network = on_network

    def scan(self, now: float) -> Iterator[None]:
        """Look through the roots whose turn it is, pausing after every file so that one can stop."""
        for root in self._roots:
            if now >= root.next_scan:
                yield from self._scan(root, now)

    def scan_all(self, now: float) -> Iterator[None]:
        """Look at every folder and file, because events were lost."""
        for root in self._roots:
            yield from self._scan(root, now, every=True)

    def notice(self, touched: Touched, now: float) -> Iterator[None]:
        """Look at what an event points to."""
        for root in self._roots:
            if touched.folder not in root.tree:
                continue
            if not touched.name:
                root.next_scan = now  # a root that went is waited for by looking
            elif touched.is_folder and touched.gone:
                root.tree.forget(touched.folder / touched.name)
            elif touched.is_folder:
                if (folder := root.tree.enter(touched.folder, touched.name)) is not None:
                    for path in root.tree.scan(now, below=folder):
                        self._look(path, root, now)
                        yield
            elif not touched.gone and root.tree.wants(touched.folder, touched.name):
                self._look(touched.folder / touched.name, root, now, touched.finished)
                yield

    def settle(self, now: float) -> Iterator[FoundFile]:
        """Yield the files that are complete at `now`, the oldest first; each is then known."""
        due = [path for path, (growing, _) in self._growing.items() if growing.due <= now]
        for path in sorted(due, key=lambda path: (self._growing[path][0].version.modified, path)):
            growing, root = self._growing[path]
            version = self._version(path, root)
            if version is None or version == self._reported.get(path):
                del self._growing[path]
                continue
            growing.update(version, now)
            if self._is_complete(path, growing, root, now):
                del self._growing[path]
                self._reported[path] = growing.version
                yield FoundFile(path, growing.version.size, growing.version.modified)
            else:
                growing.due = self._next_look(growing, root, now)

    @property
    def is_settled(self) -> bool:
        """Whether every root was looked through and all that is there was reported."""
        looked = all(root.next_scan > 0 and not root.tree.missing for root in self._roots)
        return looked and not self._growing

    @property
    def due(self) -> float:
        """When there is something to look at next (monotonic s)."""
        scans = [root.next_scan for root in self._roots]
        return min([*scans, *(growing.due for growing, _ in self._growing.values())])

    def _scan(self, root: Root, now: float, *, every: bool = False) -> Iterator[None]:
        on_network = is_on_network(root.tree.root) if self._on_network is None else self._on_network
        root.tree.on_network = root.clock.on_network = on_network
        for path in root.tree.scan(now, every=every):
            self._look(path, root, now)
            yield
        polled = on_network or self._events is None or not self._events.complete
        if polled:
            for path in list(root.recheck)[:RECHECKED]:
                del root.recheck[path]  # put at the end again if it is still there
                self._look(path, root, now)
                yield
        root.next_scan = now + (self._poll_interval if polled or root.tree.missing else EVENT_CHECK)

    def _look(self, path: Path, root: Root, now: float, finished: bool = False) -> None:
        """Look at one file: is it new, has it changed, is it finished?"""
        version = self._version(path, root)
        if version is None:
            self._growing.pop(path, None)
            return
        root.recheck.setdefault(path)
        if version == self._reported.get(path):
            self._growing.pop(path, None)
            return
        if path not in self._growing:
            self._growing[path] = (Growing(version, since=now, due=now), root)
        growing = self._growing[path][0]
        growing.update(version, now)
        if finished:
            growing.finished = True
            growing.due = now + SETTLE

    def _version(self, path: Path, root: Root) -> Version | None:
        try:
            info = path.stat()
        except OSError:
            return None
        if not stat.S_ISREG(info.st_mode):
            return None
        version = Version.of(info)
        root.clock.saw(version.modified)
        return version

    def _is_complete(self, path: Path, growing: Growing, root: Root, now: float) -> bool:
        # Many programs create an empty file before they write it, so an empty one must be quiet.
        if growing.version.size > 0:
            if growing.finished:
                return True
            if self._whole is not None and growing.asked != growing.version:
                growing.asked = growing.version
                if self._whole(path):
                    return True
        if not growing.is_quiet(now, self._quiet_period, root.clock):
            return False
        return not root.clock.on_network or self._is_confirmed(path, growing, now)

    def _is_confirmed(self, path: Path, growing: Growing, now: float) -> bool:
        """Ask the file server itself: an opened file is asked for anew, a status may be minutes old."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False  # its writer may forbid others to read it
        try:
            version = Version.of(os.fstat(handle))
        finally:
            os.close(handle)
        confirmed = version == growing.version
        growing.update(version, now)
        return confirmed

    def _next_look(self, growing: Growing, root: Root, now: float) -> float:
        quiet = growing.since + self._quiet_period
        if not root.clock.on_network:
            age = root.clock.now() - growing.version.modified
            quiet = min(quiet, now + self._quiet_period - age)
        soon = now + 0.001  # rounding must not make this a busy wait
        return max(soon, min(quiet, now + self._poll_interval))
