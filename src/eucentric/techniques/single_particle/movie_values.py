"""What a movie needs to be known of: from the command line, its metadata, its acquisition, or its header.

Pure functions: the import asks for them, and nothing here looks at a file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from eucentric.formats import ImageInfo
from eucentric.metadata import ExposureMetadata, Movie
from eucentric.metadata.detectors import FileFormat

SAME = 1e-3
"""Relative difference up to which a pixel size or voltage is the same: less is rounding in some file."""

SAME_DOSE = 0.1
"""The same of a dose. EPU states the measured dose of every exposure, which varies by some per cent; that
would change the weight of no frame noticeably, and is no reason to process a movie again."""

DEFAULT_FRACTIONS = 40
"""Fractions of an EER movie of unknown dose."""


@dataclass(frozen=True)
class Values:
    """What is known of a movie; None where it is not.

    Attributes:
        pixel_size: Å/px of the file's frames.
        voltage: kV.
        dose: e⁻/Å² of the whole movie, had it all its frames.
        frames: How many frames it should have.
    """

    pixel_size: float | None = None
    voltage: float | None = None
    dose: float | None = None
    frames: int | None = None

    @classmethod
    def of_metadata(cls, metadata: ExposureMetadata) -> "Values":
        """Return what a metadata file says."""
        return cls(metadata.pixel_size, metadata.voltage, metadata.dose, metadata.frames)

    @classmethod
    def of_movie(cls, movie: Movie) -> "Values":
        """Return what a movie was imported with."""
        raw = movie.raw_frames or movie.frames
        per_raw_frame = movie.dose_per_frame * movie.frames / raw
        frames = raw + movie.dropped_frames
        dose = per_raw_frame * frames or None
        return cls(movie.pixel_size * movie.upsampling, movie.voltage, dose, frames)


@dataclass(frozen=True)
class MovieFile:
    """A movie's file as it lies there.

    Attributes:
        path: How items name it.
        size: Bytes.
        modified: When it was last written, s since 1970.
        frames: Frames in the file; of EER, the camera's.
        height: Rows of a frame, as in the file.
        width: Columns.
        format: Its kind.
        header: What the headers say.
        detector: The camera's name in the headers.
    """

    path: str
    size: int
    modified: float
    frames: int
    height: int
    width: int
    format: FileFormat
    header: Values
    detector: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and rows."""
        return self.width, self.height

    @classmethod
    def of_info(cls, path: str, size: int, modified: float, info: ImageInfo) -> "MovieFile":
        """Return what the headers say; of doses only EER's, which is that of the movie."""
        said = info.extended
        is_eer = info.format == "EER"
        header = Values(
            pixel_size=info.pixel_size,
            voltage=said.get("voltage") or None,
            dose=said.get("dose") if is_eer else None,
            frames=said.get("stated_frames") if is_eer else None,
        )
        detector = said.get("detector") or said.get("camera")
        kind = info.format
        assert kind in ("MRC", "TIFF", "EER", "DM")  # `read_info` gives no other
        return cls(path, size, modified, info.frames, info.height, info.width, kind, header, detector)

    @classmethod
    def of_movie(cls, movie: Movie) -> "MovieFile":
        """Return the file of a movie that was imported before, with the values that it got then."""
        return cls(
            path=movie.path,
            size=movie.bytes,
            modified=movie.modified,
            frames=movie.raw_frames or movie.frames,
            height=movie.height // movie.upsampling,
            width=movie.width // movie.upsampling,
            format="EER"
            if movie.raw_frames
            else "TIFF"
            if ".tif" in Path(movie.path).suffix.lower()
            else "MRC",
            header=Values.of_movie(movie),
        )


def first_of(sources: Iterable[Values]) -> Values:
    """Return every value from the first source that knows it."""
    known = Values()
    for source in sources:
        known = Values(
            pixel_size=known.pixel_size or source.pixel_size,
            voltage=known.voltage or source.voltage,
            dose=source.dose if known.dose is None else known.dose,
            frames=known.frames or source.frames,
        )
    return known


