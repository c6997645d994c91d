"""What a file holds beside the images and the values that are known by name, and no other file takes over."""

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from eucentric.formats.image_info import ImageInfo
from eucentric.formats.mrc_header import HEADER_BYTES, read_order


def of(source: ImageInfo, target: ImageInfo) -> dict[str, str]:
    """Return what stays behind when an image is converted, by name, in words."""
    if source.format == "MRC":
        return _extended_header(source, target)
    if source.format == "DM":
        return {"tags": "all tags of DigitalMicrograph but the pixel size"}
    if source.format == "Velox EMD":
        return {"metadata": "all of Velox's metadata but those named"}
    if source.format == "EER":
        return {"electron events": "the frames of the camera, and where in a pixel an electron fell"}
    return {}


def _extended_header(source: ImageInfo, target: ImageInfo) -> dict[str, str]:
    kind, size = _type_and_size(source)
    if size <= 0 or (target.format == "MRC" and _type_and_size(target) == (kind, size)):
        return {}
    printable = kind if kind.isprintable() and kind else "unnamed"
    return {"extended header": f"{size} bytes of type {printable}, but for what is named"}


def _type_and_size(info: ImageInfo) -> tuple[str, int]:
    with info.path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    header = np.frombuffer(start, HEADER_DTYPE.newbyteorder(read_order(start)))[0]
    kind = bytes(header["exttyp"]).split(b"\0")[0].decode("latin-1").strip()
    return kind, int(header["nsymbt"])
