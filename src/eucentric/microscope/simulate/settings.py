"""What a simulated session is like."""

from typing import Literal, Self

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

Fault = Literal["empty", "drifting", "truncated", "zero-byte"]
"""What is wrong with an exposure: an empty hole, strong drift, a file cut short, a file without content."""

MovieFormat = Literal["tiff", "mrc-int8", "mrc-int16", "mrc-float32"]


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

    movie_format: MovieFormat = Field(default="tiff", description="TIFF (LZW, 8 bit) or MRC.")
    growing: bool = Field(
        default=False, description="Movies grow under their final name instead of appearing whole."
    )
    growth_time: Second = Field(default=1, ge=0, description="How long a growing movie takes.")
    mdoc_delay: Second = Field(default=0, ge=0, description="How much later than its movie an .mdoc comes.")
    faults: dict[int, Fault] = Field(
        default_factory=dict, description="Exposures, counted from 1, that are bad on purpose."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_defocus < self.min_defocus:
            raise ValueError(
                f"max_defocus ({self.max_defocus:g} Å) is smaller than min_defocus ({self.min_defocus:g} Å)"
            )
        if beyond := [number for number in self.faults if not 1 <= number <= self.exposures]:
            raise ValueError(f"faults name exposures {beyond}, but there are exposures 1 to {self.exposures}")
        if self.dead_columns > self.width or self.hot_pixels > self.width * self.height:
            raise ValueError("more dead columns or hot pixels than the frame has columns or pixels")
        counts = self.dose / self.frames * self.pixel_size**2
        if counts > 40:
            raise ValueError(
                f"{counts:.0f} electrons in a pixel of a frame are more than the simulated camera counts; "
                "use more frames, a smaller dose or smaller pixels (at most 40)"
            )
        return self

    @property
    def dose_per_frame(self) -> float:
        """Dose of one frame in e⁻/Å²."""
        return self.dose / self.frames

    @property
    def suffix(self) -> str:
        """File name ending of the movies."""
        return ".tiff" if self.movie_format == "tiff" else ".mrc"
