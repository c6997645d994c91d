"""The items that flow through workflows: small records, a few kilobytes of JSON each.

Numbers are finite and carry their unit in the type. Paths are relative to the session's folder
(raw data are reached through the session's `data/` links). Large tables and images live in files.

Signs and units: lengths, shifts and defocus in Å on the specimen; underfocus is positive,
`defocus_u >= defocus_v`, the angle of U in degrees from the x axis, as in RELION. Images are held in
MRC row order (the first row of the array is the bottom row of the picture).
"""

import math
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
    rotation: Literal[0, 90, 180, 270] = Field(
        default=0,
        description="Degrees by which the reference is turned counter-clockwise, as seen with the bottom row"
        " at the bottom, to lie as the movies do.",
    )
    flip: Literal["none", "left-right", "top-bottom"] = Field(
        default="none", description="How the reference is flipped, after it was turned."
    )
    defects_path: SessionPath | None = Field(
        default=None, description="Known bad pixels: a defect file of SerialEM, or an image (not 0 is bad)."
    )
    dark_path: SessionPath | None = Field(
        default=None, description="What the camera counts without beam in a frame; subtracted first."
    )
    counts_per_electron: float | None = Field(
        default=None, gt=0, description="Counts that one electron makes on average, once corrected."
    )
    detector: str | None = Field(default=None, description="The row of the table of detectors that is used.")


HARMLESS_VERDICTS = ("fits", "not needed", "unsure")
"""Verdicts of a `GainEstimate` with which movies can be corrected as they are."""


class GainEstimate(Item):
    """What a few movies say about the gain reference they are corrected with."""

    verdict: Literal[
        "fits",
        "stale",
        "misoriented",
        "inverted",
        "wrong",
        "missing",
        "corrected already",
        "not needed",
        "unsure",
    ] = Field(
        description="Fits; of this camera but out of date; turned or flipped wrongly; multiplied where it is"
        " to be divided or the other way round; of another camera or mode; none given and one is needed;"
        " given for movies that are corrected already; none given and none needed; too few electrons to"
        " tell."
    )
    message: str = Field(description="The same in a sentence, with what to do.")
    movies: int = Field(ge=0, description="Movies it was estimated from.")
    residual_path: SessionPath | None = Field(
        default=None,
        description="How much more or less than those around it each pixel counts after correction (MRC).",
    )
    deviation: float | None = Field(default=None, ge=0, description="Standard deviation of that.")
    range_ratio: float | None = Field(default=None, ge=0, description="Its 97.5th over its 2.5th percentile.")
    peak_ratio: float | None = Field(
        default=None, ge=0, description="Its maximum over its 97.5th percentile."
    )
    exceeded: tuple[Literal["deviation", "range_ratio", "peak_ratio"], ...] = Field(
        default=(), description="Which of these figures are beyond their limits."
    )
    match: float | None = Field(
        default=None,
        description="Strength of the reference's pattern in the raw movies, 1 where it is theirs.",
    )
    rotation: Literal[0, 90, 180, 270] | None = Field(
        default=None, description="Degrees by which the reference should be turned, where it fits so."
    )
    flip: Literal["none", "left-right", "top-bottom"] | None = Field(
        default=None, description="How it should be flipped after that."
    )


class Movie(Optics):
    """One recorded movie: raw frames on disk and how they were recorded."""

    path: SessionPath
    bytes: int = Field(ge=0, description="Size of the file.")
    modified: Second = Field(description="When the file was last written, since 1970, UTC.")
    frames: int = Field(gt=0, description="Number of frames; of an EER file, fractions it is read in.")
    height: int = Field(gt=0, description="Number of rows of a frame, as it is read.")
    width: int = Field(gt=0, description="Number of columns of a frame, as it is read.")
    raw_frames: int | None = Field(
        default=None, gt=0, description="Frames of the camera in an EER file, which are read in fractions."
    )
    upsampling: Literal[1, 2] = Field(
        default=1, description="How much finer than the camera's pixels an EER file is read."
    )
    dropped_frames: int = Field(default=0, ge=0, description="Frames that should be there and are not.")
    dose_per_frame: ElectronPerSquareAngstrom = Field(
        ge=0, description="Dose of one frame (of a fraction of an EER file), 0 where it is not known."
    )
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
    frames: int | None = Field(default=None, gt=0, description="Number of frames as stated there.")
    image_shift_x: Angstrom | None = Field(default=None, description="Image shift along x.")
    image_shift_y: Angstrom | None = Field(default=None, description="Image shift along y.")
    magnification: float | None = Field(default=None, gt=0, description="Nominal magnification.")
    detector: str | None = Field(default=None, description="Name of the camera.")
    gain_reference: str | None = Field(default=None, description="Gain reference named there.")
    software: str | None = Field(default=None, description="Acquisition program and its version.")
    instrument: str | None = Field(default=None, description="What the program calls the microscope.")
    grid_square: str | None = Field(default=None, description="Name of the grid square.")
    hole: str | None = Field(default=None, description="Name of the foil hole.")


