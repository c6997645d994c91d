"""The scan of a source beside the engine."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from engine.sample_protocols import Offset, Value
from eucentric.engine.protocol import Caught, Found, Source, Trouble
from eucentric.engine.sources import (
    AHEAD,
    CaughtUp,
    FoundItem,
    FoundTrouble,
    RunningSource,
    SourceEnded,
    SourceEvent,
)

Said = Found | Trouble | Caught | BaseException


class Recital(Source):
    """Yields what it was given."""

    name = "recital"
    version = "1"
    levels: ClassVar = {"value": 1, "offset": 0}
    outputs: ClassVar = {"value": Value, "offset": Offset}

    def __init__(self, *said: Said) -> None:
        super().__init__()
        self.said = said
        self.known: list[Found] = []

    def scan(
        self, known: Iterable[Found], session: Path, stop: threading.Event
    ) -> Iterator[Found | Trouble | Caught]:
        self.known = list(known)
        for each in self.said:
            if isinstance(each, BaseException):
                raise each
            yield each


def found(value: int, key: tuple[str, ...] = ("e1",), output: str = "value") -> Found:
    return Found("a", key, output, Value(value=value) if output == "value" else Offset(offset=value))


def events(*said: Said, known: tuple[Found, ...] = ()) -> list[SourceEvent]:
    posted: list[SourceEvent] = []
    source = RunningSource("run", 3, Recital(*said), Path(), posted.append)
    source.start(known)
    source.join(10)
    assert {(event.run, event.life) for event in posted} == {("run", 3)}
    return posted


def test_items_troubles_and_the_end_are_told() -> None:
    told = events(found(1), Trouble("a", ("e2",), "torn"), Caught())
    assert told == [
        FoundItem("run", 3, "value", ("a", "e1"), {"kind": "value", "data": {"value": 1}}),
        FoundTrouble("run", 3, ("a", "e2"), "torn"),
        CaughtUp("run", 3),
        SourceEnded("run", 3, None),
    ]


def test_what_is_known_or_yielded_already_is_not_told_again() -> None:
    told = events(found(1), found(2), found(2), found(1), known=(found(1),))
    assert [event.record["data"]["value"] for event in told if isinstance(event, FoundItem)] == [2, 1]


def test_an_item_after_trouble_is_told_although_it_is_the_same() -> None:
    told = events(found(1), Trouble("a", ("e1",), "torn"), found(1))
    assert [type(event) for event in told[:-1]] == [FoundItem, FoundTrouble, FoundItem]


def test_a_failure_is_told() -> None:
    assert events(found(1), ValueError("no camera"))[-1] == SourceEnded("run", 3, "ValueError: no camera")


def test_impossible_keys_are_told() -> None:
    for key in (("",), (".hidden",), ("a/b",)):
        assert "cannot be part of a key" in str(events(found(1, key))[-1])
    assert "has not the declared length" in str(events(found(1, ()))[-1])
    assert "has not the declared length" in str(events(found(1, ("e1",), "offset"))[-1])


def test_a_source_does_not_run_far_ahead() -> None:
    posted: list[SourceEvent] = []
    full = threading.Event()

    def post(event: SourceEvent) -> None:
        posted.append(event)
        if len(posted) == AHEAD:
            full.set()

    many = (found(number, (f"e{number}",)) for number in range(AHEAD + 10))
    source = RunningSource("run", 1, Recital(*many), Path(), post)
    source.start(())
    assert full.wait(30)
    source.join(0.2)
    assert len(posted) == AHEAD
    source.taken()
    source.stop()
    source.join(10)
    assert isinstance(posted[-1], SourceEnded)
    assert len(posted) <= AHEAD + 3
