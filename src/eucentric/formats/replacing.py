"""Files and folders that appear under their name only when they are whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a hidden name beside `path` to write to, and rename it to `path` when the block succeeds.

    What is written may be a file or a folder. When the block fails it is removed and `path` is left as it
    was. (After a crash of the process a `.NAME.PID.partial` may remain; no program takes it for a finished
    one.)
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        if path.is_dir() and not path.is_symlink():
            _replace_folder(temporary, path)
        else:
            temporary.replace(path)
    except BaseException:
        _remove(temporary)
        raise


def _replace_folder(temporary: Path, path: Path) -> None:
    """Put `temporary` where a folder is: it is moved aside first, and removed last."""
    old = path.with_name(f".{path.name}.{os.getpid()}.replaced")
    path.rename(old)
    try:
        temporary.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
