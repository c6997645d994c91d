"""A source of figures that a test writes, and a step that works on what is selected, for a site's folder."""

import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from eucentric.engine.protocol import Caught, Found, Protocol, Source, Task, Trouble
from eucentric.metadata import CTF, ExposureMetadata, Item, Micrograph


class FigureSource(Source):
    """Yield what lies as JSON in `data/figures/EXPOSURE.KIND`."""

    name = "test-figures"
    version = "1"
    levels: ClassVar = {"micrograph": 1, "ctf": 1, "metadata": 1}
    outputs: ClassVar = {"micrograph": Micrograph, "ctf": CTF, "metadata": ExposureMetadata}

    def scan(
        self, known: Iterable[Found], session: Path, stop: threading.Event
    ) -> Iterator[Found | Trouble | Caught]:
        seen: dict[Path, str] = {}
        while not stop.is_set():
            for file in sorted((session / "data/figures").glob("[!.]*")):
                if seen.get(file) != (text := file.read_text()):
                    seen[file] = text
                    kind = file.suffix[1:]
                    item = self.outputs[kind].model_validate(json.loads(text))
                    yield Found("grid", (file.stem,), kind, item)
            yield Caught()
            stop.wait(0.02)


class Worked(Item):
    """What was made of a selected exposure."""

    defocus: float


class Work(Protocol):
    """Stands for the picking that follows a selection."""

    name = "test-work"
    version = "1"

    def process(self, ctf: CTF, task: Task) -> Worked:
        return Worked(defocus=ctf.defocus)
