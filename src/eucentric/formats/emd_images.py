"""EMD files of the Berkeley kind (HDF5), as openNCEM, HyperSpy and py4DSTEM write them.

Version 0.2 (https://emdatasets.com/format/): a group with the attribute `emd_group_type` = 1 holds an array
`data` and, for each of its dimensions, positions `dim1`, `dim2`, ... with `name` and `units` such as
"[n_m]"; positions may be only the first two. Version 1.0 counts dimensions from 0 and gives the type as
"array". Rows lie as in memory: the format does not say which is the top.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.hdf5 import attribute, follow, walk
from eucentric.formats.hdf5_pixels import image_of, is_image
from eucentric.formats.hdf5_writing import (
    HDF5Storage,
    axis_positions,
    created,
    first_axis,
    plain_value,
    write_pixels,
)
from eucentric.formats.image_info import ImageInfo, Sides, square_pixel_size
from eucentric.formats.nexus_images import positions_of
from eucentric.formats.replacing import replacing
from eucentric.formats.slabs import SlabImage

_NM = 10.0  # in Å


def is_emd(file: h5py.File) -> bool:
    """Tell whether an HDF5 file is an EMD file of the Berkeley kind: its top says which version."""
    return "version_major" in file.attrs and "version_minor" in file.attrs


def find_emd(path: Path, file: h5py.File, part: str | None) -> SlabImage:
    """Return the image of an EMD file; `part` names a group or dataset where there are several.

    Raises:
        FormatError: There is none, or it is not clear which is meant.
    """
    groups = [
        node
        for node in walk(path, file)
        if isinstance(node, h5py.Group)
        and attribute(node, "emd_group_type") in (1, "array")
        and isinstance(data := follow(path, node, "data"), h5py.Dataset)
        and is_image(data)
    ]
    names = ", ".join(str(group.name) for group in groups[:8])
    if part is not None:
        wanted = "/" + part.strip("/").removesuffix("/data")
        groups = [group for group in groups if group.name == wanted]
        if not groups:
            raise FormatError(path, f"it has no image {part}", f"choose one of: {names}")
    if not groups:
        raise FormatError(path, "it holds no image", "give a file with an image, a stack or a volume")
    if len(groups) > 1:
        raise FormatError(
            path, f"it holds {len(groups)} images", f"choose the part that is meant, of: {names}"
        )
    group = groups[0]
    data = follow(path, group, "data")
    assert isinstance(data, h5py.Dataset)  # the others were left out
    return image_of(path, data, lambda info: _described(path, file, group, data.ndim, info))


def _described(path: Path, file: h5py.File, group: h5py.Group, dimensions: int, info: ImageInfo) -> ImageInfo:
    first = 0 if follow(path, group, "dim0") is not None else 1
    axes = [_axis(path, group, f"dim{first + number}") for number in range(dimensions)][-3:]
    axes = [("", None, 0.0, False)] * (3 - len(axes)) + axes
    volume = info.frames > 1 and (axes[0][3] or axes[0][0] == "z")
    sides: Sides = (axes[0][1] if volume else None, axes[1][1], axes[2][1])
    starts = [axis[2] if side else 0.0 for side, axis in zip(sides, axes, strict=True)]
    return replace(
        info,
        format="EMD",
        voxel=sides,
        pixel_size=square_pixel_size(sides),
        origin=(starts[0], starts[1], starts[2]) if any(starts) else None,
        volume=volume,
        extended=_attributes(path, file, "microscope"),
        titles=tuple(
            value for value in _attributes(path, file, "comments").values() if isinstance(value, str)
        ),
    )


def _axis(path: Path, group: h5py.Group, name: str) -> tuple[str, float | None, float, bool]:
    """Return name, spacing (Å), start (Å) of an axis, and whether it is one of length."""
    found = follow(path, group, name)
    if not isinstance(found, h5py.Dataset):
        return "", None, 0.0, False
    return str(attribute(found, "name") or ""), *positions_of(found, attribute(found, "units"))


def _attributes(path: Path, file: h5py.File, place: str) -> dict[str, Any]:
    group = follow(path, file, place)
    names = sorted(group.attrs, key=lambda name: (len(name), name)) if isinstance(group, h5py.Group) else []
    values = {name: attribute(group, name) for name in names}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, str | int | float) and value != "" and not name.endswith("_units")
    }


def write_emd(
    path: Path, frames: Iterable[NDArray[Any]], info: ImageInfo, storage: HDF5Storage | None = None
) -> None:
    """Write an image, a stack or a volume as EMD of version 0.2; arguments and errors as `write_nexus`.

    Spacing and origin become the dimensions in nm, as its readers expect; all that is known of the
    microscope attributes of the group `microscope`, titles attributes of `comments`.
    """
    with replacing(path) as temporary, created(temporary) as (file, checked):
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        group = file.create_group("data/image")
        group.attrs["emd_group_type"] = 1
        write_pixels(group, "data", checked(frames), info, storage or HDF5Storage())
        names = [first_axis(info), "y", "x"] if info.frames > 1 else ["y", "x"]
        for number, name in enumerate(names, start=1):
            positions, lengths = axis_positions(info, name)
            group[f"dim{number}"] = positions / _NM if lengths else positions
            group[f"dim{number}"].attrs["name"] = name
            group[f"dim{number}"].attrs["units"] = "[n_m]" if lengths else ""
        microscope = file.create_group("microscope")
        for key, value in info.extended.items():
            microscope.attrs[key] = plain_value(value)
        if "voltage" in info.extended:
            microscope.attrs["voltage_units"] = "[k_V]"
        comments = file.create_group("comments")
        for number, title in enumerate(info.titles, start=1):
            comments.attrs[f"title {number}"] = title
        for empty in ("sample", "user"):  # readers look for them
            file.create_group(empty)
