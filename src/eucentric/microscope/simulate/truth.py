"""What is true of a simulated session, kept beside it in `truth.json`."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from eucentric.metadata.units import (
    Angstrom,
    AngstromPerPixel,
    Degree,
    ElectronPerSquareAngstrom,
    Micrometre,
)
from eucentric.microscope.simulate.settings import Fault, SimulationSettings

TRUTH_NAME = "truth.json"


class LocalMotion(BaseModel):
    """Motion within the field, on top of the shifts of the whole.

    At a point with u = x / width − 1/2 and v = y / height − 1/2 the specimen has moved, in frame i, by
    `course[i] · (a·u + b·v + c·(u² − 1/12) + d·u·v + e·(v² − 1/12))`; its mean over the field is zero.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: tuple[Angstrom, Angstrom, Angstrom, Angstrom, Angstrom] = Field(
        description="a to e of motion along x."
    )
    y: tuple[Angstrom, Angstrom, Angstrom, Angstrom, Angstrom] = Field(
        description="a to e of motion along y."
    )
    course: list[float] = Field(description="How far it has got in every frame, from 0 to 1.")


class ExposureTruth(BaseModel):
    """What is true of one exposure. Positions are (x, y) in an image in MRC row order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="File name of the movie.")
    path: str = Field(description="Path of the movie, relative to the session's folder.")
    grid: str | None = Field(default=None, description="Name of the grid, where grids are named.")
    number: int = Field(description="Counted from 1 through the whole session.")
    recorded: datetime = Field(description="When it was recorded.")
    fault: Fault | None = Field(description="What is wrong with it on purpose.")
    metadata: bool = Field(description="Whether its metadata file is ever written.")
    pixel_size: AngstromPerPixel = Field(description="Pixel size.")
    dose: ElectronPerSquareAngstrom = Field(description="Dose that it is said to have; see `beam`.")
    target_defocus: Angstrom = Field(description="Intended defocus, underfocus positive.")
    defocus_u: Angstrom = Field(description="Larger defocus, underfocus positive.")
    defocus_v: Angstrom = Field(description="Smaller defocus.")
    defocus_angle: Degree = Field(description="Angle of U from the x axis, counted towards y.")
    stage: tuple[Micrometre, Micrometre] = Field(description="Stage position (x, y).")
    shifts: list[tuple[float, float]] = Field(
        description="Displacement (x, y) in px of the specimen in every frame in the file, relative to the"
        " first."
    )
    shifts_angstrom: list[tuple[Angstrom, Angstrom]] = Field(description="The same in Å.")
    local_motion: LocalMotion
    particles: list[tuple[float, float]] = Field(
        description="Centres (x, y) in px, in the first frame, of the particles that can be seen in it."
    )
    hidden_particles: list[tuple[float, float]] = Field(
        description="The same of those that carbon film or lumps of ice hide."
    )
    ice_thickness: Angstrom = Field(description="Thickness of its ice.")
    beam: float = Field(description="Part of the stated dose that there was.")
    hole: tuple[float, float, float] | None = Field(
        description="(x, y, radius) in px of the hole in the carbon film, outside which there is carbon; none"
        " where no film is in view."
    )
    lumps: list[tuple[float, float, float]] = Field(description="(x, y, radius) in px of lumps of ice.")
    dropped_frames: list[int] = Field(description="Frames, counted from 0, that are not in the file.")


class SessionTruth(BaseModel):
    """What is true of a session so far. Paths are relative to the session's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: SimulationSettings
    gain_path: str | None = Field(description="The gain reference; none where the camera has applied it.")
    gain_operation: Literal["multiply", "divide", "none"] = Field(
        description="What the raw counts need: the dead columns are 0 in either kind of reference."
    )
    counts_per_electron: float = Field(description="What one electron counts, once corrected.")
    hot_pixels: list[tuple[int, int]] = Field(description="(x, y) of the pixels that count far too much.")
    dead_columns: list[int] = Field(description="x of the columns that count nothing.")
    exposures: list[ExposureTruth]


def read_truth(path: Path) -> SessionTruth:
    """Read `truth.json`, or the one in the folder `path`.

    Raises:
        OSError: The file is missing or cannot be read.
        pydantic.ValidationError: It is not the truth of a simulated session.
    """
    file = path / TRUTH_NAME if path.is_dir() else path
    return SessionTruth.model_validate_json(file.read_bytes())


def write_truth(folder: Path, truth: SessionTruth) -> None:
    """Write `truth.json` into `folder`, so that a reader finds the old or the new one, never a part.

    Raises:
        OSError: It cannot be written.
    """
    temporary = folder / f".{TRUTH_NAME}.partial"
    temporary.write_text(truth.model_dump_json(indent=1), encoding="utf-8")
    temporary.replace(folder / TRUTH_NAME)
