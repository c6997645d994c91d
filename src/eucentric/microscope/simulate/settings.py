"""What a simulated session is like."""

import math
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eucentric.metadata.units import (
    Angstrom,
    AngstromPerPixel,
    ElectronPerSquareAngstrom,
    Kilovolt,
    Millimetre,
    Second,
    SquareAngstrom,
)

Fault = Literal[
    "empty",
    "drifting",
    "thick-ice",
    "carbon",
    "crystalline-ice",
    "contaminated",
    "astigmatic",
    "off-target",
    "dim",
    "dropped-frames",
    "truncated",
    "zero-byte",
]
"""What is wrong with an exposure: an empty hole; strong drift; ice of 2,000 Å; carbon film over part of the
image or all of it; ice that is crystalline; ice crystals lying on it; astigmatism of more than 2,000 Å; a
defocus far from the target; a beam that is dying (each such exposure has less of it than the one before);
frames that were lost; a file cut short; a file without content."""

MovieFormat = Literal["tiff", "mrc-int8", "mrc-int16", "mrc-float32", "eer"]

LayoutName = Literal["plain", "epu", "serialem"]
"""How files are named and laid out: simply, or as EPU or SerialEM do with their metadata."""

_EER_ELECTRONS = 0.05  # electrons in a pixel of a camera frame, at most: a second one is not counted


