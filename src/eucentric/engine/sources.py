"""Sources at work: each scans in a thread beside the engine and hands over what it finds."""

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from eucentric.engine.protocol import Caught, Found, Source, Trouble
from eucentric.engine.worker import ItemRecord, record_of

log = logging.getLogger(__name__)

AHEAD = 1000
"""Most items that a source may be ahead of the engine."""


@dataclass(frozen=True)
class FoundItem:
    """An item of a source, as it is to be written.

    Like all events of a source it tells the `life` in which it was found: a source that is started anew, with
    other parameters perhaps, begins another life, and what is left of the one before counts no more.
    """

    run: str
    life: int
    output: str
    path: tuple[str, ...]
    record: ItemRecord


@dataclass(frozen=True)
class FoundTrouble:
    """Something that a source cannot yield."""

    run: str
    life: int
    path: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class CaughtUp:
    """A source has yielded all there is."""

    run: str
    life: int


@dataclass(frozen=True)
class SourceEnded:
    """A source's scan has ended: it was stopped (no reason), or it failed."""

    run: str
    life: int
    reason: str | None


SourceEvent = FoundItem | FoundTrouble | CaughtUp | SourceEnded


class RunningSource:
    """The scan of one run, from `start` to `stop`."""

    def __init__(
        self, run: str, life: int, source: Source, session: Path, post: Callable[[SourceEvent], None]
    ) -> None:
        """Scan for `run`; `post` is called from the scan's thread."""
        self.run = run
        self.life = life
        self._source = source
        self._session = session
        self._post = post
        self._stop = threading.Event()
        self._room = threading.Semaphore(AHEAD)
        self._thread: threading.Thread | None = None

    def start(self, known: Iterable[Found]) -> None:
        """Begin to scan; `known`, what was found in earlier lives, is gone through in the scan's thread."""
        self._thread = threading.Thread(
            target=self._scan, args=(known,), name=f"source {self.run}", daemon=True
        )
        self._thread.start()

    def taken(self) -> None:
        """Tell that one more found item was written, so that the next may come."""
        self._room.release()

    def stop(self) -> None:
        """Ask the scan to end; it may take a moment, and what it still finds does not count."""
        self._stop.set()
        self._room.release()

    def join(self, timeout: float) -> None:
        """Wait until the scan has ended, at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _scan(self, known: Iterable[Found]) -> None:
        reason = None
        try:
            known = list(known)
            seen = {
                (found.output, found.acquisition, *found.key): _digest(record_of(found.item))
                for found in known
            }
            for found in self._source.scan(known, self._session, self._stop):
                if self._stop.is_set():
                    break
                event = self._event(found, seen)
                if event is None:
                    continue
                if not isinstance(event, CaughtUp):
                    self._room.acquire()
                self._post(event)
        except Exception as error:  # a source may fail in any way; the session goes on with what it has
            log.exception("The source %s has failed.", self.run)
            reason = f"{type(error).__name__}: {error}"
        self._post(SourceEnded(self.run, self.life, reason))

    def _event(
        self, found: Found | Trouble | Caught, seen: dict[tuple[str, ...], bytes]
    ) -> SourceEvent | None:
        if isinstance(found, Caught):
            return CaughtUp(self.run, self.life)
        path = (found.acquisition, *found.key)
        for part in path:
            if not part or "/" in part or part.startswith("."):
                raise ValueError(
                    f"{part!r} cannot be part of a key: it is empty, or has a slash or a first dot"
                )
        if isinstance(found, Trouble):
            seen.pop((next(iter(self._source.outputs)), *path), None)
            return FoundTrouble(self.run, self.life, path, found.reason)
        if len(found.key) != self._source.levels[found.output]:
            raise ValueError(f"the key {found.key} of the output {found.output} has not the declared length")
        record = record_of(found.item)
        digest = _digest(record)
        if seen.get((found.output, *path)) == digest:
            return None
        seen[(found.output, *path)] = digest
        return FoundItem(self.run, self.life, found.output, path, record)


def _digest(record: ItemRecord) -> bytes:
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=8).digest()
