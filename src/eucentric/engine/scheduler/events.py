"""What the scheduler is told and what it answers: plain data, so that a bad day can be replayed."""

from dataclasses import dataclass

from eucentric.engine.graph import Plan

Path = tuple[str, ...]
"""The acquisition's name followed by the key of an item within it."""

Inputs = dict[str, int | list[int] | None]
"""For every input port the number of the item, the numbers of several, or None for an optional one."""


@dataclass(frozen=True)
class Worker:
    """One process that computes one task at a time."""

    name: str
    gpu: bool = False


@dataclass(frozen=True)
class Workers:
    """The workers that this session may use now, and the CPUs and the memory (bytes) they share."""

    workers: tuple[Worker, ...]
    cpus: int
    memory: int


@dataclass(frozen=True)
class Arrived:
    """A source's item was committed; `item` 0 says that the source could not read it."""

    run: str
    output: str
    path: Path
    item: int


@dataclass(frozen=True)
class Done:
    """A task's outputs, or a batch's output, were committed under these item numbers.

    None for a batch that gave no output: that of an earlier version stays, if there is one.
    """

    ticket: int
    items: tuple[int, ...]


@dataclass(frozen=True)
class Failed:
    """A task raised an error, or rejected its input: its answer is that there is none."""

    ticket: int
    rejected: bool = False


@dataclass(frozen=True)
class Died:
    """The worker ended before its task did."""

    ticket: int


@dataclass(frozen=True)
class Interrupted:
    """A task ended through no fault of its own, or its result is not wanted any more."""

    ticket: int


@dataclass(frozen=True)
class Hold:
    """Start nothing until Release."""


@dataclass(frozen=True)
class Release:
    """Start tasks again after Hold."""


@dataclass(frozen=True)
class Extend:
    """A run is added to the workflow; it catches up with all past items."""

    plan: Plan


@dataclass(frozen=True)
class Revise:
    """A run has a new revision: all that it made is made again, then all that depends on it.

    `goes_on` says of an accumulator that it keeps its state: its next version is made from the last one.
    """

    run: str
    goes_on: bool = False


@dataclass(frozen=True)
class Retry:
    """Failed tasks of a run are to be tried again: those of `paths`, or all."""

    run: str
    paths: tuple[Path, ...] | None = None


@dataclass(frozen=True)
class Withdraw:
    """What a run made under these paths leaves the stream, and with it all that descends from it."""

    run: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Restore:
    """What was withdrawn comes back."""

    run: str
    paths: tuple[Path, ...]


Event = (
    Workers
    | Arrived
    | Done
    | Failed
    | Died
    | Interrupted
    | Hold
    | Release
    | Extend
    | Revise
    | Retry
    | Withdraw
    | Restore
)


@dataclass(frozen=True)
class Start:
    """Run a task on a worker. `generation` counts the results this run revision had for this path before."""

    ticket: int
    run: str
    path: Path
    inputs: Inputs
    worker: str
    generation: int
    cpus: int


@dataclass(frozen=True)
class StartBatch:
    """Journal a batch, then run it on a worker: version n is made from version n - 1.

    `before` is the revision that made version n - 1, and 0 for the first version.
    """

    ticket: int
    run: str
    acquisition: str
    version: int
    before: int
    added: tuple[tuple[Path, Inputs], ...]
    removed: tuple[tuple[Path, Inputs], ...]
    worker: str
    cpus: int


@dataclass(frozen=True)
class GiveUp:
    """The task's workers died too often: it is to be recorded as failed."""

    ticket: int


@dataclass(frozen=True)
class Show:
    """These items are in the stream (again)."""

    items: tuple[int, ...]


@dataclass(frozen=True)
class Hide:
    """These items have left the stream."""

    items: tuple[int, ...]


Instruction = Start | StartBatch | GiveUp | Show | Hide
