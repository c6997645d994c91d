"""How far RELION's refinement is, from what it prints."""

import re
from collections.abc import Callable

from eucentric.engine.protocol import Task

_ITERATION = re.compile(r"[Ii]teration=? +(\d+)")


def iterations(task: Task, most: int) -> Callable[[str], None]:
    """Return what is to be told every line, and tells the task how many of `most` iterations are done."""

    def watch(line: str) -> None:
        if found := _ITERATION.search(line):
            task.progress(min(1.0, (int(found.group(1)) - 1) / most))

    return watch
