"""Why a program failed, in one clear sentence and its last lines."""

import contextlib
import errno
import os
import re
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

_SHOWN_LINES = 8
_SHOWN_LETTERS = 200
_PROBE = 1 << 20  # bytes
_DISK = re.compile(r"no space left|disk quota exceeded|\bENOSPC\b|\bEDQUOT\b|not enough (disk )?space", re.I)
_MEMORY = re.compile(
    r"bad_alloc|out of memory|cannot allocate memory|memory allocation|MemoryError|not enough memory"
    r"|insufficient memory|CUDA_ERROR_OUT_OF_MEMORY",
    re.I,
)


class ProgramFailed(RuntimeError):
    """An outside program is missing, of the wrong version, or did not do its work; the message says why."""


class NoSpaceForProgram(OSError):
    """An outside program found no space to write; the engine waits for space and repeats the task."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.ENOSPC, message)

    def __str__(self) -> str:
        return str(self.strerror)


def shown(lines: Sequence[str]) -> str:
    """Return the last lines of a program as the end of a message."""
    last = [line.strip() for line in lines if line.strip()][-_SHOWN_LINES:]
    if not last:
        return " It printed nothing."
    return f" Its last lines: {' / '.join(line[:_SHOWN_LETTERS] for line in last)}"


def failure(
    who: str, how: str, lines: Sequence[str], folder: Path, killed_by: int | None = None
) -> ProgramFailed | NoSpaceForProgram:
    """Return the error to raise for a program that failed.

    Args:
        who: The program and its version.
        how: What happened, the rest of the sentence: "ended with exit code 1".
        lines: What it printed.
        folder: Where it worked, to see whether there is any space.
        killed_by: The signal that ended it.
    """
    said = [line for line in lines[-50:] if _DISK.search(line)]
    if said or not has_space(folder):
        return NoSpaceForProgram(f"{who} found no space to write in {folder}.{shown(said or lines)}")
    if killed_by == signal.SIGKILL:
        how += ", as the system does where memory runs out"
    elif any(_MEMORY.search(line) for line in lines[-50:]):
        how = f"ran out of memory and {how}"
    return ProgramFailed(f"{who} {how}.{shown(lines)}")


def has_space(folder: Path) -> bool:
    """Return whether a small file can be written in `folder`: neither disk nor quota is used up."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, _PROBE)
    except OSError as error:
        return error.errno not in (errno.ENOSPC, errno.EDQUOT)
    return True


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGSEGV."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
