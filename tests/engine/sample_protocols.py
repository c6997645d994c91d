"""Small protocols that do as they are told, to be put into a site's `protocols/` folder.

What a task is to do beside its work is written in a file `data/moods/RUN~KEY` (or `data/moods/RUN`): the
name of one of the functions in `MOODS`, or a number of seconds to sleep. Taking the file away cures it.
"""

import ctypes
import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from eucentric.engine.protocol import (
    Accumulator,
    Caught,
    Found,
    Protocol,
    ProtocolParams,
    Rejected,
    Resources,
    Source,
    Task,
    Trouble,
)
from eucentric.metadata import Item


class Value(Item):
    """A number, and where more is written about it."""

    value: int
    path: str | None = None


class Offset(Item):
    """A number for a whole acquisition."""

    offset: int


class Total(Item):
    """What was folded in: how many, their sum, and a digest of the order."""

    entries: int = 0
    total: int = 0
    chain: str = ""


class Inbox(Source):
    """Yield the numbers in the files of `data/inbox/ACQUISITION/`, and the offset beside them."""

    name = "sample-inbox"
    version = "1"
    levels: ClassVar = {"value": 1, "offset": 0}
    outputs: ClassVar = {"value": Value, "offset": Offset}

    class Params(ProtocolParams):
        times: int = 1

    def scan(
        self, known: Iterable[Found], session: Path, stop: threading.Event
    ) -> Iterator[Found | Trouble | Caught]:
        seen: dict[Path, str] = {}
        while not stop.is_set():
            fresh = [
                (file, text)
                for file in sorted((session / "data/inbox").glob("*/*"))
                if not file.name.startswith(".") and seen.get(file) != (text := file.read_text())
            ]
            for file, text in fresh:
                seen[file] = text
                if file.name == "break":
                    raise RuntimeError(text)
                if file.name == "offset":
                    yield Found(file.parent.name, (), "offset", Offset(offset=int(text)))
                elif text == "bad":
                    yield Trouble(file.parent.name, (file.name,), "the number cannot be read")
                else:
                    item = Value(value=int(text) * self.params.times)
                    yield Found(file.parent.name, (file.name,), "value", item)
            if not fresh:
                yield Caught()
            stop.wait(0.02)


def fail(task: Task) -> None:
    task.log.info("about to fail")
    raise ValueError("told to fail")


def reject(task: Task) -> None:
    raise Rejected("told to reject")


def crash(task: Task) -> None:
    ctypes.string_at(0)


def leave(task: Task) -> None:
    os._exit(3)


def take_memory(task: Task) -> None:
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1 << 20) * 16))
        time.sleep(0.002)


def fill_disk(task: Task) -> None:
    with (task.folder / "big").open("wb") as stream:
        while True:
            stream.write(bytes(1 << 20))


def miss_file(task: Task) -> None:
    task.locate("data/no-such-file").read_bytes()


def keep_interpreter(task: Task) -> None:
    """Sleep without letting any other thread of the process go on."""
    ctypes.PyDLL(None).sleep(3600)


def say(task: Task) -> None:
    task.log.info("told to say something")


MOODS = {
    each.__name__.replace("_", "-"): each
    for each in (fail, reject, crash, leave, take_memory, fill_disk, miss_file, keep_interpreter, say)
}


def obey(task: Task) -> None:
    """Do what the mood of this task says."""
    run = task.destination.split("/")[1]
    for file in (task.locate(f"data/moods/{run}~{task.key[-1]}"), task.locate(f"data/moods/{run}")):
        if file.exists():
            mood = file.read_text()
            MOODS[mood](task) if mood in MOODS else time.sleep(float(mood))


class Params(ProtocolParams):
    """What is added to a number."""

    add: int = 1


class Step(Protocol):
    """Add to a number, and write a file of random numbers."""

    name = "sample-step"
    version = "1"

    class Params(Params):
        pass

    def process(self, number: Value, task: Task) -> Value:
        obey(task)
        (task.folder / "part").mkdir()
        (task.folder / "part" / "noise").write_bytes(task.rng.bytes(500))
        return Value(value=number.value + self.params.add, path=task.keep("part/noise"))


