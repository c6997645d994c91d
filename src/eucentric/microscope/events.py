"""File-system events of this machine (inotify), as hints that something is worth a look.

Why `inotify_simple`: docs/decisions/0002-file-system-events.md.
"""

import logging
from errno import EMFILE, ENOSPC
from pathlib import Path
from typing import NamedTuple

from inotify_simple import INotify, flags  # type: ignore[import-untyped]

log = logging.getLogger(__name__)

_MASK = (
    flags.CREATE
    | flags.CLOSE_WRITE
    | flags.MOVED_FROM
    | flags.MOVED_TO
    | flags.MOVE_SELF
    | flags.ATTRIB
    | flags.ONLYDIR
)


class Touched(NamedTuple):
    """One event: something happened to `name` in `folder`.

    Attributes:
        folder: Path of the folder, as it was given to `Events.follow`.
        name: Name in the folder; empty where the folder itself went, was moved or unmounted.
        is_folder: It is itself a folder.
        finished: The file was closed by a writer, or renamed to this name.
        gone: It no longer has this name.
    """

    folder: Path
    name: str
    is_folder: bool
    finished: bool
    gone: bool


class Events:
    """The events in a set of folders.

    Attributes:
        complete: Whether every folder could be followed; if not, folders must be polled.

    Raises:
        OSError: The system has no inotify instance left (`fs.inotify.max_user_instances`).
    """

    def __init__(self) -> None:
        self.complete = True
        self._inotify = INotify()
        self._folders: dict[int, Path] = {}

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when events wait."""
        return int(self._inotify.fileno())

    def follow(self, folder: Path) -> None:
        """Follow a folder (not what is below it); harmless when it is followed already."""
        try:
            watch = self._inotify.add_watch(folder, _MASK)
        except OSError as error:
            # A folder that has gone, or cannot be read, is the listing's business.
            if error.errno == ENOSPC and self.complete:
                self.complete = False
                log.warning(
                    "No more folders can be watched for events, so they are polled; "
                    "raise the system's setting fs.inotify.max_user_watches."
                )
        else:
            self._folders[watch] = folder

    def read(self) -> tuple[list[Touched], bool]:
        """Return the waiting events, without waiting, and whether some were lost."""
        touched = []
        lost = False
        for watch, mask, _cookie, name in self._inotify.read(timeout=0):
            if mask & flags.Q_OVERFLOW:
                lost = True
            elif (folder := self._folders.get(watch)) is not None:
                self_gone = bool(mask & (flags.IGNORED | flags.MOVE_SELF))
                if mask & flags.IGNORED:  # the kernel follows it no more
                    del self._folders[watch]
                if name or self_gone:
                    touched.append(
                        Touched(
                            folder=folder,
                            name=name,
                            is_folder=self_gone or bool(mask & flags.ISDIR),
                            finished=bool(mask & (flags.CLOSE_WRITE | flags.MOVED_TO)),
                            gone=self_gone or bool(mask & flags.MOVED_FROM),
                        )
                    )
        return touched, lost

    def close(self) -> None:
        """End all watching."""
        self._inotify.close()


def open_events() -> Events | None:
    """Return an `Events`, or None (and one line in the log) where the system has none to give."""
    try:
        return Events()
    except OSError as error:
        hint = "; raise fs.inotify.max_user_instances" if error.errno == EMFILE else ""
        log.warning("No file-system events (%s), so folders are polled%s.", error.strerror, hint)
        return None
