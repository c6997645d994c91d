r"""Where files are here that metadata name as other computers do: `Z:\grid1\a.tif`, `\\server\data\a.tif`."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

PathRules = Mapping[str, Path]
"""The folders here, by the folders of other computers that they are (`[paths]` in the settings)."""


def local_path(path: str, rules: PathRules) -> Path | None:
    """Return where a file is here.

    Folders of other computers are compared in the manner of Windows: large and small letters are the same,
    and so are slashes of both kinds. The longest rule that fits counts.

    Args:
        path: The file, as some metadata name it.
        rules: The folders.

    Returns:
        Its path below the folder of the rule; None where no rule fits, or the path leads out of the folder.
    """
    wanted = _plain(path)
    for remote in sorted(rules, key=len, reverse=True):
        head = _plain(remote).rstrip("/")
        if head and wanted.lower().startswith(f"{head.lower()}/"):
            folder = Path(rules[remote])
            found = Path(os.path.normpath(folder / wanted[len(head) + 1 :].lstrip("/")))
            return found if found.is_relative_to(os.path.normpath(folder)) and "\0" not in path else None
    return None


def _plain(path: str) -> str:
    """Return a path with slashes of one kind, one of them between names."""
    text = path.strip().replace("\\", "/")
    lead = "//" if text.startswith("//") else ""
    return lead + re.sub(r"/+", "/", text).lstrip("/") if lead else re.sub(r"/+", "/", text)
