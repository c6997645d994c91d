"""Small protocols that tests put into a site's `protocols/` folder."""

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from eucentric.engine.protocol import Caught, Found, Protocol, ProtocolParams, Rejected, Source, Task, Trouble
from eucentric.metadata import ExposureMetadata, Item, Second


class ListFiles(Source):
    """Find text files."""

    name = "list-files"
    version = "1"
    levels: ClassVar[dict[str, int]] = {"file": 1}
    outputs: ClassVar[dict[str, type[Item]]] = {"file": ExposureMetadata}

    class Params(ProtocolParams):
        folders: list[str] = Field(min_length=1, description="Where to look.")

    def scan(
        self, known: Iterable[Found], session: Path, stop: threading.Event
    ) -> Iterator[Found | Trouble | Caught]:
        while not stop.is_set():
            for file in sorted(Path(self.params.folders[0]).glob("*.txt")):
                if file.stem.startswith("unreadable"):
                    yield Trouble("grid", (file.stem,), f"{file.name} cannot be read")
                    continue
                item = ExposureMetadata(path=str(file), bytes=file.stat().st_size, modified=1.0)
                yield Found("grid", (file.stem,), "file", item)
            yield Caught()
            stop.wait(0.05)


class ReadFile(Protocol):
    """Read a text file.

    It fails and rejects as the file says.
    """

    name = "read-file"
    version = "1"

    class Params(ProtocolParams):
        pause: Second = Field(default=0, ge=0, description="How long it takes.")
        lenient: bool = Field(default=False, description="Never fail.")

    def process(self, file: ExposureMetadata, task: Task) -> ExposureMetadata:
        time.sleep(self.params.pause)
        text = task.locate(file.path).read_text()
        if text == "reject":
            raise Rejected("the file says so")
        if text == "fail" and not self.params.lenient:
            raise ValueError("the file is bad")
        task.log.info("read %d letters", len(text))
        (task.folder / "copy.txt").write_text(text)
        task.progress(1.0)
        return file.model_copy(update={"path": task.keep("copy.txt")})
