"""Images, stacks and volumes in OME-Zarr folders, read slab by slab.

OME-Zarr 0.5 (https://ngff.openmicroscopy.org/0.5/): a Zarr group of version 3 whose attribute `ome` lists,
under `multiscales`, the axes and the same image at several resolutions, each with the size of its pixels.
Version 0.4, in Zarr 2, has the same without `ome` and is read too. Rows lie as in memory.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from eucentric.formats.errors import FormatError
from eucentric.formats.image_info import (
    ImageInfo,
    Sides,
    believable_pixel_size,
    check_shape,
    square_pixel_size,
)
from eucentric.formats.lengths import angstroms
from eucentric.formats.slabs import SlabImage

NOTES = "eucentric"
"""Attribute of the group for what OME-Zarr has no place of its own for."""

_MARKS = ("zarr.json", ".zgroup")
_MAX_METADATA = 2**24
_MAX_CHUNK_BYTES = 2**30
_MAX_SHARD_CHUNKS = 2**22
_MEND = "give a folder of OME-Zarr 0.4 or 0.5 with an image in it"


def find_ome_zarr(path: Path, part: str | None) -> SlabImage:
    """Return the image of an OME-Zarr folder, at full resolution.

    Args:
        path: The folder.
        part: Path of another resolution, such as "1", or of a group within the folder that is an image.

    Raises:
        FormatError: It is no OME-Zarr image, damaged, or has more dimensions than a stack or a volume.
    """
    for mark in _MARKS:
        if (path / mark).is_file() and (path / mark).stat().st_size > _MAX_METADATA:
            raise FormatError(path, f"its {mark} is larger than {_MAX_METADATA} bytes", "write it anew")
    try:
        group = zarr.open_group(LocalStore(path, read_only=True), mode="r", use_consolidated=False)
        return _image(path, group, part)
    except FormatError:
        raise
    except Exception as error:  # whatever a library may stumble over in damaged metadata
        raise FormatError(path, f"it cannot be read as Zarr ({error})", _MEND) from error


def _image(path: Path, group: zarr.Group, part: str | None) -> SlabImage:
    attributes: dict[str, Any] = dict(group.attrs)
    said = attributes.get("ome", attributes)
    scales = said.get("multiscales") if isinstance(said, dict) else None
    if not isinstance(scales, list) or not scales:
        if part is None and "bioformats2raw.layout" in said:
            part = "0"
        if part is None:
            raise FormatError(path, "its attributes name no image (multiscales)", _MEND)
        inner = group[_inside(path, part)]
        if not isinstance(inner, zarr.Group):
            raise FormatError(path, f"its part {part} is no image with multiscales", _MEND)
        return _image(path, inner, None)
    scale = scales[0]
    datasets = {each["path"]: each for each in scale["datasets"]}
    chosen = part or next(iter(datasets))
    if chosen not in datasets:
        raise FormatError(path, f"it has no resolution {part}", f"choose one of: {', '.join(datasets)}")
    array = group[_inside(path, chosen)]
    if not isinstance(array, zarr.Array):
        raise FormatError(path, f"its resolution {chosen} is no array", _MEND)
    return _described(path, array, scale, datasets[chosen], attributes)


def _inside(path: Path, place: object) -> str:
    """Return a path within the folder; refuse one that leads out of it."""
    parts = str(place).split("/")
    if not isinstance(place, str) or place.startswith("/") or any(each in ("", ".", "..") for each in parts):
        raise FormatError(path, f"its metadata name an impossible path ({place!r})", "do not use it")
    if not (path / place).resolve().is_relative_to(path.resolve()):
        raise FormatError(path, f"its part {place} lies outside of it", "do not use it")
    return place


def _described(
    path: Path, array: Any, scale: dict[str, Any], dataset: dict[str, Any], attributes: dict[str, Any]
) -> SlabImage:
    axes = [each if isinstance(each, dict) else {"name": each} for each in scale["axes"]]
    shape = tuple(int(length) for length in array.shape)
    if len(axes) != len(shape) or len(shape) < 2:
        raise FormatError(path, f"it names {len(axes)} axes of {len(shape)} dimensions", _MEND)
    running = [axis for axis, length in enumerate(shape[:-2]) if length > 1]
    if len(running) > 1:
        named = " × ".join(f"{axes[axis].get('name')} {shape[axis]}" for axis in running)
        raise FormatError(path, f"it has several series of images ({named})", "choose one of them first")
    along = running[0] if running else None
    kind = np.dtype(array.dtype).newbyteorder("=")
    if kind.kind not in "iufc":
        raise FormatError(path, f"it holds no numbers but {array.dtype}", _MEND)
    frames = shape[along] if along is not None else 1
    height, width = shape[-2:]
    check_shape(path, frames, height, width, kind.itemsize)
    sizes, starts = _placed(axes, scale, dataset)
    volume = along is not None and _is_space(axes[along])
    sides: Sides = (sizes[along] if along is not None and volume else None, sizes[-2], sizes[-1])
    origin = [starts[along] if along is not None and sides[0] else 0.0, starts[-2], starts[-1]]
    notes = attributes.get(NOTES)
    notes = dict(notes) if isinstance(notes, dict) else {}
    titles = notes.pop("titles", [])
    info = ImageInfo(
        path=path,
        format="OME-Zarr",
        frames=frames,
        height=height,
        width=width,
        dtype=kind,
        pixel_size=square_pixel_size(sides),
        volume=volume,
        extended={name: value for name, value in notes.items() if isinstance(value, str | int | float)},
        voxel=sides,
        origin=(origin[0], origin[1], origin[2]) if any(origin) else None,
        titles=tuple(text for text in titles if isinstance(text, str)) if isinstance(titles, list) else (),
    )
    return SlabImage(info, _reader(array, along, len(shape), info), _depth(path, array, along))


def _reader(array: Any, along: int | None, dimensions: int, info: ImageInfo) -> Any:
    def read(start: int, stop: int) -> NDArray[Any]:
        chosen = tuple(
            slice(start, stop) if axis == along else 0 if axis < dimensions - 2 else slice(None)
            for axis in range(dimensions)
        )
        return np.ascontiguousarray(array[chosen], info.dtype).reshape(-1, info.height, info.width)

    return read


def _depth(path: Path, array: Any, along: int | None) -> int:
    """Return how many frames a chunk holds; refuse absurd chunks."""
    size = math.prod(array.chunks) * np.dtype(array.dtype).itemsize
    if size > _MAX_CHUNK_BYTES:
        raise FormatError(path, f"its chunks are of {size} bytes", "write it again in smaller chunks")
    chunks = math.prod(array.shards) // math.prod(array.chunks) if array.shards else 1
    if chunks > _MAX_SHARD_CHUNKS:  # the index of a shard is read as a whole
        raise FormatError(path, f"its shards are of {chunks} chunks", "write it again in smaller shards")
    return int(array.chunks[along]) if along is not None else 1


def _is_space(axis: dict[str, Any]) -> bool:
    return axis.get("type") == "space" or axis.get("name") == "z"


def _placed(
    axes: list[dict[str, Any]], scale: dict[str, Any], dataset: dict[str, Any]
) -> tuple[list[float | None], list[float]]:
    """Return the size of a pixel along each axis (Å, None where unknown), and where the first one lies (Å).

    The transformations of the resolution come first, those of the whole image after them.
    """
    size, start = [1.0] * len(axes), [0.0] * len(axes)
    for holder in (dataset, scale):
        for each in holder.get("coordinateTransformations", []):
            if each.get("type") == "scale":
                size = [a * float(b) for a, b in zip(size, each["scale"], strict=True)]
                start = [a * float(b) for a, b in zip(start, each["scale"], strict=True)]
            elif each.get("type") == "translation":
                start = [a + float(b) for a, b in zip(start, each["translation"], strict=True)]
    units = [angstroms(str(axis.get("unit", ""))) for axis in axes]
    sizes = [
        believable_pixel_size(value * unit) if unit else None for value, unit in zip(size, units, strict=True)
    ]
    return sizes, [value * (unit or 0.0) for value, unit in zip(start, units, strict=True)]
