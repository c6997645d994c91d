"""The folder in which an outside program works on the inputs of one task."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from eucentric.engine.protocol import Task

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


class Workplace:
    """A folder within the task's, where inputs lie as links under plain names.

    Many programs stumble over spaces and odd characters in paths, so they run with `folder` as their working
    folder and are given names relative to it. What is not kept goes when the work is done.
    """

    def __init__(self, task: Task) -> None:
        self.folder = task.folder / "workplace"
        self._task = task

    @classmethod
    @contextlib.contextmanager
    def of(cls, task: Task) -> Iterator["Workplace"]:
        """Make the workplace of `task`, and remove it after."""
        place = cls(task)
        place.folder.mkdir()
        yield place
        shutil.rmtree(place.folder)

    def link(self, name: str, path: str) -> str:
        """Let the program read the file that an item names as `path` under `name`, which is returned."""
        file = self.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(self._task.locate(path).absolute())
        return name

    def path(self, name: str) -> Path:
        """Return where the file lies that the program knows by `name`.

        Raises:
            ValueError: `name` has characters that some program does not understand.
        """
        if not _PLAIN.fullmatch(name) or ".." in name.split("/"):
            raise ValueError(f"{name!r} is no plain name: use letters, digits, dots, dashes and underscores.")
        return self.folder / name

    def keep(self, name: str, kept_as: str) -> str:
        """Move what the program wrote into the task's folder; return the path by which items name it."""
        self.path(name).rename(self._task.folder / kept_as)
        return self._task.keep(kept_as)
