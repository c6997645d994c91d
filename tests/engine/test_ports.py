"""Ports are read from annotations; a class that breaks the contract is told how."""

from typing import Any, NamedTuple

import pytest

from engine.little import Even, Merge, Number, Numbers, Offset, Shift, Split, Sum, Total
from eucentric.engine.ports import ContractBroken, InputPort, Ports, ports_of
from eucentric.engine.protocol import Accumulator, Protocol, Task


@pytest.mark.parametrize(
    ("protocol", "ports"),
    [
        (Numbers, Ports({}, {"number": Number, "offset": Offset})),
        (
            Shift,
            Ports(
                {"number": InputPort(Number), "offset": InputPort(Offset, optional=True)}, {"number": Number}
            ),
        ),
        (Split, Ports({"number": InputPort(Number)}, {"low": Number, "high": Even})),
        (Merge, Ports({"numbers": InputPort(Number, several=True)}, {"number": Number})),
        (
            Total,
            Ports({"number": InputPort(Number), "offset": InputPort(Offset, optional=True)}, {"sum": Sum}),
        ),
    ],
)
def test_the_ports_are_what_the_annotations_say(protocol: type[Protocol], ports: Ports) -> None:
    assert ports_of(protocol) == ports


class TakesAnInt(Protocol):
    def process(self, number: int, task: Task) -> Number: ...


class TakesAListOfInts(Protocol):
    def process(self, number: list[int], task: Task) -> Number: ...


class TakesEither(Protocol):
    def process(self, number: Number | Offset, task: Task) -> Number: ...


class ReturnsNothing(Protocol):
    def process(self, number: Number, task: Task): ...  # type: ignore[no-untyped-def]


class ReturnsAFloat(Protocol):
    def process(self, number: Number, task: Task) -> float: ...


class Mixed(NamedTuple):
    number: Number
    count: int


class ReturnsAMixture(Protocol):
    def process(self, number: Number, task: Task) -> Mixed: ...


class DoesNothing(Protocol):
    pass


class ForgetsTheState(Accumulator[Sum]):
    class Entry(NamedTuple):
        number: Number

    def update(self, state: Any, added: Any, removed: Any, task: Task) -> Sum: ...  # type: ignore[override]


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (TakesAnInt, "TakesAnInt: input `number` must be annotated with an item.*int"),
        (TakesAListOfInts, "TakesAListOfInts: input `number` must be annotated"),
        (TakesEither, "TakesEither: input `number` must be annotated"),
        (ReturnsNothing, "ReturnsNothing must be annotated to return an item.*None"),
        (ReturnsAFloat, "ReturnsAFloat must be annotated to return an item.*float"),
        (ReturnsAMixture, "ReturnsAMixture must be annotated to return an item or a NamedTuple of items"),
        (DoesNothing, "DoesNothing has no method `process`"),
        (ForgetsTheState, r"ForgetsTheState.update must be annotated to return \(state, output\)"),
    ],
)
def test_what_breaks_the_contract_is_named(protocol: type[Protocol], message: str) -> None:
    with pytest.raises(ContractBroken, match=message):
        ports_of(protocol)
