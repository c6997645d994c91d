"""The items that flow through workflows: small records, a few kilobytes of JSON each.

Numbers are finite and carry their unit in the type. Paths are relative to the session's folder
(raw data are reached through the session's `data/` links). Large tables and images live in files.

Signs and units: lengths, shifts and defocus in Å on the specimen; underfocus is positive,
`defocus_u >= defocus_v`, the angle of U in degrees from the x axis, as in RELION. Images are held in
MRC row order (the first row of the array is the bottom row of the picture).
"""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from eucentric.metadata.units import (
    Angstrom,
    AngstromPerPixel,
    Degree,
    ElectronPerSquareAngstrom,
    Kilovolt,
    Millimetre,
    Second,
)

SessionPath = Annotated[str, Field(min_length=1, description="Path relative to the session's folder.")]


class Item(BaseModel):
    """One small record in a stream.

    Every subclass has a `kind`, its name in snake case, under which the class is found again when an
    item is read back; it is also the name of the output port of a protocol that returns only this.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str] = "item"
    kinds: ClassVar[dict[str, "type[Item]"]] = {}

    def __init_subclass__(cls) -> None:
        """Register the subclass under its kind."""
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__)
        cls.kind = words.lower()
        Item.kinds[cls.kind] = cls


class Optics(Item):
    """What an image needs to be interpreted physically."""

    pixel_size: AngstromPerPixel = Field(gt=0, description="Pixel size on the specimen.")
    voltage: Kilovolt = Field(gt=0, description="Acceleration voltage.")
    spherical_aberration: Millimetre = Field(description="Spherical aberration of the objective lens.")
    amplitude_contrast: float = Field(ge=0, le=1, description="Fraction of amplitude contrast.")


class Gain(Item):
    """The gain reference of a camera mode, or the fact that the movies need none."""

    path: SessionPath | None = Field(description="The reference; none for movies that are corrected already.")
    operation: Literal["multiply", "divide"] = Field(
        default="multiply", description="How the raw counts are corrected with the reference."
    )


class Movie(Optics):
    """One recorded movie: raw frames on disk and how they were recorded."""

    path: SessionPath
    bytes: int = Field(ge=0, description="Size of the file.")
    modified: Second = Field(description="When the file was last written, since 1970, UTC.")
    frames: int = Field(gt=0, description="Number of frames.")
    height: int = Field(gt=0, description="Number of rows of a frame.")
    width: int = Field(gt=0, description="Number of columns of a frame.")
    dose_per_frame: ElectronPerSquareAngstrom = Field(ge=0, description="Dose of one frame.")
    pre_exposure: ElectronPerSquareAngstrom = Field(
        default=0, ge=0, description="Dose the specimen received before the first frame."
    )
    optics_group: int = Field(default=1, ge=1, description="Optics group within the acquisition.")


class ExposureMetadata(Item):
    """What the acquisition program wrote beside one exposure; it may arrive later than the movie."""

    path: SessionPath = Field(description="The companion file.")
    bytes: int = Field(ge=0, description="Size of the file.")
    modified: Second = Field(description="When the file was last written, since 1970, UTC.")
    recorded: datetime | None = Field(default=None, description="When the exposure was taken.")
    target_defocus: Angstrom | None = Field(default=None, description="Intended defocus, underfocus > 0.")
    stage_x: Angstrom | None = Field(default=None, description="Stage position along x.")
    stage_y: Angstrom | None = Field(default=None, description="Stage position along y.")
    tilt: Degree | None = Field(default=None, description="Stage tilt.")
    exposure_time: Second | None = Field(default=None, description="Exposure time of the movie.")
    dose: ElectronPerSquareAngstrom | None = Field(default=None, description="Dose of the whole movie.")
    pixel_size: AngstromPerPixel | None = Field(default=None, description="Pixel size as stated there.")
    voltage: Kilovolt | None = Field(default=None, description="Acceleration voltage as stated there.")


class Micrograph(Optics):
    """The aligned sums of one movie; or any image, of which only a movie could tell the rest."""

    path: SessionPath = Field(description="The image (MRC); of a movie, the dose-weighted sum.")
    height: int = Field(gt=0)
    width: int = Field(gt=0)
    unweighted_path: SessionPath | None = Field(default=None, description="Sum without dose weights (MRC).")
    spectrum_path: SessionPath | None = Field(
        default=None, description="Power spectrum of the aligned movie (MRC), zero frequency in the middle."
    )
    spectrum_pixel_size: AngstromPerPixel | None = Field(
        default=None, gt=0, description="Pixel size that the spectrum stands for: half its resolution limit."
    )
    shifts_path: SessionPath | None = Field(default=None, description="Shift of every frame (STAR).")
    movie_path: SessionPath | None = Field(default=None, description="The movie it was made from.")
    frames: int | None = Field(default=None, gt=0, description="Number of frames summed.")
    dose: ElectronPerSquareAngstrom | None = Field(default=None, ge=0, description="Dose of all frames.")
    motion_total: Angstrom | None = Field(default=None, ge=0, description="Length of the specimen's path.")
    motion_early: Angstrom | None = Field(default=None, ge=0, description="That over the first 4 e⁻/Å².")
    motion_late: Angstrom | None = Field(default=None, ge=0, description="That after the first 4 e⁻/Å².")
    mean_counts: float | None = Field(
        default=None, description="Mean of the gain-corrected counts per pixel and frame."
    )
    bad_pixels: int | None = Field(default=None, ge=0, description="Hot and dead pixels replaced.")
    optics_group: int = Field(default=1, ge=1)


class CTF(Optics):
    """The contrast transfer function fitted to one micrograph."""

    micrograph_path: SessionPath = Field(description="The micrograph it belongs to.")
    diagnostic_path: SessionPath = Field(description="Power spectrum beside the fit (PNG).")
    defocus_u: Angstrom = Field(description="Larger defocus, underfocus positive.")
    defocus_v: Angstrom = Field(description="Smaller defocus.")
    defocus_angle: Degree = Field(description="Angle of U from the x axis.")
    phase_shift: Degree = Field(default=0, description="Additional phase shift of a phase plate.")
    resolution: Angstrom = Field(gt=0, description="Resolution up to which rings are fitted.")
    score: float = Field(ge=-1, le=1, description="Correlation between the spectrum and the fit.")
    optics_group: int = Field(default=1, ge=1)


class Histogram(BaseModel):
    """A histogram of one quantity: n counts between n + 1 edges."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    edges: list[float]
    counts: list[int]


class SessionStatistics(Item):
    """Running statistics of one acquisition."""

    exposures: int = Field(ge=0, description="Exposures with an aligned micrograph.")
    fitted: int = Field(ge=0, description="Exposures with a fitted CTF.")
    defocus_mean: Angstrom | None = None
    defocus_deviation: Angstrom | None = Field(default=None, description="Standard deviation.")
    defocus_error_mean: Angstrom | None = Field(
        default=None, description="Mean of fitted minus intended defocus, where the intended one is known."
    )
    astigmatism_mean: Angstrom | None = None
    resolution_mean: Angstrom | None = None
    motion_mean: Angstrom | None = None
    defocus_histogram: Histogram | None = None
    resolution_histogram: Histogram | None = None
    motion_histogram: Histogram | None = None
