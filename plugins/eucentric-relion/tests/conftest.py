"""What the tests with the real programs share."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from eucentric.engine.protocol import Task
from eucentric_relion.programs import REFINE
from outside_programs import require


@pytest.fixture(autouse=True, scope="session")
def relion() -> None:
    """Skip all where RELION is not installed."""
    require(REFINE)
    torch.set_num_threads(1)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """The folder of a session, in a place that RELION could not be told."""
    folder = tmp_path / "it's a (new) session"
    folder.mkdir()
    return folder


@pytest.fixture
def task_of(session: Path) -> Callable[..., Task]:
    """Make a task whose results lie in the session's folder of the given name."""

    def make(name: str, seed: str = "1", **more: object) -> Task:
        (session / name).mkdir()
        return Task(("a", "e"), session / name, name, session, seed=seed, **more)  # type: ignore[arg-type]

    return make
