"""Tests with outside programs are skipped where these are missing, but with CI set they fail."""

import os
import shutil

import pytest

from eucentric.engine.programs import Program, ProgramFailed


def require(program: Program) -> None:
    """Skip the test where `program` is not installed; with CI set, fail."""
    try:
        program.version(program.find(None))
    except ProgramFailed as failed:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(failed))


def require_relion() -> None:
    """Skip the test where RELION's programs are not in `PATH`; with CI set, fail."""
    if shutil.which("relion_refine") is None:
        reason = "RELION is not installed (Debian package relion)"
        if os.environ.get("CI"):
            raise FileNotFoundError(reason)
        pytest.skip(reason)
