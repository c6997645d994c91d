"""A workflow as the scheduler sees it: runs, their ports, and the streams between them. Pure data."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Station = Literal["source", "exposure", "accumulator"]


class Stream(NamedTuple):
    """One output of one run."""

    run: str
    output: str

    def __str__(self) -> str:
        return f"{self.run}.{self.output}"


@dataclass(frozen=True)
class Port:
    """One input of a run and the streams that feed it.

    Attributes:
        streams: One stream, or any number where `several` is set.
        level: Length of the keys of the streams within an acquisition.
        several: The protocol takes a list.
        optional: The protocol takes None.
    """

    streams: tuple[Stream, ...]
    level: int
    several: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Need:
    """What one task of a run occupies."""

    cpus: int = 1
    memory: int = 10**9
    gpus: int = 0


@dataclass(frozen=True)
class Plan:
    """One run of a workflow.

    Attributes:
        name: The run's name in the workflow.
        station: What kind of protocol it is.
        ports: The inputs by name.
        outputs: The names of the outputs.
        level: Length of the keys of its tasks within an acquisition: that of its deepest input; of an
            accumulator, the length of its entries' keys (its output belongs to the whole acquisition).
        levels: Length of the keys of each output.
        need: What one task occupies.
        most: Most entries in one batch of an accumulator.
    """

    name: str
    station: Station
    ports: dict[str, Port] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    level: int = 1
    levels: dict[str, int] = field(default_factory=dict)
    need: Need = Need()
    most: int = 1000


Graph = dict[str, Plan]
"""The runs by name, each after those that feed it."""