class Micrograph(Optics):
    """The aligned sums of one movie; or any image, of which only a movie could tell the rest."""

    path: SessionPath = Field(
        description="The image (MRC); of a movie, the dose-weighted sum, or the only one that is kept."
    )
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
    halves_paths: tuple[SessionPath, SessionPath] | None = Field(
        default=None, description="Sums of the even and of the odd frames (MRC), for denoising."
    )
    thumbnail_path: SessionPath | None = Field(default=None, description="Small picture of it (PNG).")
    frames: int | None = Field(default=None, gt=0, description="Number of frames summed.")
    dose: ElectronPerSquareAngstrom | None = Field(default=None, ge=0, description="Dose of all frames.")
    motion_total: Angstrom | None = Field(default=None, ge=0, description="Length of the specimen's path.")
    motion_early: Angstrom | None = Field(default=None, ge=0, description="That over the first 4 e⁻/Å².")
    motion_late: Angstrom | None = Field(default=None, ge=0, description="That after the first 4 e⁻/Å².")
    motion_local: Angstrom | None = Field(
        default=None,
        ge=0,
        description="Root mean square, over field and frames, of the motion that is not the whole field's.",
    )
    mean_counts: float | None = Field(
        default=None, description="Mean of the gain-corrected counts per pixel and frame."
    )
    expected_counts: float | None = Field(
        default=None, gt=0, description="The same, if all electrons of the stated dose were counted."
    )
    gain_residual: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Correlation of the corrected movie's mean with the gain reference: near zero where the"
        " reference fits.",
    )
    bad_pixels: int | None = Field(default=None, ge=0, description="Hot and dead pixels replaced.")
    optics_group: int = Field(default=1, ge=1)


class CTF(Optics):
    """The contrast transfer function fitted to one micrograph."""

    micrograph_path: SessionPath = Field(description="The micrograph it belongs to.")
    diagnostic_path: SessionPath = Field(description="Power spectrum beside the fit (PNG).")
    profile_path: SessionPath | None = Field(
        default=None,
        description="Spectrum, fit and their correlation along the rings (JSON), over frequency in 1/Å.",
    )
    defocus_u: Angstrom = Field(description="Larger defocus, underfocus positive.")
    defocus_v: Angstrom = Field(description="Smaller defocus.")
    defocus_angle: Degree = Field(description="Angle of U from the x axis.")
    phase_shift: Degree = Field(default=0, description="Additional phase shift of a phase plate.")
    defocus_error: Angstrom | None = Field(
        default=None,
        ge=0,
        description="Standard deviation of the mean defocus, if the right rings are found.",
    )
    phase_shift_error: Degree | None = Field(
        default=None, ge=0, description="Standard deviation of the phase shift, where it was fitted."
    )
    expected_phase_shift: Degree | None = Field(
        default=None, description="What the exposures around it let expect, where that took part in the fit."
    )
    tilt: Degree | None = Field(
        default=None,
        ge=0,
        lt=90,
        description="Tilt of the specimen where one was found; the defocus is that at the image's centre.",
    )
    tilt_axis: Degree | None = Field(
        default=None,
        description="Direction of the tilt axis from the x axis; to its left, looking along it, the defocus"
        " grows.",
    )
    resolution: Angstrom = Field(gt=0, description="Resolution up to which rings are fitted.")
    score: float = Field(ge=-1, le=1, description="Correlation between the spectrum and the fit.")
    confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Probability that there are rings and the fit follows them.",
    )
    ice_ring: float | None = Field(
        default=None,
        ge=0,
        description="Power at 3.7 Å over that of the frequencies around it, minus one: crystalline ice has"
        " more than vitreous ice.",
    )
    agreement: Angstrom | None = Field(
        default=None,
        ge=0,
        description="Resolution up to which independent estimates agree in phase to π/2; none of one alone.",
    )
    optics_group: int = Field(default=1, ge=1)

    @property
    def astigmatism(self) -> float:
        """Difference of the two defoci in Å."""
        return self.defocus_u - self.defocus_v

    @property
    def defocus(self) -> float:
        """Mean of the two defoci in Å, underfocus positive."""
        return (self.defocus_u + self.defocus_v) / 2

    @property
    def defocus_slope(self) -> tuple[float, float]:
        """By how much the defocus grows along x and y, in Å per Å; 0 where the specimen is taken for flat."""
        if self.tilt is None or self.tilt_axis is None:
            return 0.0, 0.0
        steepness, way = math.tan(math.radians(self.tilt)), math.radians(self.tilt_axis + 90)
        return steepness * math.cos(way), steepness * math.sin(way)


