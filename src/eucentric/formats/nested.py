"""Values in trees of keys, as JSON and tags give them: found by a path, believed only as what they are."""

import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from eucentric.formats.xml_documents import number_of


class Nested:
    """A tree of keys.

    A path is keys with a separator between them. A key that is not there is looked for however it is
    written: `Spot Index`, `SpotIndex` and `spot_index` are one.

    Args:
        tree: The tree.
        separator: What stands between the keys of a path: one that no key contains.
    """

    def __init__(self, tree: Mapping[str, Any], separator: str = "/") -> None:
        self.tree = tree
        self._separator = separator

    @cached_property
    def _plain_keys(self) -> dict[str, str]:
        return {_plain(key): key for key in self.tree}

    def get(self, path: str) -> Any:
        """Return what lies at a path, None where nothing does."""
        key, _, rest = path.partition(self._separator)
        if key not in self.tree:
            key = self._plain_keys.get(_plain(key), key)
        found = self.tree.get(key)
        if not rest:
            return found
        return Nested(found, self._separator).get(rest) if isinstance(found, Mapping) else None

    def inner(self, path: str) -> "Nested":
        """Return the tree at a path; an empty one where there is none."""
        found = self.get(path)
        return Nested(found if isinstance(found, Mapping) else {}, self._separator)

    def members(self, path: str = "") -> Iterator["Nested"]:
        """Yield the trees in the tree at a path."""
        for each in (self.inner(path) if path else self).tree.values():
            if isinstance(each, Mapping):
                yield Nested(each, self._separator)

    def text(self, path: str) -> str:
        """Return the text at a path, also of a number; "" where there is none."""
        found = self.get(path)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return f"{found:g}" if isinstance(found, float) else str(found)[:400]
        return found.strip(" \0\t\r\n") if isinstance(found, str) else ""

    def number(self, path: str) -> float | None:
        """Return the finite number at a path, also where it is written as a text."""
        return _number(self.get(path))

    def numbers(self, path: str) -> tuple[float, ...]:
        """Return the numbers of a list at a path, none where one of them is no number."""
        found = self.get(path)
        values = [_number(each) for each in found] if isinstance(found, list | tuple) else []
        return tuple(each for each in values if each is not None) if None not in values else ()

    def positive(self, path: str) -> float | None:
        """Return the number at a path where it is above 0: 0 and -1 often mean that it is not known."""
        value = self.number(path)
        return value if value is not None and value > 0 else None

    def flag(self, path: str) -> bool | None:
        """Return yes or no at a path."""
        found = self.get(path)
        word = str(found).strip().lower() if isinstance(found, str | bool | int | float) else ""
        yes, no = ("true", "1", "1.0", "yes", "on"), ("false", "0", "0.0", "no", "off")
        return True if word in yes else False if word in no else None


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        return number_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _plain(key: str) -> str:
    return re.sub(r"[\W_]+", "", key).lower()
