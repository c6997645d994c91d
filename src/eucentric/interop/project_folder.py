"""A project's folder as what it says is believed: names of files lead nowhere else, and files are bounded."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from eucentric.formats import FormatError

MAX_TEXT = 1 << 24
"""Bytes of a settings file, a list of jobs, or a note that is read."""

MAX_FILES = 200_000
"""Files of one job that are looked at."""


def parsed_json(text: str) -> Any:
    """Return what JSON text holds.

    Raises:
        ValueError: It is no JSON, is nested too deeply, or holds half a letter, which UTF-8 does not have.
    """
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return content


class ProjectFolder:
    """The folder of a project.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._real = self.root.resolve()

    def locate(self, name: str, also: Sequence[Path] = ()) -> Path | None:
        """Return the file that a project names, None where it is not there or not within the project.

        Args:
            name: As it stands in a STAR file: relative to the project, or absolute.
            also: Other folders that it may lie in, since somebody has named them: that of the raw data.
        """
        if not name or "\0" in name or len(name) > 4096:
            return None
        try:
            found = (self.root / name).resolve()
            there = found.exists()
        except OSError:
            return None
        allowed = (self._real, *(folder.resolve() for folder in also))
        return found if there and any(found.is_relative_to(folder) for folder in allowed) else None

    def text(self, name: str) -> str:
        """Return a small text file; "" where there is none in the project.

        Raises:
            FormatError: It is too large.
            OSError: It cannot be read.
        """
        path = self.locate(name)
        if path is None or not path.is_file():
            return ""
        if path.stat().st_size > MAX_TEXT:
            raise FormatError(path, f"it is larger than {MAX_TEXT} bytes", "give the file of a real project")
        return path.read_text(encoding="utf-8", errors="replace")

    def head(self, name: str, size: int = 1 << 16) -> str:
        """Return the beginning of a text file, "" where there is none in the project."""
        path = self.locate(name)
        if path is None or not path.is_file():
            return ""
        with path.open("rb") as stream:
            return stream.read(size).decode("utf-8", errors="replace")

    def files(self, folder: str, pattern: str) -> Iterator[str]:
        """Yield the names of files below a folder, sorted, relative to the project.

        Args:
            folder: Relative to the project.
            pattern: Of `pathlib`, such as `*.star` or `**/*_autopick.star`.
        """
        place = self.locate(folder)
        if place is None or not place.is_dir():
            return
        found = []
        for path in place.glob(pattern):
            found.append(path)
            if len(found) >= MAX_FILES:
                break
        for path in sorted(found):
            if self.locate(str(path)) is not None and path.is_file():
                yield str(path.relative_to(self._real))

    def newest(self, folder: str, ending: str) -> str | None:
        """Return the last of a job's files of one kind: that of the whole run, or of its last iteration.

        Args:
            folder: The job's, relative to the project.
            ending: Such as `_model.star`; the names are `run_model.star`, `run_it025_model.star`,
                `run_ct20_it025_model.star`.
        """
        order = re.compile(rf"run(?:_ct(\d+))?(?:_it(\d+))?{re.escape(ending)}")
        ranked = []
        for name in self.files(folder, f"run*{ending}"):
            match = order.fullmatch(PurePosixPath(name).name)
            if match:
                ranked.append((match[2] is None, int(match[2] or 0), int(match[1] or 0), name))
        return max(ranked)[-1] if ranked else None
