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
    """One journalled batch of the run's current revision, or one that is done of those it goes on from."""

    run: str
    path: Path
    version: int
    revision: int
    added: list[tuple[Path, Inputs]]
    removed: list[tuple[Path, Inputs]]
    state: str


@dataclass
class Memory:
    """Everything that was committed.

    Attributes:
        revisions: The current revision of every run.
        firsts: The first of the revisions that share the state of that; of most runs itself.
        items: (run, output, path, number, hidden, revision) of every item that is not superseded,
            in the order in which they were made; the revision is the first of those that share a state.
        shallow: That revision of every acquisition-level item ever made, by number.
        made_from: Of every acquisition-level item that a task made of others, the numbers of those.
        troubles: (run, output, path) that a source could not read.
        tasks: The newest task of every path.
        batches: The journal of the accumulators, in order of versions.
        withdrawn: (run, path) of what was taken out of the stream.
    """

    revisions: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, int] = field(default_factory=dict)
    items: list[tuple[str, str, Path, int, bool, int]] = field(default_factory=list)
    shallow: dict[int, int] = field(default_factory=dict)
    made_from: dict[int, tuple[int, ...]] = field(default_factory=dict)
    troubles: list[tuple[str, str, Path]] = field(default_factory=list)
    tasks: list[TaskMemory] = field(default_factory=list)
    batches: list[BatchMemory] = field(default_factory=list)
    withdrawn: list[tuple[str, Path]] = field(default_factory=list)
