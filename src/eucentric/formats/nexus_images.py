"""Images, stacks and volumes in NeXus files (HDF5): the signal of an NXdata group with its axes.

NXdata (https://manual.nexusformat.org/classes/base_classes/NXdata.html): the group's attributes `signal` and
`axes` name the array and, for each of its dimensions, a dataset of positions with its `units`; attributes
`default` lead from the file's top to the group that is meant. Rows lie as in memory: the axis y says which
way they run.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from eucentric.formats.errors import FormatError
from eucentric.formats.hdf5 import Node, attribute, follow, scalar, walk
from eucentric.formats.hdf5_pixels import image_of, is_image
from eucentric.formats.image_info import (
    MAX_FRAMES,
    MAX_SIDE,
    ImageInfo,
    Sides,
    believable_pixel_size,
    square_pixel_size,
)
from eucentric.formats.lengths import angstroms
from eucentric.formats.slabs import SlabImage

NOTES = "eucentric"
"""Name of the collection in an entry for what NeXus has no place of its own for."""

_UNEVEN = 1e-4  # pixels by which positions may be off an even spacing
_ORIGIN = 1e-9  # relative to the spacing, an origin below is zero with rounding
_SHOWN = 8


def find_nexus(path: Path, file: h5py.File, part: str | None) -> SlabImage:
    """Return the image of a NeXus file, or of an HDF5 file that holds one image only.

    Args:
        path: The file.
        file: The open file.
        part: Place of the NXdata group or of the dataset; by default the one that the file calls its
            default, or the only one.

    Raises:
        FormatError: There is none, or it is not clear which is meant.
    """
    chosen = _part(path, file, part) if part else _default(path, file) or _only(path, file)
    if isinstance(chosen, h5py.Group):
        signal = _signal(path, chosen)
        if signal is None:
            raise FormatError(path, f"{chosen.name} has no signal with two dimensions", "choose another part")
        return image_of(path, signal, lambda info: _described(path, file, chosen, info))
    return image_of(path, chosen, lambda info: replace(info, volume=_looks_like_volume(chosen, info)))


def _part(path: Path, file: h5py.File, part: str) -> Node:
    found = follow(path, file, part)
    if found is None:
        raise FormatError(path, f"it has no part {part}", f"choose one of: {_listed(_images(path, file))}")
    return found


def _default(path: Path, file: h5py.File) -> h5py.Group | None:
    """Return the NXdata group to which the attributes `default` lead from the top."""
    node: Node | None = file
    for _ in range(10):
        if not isinstance(node, h5py.Group):
            return None
        if attribute(node, "NX_class") == "NXdata":
            return node if _signal(path, node) is not None else None
        step = attribute(node, "default")
        node = follow(path, node, step) if isinstance(step, str) and step else None
    return None


def _only(path: Path, file: h5py.File) -> Node:
    groups = [
        node
        for node in walk(path, file)
        if isinstance(node, h5py.Group)
        and attribute(node, "NX_class") == "NXdata"
        and _signal(path, node) is not None
    ]
    if len(groups) == 1:
        return groups[0]
    found: list[Any] = groups or _images(path, file)
    if not found:
        raise FormatError(path, "it holds no image", "give a file with an image, a stack or a volume")
    if len(found) > 1:
        what = f"it holds {len(found)} images"
        raise FormatError(path, what, f"choose the part that is meant, of: {_listed(found)}")
    only: Node = found[0]
    return only


def _images(path: Path, file: h5py.File) -> list[Node]:
    return [node for node in walk(path, file) if is_image(node, smallest=2)]


def _listed(nodes: list[Any]) -> str:
    shown = ", ".join(str(node.name) for node in nodes[:_SHOWN])
    return shown + (f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else "")


def _signal(path: Path, group: h5py.Group) -> h5py.Dataset | None:
    """Return the array of an NXdata group; in older files a dataset that is marked as the signal."""
    name = attribute(group, "signal")
    if not isinstance(name, str):
        marked = [each for each in group if group.get(each, getclass=True, getlink=True) is h5py.HardLink]
        marked = [each for each in marked if str(attribute(group[each], "signal")) == "1"]
        name = marked[0] if marked else "data"
    found = follow(path, group, name)
    return found if isinstance(found, h5py.Dataset) and is_image(found) else None


def _looks_like_volume(data: h5py.Dataset, info: ImageInfo) -> bool:
    """Guess of a bare dataset: a volume's sections are about as many as its rows."""
    return info.frames > 1 and data.ndim == 3 and info.frames == info.height == info.width