class SimulatedGrid(BaseModel):
    """One grid of a session; what is None is as the session says."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[\w-]+$", description="Name of its folder.")
    pixel_size: AngstromPerPixel | None = Field(default=None, ge=0.3, le=10, description="Pixel size.")
    dose: ElectronPerSquareAngstrom | None = Field(default=None, gt=0, description="Dose of a movie.")
    particles: int | None = Field(default=None, ge=0, description="Particles in a frame.")
    min_defocus: Angstrom | None = Field(default=None, gt=0, description="Smallest intended underfocus.")
    max_defocus: Angstrom | None = Field(default=None, gt=0, description="Largest intended underfocus.")
    ice_thickness: Angstrom | None = Field(default=None, ge=0, description="Thickness of the ice.")


class SimulationSettings(BaseModel):
    """A session at the simulated microscope; the same settings give the same images."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(default=1, ge=0, description="Everything random follows from it.")
    exposures: int = Field(default=8, ge=1, description="Number of exposures.")
    interval: Second = Field(
        default=0, ge=0, description="Time from one exposure to the next; 0 writes as fast as possible."
    )
    name: str = Field(default="GroEL", pattern=r"^[\w-]+$", description="What file names begin with.")

    width: int = Field(default=1024, ge=64, description="Number of columns of a frame.")
    height: int = Field(default=1024, ge=64, description="Number of rows of a frame.")
    frames: int = Field(default=16, ge=1, description="Number of frames of a movie.")
    pixel_size: AngstromPerPixel = Field(default=1.2, ge=0.3, le=10, description="Pixel size.")
    dose: ElectronPerSquareAngstrom = Field(default=40, gt=0, description="Dose of a whole movie.")

    voltage: Kilovolt = Field(default=300, ge=60, le=400, description="Acceleration voltage.")
    spherical_aberration: Millimetre = Field(default=2.7, ge=0, description="Spherical aberration.")
    amplitude_contrast: float = Field(default=0.1, ge=0, le=1, description="Fraction of amplitude contrast.")
    b_factor: SquareAngstrom = Field(default=60, ge=0, description="Decay of all contrast, exp(−B k²/4).")
    min_defocus: Angstrom = Field(default=10_000, gt=0, description="Smallest intended underfocus.")
    max_defocus: Angstrom = Field(default=22_000, gt=0, description="Largest intended underfocus.")
    defocus_error: Angstrom = Field(
        default=500, ge=0, description="Standard deviation of the true from the intended defocus."
    )
    astigmatism: Angstrom = Field(default=300, ge=0, description="Largest difference of defocus U and V.")

    particles: int = Field(default=30, ge=0, description="Particles in a frame, as far as there is room.")
    ice_thickness: Angstrom = Field(default=300, ge=0, description="Thickness of the ice.")
    early_motion: Angstrom = Field(
        default=6, ge=0, description="Typical motion over the first few e⁻/Å², when it is fastest."
    )
    late_motion: Angstrom = Field(default=3, ge=0, description="Typical motion over the rest of a movie.")
    local_motion: Angstrom = Field(
        default=2, ge=0, description="Typical motion at a corner relative to the whole field."
    )

    gain_variation: float = Field(
        default=0.03, ge=0, le=0.2, description="Relative deviation of the pixels' sensitivity."
    )
    hot_pixels: int = Field(default=20, ge=0, description="Pixels that count far too much.")
    dead_columns: int = Field(default=1, ge=0, description="Columns that count nothing.")

    layout: LayoutName = Field(default="plain", description="How files are named and laid out.")
    grids: tuple[SimulatedGrid, ...] = Field(
        default=(), description="Grids, one after another, each with an equal part of the exposures."
    )
    movie_format: MovieFormat = Field(default="tiff", description="TIFF (LZW, 8 bit), MRC or EER.")
    growing: bool = Field(
        default=False, description="Movies grow under their final name instead of appearing whole."
    )
    growth_time: Second = Field(default=1, ge=0, description="How long a growing movie takes.")
    metadata_delay: Second = Field(
        default=0,
        ge=0,
        description="How much later than its movie its metadata file comes, give or take a half: one may"
        " overtake another.",
    )
    missing_metadata: frozenset[int] = Field(
        default=frozenset(), description="Exposures, counted from 1, whose metadata file never comes."
    )
    faults: dict[int, Fault] = Field(
        default_factory=dict, description="Exposures, counted from 1, that are bad on purpose."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        named = set(self.faults) | self.missing_metadata
        if beyond := sorted(number for number in named if not 1 <= number <= self.exposures):
            raise ValueError(
                f"faults or missing metadata name exposures {beyond}, but there are exposures 1 to"
                f" {self.exposures}"
            )
        if self.dead_columns > self.width or self.hot_pixels > self.width * self.height:
            raise ValueError("more dead columns or hot pixels than the frame has columns or pixels")
        if len(names := [grid.name for grid in self.grids]) != len(set(names)):
            raise ValueError(f"grids need different names, but they are {', '.join(names)}")
        self._check_format()
        for grid in self.grids or (None,):
            self._on(grid)._check_values()
        return self

    def _check_format(self) -> None:
        if self.layout == "serialem" and self.movie_format != "tiff":
            raise ValueError(f"the layout of SerialEM is simulated with TIFF, not {self.movie_format}")
        if self.layout == "epu" and self.movie_format == "mrc-int8":
            raise ValueError("EPU's movies are gain-corrected and do not fit into mrc-int8; use mrc-int16")
        if self.growing and self.movie_format == "eer":
            raise ValueError("EER movies do not grow under their final name; leave growing out")

    def _check_values(self) -> None:
        if self.max_defocus < self.min_defocus:
            raise ValueError(
                f"max_defocus ({self.max_defocus:g} Å) is smaller than min_defocus ({self.min_defocus:g} Å)"
            )
        counts = self.dose_per_frame * self.pixel_size**2
        if counts > 40:
            raise ValueError(
                f"{counts:.0f} electrons in a pixel of a frame are more than the simulated camera counts; "
                "use more frames, a smaller dose or smaller pixels (at most 40)"
            )

    def grid_of(self, number: int) -> SimulatedGrid | None:
        """Return the grid that exposure `number`, counted from 1, is on; None where no grids are named."""
        if not self.grids:
            return None
        return self.grids[(number - 1) * len(self.grids) // self.exposures]

    def of(self, number: int) -> "SimulationSettings":
        """Return the settings as they are on the grid of exposure `number`, counted from 1."""
        return self._on(self.grid_of(number))

    def _on(self, grid: SimulatedGrid | None) -> "SimulationSettings":
        if grid is None:
            return self
        values: dict[str, Any] = grid.model_dump(exclude={"name"}, exclude_none=True)
        return self.model_copy(update={**values, "grids": ()})

    @property
    def dose_per_frame(self) -> float:
        """Dose of one frame in e⁻/Å²."""
        return self.dose / self.frames

    @property
    def camera_frames(self) -> int:
        """Frames of the camera in each frame of a movie: several in EER files, which keep them all."""
        if self.movie_format != "eer":
            return 1
        return max(1, math.ceil(self.dose_per_frame * self.pixel_size**2 / _EER_ELECTRONS))

    @property
    def suffix(self) -> str:
        """File name ending of the movies."""
        return {"tiff": ".tiff", "eer": ".eer"}.get(self.movie_format, ".mrc")