def missing(values: Values) -> str:
    """Return how to give what no movie can be imported without, or "" where nothing is missing."""
    lacking = [
        how
        for value, how in (
            (values.pixel_size, "pixel size (--pixel-size, in Å)"),
            (values.voltage, "acceleration voltage (--voltage, in kV)"),
        )
        if value is None
    ]
    return " and the ".join(lacking)


@dataclass(frozen=True)
class Rendering:
    """How EER movies are read, and what the movies of a session have in common.

    Attributes:
        upsampling: How much finer than the camera's pixels.
        fractions: In how many fractions; None to decide by dose.
        dose_per_fraction: e⁻/Å².
    """

    upsampling: Literal[1, 2] = 1
    fractions: int | None = None
    dose_per_fraction: float = 1.0

    def fractions_of(self, frames: int, dose: float | None) -> int:
        """Return in how many fractions a movie of so many frames and such a dose (e⁻/Å²) is read."""
        wanted = self.fractions or (round(dose / self.dose_per_fraction) if dose else DEFAULT_FRACTIONS)
        return max(1, min(wanted, frames))


def movie_of(
    file: MovieFile,
    values: Values,
    rendering: Rendering,
    *,
    dose_per_frame: float | None,
    spherical_aberration: float,
    amplitude_contrast: float,
    pre_exposure: float,
) -> Movie:
    """Return the item of a movie of which pixel size and voltage are known.

    Frames that should be there and are not are counted, and the dose of one is that of a movie with all.

    Args:
        file: The file.
        values: What is known.
        rendering: How EER is read.
        dose_per_frame: e⁻/Å² of a frame (of EER, of a fraction) where that was said; it counts more than
            `values`.
        spherical_aberration: mm.
        amplitude_contrast: Fraction.
        pre_exposure: e⁻/Å² before the first frame.
    """
    if values.pixel_size is None or values.voltage is None:
        raise ValueError(f"Of the movie {file.path} the {missing(values)} is not known.")
    nominal = max(values.frames or 0, file.frames)
    dose = None if values.dose is None else values.dose * file.frames / nominal
    frames, upsampling = file.frames, 1
    if file.format == "EER":
        frames, upsampling = rendering.fractions_of(file.frames, dose), rendering.upsampling
    return Movie(
        path=file.path,
        bytes=file.size,
        modified=file.modified,
        frames=frames,
        height=file.height * upsampling,
        width=file.width * upsampling,
        raw_frames=file.frames if file.format == "EER" else None,
        upsampling=upsampling,
        dropped_frames=nominal - file.frames,
        pixel_size=values.pixel_size / upsampling,
        voltage=values.voltage,
        dose_per_frame=(dose or 0.0) / frames if dose_per_frame is None else dose_per_frame,
        spherical_aberration=spherical_aberration,
        amplitude_contrast=amplitude_contrast,
        pre_exposure=pre_exposure,
    )


def settled(movie: Movie, before: Movie) -> Movie:
    """Return `movie`, or `before` where the two say the same of the same file but for rounding."""
    near = movie.model_copy(
        update={
            name: getattr(before, name)
            for name, tolerance in (
                ("pixel_size", SAME),
                ("voltage", SAME),
                ("dose_per_frame", SAME_DOSE),
            )
            if is_same(getattr(movie, name), getattr(before, name), tolerance)
        }
    )
    if near.raw_frames == before.raw_frames and near.raw_frames is not None:
        # The number of fractions follows the dose; it need not for a dose that is the same.
        dose, earlier = near.frames * movie.dose_per_frame, before.frames * before.dose_per_frame
        if is_same(dose, earlier, SAME_DOSE):
            near = near.model_copy(update={"frames": before.frames, "dose_per_frame": before.dose_per_frame})
    return near


def is_same(one: float, other: float, tolerance: float) -> bool:
    """Say whether two numbers differ by no more than a part of the larger."""
    return abs(one - other) <= tolerance * max(abs(one), abs(other))


def updated(known: Values, latest: Values) -> Values:
    """Return an acquisition's values after one more movie's: what the latest knows counts."""
    return replace(
        known,
        **{name: value for name, value in vars(latest).items() if value is not None},
    )