class Quick(Protocol):
    """Add to a number, within a second."""

    name = "sample-quick"
    version = "1"
    resources = Resources(timeout=1)

    class Params(Params):
        pass

    def process(self, number: Value, task: Task) -> Value:
        obey(task)
        return Value(value=number.value + self.params.add)


class Shift(Protocol):
    """Add the offset of the acquisition to a number."""

    name = "sample-shift"
    version = "1"

    def process(self, number: Value, offset: Offset, task: Task) -> Value:
        obey(task)
        return Value(value=number.value + offset.offset)


class Agree(Protocol):
    """Take the sum of all numbers that there are."""

    name = "sample-agree"
    version = "1"

    def process(self, numbers: list[Value], task: Task) -> Value:
        obey(task)
        return Value(value=sum(number.value for number in numbers))


class Join(Protocol):
    """Take the difference of two numbers of one exposure."""

    name = "sample-join"
    version = "1"

    def process(self, first: Value, second: Value, task: Task) -> Value:
        obey(task)
        return Value(value=first.value - second.value)


def folded(
    state: Total | None, added: Sequence[int], removed: Sequence[int], noise: bytes, colour: str
) -> Total:
    """Return the next state."""
    before = state or Total()
    text = f"{before.chain} +{list(added)} -{list(removed)} {noise.hex()} {colour}"
    return Total(
        entries=before.entries + len(added) - len(removed),
        total=before.total + sum(added) - sum(removed),
        chain=hashlib.sha256(text.encode()).hexdigest()[:16],
    )


class Sum(Accumulator[Total]):
    """Add up numbers."""

    name = "sample-sum"
    version = "1"
    most = 7
    carries = frozenset({"colour"})

    class Params(ProtocolParams):
        colour: str = "red"
        times: int = 1

    class Entry(NamedTuple):
        number: Value

    def update(
        self, state: Total | None, added: Sequence[Entry], removed: Sequence[Entry], task: Task
    ) -> tuple[Total, Total]:
        obey(task)
        plus, minus = ([each.number.value * self.params.times for each in some] for some in (added, removed))
        after = folded(state, plus, minus, task.rng.bytes(4), self.params.colour)
        (task.folder / "chain").write_text(after.chain)
        return after, after


class Choice(Item):
    """The offset that was chosen, once there is one."""

    offset: int | None = None


class Latch(Accumulator[Choice]):
    """Give the first total that is large enough, and let it stand."""

    name = "sample-latch"
    version = "1"

    class Params(ProtocolParams):
        least: int = 10

    class Entry(NamedTuple):
        total: Total

    def update(
        self, state: Choice | None, added: Sequence[Entry], removed: Sequence[Entry], task: Task
    ) -> tuple[Choice, Offset | None]:
        obey(task)
        total = added[-1].total.total if added else 0
        if (state and state.offset is not None) or total < self.params.least:
            return state or Choice(), None
        (task.folder / "chosen").write_text(str(total))
        return Choice(offset=total), Offset(offset=total)


class MayShift(Protocol):
    """Add the offset of the acquisition to a number, if there is one."""

    name = "sample-may-shift"
    version = "1"

    def process(self, number: Value, offset: Offset | None, task: Task) -> Value:
        obey(task)
        return Value(value=number.value + (offset.offset if offset else 0))


class Follow(Accumulator[Total]):
    """Follow the versions of a sum: hold the newest."""

    name = "sample-follow"
    version = "1"

    class Entry(NamedTuple):
        total: Total

    def update(
        self, state: Total | None, added: Sequence[Entry], removed: Sequence[Entry], task: Task
    ) -> tuple[Total, Total]:
        obey(task)
        after = folded(state, [e.total.total for e in added], [e.total.total for e in removed], b"", "")
        return after, after