class PhaseTrend(Item):
    """How the phase shift of a phase plate goes on through an acquisition."""

    path: SessionPath | None = Field(
        description="Time, fit and trend of every exposure, in the order of time (JSON); none of none."
    )
    exposures: int = Field(ge=0, description="Number of exposures with a phase shift that can be told.")
    positions: int = Field(ge=0, description="Number of positions of the plate that the jumps tell.")
    phase_shift: Degree | None = Field(default=None, description="Trend at the last exposure.")
    phase_shift_error: Degree | None = Field(default=None, ge=0, description="Its standard deviation.")
    step: Degree | None = Field(default=None, ge=0, description="Usual change from exposure to exposure.")
    interval: Second | None = Field(default=None, gt=0, description="Usual time between exposures.")
    last: Second | None = Field(default=None, description="When the last exposure was made, since 1970, UTC.")


class Coordinates(Item):
    """Where particles were picked on one micrograph."""

    path: SessionPath = Field(description="Positions and scores (STAR, as RELION's coordinate files).")
    micrograph_path: SessionPath = Field(description="The micrograph that was picked.")
    count: int = Field(ge=0, description="Number of particles.")
    diameter: Angstrom = Field(gt=0, description="Diameter of the particles.")
    height: int = Field(gt=0, description="Rows of the micrograph.")
    width: int = Field(gt=0, description="Columns of the micrograph.")
    pixel_size: AngstromPerPixel = Field(gt=0, description="Pixel size of the micrograph.")
    excluded: float | None = Field(
        default=None, ge=0, le=1, description="Part of the micrograph taken for carbon, ice or dirt."
    )


class Particles(Optics):
    """The particles of one micrograph, cut out; the optics are those of the stack."""

    path: SessionPath = Field(description="One row for each particle (STAR, as RELION 3.1 and later).")
    stack_path: SessionPath = Field(description="Their images (MRC stack), in the order of the rows.")
    micrograph_path: SessionPath = Field(description="The micrograph they were cut from.")
    count: int = Field(ge=0, description="Number of particles.")
    box: int = Field(gt=0, description="Rows and columns of an image.")
    diameter: Angstrom = Field(gt=0, description="Diameter of the particles.")
    phase_flipped: bool = Field(description="Whether the signs of the CTF are corrected in the images.")
    optics_group: int = Field(default=1, ge=1)


class ClassAverages(Item):
    """The two-dimensional classes of the particles of an acquisition, and which of them are selected."""

    path: SessionPath | None = Field(
        description="The averages (MRC stack); none while there are no particles."
    )
    table_path: SessionPath | None = Field(
        description="Number, size, resolution, score and selection of every class, in the order of the"
        " averages, and their signal-to-noise ratios (STAR)."
    )
    particles_path: SessionPath | None = Field(
        description="Class and pose of every particle (STAR, as RELION 3.1 and later)."
    )
    selected_path: SessionPath | None = Field(
        default=None, description="The same of the particles in selected classes; none if there are none."
    )
    picture_path: SessionPath | None = Field(
        default=None, description="The averages beside each other (PNG), selected ones first, others dimmed."
    )
    classes: int = Field(ge=0, description="Number of classes.")
    selected_classes: int = Field(ge=0, description="Number of classes that are selected.")
    particles: int = Field(ge=0, description="Number of particles.")
    selected_particles: int = Field(ge=0, description="Number of particles in selected classes.")
    box: int = Field(gt=0, description="Rows and columns of an average.")
    pixel_size: AngstromPerPixel = Field(gt=0, description="Pixel size of the averages.")
    diameter: Angstrom = Field(gt=0, description="Diameter of the particles.")
    resolution: Angstrom | None = Field(
        default=None, gt=0, description="Of the best selected class, where its halves agree to 0.143."
    )
    phase_flipped: bool = Field(
        default=False, description="Whether the signs of the CTF are corrected in the particles' images."
    )


