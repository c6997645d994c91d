"""Velox' `.emd` files: HDF5 with images and spectra, each with a text of JSON that says everything about it.

The layout is not published by its maker; the facts are those that the field's readers agree on. Below
`Data/Image` and `Data/Spectrum` there is a group for each, with `Data` (for images [y, x, frame]) and
`Metadata`, a column of letters for each frame. Streams of X-ray events (`Data/SpectrumStream`) are not
read; the images recorded with them are.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

from eucentric.formats.errors import FormatError
from eucentric.formats.hdf5 import follow, members, opened
from eucentric.formats.nested import Nested
from eucentric.formats.scaled_image import Axis, ScaledImage

_MAX_METADATA = 2**22
_COPY_AGAIN = "copy the file again from its source"


def is_velox(path: Path, root: h5py.File) -> bool:
    """Say whether an HDF5 file is one of Velox, by the places where it keeps things.

    Raises:
        FormatError: A link leads out of the file.
    """
    signs = ("Version", "Features", "Data/Image")
    return follow(path, root, "Data") is not None and any(follow(path, root, each) for each in signs)


def read_velox(path: str | Path) -> list[ScaledImage]:
    """Read what a Velox file says of everything in it.

    Args:
        path: The file.

    Returns:
        Its images and spectra. `said` has the metadata of the first frame, as Velox wrote them.

    Raises:
        FormatError: It is not a file of Velox, damaged, or holds neither image nor spectrum.
        OSError: It cannot be opened.
    """
    path = Path(path)
    with opened(path) as root:
        if not is_velox(path, root):
            raise FormatError(path, "it is HDF5, but not of Velox", "see the page about sources")
        found = [*_images(path, root), *_spectra(path, root)]
    if not found:
        raise FormatError(path, "it holds neither image nor spectrum", _COPY_AGAIN)
    return found


def _groups(path: Path, root: h5py.File, kind: str) -> Iterator[tuple[h5py.Group, h5py.Dataset]]:
    above = follow(path, root, f"Data/{kind}")
    for _, group in members(above) if isinstance(above, h5py.Group) else ():
        if isinstance(group, h5py.Group) and isinstance(data := follow(path, group, "Data"), h5py.Dataset):
            yield group, data


def _images(path: Path, root: h5py.File) -> Iterator[ScaledImage]:
    for group, data in _groups(path, root, "Image"):
        if data.ndim != 3 or 0 in data.shape:
            continue
        said = velox_metadata(path, group)
        pixel = Nested(said).inner("BinaryResult")
        rows, columns, frames = data.shape
        y = Axis(rows, pixel.number("PixelSize/height"), pixel.text("PixelUnitY"))
        x = Axis(columns, pixel.number("PixelSize/width"), pixel.text("PixelUnitX"))
        axes = (y, x) if frames == 1 else (Axis(frames), y, x)
        yield ScaledImage(axes, said)


def _spectra(path: Path, root: h5py.File) -> Iterator[ScaledImage]:
    for group, data in _groups(path, root, "Spectrum"):
        if data.ndim != 2 or 0 in data.shape:
            continue
        said = velox_metadata(path, group)
        # Spectra of EDX detectors: the energy that a channel spans is in eV.
        dispersion = next(
            (each.number("Dispersion") for each in Nested(said).members("Detectors") if _is_used(each, said)),
            None,
        )
        yield ScaledImage((Axis(data.shape[0], dispersion, "eV"),), said)


def _is_used(detector: Nested, said: Mapping[str, Any]) -> bool:
    return detector.text("DetectorName") == Nested(said).text("BinaryResult/Detector")


def velox_metadata(path: Path, group: h5py.Group) -> dict[str, Any]:
    """Return the metadata of the first frame of an image or spectrum; {} where there are none.

    Raises:
        FormatError: They are no JSON, enormous, or lie in another file.
    """
    dataset = follow(path, group, "Metadata")
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 2 or 0 in dataset.shape:
        return {}
    if dataset.is_virtual or dataset.external or dataset.shape[0] * dataset.dtype.itemsize > _MAX_METADATA:
        raise FormatError(path, f"its metadata take {dataset.shape[0]} letters a frame", _COPY_AGAIN)
    raw = dataset[:, 0].tobytes().split(b"\0")[0]
    return _parsed(path, raw.decode("utf-8", "replace"))


def _parsed(path: Path, text: str) -> dict[str, Any]:
    """Return a text of JSON as a tree of keys; {} for an empty one.

    Raises:
        FormatError: It is no JSON, or none of keys.
    """
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(path, f"its metadata are no whole JSON ({error})", _COPY_AGAIN) from error
    if not isinstance(found, dict):
        raise FormatError(path, "its metadata are JSON of another kind", _COPY_AGAIN)
    return found
