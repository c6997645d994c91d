"""EER movies written frame by frame, for simulated cameras."""

import struct
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from eucentric.formats.eer_codes import CODES, encode_electrons
from eucentric.formats.eer_metadata import METADATA_TAG, eer_metadata
from eucentric.formats.image_info import believable_pixel_size
from eucentric.formats.replacing import replacing

_METRE = 1e10  # in Å
_SHORT, _LONG, _UNDEFINED, _LONG8 = 3, 4, 7, 16
_METADATA_PLACE, _METADATA_BYTES = 16, 2048
_TYPES = {256: _LONG, 257: _LONG, 278: _LONG, 273: _LONG8, 279: _LONG8}


def write_eer(
    path: str | Path,
    frames: Iterable[NDArray[np.floating]],
    *,
    shape: tuple[int, int] = (4096, 4096),
    compression: Literal[65000, 65001, 65002] = 65001,
    pixel_size: float | None = None,
    exposure_time: float | None = None,
    electrons_per_pixel: float | None = None,
    stated_frames: int | None = None,
    recorded: datetime | None = None,
    camera: str = "EF-Falcon",
    detector: str = "Falcon 4i",
) -> None:
    """Write an EER movie from the positions of electrons.

    The file appears under its name only when it is whole; an existing one is replaced. Row 0, where y = 0, is
    the bottom of the picture, as everywhere in Eucentric.

    Args:
        path: The file.
        frames: For every frame of the camera, [electron, (x, y)] in camera pixels, (0, 0) the centre of the
            first one, in any order; there may be none. They are kept to a quarter of a pixel. Those beyond
            the edge are left out, and a second one in a pixel of a frame is not counted.
        shape: Rows and columns of the camera.
        compression: The TIFF number of the compression; today's cameras write 65001.
        pixel_size: Å per camera pixel on the specimen.
        exposure_time: s.
        electrons_per_pixel: Electrons per camera pixel in the whole movie, as the metadata state it; by
            default the counted ones.
        stated_frames: Number of frames that the metadata state; by default the true one.
        recorded: When the movie was taken.
        camera: The camera's name in the microscope's programs.
        detector: The camera's commercial name.

    Raises:
        ValueError: No frames, a pixel size that is none, or names too long for the metadata.
        OSError: The file cannot be written.
    """
    if pixel_size is not None and believable_pixel_size(pixel_size) is None:
        raise ValueError(f"{pixel_size} Å is no pixel size ({path})")
    with replacing(Path(path)) as temporary, temporary.open("wb") as file:
        writer = _Pages(file, shape, compression)
        total = 0
        for frame in frames:
            codes, electrons = encode_electrons(frame, shape, CODES[compression])
            writer.append(codes)
            total += electrons
        if not writer.pages:
            raise ValueError(f"no frames to write to {path}")
        items: dict[str, tuple[str, str | None]] = {
            "cameraName": (camera, None),
            "commercialName": (detector, None),
            "numberOfFrames": (str(stated_frames or writer.pages), None),
            "sensorImageWidth": (str(shape[1]), "pixels"),
            "sensorImageHeight": (str(shape[0]), "pixels"),
        }
        electrons_per_pixel = electrons_per_pixel or total / (shape[0] * shape[1])
        items["totalDose"] = (f"{electrons_per_pixel:.9g}", "e/pixel")
        if exposure_time is not None:
            items["exposureTime"] = (f"{exposure_time:.9g}", "s")
            items["meanDoseRate"] = (f"{electrons_per_pixel / exposure_time:.9g}", "e/pixel/s")
        if pixel_size is not None:
            for side in ("width", "height"):
                items[f"sensorPixelSize.{side}"] = (f"{pixel_size / _METRE:.9g}", "m")
        if recorded is not None:
            items["timestamp"] = (recorded.isoformat(), None)
        writer.finish(eer_metadata(items))


class _Pages:
    """Pages of a BigTIFF file as cameras write them: codes, then the directory, one after the other."""

    def __init__(self, file: BinaryIO, shape: tuple[int, int], compression: int) -> None:
        self.pages = 0
        self._file = file
        height, width = shape
        self._tags = {256: width, 257: height, 258: 1, 259: compression, 262: 1, 277: 1, 278: height}
        if compression == 65002:
            codes = CODES[compression]
            self._tags |= {65007: codes.run_bits, 65008: codes.x_bits, 65009: codes.y_bits}
        file.write(b"II" + struct.pack("<HHHQ", 43, 8, 0, 0) + bytes(_METADATA_BYTES))
        self._link = 8
        """Where the offset of the next directory is to be written."""

    def append(self, codes: bytes) -> None:
        """Write the codes of a frame and its directory."""
        tags = self._tags | {273: self._file.tell(), 279: len(codes)}
        entries = {tag: (_TYPES.get(tag, _SHORT), 1, value) for tag, value in tags.items()}
        if self.pages == 0:
            entries[METADATA_TAG] = (_UNDEFINED, _METADATA_BYTES, _METADATA_PLACE)
        self._file.write(codes)
        directory = self._file.tell()
        table = b"".join(struct.pack("<HHQQ", tag, *entries[tag]) for tag in sorted(entries))
        self._file.write(struct.pack("<Q", len(entries)) + table + bytes(8))
        self._patch(self._link, struct.pack("<Q", directory))
        self._link = self._file.tell() - 8
        self.pages += 1

    def finish(self, metadata: bytes) -> None:
        """Write the metadata into the place that was kept for them."""
        if len(metadata) > _METADATA_BYTES:
            raise ValueError(f"The metadata take {len(metadata)} bytes, more than {_METADATA_BYTES}.")
        self._patch(_METADATA_PLACE, metadata.ljust(_METADATA_BYTES))

    def _patch(self, where: int, data: bytes) -> None:
        self._file.seek(where)
        self._file.write(data)
        self._file.seek(0, 2)