class Templates(Item):
    """Images of a particle to pick others by, the same for the whole acquisition."""

    path: SessionPath = Field(description="The images without CTF, particles white on zero (MRC stack).")
    count: int = Field(gt=0, description="Number of images.")
    pixel_size: AngstromPerPixel = Field(gt=0, description="Pixel size of the images.")
    diameter: Angstrom = Field(gt=0, description="Diameter of the particles.")
    averages_path: SessionPath = Field(description="The version of class averages that they are from.")
    classes: tuple[int, ...] = Field(description="Numbers of the classes, in the order of the images.")
    particles: int = Field(gt=0, description="Particles in these classes.")
    resolution: Angstrom | None = Field(
        default=None, gt=0, description="Of the best of these classes, where its halves agree to 0.143."
    )


class PickingModel(Item):
    """A network that was trained to pick the particles of an acquisition."""

    path: SessionPath = Field(description="Its weights (npz), and the diameter that it was trained for.")
    diameter: Angstrom = Field(gt=0, description="Diameter of the particles.")
    particles: int = Field(gt=0, description="Picks that it was trained from.")
    coordinates_paths: tuple[SessionPath, ...] = Field(description="Where these were picked.")


class ClassMap(BaseModel):
    """One of the maps among which the particles are divided."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    number: int = Field(ge=1, description="Its number, the same in all versions; 1 of one map alone.")
    path: SessionPath = Field(description="The map (MRC), filtered to what its halves agree on.")
    half_paths: tuple[SessionPath, SessionPath] = Field(
        description="Maps of the two halves (MRC), not filtered."
    )
    fsc_path: SessionPath = Field(description="Fourier shell correlation of the halves (STAR).")
    views_path: SessionPath = Field(
        description="How many particles are seen from where, in cells of equal area of the sphere (STAR)."
    )
    particles: int = Field(ge=0, description="Number of particles in it.")
    resolution: Angstrom | None = Field(
        default=None, gt=0, description="Where the halves agree to 0.143; none where they agree nowhere less."
    )
    resolution_half: Angstrom | None = Field(
        default=None, gt=0, description="Where the halves agree to 0.5; none where they agree nowhere less."
    )
    efficiency: float = Field(
        ge=0,
        le=1,
        description="How evenly the views fill Fourier space: harmonic mean of the sampling in all"
        " directions, 1 of even views.",
    )
    symmetry_fit: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Part of the map's power that was left when it was averaged over the point group, before"
        " this was imposed: near 1 where the symmetry is there.",
    )


class InitialMap(Item):
    """A first map of the particles of an acquisition, or several; protein is white.

    Where nothing else is said, figures and files are those of the best map.
    """

    path: SessionPath = Field(description="The map (MRC), filtered to what its halves agree on.")
    half_paths: tuple[SessionPath, SessionPath] = Field(
        description="Maps of the two halves (MRC), not filtered."
    )
    fsc_path: SessionPath = Field(description="Fourier shell correlation of the halves (STAR).")
    particles_path: SessionPath = Field(
        description="Orientation, origin, half and map of every particle in any map (STAR, as RELION 3.1 and"
        " later)."
    )
    picture_path: SessionPath = Field(
        description="Of every map its central sections, its projections, the correlation of its halves, and"
        " from where particles were seen (PNG)."
    )
    particles: int = Field(gt=0, description="Number of particles in all maps.")
    box: int = Field(gt=0, description="Voxels along each side.")
    pixel_size: AngstromPerPixel = Field(gt=0, description="Size of a voxel.")
    diameter: Angstrom = Field(gt=0, description="Diameter of the particles.")
    symmetry: str = Field(description="Point group that was applied.")
    resolution: Angstrom | None = Field(
        default=None, gt=0, description="Where the halves agree to 0.143; none where they agree nowhere less."
    )
    resolution_half: Angstrom | None = Field(
        default=None, gt=0, description="Where the halves agree to 0.5; none where they agree nowhere less."
    )
    efficiency: float = Field(
        ge=0,
        le=1,
        description="How evenly the views fill Fourier space: harmonic mean of the sampling in all"
        " directions, 1 of even views.",
    )
    maps: tuple[ClassMap, ...] = Field(description="All maps, the best first.")


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
