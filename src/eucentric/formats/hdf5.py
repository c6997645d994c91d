"""HDF5 files, opened with suspicion.

What an HDF5 file names may lie elsewhere: external links, external storage and virtual datasets make a
reader open any file that the sender chose. Here only what lies in the file itself is read. The libraries
follow links by themselves, so every path is walked link by link.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np

from eucentric.formats.errors import FormatError

MAX_OBJECTS = 100_000
"""Most groups and datasets of one file that are looked at."""

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_ATTRIBUTE_BYTES = 2**20
"""Most bytes of an attribute that is read."""

_MAX_LINKS = 50  # on the way to one place
_MAX_MEMBERS = 10_000
_MAX_TEXTS = 1000
_MAX_TEXT = 10_000
_COPY_AGAIN = "wait until it is written, or copy it again from its source"

Node: TypeAlias = h5py.Group | h5py.Dataset


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises:
        FormatError: It is not a whole HDF5 file.
    """
    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise
    except OSError as error:
        what = f"it cannot be opened as HDF5 ({str(error).split('(')[-1].rstrip(')')})"
        raise FormatError(path, what, _COPY_AGAIN) from error


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading; whatever goes wrong in it becomes FormatError.

    Raises:
        FormatError: It is no HDF5 file, or damaged.
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise FormatError(path, "it is not an HDF5 file", "check which file was meant")
    try:
        with open_hdf5(path) as root:
            yield root
    except FormatError:
        raise
    except Exception as error:  # of a damaged file the library raises errors of many kinds
        said = " ".join(str(error).split())[:200]
        raise FormatError(path, f"it is no whole HDF5 file ({said})", _COPY_AGAIN) from error


def follow(path: Path, start: Node, place: str) -> Node | None:
    """Return what lies at a place seen from a group, following the links within the file.

    Args:
        path: The file, for messages.
        start: The group; a place that begins with `/` is looked for from the file's top.
        place: Names of groups with `/` between them.

    Returns:
        None where nothing lies there.

    Raises:
        FormatError: A link leads out of the file, or links lead round in a circle.
    """
    return _follow(path, start, place, [])


def _follow(path: Path, start: Node, place: str, trail: list[str]) -> Node | None:
    node: Node = start.file if place.startswith("/") else start
    for name in (part for part in place.split("/") if part not in ("", ".")):
        if not isinstance(node, h5py.Group) or node.get(name, getclass=True, getlink=True) is None:
            return None
        link = node.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            what = f"{name_of(node)}/{name} lies in another file ({link.filename})"
            raise FormatError(path, what, "convert that file, or one with the images in it")
        if isinstance(link, h5py.SoftLink):
            trail.append(name)
            if len(trail) > _MAX_LINKS:
                what = f"it has too many links, or links in a circle, at {name_of(node)}/{name}"
                raise FormatError(path, what, "write it anew")
            found = _follow(path, node, link.path, trail)
            if found is None:
                return None
            node = found
        else:
            node = node[name]
    return node


def walk(path: Path, group: h5py.Group) -> Iterable[Node]:
    """Return all groups and datasets that lie in a group of the file itself, each once, in order of names."""
    found: list[Node] = []

    def note(_: str, node: Node) -> None:
        if len(found) >= MAX_OBJECTS:
            raise FormatError(path, f"it has more than {MAX_OBJECTS} objects", "name the part that is meant")
        found.append(node)

    group.visititems(note)
    return found


def members(group: h5py.Group) -> Iterator[tuple[str, Node]]:
    """Yield what lies in a group itself, by name in order; links are passed over."""
    for name in islice(group, _MAX_MEMBERS):
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            node = group.get(name)
            if isinstance(node, h5py.Group | h5py.Dataset):
                yield name, node


def attributes(node: Node) -> dict[str, Any]:
    """Return the attributes of a group or an array, as `attribute`; large ones are left out."""
    return {
        name: attribute(node, name)
        for name in node.attrs
        if node.attrs.get_id(name).get_storage_size() <= MAX_ATTRIBUTE_BYTES
    }


def attribute(node: Node, name: str) -> Any:
    """Return an attribute as text, number or list of texts; None where there is none, or it is no such."""
    try:
        value = node.attrs.get(name)
    except (OSError, TypeError, ValueError):  # of a type that NumPy does not have
        return None
    return plain(value)


def plain(value: Any) -> Any:
    """Return a value read by h5py as text, number or list of these; None for anything else."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, np.ndarray) and value.size <= _MAX_TEXTS:
        return [plain(each) for each in value.reshape(-1)]
    if isinstance(value, str):
        return value[:_MAX_TEXT].rstrip("\0")
    return value if isinstance(value, bool | int | float) else None


def scalar(node: Node | None) -> Any:
    """Return the value of a dataset of one value or a few texts, as `attribute`; None for anything else."""
    if not isinstance(node, h5py.Dataset) or node.size is None or not 0 < node.size <= _MAX_TEXTS:
        return None
    if node.external or node.is_virtual:
        return None
    try:
        return plain(node[()])
    except (OSError, TypeError, ValueError):
        return None


def name_of(node: Node) -> str:
    """Return where an object lies in its file, for messages."""
    return str(node.name or "")
