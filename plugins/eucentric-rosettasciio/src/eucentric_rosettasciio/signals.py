"""What RosettaSciIO's dictionaries say: axes, and metadata by the names that HyperSpy documents."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eucentric.formats.nested import Nested
from eucentric.formats.scaled_image import Axis, ScaledImage


def described(signal: Mapping[str, Any]) -> ScaledImage:
    """Return the axes of one of RosettaSciIO's dictionaries, in the order of its array, and what is said."""
    axes = sorted(signal["axes"], key=lambda each: each.get("index_in_array", 0))
    return ScaledImage(tuple(_axis(each) for each in axes), mapped(signal))


def mapped(signal: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata by HyperSpy's names: as given, and as the reader says that the file's own translate."""
    said: dict[str, Any] = plain(signal.get("metadata") or {})
    original = Nested(plain(signal.get("original_metadata") or {}), ".")
    for path, rule in (signal.get("mapping") or {}).items():
        target, convert = rule if isinstance(rule, tuple) else (rule, None)
        value = original.get(path)
        if value is None:
            continue
        _put(said, target.split("."), plain(_converted(value, convert)))
    return said


def _converted(value: Any, convert: Callable[[Any], Any] | None) -> Any:
    """Return a translated value, None where it is of another kind than the reader expects."""
    try:
        return convert(value) if convert else value
    except Exception:
        return None


def _put(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a value where none is yet."""
    for step in path[:-1]:
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    tree.setdefault(path[-1], value)


def _axis(axis: Mapping[str, Any]) -> Axis:
    scale, unit = axis.get("scale"), axis.get("units")
    points = int(axis["size"] if "size" in axis else len(axis["axis"]))
    known = float(scale) if isinstance(scale, int | float | np.integer | np.floating) else None
    return Axis(points, known, unit if isinstance(unit, str) else "")


def plain(value: Any) -> Any:
    """Return a tree of metadata with Python's own numbers and texts; arrays are left out."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items() if not isinstance(each, np.ndarray)}
    return value.item() if isinstance(value, np.generic) else value
