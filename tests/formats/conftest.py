"""RELION, run as its users run it, and a picture whose top and bottom differ."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from outside_programs import require_relion

Relion = Callable[..., None]


@pytest.fixture
def relion(tmp_path: Path) -> Relion:
    """Run a program of RELION in the test's folder: relion("relion_image_handler", "--i", ...)."""
    require_relion()

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"

    return run


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    """Five frames [frame, y, x] of 40 × 56 counts, bright in one corner: no mirror image looks the same."""
    counts = np.random.default_rng(5).poisson(20, (5, 40, 56)).astype(np.uint8)
    counts[:, :9, :17] += 100
    return counts
