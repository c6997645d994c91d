"""All images, stacks and spectra of a DigitalMicrograph file, with their axes and tags, without the pixels.

The layout: see `dm`. Tags of an image are in its group `ImageTags`; thumbnails are left out.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eucentric.formats.dm import images_of
from eucentric.formats.dm_tags import Reference, read_tags
from eucentric.formats.errors import FormatError
from eucentric.formats.scaled_image import MOST_POINTS, Axis, ScaledImage

_MOST_AXES = 6
_COPY_AGAIN = "copy the file again from its source"


def read_dm_images(path: str | Path) -> list[ScaledImage]:
    """Read what a DM3 or DM4 file says of everything in it.

    Args:
        path: The file.

    Returns:
        What it holds, but for thumbnails, in the order of the file. `said` has the tags of each as numbers,
        texts and tuples, and under "Brightness" the calibration of its values.

    Raises:
        FormatError: It is damaged, or holds nothing.
        OSError: It cannot be opened.
    """
    path = Path(path)
    with path.open("rb") as file:
        tags, _ = read_tags(path, file)
    try:
        found = [_image(each) for each in images_of(tags)]
    except (AttributeError, TypeError, ValueError, OverflowError) as error:  # a tag of another type
        raise FormatError(path, f"its tags are damaged ({error})", _COPY_AGAIN) from error
    found = [each for each in found if each.axes]
    if not found:
        raise FormatError(path, "it holds no image and no spectrum", _COPY_AGAIN)
    return found


def exported_tags(path: Path, content: bytes) -> dict[str, Any]:
    """Return the tags of an image that DigitalMicrograph wrote into a file of another format.

    Args:
        path: The file, for messages.
        content: What is there, laid out as a DM4 file.

    Returns:
        As `said` of `read_dm_images`, without the calibration of values.

    Raises:
        FormatError: They are damaged.
    """
    tags, _ = read_tags(path, io.BytesIO(content))
    said: dict[str, Any] = _plain(tags)
    return said


def _image(image: dict[str, Any]) -> ScaledImage:
    data = image["ImageData"]
    sizes = [value for value in _members(data.get("Dimensions")) if isinstance(value, int)]
    calibrations = data.get("Calibrations") if isinstance(data.get("Calibrations"), dict) else {}
    described = [each for each in _members(calibrations.get("Dimension")) if isinstance(each, dict)]
    if not 1 <= len(sizes) <= _MOST_AXES or not all(0 < size <= MOST_POINTS for size in sizes):
        return ScaledImage(())
    described += [{}] * (len(sizes) - len(described))
    axes = [_axis(size, each) for size, each in zip(sizes, described, strict=False)]
    if axes[-1].energy_step is None:
        axes.reverse()
    else:  # a spectrum image lies in the file with the energy slowest, and is seen the other way round
        axes = [*axes[-2::-1], axes[-1]]
    said = _plain(image.get("ImageTags"))
    said = {**said, "Brightness": _plain(calibrations.get("Brightness"))}
    return ScaledImage(tuple(axes), said)


def _axis(size: int, described: Mapping[str, Any]) -> Axis:
    scale = described.get("Scale")
    return Axis(size, float(scale) if isinstance(scale, int | float) else None, _text(described.get("Units")))


def _members(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def _text(value: Any) -> str:
    return value.text if isinstance(value, Reference) else value if isinstance(value, str) else ""


def _plain(value: Any) -> Any:
    """Return a tree of tags as numbers, texts and tuples; of arrays, what they say as a text."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value.text if isinstance(value, Reference) else value if value is not None else {}
