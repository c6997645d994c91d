"""Which files are looked for, and which folders can hold them."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

Position = frozenset[tuple[int, int]]
"""How far a folder's path has got in the patterns: pairs of (pattern, part that comes next)."""

_UNFINISHED = ("~", ".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".swp")


def is_ignored(name: str) -> bool:
    """Say whether a file or folder of this name is hidden, or somebody's unfinished copy.

    rsync writes `.movie.tiff.Xy12Ab` and renames it when it is whole, so its copies are hidden names.
    """
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


class Patterns:
    """Glob patterns relative to a root (`movies/*.tiff`, `**/*.mrc`), matched one folder at a time.

    `*`, `?` and `[abc]` stay within one name; `**` stands for any number of folders. Names are compared
    case by case. A folder that no pattern can reach need never be listed.

    Raises:
        ValueError: A pattern is empty, absolute, or leaves the root.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [_parts(pattern) for pattern in patterns]
        self.root = self._with_skips((which, 0) for which in range(len(self._patterns)))

    def into(self, position: Position, folder: str) -> Position:
        """Return the position within the subfolder named `folder`; empty if no pattern leads there."""
        after = set()
        for which, part in position:
            pattern = self._patterns[which]
            if pattern[part] == "**":
                after.add((which, part))
            elif part < len(pattern) - 1 and fnmatchcase(folder, pattern[part]):
                after.add((which, part + 1))
        return self._with_skips(after)

    def matches(self, position: Position, file: str) -> bool:
        """Say whether a file of this name, in a folder at `position`, is looked for."""
        return any(
            part == len(self._patterns[which]) - 1 and fnmatchcase(file, self._patterns[which][part])
            for which, part in position
        )

    def _with_skips(self, position: Iterable[tuple[int, int]]) -> Position:
        """Add what is reached when `**` stands for no folder at all."""
        reached = set()
        for which, first in position:
            part = first
            reached.add((which, part))
            while self._patterns[which][part] == "**":
                part += 1
                reached.add((which, part))
        return frozenset(reached)


def _parts(pattern: str) -> list[str]:
    parts = [part for part in pattern.split("/") if part != "."]
    if not parts or "" in parts or ".." in parts:
        raise ValueError(
            f"The file pattern {pattern!r} must be relative to the watched folder, such as '**/*.tiff'."
        )
    return [*parts, "*"] if parts[-1] == "**" else parts
