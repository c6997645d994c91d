"""All tests of image processing share a few cores with others: one thread each."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# The simulated truth lies in a plain module beside this one.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep PyTorch and SciPy to one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
