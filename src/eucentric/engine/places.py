"""Where the files of a session lie (`runs/`, `state/`, `work/`, `logs/`), and how they get there."""

import os
import shutil
from pathlib import Path


def task_destination(run: str, revision: int, path: tuple[str, ...], generation: int) -> str:
    """Return the folder of a task's results, relative to the session's folder.

    The results of a revision lie in `rN`; when an input was replaced, the next result lies in `rN.2`, so that
    the old one stays whole until the new one is committed.
    """
    suffix = f".{generation + 1}" if generation else ""
    return f"runs/{run}/r{revision}{suffix}/{'/'.join(path)}"


def version_folder(run: str, revision: int, acquisition: str, version: int) -> str:
    """Return the folder of an accumulator's version, relative to the session's folder."""
    return f"state/{run}/r{revision}/{acquisition}/v{version}"


def log_file(run: str, path: tuple[str, ...], task: int, attempt: int) -> str:
    """Return the log of one attempt, relative to the session's folder."""
    return f"logs/{run}/{'/'.join(path)}.{task}.{attempt}.log"


def crash_file(work: str) -> str:
    """Return where a crash in native code leaves its stack while a task works in the folder `work`."""
    return f"{work}.crash"


def keep_crash(session: Path, work: str, log: str) -> None:
    """Move the stack of a crash, if there was one, into the task's log."""
    file = session / crash_file(work)
    stack = file.read_text(errors="replace") if file.exists() else ""
    if stack:
        (session / log).parent.mkdir(parents=True, exist_ok=True)
        with (session / log).open("a", encoding="utf-8") as stream:
            stream.write(stack)
    file.unlink(missing_ok=True)


def move_into_place(session: Path, work: str, destination: str) -> None:
    """Give a finished work folder its final name, durably; what an uncommitted attempt left there goes."""
    target = session / destination
    missing = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    (session / work).rename(target)
    for folder in {target.parent, *(folder.parent for folder in missing)}:
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(session: Path) -> None:
    """Remove what interrupted tasks left in the work folder."""
    shutil.rmtree(session / "work", ignore_errors=True)
    (session / "work").mkdir(parents=True, exist_ok=True)
