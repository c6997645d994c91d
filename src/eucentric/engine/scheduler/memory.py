"""What a scheduler is given to go on from where an earlier one stopped."""

from dataclasses import dataclass, field
from typing import NamedTuple

from eucentric.engine.scheduler.events import Inputs, Path
from eucentric.engine.scheduler.records import Outcome


class TaskMemory(NamedTuple):
    """The newest task of a path, at the run's current revision; `outcome` None if it did not finish."""

    run: str
    path: Path
    inputs: Inputs
    outcome: Outcome | None
    generations: int


class BatchMemory(NamedTuple):
    """One journalled batch of the run's current revision."""

    run: str
    path: Path
    version: int
    added: list[tuple[Path, Inputs]]
    removed: list[tuple[Path, Inputs]]
    state: str


@dataclass
class Memory:
    """Everything that was committed.

    Attributes:
        revisions: The current revision of every run.
        items: (run, output, path, number, hidden, revision) of every item that is not superseded,
            in the order in which they were made.
        shallow: Revision of every acquisition-level item ever made, by number.
        made_from: Of every acquisition-level item that a task made of others, the numbers of those.
        troubles: (run, output, path) that a source could not read.
        tasks: The newest task of every path.
        batches: The journal of the accumulators, in order of versions.
        withdrawn: (run, path) of what was taken out of the stream.
    """

    revisions: dict[str, int] = field(default_factory=dict)
    items: list[tuple[str, str, Path, int, bool, int]] = field(default_factory=list)
    shallow: dict[int, int] = field(default_factory=dict)
    made_from: dict[int, tuple[int, ...]] = field(default_factory=dict)
    troubles: list[tuple[str, str, Path]] = field(default_factory=list)
    tasks: list[TaskMemory] = field(default_factory=list)
    batches: list[BatchMemory] = field(default_factory=list)
    withdrawn: list[tuple[str, Path]] = field(default_factory=list)
