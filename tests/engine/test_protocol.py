"""The protocol contract: its example runs, and a task's helpers."""

import doctest
from pathlib import Path

import pytest
from pydantic import ValidationError

from eucentric.engine import protocol
from eucentric.engine.protocol import Resources, Task


def test_the_example_in_the_documentation_runs() -> None:
    result = doctest.testmod(protocol)
    assert result.attempted > 3
    assert result.failed == 0


def task(seed: str = "0f") -> Task:
    folder = Path("/s/work/1")
    return Task(("a", "1"), folder, destination="runs/shift/r1/a/1", session=Path("/s"), seed=seed)


def test_the_generator_repeats_itself_for_the_same_seed_and_not_for_another() -> None:
    assert task().rng.integers(2**60) == task().rng.integers(2**60)
    assert task().rng.integers(2**60) != task("10").rng.integers(2**60)


def test_files_are_named_relative_to_the_session() -> None:
    assert task().keep("sum.mrc") == "runs/shift/r1/a/1/sum.mrc"
    assert task().locate(task().keep("sum.mrc")) == Path("/s/runs/shift/r1/a/1/sum.mrc")


def test_resources_read_memory_as_people_write_it() -> None:
    assert Resources(memory="2 GB").memory == 2 * 10**9  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Resources(cpus=0)
