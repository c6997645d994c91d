"""An incremental listing of a folder tree: nothing is listed again that cannot have changed."""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eucentric.microscope.patterns import Patterns, Position, is_ignored

log = logging.getLogger(__name__)

COARSEST_TIME = 2.5
"""Seconds within which two changes of a folder may carry the same time (FAT counts in steps of 2 s)."""

LIST_AGAIN = 60.0
"""Seconds after which a folder on a network file system is listed even if its time did not change,
because some servers and caches do not keep it."""


@dataclass
class Folder:
    """What is known of one folder."""

    path: Path
    position: Position
    modified: int | None = None
    """Its time when it was last looked at, ns since the epoch; None before that."""
    seen: float = 0.0
    """When it was first seen to have that time (monotonic s)."""
    listed: float = 0.0
    """When it was last listed (monotonic s)."""
    files: dict[str, int] = field(default_factory=dict)
    """Inode of every file, by name: another file that is renamed over one has another."""
    folders: set[str] = field(default_factory=set)


class Tree:
    """The folders below one root that can hold what is looked for.

    Args:
        root: The folder to list.
        patterns: What is looked for.
        before_listing: Called with a folder's path just before it is listed, so that a watch can be placed
            on it first: what happens between watch and listing is then seen twice rather than never.
    """

    def __init__(self, root: Path, patterns: Patterns, before_listing: Callable[[Path], None]) -> None:
        self.root = root
        self.missing = False
        self.on_network = False
        self._patterns = patterns
        self._before_listing = before_listing
        self._folders = {root: Folder(root, patterns.root)}
        self._said: set[Path] = set()

    def __contains__(self, folder: Path) -> bool:
        return folder in self._folders

    def scan(self, now: float, *, every: bool = False, below: Path | None = None) -> Iterator[Path]:
        """List the folders that may have changed; yield the paths of files that are new or were replaced.

        Args:
            now: The monotonic time, s.
            every: List every folder (after events were lost), and yield every file.
            below: Begin at this known folder instead of the root.
        """
        waiting = [below or self.root]
        while waiting:
            folder = self._folders.get(waiting.pop())
            if folder is not None:
                yield from self._look(folder, now, every)
                waiting.extend(folder.path / name for name in sorted(folder.folders))

    def wants(self, folder: Path, name: str) -> bool:
        """Say whether the file `name` of a known folder is looked for."""
        if is_ignored(name) or not self._is_readable_name(folder, name):
            return False
        return self._patterns.matches(self._folders[folder].position, name)

    def enter(self, folder: Path, name: str) -> Path | None:
        """Take note of a new subfolder of a known folder; return its path if it can hold anything.

        What was known under that path belonged to another folder and is forgotten.
        """
        path = folder / name
        self.forget(path)
        if is_ignored(name) or path.is_symlink() or not self._is_readable_name(folder, name):
            return None
        parent = self._folders[folder]
        position = self._patterns.into(parent.position, name)
        if not position:
            return None
        parent.folders.add(name)
        self._folders[path] = Folder(path, position)
        return path

    def forget(self, path: Path) -> None:
        """Forget a folder that is gone, and all below it."""
        if (parent := self._folders.get(path.parent)) is not None:
            parent.folders.discard(path.name)
        waiting = [path]
        while waiting:
            gone = waiting.pop()
            if (folder := self._folders.pop(gone, None)) is not None:
                waiting.extend(gone / name for name in folder.folders)

    def _look(self, folder: Folder, now: float, every: bool) -> Iterator[Path]:
        found: list[Path] = []
        try:
            # An NFS client asks its server anew when a folder is opened; `stat` may answer from its cache.
            handle = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                modified = os.fstat(handle).st_mtime_ns
                if self._may_have_changed(folder, modified, now) or every:
                    self._before_listing(folder.path)
                    if every:
                        folder.files = {}
                    self._list(folder, handle, found)
                    folder.listed = now
            finally:
                os.close(handle)
        except OSError as error:
            self._cannot_look(folder, error)
            return
        if folder.path == self.root:
            self.missing = False
        if folder.path in self._said:
            self._said.discard(folder.path)
            log.info("The folder %s can be read again.", folder.path)
        yield from found

    def _may_have_changed(self, folder: Folder, modified: int, now: float) -> bool:
        if modified != folder.modified:
            folder.modified = modified
            folder.seen = now
            return True
        if now - folder.seen < COARSEST_TIME:
            return True
        return self.on_network and now - folder.listed >= LIST_AGAIN

    def _list(self, folder: Folder, handle: int, found: list[Path]) -> None:
        """List one open folder: update what is known of it, append new and replaced files to `found`."""
        files: dict[str, int] = {}
        folders: set[str] = set()
        with os.scandir(handle) as entries:
            for entry in entries:
                name = entry.name
                inode = entry.inode()
                if folder.files.get(name) == inode:
                    files[name] = inode
                elif is_ignored(name) or not self._is_readable_name(folder.path, name):
                    continue
                elif entry.is_dir(follow_symlinks=False):
                    folders.add(name)
                else:
                    files[name] = inode
                    if not self._is_link_to_folder(folder.path, entry) and self._patterns.matches(
                        folder.position, name
                    ):
                        found.append(folder.path / name)
        folder.files = files
        for name in folder.folders - folders:
            self.forget(folder.path / name)
        for name in folders - folder.folders:
            self.enter(folder.path, name)

    def _is_link_to_folder(self, folder: Path, entry: os.DirEntry[str]) -> bool:
        try:
            leads_to_folder = entry.is_symlink() and entry.is_dir()
        except OSError:  # a link to itself, or to where nobody may look
            return False
        if leads_to_folder:
            # Following links to folders could go round in circles, and name one file twice.
            path = folder / entry.name
            self._say_once(path, "The link %s to a folder is not followed; watch that folder itself.", path)
        return leads_to_folder

    def _is_readable_name(self, folder: Path, name: str) -> bool:
        if name.isascii():
            return True
        try:
            name.encode()
        except UnicodeEncodeError:
            path = folder / name
            text = "The name of %r is not valid UTF-8; rename it to have it read."
            self._say_once(path, text, os.fsencode(path))
            return False
        return True

    def _cannot_look(self, folder: Folder, error: OSError) -> None:
        if folder.path != self.root and isinstance(error, FileNotFoundError | NotADirectoryError):
            self.forget(folder.path)
            return
        folder.modified = None
        if folder.path == self.root:
            self.missing = True
            text = "Waiting for the folder %s, which cannot be read: %s."
        else:
            text = "The folder %s cannot be read: %s. It is tried again; check its permissions."
        self._say_once(folder.path, text, folder.path, error.strerror)

    def _say_once(self, about: Path, text: str, *values: object) -> None:
        if about not in self._said:
            self._said.add(about)
            log.warning(text, *values)
