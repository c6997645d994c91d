"""Protocols that do nothing, to measure what the engine adds; a copy goes into a site's `protocols/`."""

# ruff: noqa: ARG002, D102, D106

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from eucentric.engine.protocol import Caught, Found, Protocol, ProtocolParams, Source, Task
from eucentric.metadata import Item
from eucentric.microscope import FoundFile, watch


class Tick(Item):
    """A moment, in seconds since 1970."""

    when: float


class CountUp(Source):
    """Yield so many items at once."""

    name = "bench-count"
    version = "1"
    levels: ClassVar = {"tick": 1}
    outputs: ClassVar = {"tick": Tick}

    class Params(ProtocolParams):
        count: int = 0

    def scan(self, known: Iterable[Found], session: Path, stop: threading.Event) -> Iterator[Found | Caught]:
        for number in range(self.params.count):
            yield Found("a", (f"e{number}",), "tick", Tick(when=number))
        yield Caught()
        stop.wait()


class Drop(Source):
    """Yield the files that are put into a folder."""

    name = "bench-drop"
    version = "1"
    levels: ClassVar = {"tick": 1}
    outputs: ClassVar = {"tick": Tick}

    def scan(self, known: Iterable[Found], session: Path, stop: threading.Event) -> Iterator[Found | Caught]:
        for found in watch([session / "data"], ["*.tiff"], stop=stop):
            if isinstance(found, FoundFile):
                yield Found("a", (found.path.stem,), "tick", Tick(when=time.time()))
            else:
                yield Caught()


class Pass(Protocol):
    """Say when the task began."""

    name = "bench-pass"
    version = "1"

    def process(self, tick: Tick, task: Task) -> Tick:
        return Tick(when=time.time())
