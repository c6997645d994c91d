"""Protocols as small as they can be, to build workflows of."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from pydantic import Field

from eucentric.engine.protocol import (
    Accumulator,
    Caught,
    Found,
    Protocol,
    ProtocolParams,
    Resources,
    Source,
    Task,
)
from eucentric.metadata import Angstrom, Item


class Number(Item):
    """A number."""

    value: float


class Even(Number):
    """A number that is even: a kind of Number."""


class Offset(Item):
    """What is added to all numbers of an acquisition."""

    value: float


class Sum(Item):
    """A sum."""

    value: float
    count: int


class Numbers(Source):
    """Yields numbers of exposures and an offset of the acquisition."""

    name = "numbers"
    version = "1"
    levels: ClassVar = {"number": 1, "offset": 0}
    outputs: ClassVar = {"number": Number, "offset": Offset}

    class Params(ProtocolParams):
        """How many."""

        count: int = Field(default=3, ge=1, description="How many numbers there are.")

    def scan(self, known: Iterable[Found], session: Path, stop: threading.Event) -> Iterator[Found | Caught]:
        """Yield numbers."""
        for value in range(self.params.count):
            yield Found("a", (str(value),), "number", Number(value=value))
        yield Caught()


class Shift(Protocol):
    """Add the offset to a number."""

    name = "shift"
    version = "1"
    resources = Resources(cpus=2, memory="3 GB", gpus=1)  # type: ignore[arg-type]

    class Params(ProtocolParams):
        """By how much more."""

        extra: Angstrom = Field(default=0, ge=0, description="Added as well.")

    def process(self, number: Number, offset: Offset | None, task: Task) -> Number:
        """Return the shifted number."""
        return Number(value=number.value + (offset.value if offset else 0) + self.params.extra)


class Halves(NamedTuple):
    """Two outputs."""

    low: Number
    high: Even


class Split(Protocol):
    """Split a number into two parts."""

    name = "split"
    version = "1"

    def process(self, number: Number, task: Task) -> Halves:
        """Return the parts."""
        return Halves(Number(value=number.value / 2), Even(value=number.value))


class Merge(Protocol):
    """Add several numbers."""

    name = "merge"
    version = "1"

    def process(self, numbers: list[Number], task: Task) -> Number:
        """Return their sum."""
        return Number(value=sum(number.value for number in numbers))


class Total(Accumulator[Sum]):
    """Sum up all numbers of an acquisition."""

    name = "total"
    version = "1"
    most = 7

    class Entry(NamedTuple):
        """What comes in."""

        number: Number
        offset: Offset | None

    def update(
        self, state: Sum | None, added: Sequence[Entry], removed: Sequence[Entry], task: Task
    ) -> tuple[Sum, Sum]:
        """Return the new sum, as state and as output."""
        value = (state.value if state else 0) + sum(e.number.value for e in added)
        value -= sum(e.number.value for e in removed)
        total = Sum(value=value, count=(state.count if state else 0) + len(added) - len(removed))
        return total, total


class Largest(Accumulator[Number]):
    """Keep the largest number of an acquisition."""

    name = "largest"
    version = "1"

    class Entry(NamedTuple):
        """What comes in."""

        number: Number

    def update(
        self, state: Number | None, added: Sequence[Entry], removed: Sequence[Entry], task: Task
    ) -> tuple[Number, Number]:
        """Return the largest so far, as state and as output."""
        values = [entry.number.value for entry in added] + ([state.value] if state else [])
        return Number(value=max(values)), Number(value=max(values))


LITTLE: tuple[type[Protocol], ...] = (Numbers, Shift, Split, Merge, Total, Largest)
