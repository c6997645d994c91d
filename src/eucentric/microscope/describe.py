"""Describing single files as items, where no session and no microscope tells what they are.

What the headers say is taken from there; the rest (`ASKED`) must be given, or has a default that is right
for most microscopes.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from eucentric.formats import FormatError, read_info
from eucentric.metadata import Gain, Item, Micrograph, Movie

_OPTICS = {"pixel_size": None, "voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}

ASKED: dict[type[Item], dict[str, Any]] = {
    Movie: {**_OPTICS, "dose_per_frame": 0.0, "pre_exposure": 0.0, "upsampling": 1},
    Gain: {"operation": "multiply", "rotation": 0, "flip": "none"},
    Micrograph: _OPTICS,
}
"""For every kind of item that a file can be described as: the fields that the file does not tell, with their
defaults. A pixel size of None is that of the header; a dose of 0 is one that is not known. Of EER movies the
pixel size is that of the camera's pixels; they are read in one fraction for every e⁻/Å²."""

UNKNOWN_FRACTIONS = 40
"""Fractions of an EER movie whose header states no dose."""

WITHOUT_FILE: dict[type[Item], Item] = {Gain: Gain(path=None)}
"""Items that stand for the absence of a file."""


class NotDescribed(ValueError):
    """A file does not say what an item needs to know, and nobody else did; the message says what to give."""


def describe(kind: type[Item], file: Path, given: Mapping[str, Any]) -> Item:
    """Return the item of class `kind` that a file is.

    Args:
        kind: One of the keys of `ASKED`.
        file: An image file, which the item names by its absolute path.
        given: Fields that are known, by name; they count more than what the file says. Fields that this
            kind does not have, and None, are left out.

    Raises:
        NotDescribed: A field is neither given nor in the file, or a given one cannot be.
        FormatError: The file cannot be read.
    """
    asked = ASKED[kind]
    chosen = {name: value for name, value in given.items() if name in asked and value is not None}
    known = {name: value for name, value in asked.items() if value is not None}
    values = {**known, **_TOLD[kind](file), **chosen}
    if values.get("raw_frames"):
        values |= _rendered(values)
    if "pixel_size" in asked and values.get("pixel_size") is None:
        raise NotDescribed(f"{file} does not say its pixel size; give it as pixel_size, in Å/px.")
    return _validated(kind, values, file)


def _movie(file: Path) -> dict[str, Any]:
    info, stat = read_info(file), file.stat()
    told: dict[str, Any] = {
        "path": str(file.absolute()),
        "bytes": stat.st_size,
        "modified": stat.st_mtime,
        "frames": info.frames,
        "height": info.height,
        "width": info.width,
        "pixel_size": info.pixel_size,
    }
    if info.format == "EER":
        dose = info.extended.get("dose")
        told["raw_frames"] = info.frames
        told["frames"] = max(1, min(round(dose or UNKNOWN_FRACTIONS), info.frames))
        told["dose_per_frame"] = (dose or 0.0) / told["frames"]
    return told


def _rendered(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the size of an EER movie's frames, and of their pixels, as they are read."""
    factor = int(values["upsampling"])
    pixel_size = values.get("pixel_size")
    return {
        "height": values["height"] * factor,
        "width": values["width"] * factor,
        "pixel_size": None if pixel_size is None else pixel_size / factor,
    }


def _micrograph(file: Path) -> dict[str, Any]:
    info = _single_image(file)
    path = str(file.absolute())
    return {"path": path, "height": info.height, "width": info.width, "pixel_size": info.pixel_size}


def _gain(file: Path) -> dict[str, Any]:
    if file.suffix.lower() == ".gain":  # its first image is the reference
        read_info(file)
    else:
        _single_image(file)
    return {"path": str(file.absolute())}


def _single_image(file: Path) -> Any:
    info = read_info(file)
    if info.frames != 1:
        what = f"it holds {info.frames} images where a single one is needed"
        raise FormatError(file, what, "give a file with one image")
    return info


_TOLD: dict[type[Item], Callable[[Path], dict[str, Any]]] = {
    Movie: _movie,
    Gain: _gain,
    Micrograph: _micrograph,
}


def read_item(kind: type[Item], file: Path, port: str) -> Item:
    """Read an item from JSON: its fields, or an object that holds them under `port` or the kind's name.

    Relative paths in it are taken from the folder of the file, and become absolute.

    Raises:
        NotDescribed: It is not such an item.
    """
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise NotDescribed(f"{file} is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise NotDescribed(f"{file} does not hold an item: give an object with the fields of {kind.kind}.")
    for name in (port, kind.kind):
        if isinstance(content.get(name), dict):
            content = content[name]
    folder = file.absolute().parent
    return _validated(kind, with_paths(content, lambda path: str(folder / path)), file)


def with_paths(fields: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return an item's fields with every path (`path`, or what ends in `_path`) changed."""
    return {
        name: change(value)
        if isinstance(value, str) and (name == "path" or name.endswith("_path"))
        else value
        for name, value in fields.items()
    }


def _validated(kind: type[Item], values: dict[str, Any], file: Path) -> Item:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        raise NotDescribed(f"{file} cannot be described as {kind.kind}: {problems}.") from error
