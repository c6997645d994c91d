"""EMD files of Thermo Fisher's Velox (HDF5): images, and series of them, in `/Data/Image`.

Not the EMD format of Berkeley, in spite of the name. Every image has an array [y, x, frame] and, for each
frame, a JSON text in a column of bytes. The maker publishes no description; the facts are those that the
field's readers agree on. The first row is the top of the picture.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from eucentric.formats.errors import FormatError
from eucentric.formats.hdf5 import follow, members
from eucentric.formats.hdf5_pixels import image_of
from eucentric.formats.image_info import ImageInfo, Sides, believable_pixel_size, square_pixel_size
from eucentric.formats.lengths import angstroms
from eucentric.formats.nested import Nested
from eucentric.formats.slabs import SlabImage
from eucentric.formats.velox import velox_metadata

_IMAGES = "/Data/Image"


def find_velox(path: Path, file: h5py.File, part: str | None) -> SlabImage:
    """Return the image of a Velox file.

    Args:
        path: The file.
        file: The open file.
        part: Name of one image, or of its detector where only one image is of it; needed where there are
            several.

    Raises:
        FormatError: There is none, it is not clear which is meant, or its metadata are damaged.
    """
    group = follow(path, file, _IMAGES)
    found = members(group) if isinstance(group, h5py.Group) else ()
    images = {
        name: node
        for name, node in found
        if isinstance(node, h5py.Group) and isinstance(follow(path, node, "Data"), h5py.Dataset)
    }
    metadata = {name: Nested(velox_metadata(path, node)) for name, node in images.items()}
    labels = {name: metadata[name].text("BinaryResult/Detector") or "?" for name in images}
    if part is not None:
        plain = part.rstrip("/").removesuffix("/Data").rpartition("/")[2]
        images = {name: node for name, node in images.items() if plain in (name, labels[name])}
    if len(images) != 1:
        listed = ", ".join(f"{name} ({label})" for name, label in labels.items()) or "none"
        what = f"it holds {len(images)} images" + (f" called {part}" if part else "")
        raise FormatError(path, what, f"choose the part that is meant, of: {listed}")
    ((name, node),) = images.items()
    data = follow(path, node, "Data")
    assert isinstance(data, h5py.Dataset)  # the others were left out
    return image_of(path, data, lambda info: _described(info, metadata[name]), frames_last=True, flip=True)


def _described(info: ImageInfo, said: Nested) -> ImageInfo:
    sides: Sides = (None, _side(said, "height", "PixelUnitY"), _side(said, "width", "PixelUnitX"))
    extended: dict[str, Any] = {}
    if (volts := said.number("Optics/AccelerationVoltage")) and volts > 0:
        extended["voltage"] = volts / 1e3
    for key, place in (
        ("microscope", "Instrument/InstrumentModel"),
        ("detector", "BinaryResult/Detector"),
        ("magnification", "CustomProperties/StemMagnification/value"),
    ):
        if value := said.text(place):
            extended[key] = value
    return replace(
        info, format="Velox EMD", voxel=sides, pixel_size=square_pixel_size(sides), extended=extended
    )


def _side(said: Nested, side: str, unit: str) -> float | None:
    length = said.number(f"BinaryResult/PixelSize/{side}")
    scale = angstroms(said.text(f"BinaryResult/{unit}") or "")
    return believable_pixel_size(length * scale) if length is not None and scale is not None else None
