"""Picks that another program made of the same micrographs."""

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ByteSize, Field

from eucentric.engine.protocol import Protocol, ProtocolParams, Rejected, Resources, Task
from eucentric.formats import write_coordinates_star
from eucentric.formats.coordinates import is_name_of, read_coordinates
from eucentric.metadata import Angstrom, AngstromPerPixel, Coordinates, Micrograph

ENDINGS = (".star", ".box", ".json", ".cs")


class ImportCoordinates(Protocol):
    """Take over the picks of another program: RELION STAR, EMAN BOX, EMAN2 JSON or cryoSPARC .cs.

    A micrograph's picks are found by the name of its movie, or its own: in a file whose name contains it, or
    in the rows of a table whose micrographs do.
    """

    name = "import-coordinates"
    version = "1"
    resources = Resources(memory=ByteSize(10**9))

    class Params(ProtocolParams):
        """Where the picks are, and how they are meant."""

        source: str = Field(
            min_length=1,
            description="A folder with a file for each micrograph, or one table for all of them.",
        )
        diameter: Angstrom = Field(gt=0, description="Longest diameter of the particles.")
        pixel_size: AngstromPerPixel | None = Field(
            default=None,
            gt=0,
            description="Pixel size of the image that was picked; by default the micrograph's.",
        )
        flip_y: bool = Field(
            default=False,
            description="Whether the picked image was the mirror image, top to bottom: so are micrographs of"
            " TIFF movies that cryoSPARC aligned.",
        )

    def process(self, micrograph: Micrograph, task: Task) -> Coordinates:
        """Find and take over the picks of one micrograph."""
        names = [Path(each).stem for each in (micrograph.movie_path, micrograph.path) if each is not None]
        name, file = _find(Path(self.params.source), names)
        shape = (micrograph.height, micrograph.width)
        table = read_coordinates(file, name, shape)
        if file.suffix.lower() != ".cs":  # where positions are fractions
            scale = (self.params.pixel_size or micrograph.pixel_size) / micrograph.pixel_size
            table[["x", "y"]] = (table[["x", "y"]] + 0.5) * scale - 0.5
        if self.params.flip_y:
            table["y"] = micrograph.height - 1 - table["y"]
        kept = _inside(table, shape, file)
        if "score" not in kept:
            kept["score"] = 0.0
        kept[["x", "y"]] = np.floor(kept[["x", "y"]] + 0.5)
        write_coordinates_star(task.folder / "coordinates.star", kept)
        task.log.info("%d picks of %s, of %d in it", len(kept), file, len(table))
        return Coordinates(
            path=task.keep("coordinates.star"),
            micrograph_path=micrograph.path,
            count=len(kept),
            diameter=self.params.diameter,
            height=micrograph.height,
            width=micrograph.width,
            pixel_size=micrograph.pixel_size,
        )


def _find(source: Path, names: list[str]) -> tuple[str, Path]:
    """Return the name that was found, and the file; a table is that of any micrograph.

    Raises:
        Rejected: No file has one of the names.
        ValueError: Several have.
        FileNotFoundError: There is no such file or folder.
    """
    if source.is_file():
        return names[0], source
    files = [file for file in sorted(source.iterdir()) if file.suffix.lower() in ENDINGS]
    for name in names:
        found = [file for file in files if file.stem == name] or [
            f for f in files if is_name_of(name, f.stem)
        ]
        if len(found) > 1:
            raise ValueError(
                f"{', '.join(file.name for file in found)} in {source} may all be picks of {name}; leave one."
            )
        if found:
            return name, found[0]
    raise Rejected(f"{source} has no coordinates of {names[0]}")


def _inside(table: pd.DataFrame, shape: tuple[int, int], file: Path) -> pd.DataFrame:
    """Return the picks that lie on the micrograph.

    Raises:
        ValueError: Most do not.
    """
    kept = table["x"].between(-0.5, shape[1] - 0.5) & table["y"].between(-0.5, shape[0] - 0.5)
    if len(table) and kept.mean() < 0.5:
        raise ValueError(
            f"{(~kept).sum()} of {len(table)} picks in {file} lie outside the micrograph of {shape[1]} ×"
            f" {shape[0]} px; give the pixel size of the image that was picked."
        )
    return table[kept].reset_index(drop=True)