def _described(path: Path, file: h5py.File, group: h5py.Group, info: ImageInfo) -> ImageInfo:
    names = attribute(group, "axes")
    names = [names] if isinstance(names, str) else names if isinstance(names, list) else []
    names = [name if isinstance(name, str) else "." for name in names][-3:]
    axes = [_axis(path, group, name) for name in names]
    axes = [(None, 0.0, False)] * (3 - len(axes)) + axes
    (z, *_), (y, *_), (x, *_) = axes
    depth_is_length = axes[0][2] or (len(names) == 3 and names[0] == "z")
    volume = info.frames > 1 and depth_is_length
    sides: Sides = (z if volume else None, y, x)
    starts = [start if side else 0.0 for side, (_, start, _) in zip(sides, axes, strict=True)]
    entry = follow(path, file, str(group.name).split("/")[1]) if group.name.count("/") > 1 else file
    return replace(
        info,
        format="NeXus",
        voxel=sides,
        pixel_size=square_pixel_size(sides),
        origin=(starts[0], starts[1], starts[2]) if any(starts) else None,
        volume=volume,
        extended=_extended(path, entry),
        titles=_titles(path, entry),
    )


def _axis(path: Path, group: h5py.Group, name: str) -> tuple[float | None, float, bool]:
    """Return the spacing (Å) of an axis, where it begins (Å), and whether its unit is one of length."""
    found = follow(path, group, name) if name != "." else None
    if not isinstance(found, h5py.Dataset):
        return None, 0.0, False
    return positions_of(found, attribute(found, "units"))


def positions_of(data: h5py.Dataset, units: object) -> tuple[float | None, float, bool]:
    """Return the spacing (Å) of positions in a dataset, their first (Å), and whether they are lengths.

    The spacing is None where they are not even, fewer than two, or no lengths.
    """
    unit = angstroms(units) if isinstance(units, str) else None
    if unit is None or data.dtype.kind not in "iuf" or data.ndim != 1 or data.external or data.is_virtual:
        return None, 0.0, unit is not None
    if not 1 < data.shape[0] <= max(MAX_SIDE, MAX_FRAMES):
        return None, 0.0, True
    values = np.asarray(data[()], np.float64)
    step = (values[-1] - values[0]) / (len(values) - 1)
    even = values[0] + step * np.arange(len(values))
    if not np.isfinite(values).all() or step == 0 or np.abs(values - even).max() > _UNEVEN * abs(step):
        return None, 0.0, True
    start = float(values[0]) if abs(values[0]) > _ORIGIN * abs(step) else 0.0
    return believable_pixel_size(abs(float(step)) * unit), start * unit, True


def _extended(path: Path, entry: Node | None) -> dict[str, Any]:
    if not isinstance(entry, h5py.Group):
        return {}
    said: dict[str, Any] = {}
    voltage = follow(path, entry, "instrument/source/voltage")
    if isinstance(value := scalar(voltage), int | float) and voltage is not None:
        said["voltage"] = value / 1e3 if attribute(voltage, "units") == "V" else value
    notes = follow(path, entry, NOTES)
    for name in notes if isinstance(notes, h5py.Group) else ():
        value = scalar(follow(path, notes, name))
        if name != "titles" and isinstance(value, str | int | float):
            said[name] = value
    return said


def _titles(path: Path, entry: Node | None) -> tuple[str, ...]:
    if not isinstance(entry, h5py.Group):
        return ()
    kept = scalar(follow(path, entry, f"{NOTES}/titles"))
    title = scalar(follow(path, entry, "title"))
    found = kept if isinstance(kept, list) else [kept if kept is not None else title]
    return tuple(text for text in found if isinstance(text, str) and text)
