"""What the tests share: the folder of real data."""

from pathlib import Path

import pytest

from shared_files import shared_folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that is kept beside the repository, not in it."""
    return shared_folder()
