"""EMD files of Berkeley and of py4DSTEM: HDF5 whose groups with the attribute `emd_group_type` hold arrays.

Format: "EMD 0.2" of the NCEM (Berkeley), and "EMD 1.0" of emdfile: https://emdatasets.com/format. An array
`data` has beside it a vector `dimN` for each axis, with the attributes `name` and `units`; in version 1 the
vector may be only the first two points. What is said about the microscope are attributes of the group
`microscope`, with no fixed names.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from eucentric.formats.errors import FormatError
from eucentric.formats.hdf5 import MAGIC, attribute, attributes, follow, members, opened
from eucentric.formats.scaled_image import Axis, ScaledImage

_ARRAYS = (1, "1", "array")
_MOST_DEEP = 8
_MOST_ARRAYS = 1000


def is_berkeley(path: Path, head: bytes) -> bool:
    """Say whether a file is such an EMD file, by its beginning and, if it is HDF5, by its groups."""
    if not head.startswith(MAGIC):
        return False
    try:
        with opened(path) as root:
            return next(_arrays(path, root), None) is not None
    except FormatError:
        return False


def read_berkeley(path: str | Path) -> list[ScaledImage]:
    """Read what an EMD file says of the arrays in it.

    Args:
        path: The file.

    Returns:
        Its arrays, the axes in their order. `said` has the attributes of the group `microscope`.

    Raises:
        FormatError: It is no such file, damaged, or holds no array.
        OSError: It cannot be opened.
    """
    path = Path(path)
    with opened(path) as root:
        microscope = follow(path, root, "microscope")
        said = attributes(microscope) if isinstance(microscope, h5py.Group) else {}
        found = [ScaledImage(_axes(path, group, data), said) for group, data in _arrays(path, root)]
    if not found:
        what = "it is HDF5, but neither of Velox nor an EMD file of Berkeley"
        raise FormatError(path, what, "see the page about sources")
    return found


def _arrays(path: Path, root: h5py.File) -> Iterator[tuple[h5py.Group, h5py.Dataset]]:
    """Yield group and array of every one in the file, level by level."""
    level: list[h5py.Group] = [root]
    seen = 0
    for _ in range(_MOST_DEEP):
        below = []
        for group in level:
            data = _data_of(path, group) if attribute(group, "emd_group_type") in _ARRAYS else None
            if data is not None and data.ndim and 0 not in data.shape:
                seen += 1
                yield group, data
            below += [each for _, each in members(group) if isinstance(each, h5py.Group)]
            if seen >= _MOST_ARRAYS or len(below) > _MOST_ARRAYS:
                return
        level = below


def _data_of(path: Path, group: h5py.Group) -> h5py.Dataset | None:
    """Return the array of a group: `data`, or where it is called otherwise, the only one that is no axis."""
    data = follow(path, group, "data")
    if isinstance(data, h5py.Dataset):
        return data
    arrays = [
        node
        for name, node in members(group)
        if isinstance(node, h5py.Dataset) and not re.fullmatch(r"dim\d+", name) and node.ndim
    ]
    return arrays[0] if len(arrays) == 1 else None


def _axes(path: Path, group: h5py.Group, data: h5py.Dataset) -> tuple[Axis, ...]:
    # Numbered from 1 in version 0.2, from 0 in version 1.
    first = 0 if follow(path, group, "dim0") is not None else 1
    vectors = [follow(path, group, f"dim{first + number}") for number in range(data.ndim)]
    axes = tuple(_axis(vector, points) for vector, points in zip(vectors, data.shape, strict=True))
    return axes[::-1] if _begin_with_x(vectors) else axes


def _begin_with_x(vectors: list[Any]) -> bool:
    """Say whether the axes stand in the order of MATLAB, as some programs write them: x before y."""
    names = [str(attribute(each, "name") or "").lower() for each in vectors[:2] if each is not None]
    return names in (["x", "y"], ["width", "height"])


def _axis(vector: Any, points: int) -> Axis:
    if not isinstance(vector, h5py.Dataset) or vector.ndim != 1 or vector.is_virtual or vector.external:
        return Axis(points)
    unit = attribute(vector, "units")
    scale = None
    if vector.shape[0] >= 2 and vector.dtype.kind in "iuf":
        one, two = (float(each) for each in vector[:2])
        scale = two - one
    return Axis(points, scale, unit if isinstance(unit, str) else "")
