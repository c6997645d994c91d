"""What the header of a map says, as depositions of maps ask for it."""

from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np

from eucentric.formats import FormatError

_TYPES = {
    0: "IMAGE STORED AS SIGNED BYTE",
    1: "IMAGE STORED AS SIGNED INTEGER (2 BYTES)",
    2: "IMAGE STORED AS FLOATING POINT NUMBER (4 BYTES)",
}


@dataclass(frozen=True)
class MapFacts:
    """A map in an MRC file.

    Attributes:
        bytes: Size of the file.
        data_type: Of its numbers, in EMDB's words.
        dimensions: Columns, rows and sections.
        origin: First column, row and section.
        spacing: Intervals along x, y and z in the cell.
        cell: Lengths of the cell along x, y and z, Å.
        minimum: Of the values.
        maximum: Of the values.
        mean: Of the values.
        deviation: Their standard deviation.
    """

    bytes: int
    data_type: str
    dimensions: tuple[int, int, int]
    origin: tuple[int, int, int]
    spacing: tuple[int, int, int]
    cell: tuple[float, float, float]
    minimum: float
    maximum: float
    mean: float
    deviation: float


@dataclass(frozen=True)
class FinalMap:
    """The files of a final map.

    Attributes:
        path: The map.
        halves: The maps of the two halves of the particles, unfiltered.
        mask: The mask within which the resolution was found.
        fsc: The Fourier shell correlation, as the XML that EMDB takes.
    """

    path: Path
    halves: tuple[Path, ...] = ()
    mask: Path | None = None
    fsc: Path | None = None


def read_map_facts(path: Path) -> MapFacts:
    """Read what a map's header says; the statistics are those of the values.

    Raises:
        FormatError: It is no MRC file of a map, its axes are not x, y, z, or it has no pixel size.
        OSError: It cannot be read.
    """
    try:
        with mrcfile.mmap(path, mode="r") as file:
            header, data = file.header, file.data
            if data.ndim != 3 or int(header.mode) not in _TYPES:
                raise FormatError(path, "it is not a map of bytes, short integers or floats", "give a map")
            if (int(header.mapc), int(header.mapr), int(header.maps)) != (1, 2, 3):
                raise FormatError(path, "its axes are not in the order x, y, z", "reorder them")
            cell = tuple(float(header.cella[axis]) for axis in ("x", "y", "z"))
            if min(cell) <= 0:
                raise FormatError(path, "its header has no pixel size", "write the pixel size into it")
            return MapFacts(
                bytes=path.stat().st_size,
                data_type=_TYPES[int(header.mode)],
                dimensions=(int(header.nx), int(header.ny), int(header.nz)),
                origin=(int(header.nxstart), int(header.nystart), int(header.nzstart)),
                spacing=(int(header.mx), int(header.my), int(header.mz)),
                cell=(cell[0], cell[1], cell[2]),
                minimum=float(data.min()),
                maximum=float(data.max()),
                mean=float(data.mean(dtype=np.float64)),
                deviation=float(data.std(dtype=np.float64)),
            )
    except ValueError as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, f"it is not an MRC file ({error})", "give the map") from error
