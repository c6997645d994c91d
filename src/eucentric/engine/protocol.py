"""The protocol contract: all that a kind of processing step promises and gets.

The smallest real protocol, complete:

>>> from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
>>> from eucentric.metadata import CTF, Angstrom
>>> from pydantic import Field
>>> class KeepSharp(Protocol):
...     '''Keep the exposures whose rings reach far enough.'''
...
...     name = "keep-sharp"
...     version = "1"
...
...     class Params(ProtocolParams):
...         worst: Angstrom = Field(default=6.0, gt=0, description="Coarsest resolution to keep.")
...
...     def process(self, ctf: CTF, task: Task) -> CTF:
...         if ctf.resolution > self.params.worst:
...             raise Rejected(f"rings end at {ctf.resolution:.1f} Å, {self.params.worst:.1f} Å is asked for")
...         return ctf

What a class declares is all that the engine, the form, the database and the documentation need. The
arguments of `process` are its input ports (everything but `task`), its result is its output port; a
NamedTuple of items makes several. `list[X]` takes several edges, `X | None` is an optional input: the task
runs without it and again when it comes.
"""

import hashlib
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from pydantic import BaseModel, ByteSize, ConfigDict, Field

from eucentric.metadata import Item

Key = tuple[str, ...]
"""The path of an item within its acquisition: () for the whole of it, (exposure,) or (series, exposure)."""


class ProtocolParams(BaseModel):
    """Base of every protocol's parameters; its JSON Schema is the form that people fill in."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Resources(BaseModel):
    """What one task occupies while it runs.

    `gpus=1` asks for a GPU where the site has one; elsewhere the same code runs on the CPU.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: int = Field(default=1, ge=1)
    memory: ByteSize = Field(default=ByteSize(10**9), validate_default=True)
    gpus: int = Field(default=0, ge=0, le=1)
    timeout: float | None = Field(default=None, gt=0, description="Seconds after which a task is ended.")


class Rejected(Exception):
    """Raised by `process` to say that this input should go no further, and why."""


@dataclass(frozen=True)
class Task:
    """What a protocol may use beside its inputs and parameters while it works on one set of inputs.

    Attributes:
        key: The acquisition's name followed by the key path of the inputs.
        folder: Private folder to write in; it becomes `destination` when the task is committed.
        destination: Where the folder's files will lie, relative to the session's folder.
        session: The session's folder, to read inputs from.
        site: The site's folder, whose settings say where outside programs are; None outside of any.
        seed: Hexadecimal digest of the run's revision and of the inputs.
        device: The torch device to compute on, "cpu" or "cuda".
        cpus: How many threads the task may use; torch, Numba and scipy's FFT know it already.
        log: Logger whose lines are kept with the task.
        progress: Called with the fraction done (0 to 1).
    """

    key: Key
    folder: Path
    destination: str
    session: Path
    site: Path | None = None
    seed: str = ""
    device: str = "cpu"
    cpus: int = 1
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("eucentric.task"))
    progress: Callable[[float], None] = lambda _fraction: None

    @property
    def rng(self) -> np.random.Generator:
        """A new random generator that gives the same numbers whenever this task is repeated."""
        return np.random.default_rng(int.from_bytes(hashlib.sha256(self.seed.encode()).digest()[:8], "big"))

    def locate(self, path: str) -> Path:
        """Return where the file that an item names as `path` can be read."""
        return self.session / path

    def keep(self, name: str) -> str:
        """Return the path by which an item names the file `name` of this task's folder."""
        return f"{self.destination}/{name}"


class Protocol(ABC):
    """What every kind of protocol declares; subclass `Protocol`, `Source` or `Accumulator`.

    `process` is a pure function of its inputs, the parameters, the task's generator and its private folder.
    It returns an item or a NamedTuple of items, raises `Rejected` to take the input out of the stream, and
    any other exception to fail. It never sees the database.
    """

    name: ClassVar[str]
    """Stable identity, in kebab case."""
    version: ClassVar[str]
    """Raised when results change."""
    resources: ClassVar[Resources] = Resources()

    class Params(ProtocolParams):
        """No parameters."""

    process: Callable[..., Any]

    def __init__(self, params: BaseModel | None = None) -> None:
        self.params: Any = params if params is not None else self.Params()


@dataclass(frozen=True)
class Found:
    """One item that a source yields, and where it belongs.

    A source may yield an item again with the same acquisition, output and key: it replaces the earlier one
    and what depends on it follows; an equal one changes nothing.
    """

    acquisition: str
    key: Key
    output: str
    item: Item


@dataclass(frozen=True)
class Trouble:
    """An exposure that a source cannot yield, and why; the stream goes on without it.

    It stands for an item of the source's first output, until such an item is found after all.
    """

    acquisition: str
    key: Key
    reason: str


class Caught:
    """Yielded by a source when all that was there to find has been yielded."""


class Source(Protocol):
    """A protocol without inputs that yields items while the session lasts.

    Its `scan` runs in a thread beside the engine, and starts anew whenever the engine does.
    """

    levels: ClassVar[dict[str, int]]
    """Length of the keys of each output within an acquisition (0: one for the whole acquisition)."""
    outputs: ClassVar[dict[str, type[Item]]]

    @abstractmethod
    def scan(
        self, known: Iterable[Found], session: Path, stop: threading.Event
    ) -> Iterator[Found | Trouble | Caught]:
        """Yield items as they come, until `stop` is set.

        Args:
            known: What this source's current revision has yielded in earlier lives of the engine.
            session: The session's folder.
            stop: Set when the engine ends or the source is closed.
        """


State = TypeVar("State", bound=Item)


class Accumulator(Protocol, Generic[State]):
    """A protocol that folds many inputs into one versioned output of the whole acquisition."""

    Entry: ClassVar[type[Any]]
    """The input ports: a NamedTuple of items, one of which is made for every key."""
    most: ClassVar[int] = 1000
    """Most entries in one batch."""
    carries: ClassVar[frozenset[str]] = frozenset()
    """Parameters that may change without starting over: when only such differ in a new revision, its first
    version is made from the last one of the revision before, with a batch that may be empty."""

    @abstractmethod
    def update(
        self, state: State | None, added: Sequence[Any], removed: Sequence[Any], task: Task
    ) -> tuple[State, Any]:
        """Return version n of state and output from version n - 1 and one batch of entries.

        Where the annotation says `Output | None`, the output may be None: there is nothing yet, or what an
        earlier version gave still stands, its files too. So nothing that was made from it is looked at again.

        Args:
            state: The state of the version before; None for the first.
            added: Entries that came, in the order in which they are folded in.
            removed: Entries that were added before and have been withdrawn or replaced since.
            task: `task.folder` holds the files of the new version.
        """
