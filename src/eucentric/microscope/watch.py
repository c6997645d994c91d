"""Finding the files of a session as they arrive: the blocking loop around `Finder`."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from pathlib import Path

from eucentric.microscope.complete import Version
from eucentric.microscope.events import Events, open_events
from eucentric.microscope.finder import Finder, FoundFile
from eucentric.microscope.patterns import Patterns


@dataclass(frozen=True)
class Quiet:
    """Every root has been looked through, nothing is growing, and all that is there has been reported."""


@dataclass(frozen=True)
class Tick:
    """Some time has passed: who waits for something else than files may look after it."""


def watch(
    roots: Sequence[Path],
    patterns: Sequence[str],
    *,
    stop: threading.Event,
    known: Mapping[Path, tuple[int, float]] | None = None,
    quiet_period: float = 10.0,
    poll_interval: float = 1.5,
    whole: Callable[[Path], bool] | None = None,
    use_events: bool | None = None,
    tick: Callable[[], float | None] = lambda: None,
) -> Iterator[FoundFile | Quiet | Tick]:
    """Yield every complete file below `roots`, those that are there and those that come, until `stop`.

    A file is complete when its writer closed it or renamed it to its name (where events tell that);
    else when `whole` says so; else when it did not change for `quiet_period`. One version of a file, told
    by size and time of change, is yielded once; a file that changes afterwards is yielded again. `Quiet`
    comes whenever all that is there has been yielded. A root that is not there is waited for.

    Args:
        roots: Folders to look through, with all below them but hidden ones and links to folders.
        patterns: Glob patterns relative to a root, such as `**/*.tiff`.
        stop: Ends the iteration at once when set. Set it also after leaving the iteration early.
        known: Size (bytes) and time of change (s since the epoch) of files that were yielded in an
            earlier life; unchanged, they are not yielded again.
        quiet_period: Seconds without change after which a file is complete.
        poll_interval: Seconds between looks at growing files, and at folders on network file systems.
        whole: Says from the contents whether a file is whole; see `has_frames`.
        use_events: Whether events of this machine's file systems tell all that happens. None: they do on
            local disks, and on network file systems they merely speed up polling. False: poll everything.
        tick: Asked before every wait for the seconds after which to yield a `Tick` if nothing is found;
            None for no such thing.

    Raises:
        ValueError: There is no root or pattern, a pattern is not relative, a root lies within another, or
            a time is not positive.
    """
    if quiet_period <= 0 or poll_interval <= 0:
        raise ValueError("The quiet period and the poll interval must be longer than 0 s.")
    if not patterns:
        raise ValueError("There is nothing to look for; give at least one file pattern, such as '**/*.tiff'.")
    _check_apart(roots)
    make_finder = partial(
        Finder,
        roots,
        Patterns(patterns),
        {path: Version(size, round(modified, 6)) for path, (size, modified) in (known or {}).items()},
        quiet_period=quiet_period,
        poll_interval=poll_interval,
        whole=whole,
        on_network=None if use_events is None else not use_events,
    )
    return _run(make_finder, stop, tick, with_events=use_events is not False)


def _run(
    make_finder: Callable[..., Finder],
    stop: threading.Event,
    tick: Callable[[], float | None],
    *,
    with_events: bool,
) -> Iterator[FoundFile | Quiet | Tick]:
    with ExitStack() as stack:
        events = open_events() if with_events else None
        if events is not None:
            stack.enter_context(closing(events))
        wait = stack.enter_context(closing(_Wait(stop, events)))
        finder = make_finder(events=events)
        said_quiet = False
        while not stop.is_set():
            for _ in _look_around(finder, events):
                if stop.is_set():
                    return
            for found in finder.settle(time.monotonic()):
                said_quiet = False
                yield found
                if stop.is_set():
                    return
            if finder.is_settled and not said_quiet and not wait.until(0):
                said_quiet = True
                yield Quiet()
                continue
            pause = tick()
            if pause is None:
                wait.until(finder.due)
            elif not wait.until(min(finder.due, time.monotonic() + pause)):
                yield Tick()


def _look_around(finder: Finder, events: Events | None) -> Iterator[None]:
    """Look at what events point to, and through the folders whose turn it is."""
    if events is not None:
        touched, lost = events.read()
        if lost:
            yield from finder.scan_all(time.monotonic())
        for each in touched:
            yield from finder.notice(each, time.monotonic())
    yield from finder.scan(time.monotonic())


def _check_apart(roots: Sequence[Path]) -> None:
    if not roots:
        raise ValueError("There is no folder to watch.")
    for outer, inner in permutations((root.resolve() for root in roots), 2):
        if inner.is_relative_to(outer):
            raise ValueError(f"The folder {inner} lies within {outer}; watch the outer one alone.")


class _Wait:
    """Waits for events, for `stop`, or for a time, whichever is first."""

    def __init__(self, stop: threading.Event, events: Events | None) -> None:
        self._mine, theirs = socket.socketpair()
        self._poll = select.poll()
        self._poll.register(self._mine, select.POLLIN)
        if events is not None:
            self._poll.register(events, select.POLLIN)
        # A thread can wait for an Event or for a file descriptor, not for both: this one waits for the
        # Event and passes it on.
        threading.Thread(target=_pass_on, args=(stop, theirs), name="watch-stop", daemon=True).start()

    def until(self, when: float) -> bool:
        """Wait until the monotonic time `when` (s); return early, and true, on events or `stop`."""
        milliseconds = max(0.0, when - time.monotonic()) * 1000
        return bool(self._poll.poll(milliseconds))

    def close(self) -> None:
        """Release the descriptors."""
        self._mine.close()


def _pass_on(stop: threading.Event, to: socket.socket) -> None:
    stop.wait()
    with to, suppress(OSError):  # the other end is closed when the iteration has ended before
        to.send(b"!")
