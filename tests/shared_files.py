"""Where the real data lie that are kept beside the repository, not in it."""

import os
from pathlib import Path

import pytest


def shared_folder() -> Path:
    """Return the folder; skip where there is none, and fail where tests must be complete."""
    folder = Path(os.environ.get("EUCENTRIC_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        reason = f"no real data at {folder}; set EUCENTRIC_SHARED to the folder that has them"
        if os.environ.get("CI"):
            raise FileNotFoundError(reason)
        pytest.skip(reason)
    return folder
