"""Environments of outside programs from PyPI, made once in a cache folder and kept there."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from eucentric.engine.programs import Environment, ProgramFailed


def installed(environment: Environment, finish: Callable[[Path], None] = lambda _folder: None) -> Path:
    """Return the folder of the programs of `environment`, which is made if it is not there yet.

    Where it cannot be made, for want of a network, the test is skipped; with CI set it fails.
    """
    digest = hashlib.sha256(repr(environment).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eucentric-tests"
    folder = cache / f"{environment.name}-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        try:
            if not (folder / "complete").exists():
                environment.install(folder)
                (folder / "complete").touch()
        except ProgramFailed as failed:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(failed))
        finish(folder / "bin")
    return folder / "bin"


def site_with(folder: Path, name: str, programs: Path | str) -> Path:
    """Make the folder of a site whose settings say where the programs called `name` are."""
    folder.mkdir()
    (folder / "eucentric.toml").write_text(f'[programs]\n{name} = "{programs}"\n')
    return folder
