"""The named ports of a protocol, read from its annotations."""

import types
from dataclasses import dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from eucentric.engine.protocol import Accumulator, Protocol, Source
from eucentric.metadata import Item


@dataclass(frozen=True)
class InputPort:
    """One named input.

    Attributes:
        kind: The item class that it takes.
        several: Takes a list of edges (`list[X]`).
        optional: May be missing (`X | None`).
    """

    kind: type[Item]
    several: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Ports:
    """All inputs and outputs of a protocol, by name."""

    inputs: dict[str, InputPort]
    outputs: dict[str, type[Item]]


class ContractBroken(TypeError):
    """A protocol's class does not keep the contract."""


@cache
def ports_of(protocol: type[Protocol]) -> Ports:
    """Return the ports that `protocol` declares.

    Raises:
        ContractBroken: An annotation is missing or is not an item, `list[item]` or `item | None`.
    """
    if issubclass(protocol, Source):
        return Ports({}, dict(protocol.outputs))
    if issubclass(protocol, Accumulator):
        inputs = get_type_hints(protocol.Entry)
        result = get_args(get_type_hints(protocol.update).get("return"))
        if len(result) != 2:
            raise ContractBroken(f"{protocol.__name__}.update must be annotated to return (state, output).")
        returned = _without_none(result[1])
    else:
        if not hasattr(protocol, "process"):
            raise ContractBroken(f"{protocol.__name__} has no method `process`.")
        inputs = get_type_hints(protocol.process)
        returned = inputs.pop("return", None)
        inputs.pop("task", None)
    return Ports(
        {name: _input_port(protocol, name, annotation) for name, annotation in inputs.items()},
        _outputs(protocol, returned),
    )


def _input_port(protocol: type[Protocol], name: str, annotation: Any) -> InputPort:
    if _is_item(annotation):
        return InputPort(annotation)
    if get_origin(annotation) is list and _is_item(get_args(annotation)[0]):
        return InputPort(get_args(annotation)[0], several=True)
    kind = _without_none(annotation)
    if kind is not annotation and _is_item(kind):
        return InputPort(kind, optional=True)
    raise ContractBroken(
        f"{protocol.__name__}: input `{name}` must be annotated with an item, a list of an item, or an item"
        f" or None; it says {annotation!r}."
    )


def _without_none(annotation: Any) -> Any:
    """Return X of `X | None`, and anything else as it is."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [each for each in get_args(annotation) if each is not types.NoneType]
        if len(kinds) == 1:
            return kinds[0]
    return annotation


def _outputs(protocol: type[Protocol], returned: Any) -> dict[str, type[Item]]:
    if _is_item(returned):
        return {returned.kind: returned}
    fields = get_type_hints(returned) if hasattr(returned, "_fields") else {}
    if fields and all(_is_item(kind) for kind in fields.values()):
        return dict(fields)
    raise ContractBroken(
        f"{protocol.__name__} must be annotated to return an item or a NamedTuple of items;"
        f" it says {returned!r}."
    )


def _is_item(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Item)
