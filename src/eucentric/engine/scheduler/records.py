"""What the scheduler remembers: one small record per task, run, batch group and running ticket."""

from dataclasses import dataclass, field
from typing import Literal

from eucentric.engine.graph import Plan
from eucentric.engine.scheduler.events import Inputs, Path

Signature = tuple[int | tuple[int, ...], ...]
"""What a result was made from, to tell whether it is still the right one: per port the item's number, the
numbers of several, or 0 for a missing optional one. Of an acquisition-level input that an exposure used it
holds minus its *epoch*, a number that a newer version does not change but a revision does, be it of the run
that made it or of one above that: a newer version redoes nothing unasked."""

Sending = dict[Path, tuple[Signature, Inputs] | None]
"""What a batch brings to every path: an entry, or None to remove it."""

Batch = tuple[list[tuple[Path, Inputs]], list[tuple[Path, Inputs]]]
"""The entries that a batch adds and those that it removes."""

Outcome = Literal["done", "failed", "rejected"]


class Node:
    """The task of one exposure-level run for one path.

    Attributes:
        order: Arrival number of the exposure; a greater one is newer.
        outcome: How the last task of this revision ended, and `signature` what it was made from.
        items: The numbers of the newest outputs, one per output, of this revision or an older one.
        hidden: The items are withdrawn in the database.
        answer: What consumers see: the items ("items"), that there is none ("none"), or nothing yet.
        ready: Waits for a worker.
        ticket: The running task, if any.
        generation: Results so far in this revision.
        deaths: Workers that ended while they computed this.
    """

    __slots__ = (
        "answer",
        "deaths",
        "generation",
        "hidden",
        "items",
        "order",
        "outcome",
        "ready",
        "signature",
        "ticket",
    )

    def __init__(self, order: int) -> None:
        self.order = order
        self.outcome: Outcome | None = None
        self.signature: Signature | None = None
        self.items: tuple[int, ...] = ()
        self.hidden = False
        self.answer: Literal["items", "none"] | None = None
        self.ready = False
        self.ticket: int | None = None
        self.generation = 0
        self.deaths = 0


class Group:
    """The accumulation of one run over one acquisition.

    Attributes:
        order: Arrival number of the newest entry.
        version: The newest version that is committed, and `revision` the revision that made it.
        included: What versions so far contain: path to signature and inputs.
        dirty: Paths whose wanted entry differs from the included one, in order of arrival.
        replay: A journalled batch that is to be run first: (added, removed).
        failed: A batch failed; nothing is folded in until it is retried.
        sending: What the running batch brings.
    """

    __slots__ = (
        "deaths",
        "dirty",
        "failed",
        "included",
        "order",
        "ready",
        "replay",
        "revision",
        "sending",
        "ticket",
        "version",
    )

    def __init__(self, order: int) -> None:
        self.order = order
        self.version = self.revision = 0
        self.included: dict[Path, tuple[Signature, Inputs]] = {}
        self.dirty: dict[Path, None] = {}
        self.replay: Batch | None = None
        self.failed = False
        self.ready = False
        self.sending: Sending = {}
        self.ticket: int | None = None
        self.deaths = 0


@dataclass
class Feed:
    """One input port of one run, with direct access to the answers that feed it."""

    name: str
    producers: tuple["RunRecord", ...]
    answers: tuple[dict[Path, int], ...]
    length: int
    full: bool
    """Its paths are as long as the run's own."""
    by_epoch: bool
    """It brings acquisition-level items to exposures."""
    several: bool
    optional: bool


@dataclass
class RunRecord:
    """One run.

    Attributes:
        first: The first of the revisions that share the present state: itself, but of an accumulator that
            went on from an earlier one.
        answers: For every output: path to item number, 0 where there is none; nothing where it is not known.
        found: Of a source: what it yielded, as `answers`, whether withdrawn or not.
        consumers: The runs fed by each output, and whether by paths as long as their own.
        withdrawn: Paths that were taken out of the stream at this run.
    """

    plan: Plan
    revision: int = 1
    first: int = 1
    feeds: tuple[Feed, ...] = ()
    nodes: dict[Path, Node] = field(default_factory=dict)
    groups: dict[Path, Group] = field(default_factory=dict)
    answers: dict[str, dict[Path, int]] = field(default_factory=dict)
    found: dict[str, dict[Path, int]] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    consumers: dict[str, list[tuple["RunRecord", bool]]] = field(default_factory=dict)
    withdrawn: set[Path] = field(default_factory=set)


@dataclass(frozen=True)
class Ticket:
    """One running task or batch."""

    number: int
    run: str
    path: Path
    revision: int
    signature: Signature
    worker: str
    cpus: int
    memory: int
