"""NeXus' groups and fields as plain data, and their writing to HDF5."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import h5py
import numpy as np


@dataclass(frozen=True)
class Number:
    """A number, or an array of numbers, with its unit; None is left out.

    Attributes:
        value: The number.
        units: Its unit; "" where it has none.
    """

    value: Any
    units: str


@dataclass(frozen=True)
class Group:
    """A group.

    Attributes:
        kind: Its class, such as `NXentry`.
        parts: Its fields and groups by name: texts, numbers, truth values, `Number`, `Group`; None is left
            out, and so is a group without parts.
        attributes: Of the group.
        attributes_of: Of its fields, by name.
    """

    kind: str
    parts: Mapping[str, Any]
    attributes: Mapping[str, str] = field(default_factory=dict)
    attributes_of: Mapping[str, Mapping[str, str | bool]] = field(default_factory=dict)

    def is_empty(self) -> bool:
        """Say whether nothing would be written into it."""
        return all(_is_nothing(part) for part in self.parts.values())


def _is_nothing(part: Any) -> bool:
    if isinstance(part, Group):
        return part.is_empty()
    return part is None or (isinstance(part, Number) and part.value is None)


def write_group(file: BinaryIO, root: Group) -> None:
    """Write a root group, and all in it, as an HDF5 file; the same group always gives the same bytes.

    Args:
        file: Opened for reading and writing.
        root: What is written.
    """
    with h5py.File(file, "w", track_order=True) as written:
        _write(written, root)


def _write(place: "h5py.Group", group: Group) -> None:
    place.attrs["NX_class"] = group.kind
    for name, value in group.attributes.items():
        place.attrs[name] = value
    for name, part in group.parts.items():
        if _is_nothing(part):
            continue
        if isinstance(part, Group):
            _write(place.create_group(name, track_order=True), part)
            continue
        value = part.value if isinstance(part, Number) else part
        is_text = isinstance(value, str) or (isinstance(value, list) and isinstance(value[0], str))
        dataset = place.create_dataset(name, data=value if is_text else np.asarray(value))
        if isinstance(part, Number) and part.units:
            dataset.attrs["units"] = part.units
        for key, text in group.attributes_of.get(name, {}).items():
            dataset.attrs[key] = text
