"""What all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that is kept beside the repository, not in it."""
    folder = Path(os.environ.get("EUCENTRIC_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        reason = f"no real data at {folder}; set EUCENTRIC_SHARED to the folder that has them"
        if os.environ.get("CI"):
            raise FileNotFoundError(reason)
        pytest.skip(reason)
    return folder
