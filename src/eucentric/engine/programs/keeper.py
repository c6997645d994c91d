"""Runs a program and ends it, with all that it began, as soon as whoever asked for it is gone.

It is a process of its own, `python -I -S keeper.py LIFELINE STATUS COMMAND ARGUMENT...`, and needs nothing
but the interpreter. LIFELINE is the end of a pipe whose other end only the asking process holds: when that
one closes it or dies, in whatever way, everything is killed. Orphans of the program become children of this
process, so nothing escapes by starting a process in the background or a session of its own. Should this
process itself be killed, the program still dies, but not what it may have moved to another session.

How the program ended is written to the pipe STATUS: its wait status, CPU seconds and the most memory (KiB)
that one process had; before that the number of the error for which it could not be started.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main(lifeline: int, status: int, command: list[str]) -> None:
    """Run `command`, and write how it ended to `status`."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    program = os.fork()
    if program == 0:
        _become(command, libc, status)
    ended = None
    while ended is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if lifeline in ready:
            break
        os.read(woken, 4096)
        ended = _reap(program)
    end_children()
    if ended is not None:
        os.write(status, ended.encode())


def _become(command: list[str], libc: ctypes.CDLL, status: int) -> None:
    """Become the program, which dies should this process be killed."""
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores, and programs inherit
        os.set_inheritable(status, False)
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(status, f"cannot start {error.errno}\n".encode())
    finally:
        os._exit(127)


def _reap(program: int) -> str | None:
    """Take note of children that have ended; return how `program` did if it was one of them."""
    told = None
    with contextlib.suppress(ChildProcessError):
        while (found := os.wait4(-1, os.WNOHANG))[0]:
            pid, code, usage = found
            if pid == program:
                told = f"ended {code} {usage.ru_utime + usage.ru_stime:.3f} {usage.ru_maxrss}"
    return told


def end_children() -> None:
    """Kill all children, and theirs, which become ours; return when none is left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for child in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.wait()


def _children() -> list[int]:
    mine = str(os.getpid())
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended since
            _, parent = file.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if parent == mine:
                found.append(int(file.parent.name))
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
