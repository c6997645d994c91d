"""Finding the movies of a session as they are recorded, and what belongs to them."""

import hashlib
import logging
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from eucentric.engine.protocol import Caught, Found, Key, ProtocolParams, Source, Trouble
from eucentric.formats import FormatError, ImageInfo, read_info
from eucentric.metadata import (
    AngstromPerPixel,
    ElectronPerSquareAngstrom,
    ExposureMetadata,
    Gain,
    Item,
    Kilovolt,
    Millimetre,
    Movie,
    Second,
)
from eucentric.microscope import FoundFile, Pairing, has_frames, watch
from eucentric.microscope.exposure_metadata import read_exposure_metadata
from eucentric.techniques.single_particle.data_folders import DataFolders

log = logging.getLogger(__name__)

Companion = Annotated[str, Field(pattern=r"\{(name|stem)\}")]


class ImportMovies(Source):
    """Watch folders for movies, their companion files, and the gain reference.

    Movies are grouped into acquisitions by the size of their frames and, with `acquisition_pattern`, by what
    their paths say, so that different samples and camera modes are never mixed.
    """

    name = "import-movies"
    version = "1"
    levels: ClassVar[dict[str, int]] = {"movie": 1, "metadata": 1, "gain": 0}
    outputs: ClassVar[dict[str, type[Item]]] = {"movie": Movie, "metadata": ExposureMetadata, "gain": Gain}

    class Params(ProtocolParams):
        """Where the movies come, and how they are recorded."""

        folders: list[str] = Field(min_length=1, description="Folders to watch, with all below them.")
        patterns: list[str] = Field(
            default=["**/*.tif", "**/*.tiff", "**/*.mrc", "**/*.mrcs"],
            min_length=1,
            description="Which files are movies, relative to a folder.",
        )
        ignore: list[str] = Field(
            default=["*gain*", "*Gain*"], description="File names that are no movies although they match."
        )
        companions: list[Companion] = Field(
            default=["{name}.mdoc", "{stem}.mdoc"],
            description="Metadata files beside a movie, by its file name or the stem of that.",
        )
        gain: str | None = Field(
            default=None, description="The gain reference (MRC or TIFF); none for corrected movies."
        )
        gain_operation: Literal["multiply", "divide"] = Field(
            default="multiply", description="What is done to the counts with the reference."
        )
        acquisition_pattern: str | None = Field(
            default=None,
            description="Regular expression; what its first group finds in a movie's path, relative to the"
            " folder, is the name of the acquisition.",
        )
        pixel_size: AngstromPerPixel | None = Field(
            default=None, gt=0, description="Pixel size of the movies; by default what the files say."
        )
        voltage: Kilovolt = Field(default=300, gt=0, description="Acceleration voltage.")
        spherical_aberration: Millimetre = Field(default=2.7, ge=0, description="Spherical aberration.")
        amplitude_contrast: float = Field(default=0.1, ge=0, le=1, description="Amplitude contrast.")
        dose_per_frame: ElectronPerSquareAngstrom = Field(
            default=1.0, ge=0, description="Dose of one frame; 0 where it is not known."
        )
        pre_exposure: ElectronPerSquareAngstrom = Field(
            default=0, ge=0, description="Dose before the first frame."
        )
        expected_frames: int | None = Field(
            default=None, ge=1, description="A movie with so many frames is complete."
        )
        quiet_period: Second = Field(
            default=10,
            gt=0,
            description="A file that nobody closed is complete after so long without change.",
        )

        @field_validator("acquisition_pattern")
        @classmethod
        def _has_a_group(cls, pattern: str | None) -> str | None:
            try:
                if pattern is not None and re.compile(pattern).groups < 1:
                    raise ValueError("it needs a group in parentheses, which finds the acquisition's name")
            except re.error as error:
                raise ValueError(f"it is not a regular expression: {error}") from error
            return pattern

    def scan(
        self, known: Iterable[Found], session: Path, stop: threading.Event
    ) -> Iterator[Found | Trouble | Caught]:
        """Yield movies as they are complete, metadata whenever they come, and the gain before its movies."""
        return _Scan(self.params, session).run(known, stop)


class _Scan:
    """One life of the scan."""

    def __init__(self, params: ImportMovies.Params, session: Path) -> None:
        self.params = params
        self.data = DataFolders(session, [Path(folder) for folder in params.folders])
        self.pairing = Pairing(params.companions)
        self.suffixes = {Path(rule.format(name="x", stem="x")).suffix for rule in params.companions}
        self.places: dict[str, tuple[str, Key]] = {}
        """Acquisition and key of every movie, by session path."""
        self.taken: dict[tuple[str, Key], str] = {}
        """The session path of the movie that has a place."""
        self.acquisitions: set[str] = set()

    def run(self, known: Iterable[Found], stop: threading.Event) -> Iterator[Found | Trouble | Caught]:
        versions = self._recall(known)
        expected = self.params.expected_frames
        patterns = [*self.params.patterns, *(f"**/*{suffix}" for suffix in sorted(self.suffixes))]
        files = watch(
            self.data.folders,
            patterns,
            stop=stop,
            known=versions,
            quiet_period=self.params.quiet_period,
            whole=has_frames(expected) if expected else None,
        )
        for found in files:
            if not isinstance(found, FoundFile):
                yield Caught()
            elif found.path.suffix in self.suffixes:
                for movie in self.pairing.companion(found.path):
                    yield from self._metadata(movie, found.path)
            elif not any(found.path.match(pattern) for pattern in self.params.ignore):
                yield from self._movie(found)

    def _recall(self, known: Iterable[Found]) -> dict[Path, tuple[int, float]]:
        versions = {}
        for found in known:
            if isinstance(found.item, Movie):
                self._place(found.item.path, (found.acquisition, found.key))
                self.pairing.movie(self.data.locate(found.item.path))
            if isinstance(found.item, Movie | ExposureMetadata):
                path = self.data.locate(found.item.path)
                versions[path] = (found.item.bytes, found.item.modified)
                if isinstance(found.item, ExposureMetadata):
                    self.pairing.companion(path)
            if found.output == "gain":
                self.acquisitions.add(found.acquisition)
        return versions

    def _place(self, path: str, place: tuple[str, Key]) -> None:
        self.places[path] = place
        self.taken[place] = path

    def _movie(self, found: FoundFile) -> Iterator[Found | Trouble]:
        path = self.data.name(found.path)
        acquisition, key = self.places.get(path) or ("", ())
        try:
            info = read_info(found.path)
            acquisition = self._acquisition(found.path, info)
            if path not in self.places:
                self._place(path, (acquisition, self._key(acquisition, path)))
            acquisition, key = self.places[path]
            gain = self._gain(info)
            movie = self._item(found, path, info)
        except (FormatError, OSError, ValueError) as error:
            acquisition = acquisition or self._named(found.path) or "unreadable"
            yield Trouble(acquisition, key or self._key(acquisition, path), " ".join(str(error).split()))
            return
        if acquisition not in self.acquisitions:
            self.acquisitions.add(acquisition)
            yield Found(acquisition, (), "gain", gain)
        yield Found(acquisition, key, "movie", movie)
        for companion in self.pairing.movie(found.path):
            yield from self._metadata(found.path, companion)

    def _item(self, found: FoundFile, path: str, info: ImageInfo) -> Movie:
        pixel_size = self.params.pixel_size or info.pixel_size
        if pixel_size is None:
            raise ValueError(f"{found.path} does not say its pixel size; give it as the run's pixel_size.")
        return Movie(
            path=path,
            bytes=found.size,
            modified=found.modified,
            frames=info.frames,
            height=info.height,
            width=info.width,
            pixel_size=pixel_size,
            voltage=self.params.voltage,
            spherical_aberration=self.params.spherical_aberration,
            amplitude_contrast=self.params.amplitude_contrast,
            dose_per_frame=self.params.dose_per_frame,
            pre_exposure=self.params.pre_exposure,
        )

    def _gain(self, info: ImageInfo) -> Gain:
        if self.params.gain is None:
            return Gain(path=None)
        file = Path(self.params.gain)
        gain = read_info(file)
        if (gain.height, gain.width) != (info.height, info.width):
            raise ValueError(
                f"The gain reference {file} has {gain.width} × {gain.height} pixels, but {info.path} has"
                f" {info.width} × {info.height}; give the reference of this camera mode."
            )
        return Gain(path=self.data.name(file), operation=self.params.gain_operation)

    def _named(self, file: Path) -> str:
        """Return what the acquisition's pattern finds in a movie's path, made fit for a folder's name."""
        pattern = self.params.acquisition_pattern
        match = pattern and re.search(pattern, str(self.data.below(file)))
        return _fit(match.group(1) or "") if match else ""

    def _acquisition(self, file: Path, info: ImageInfo) -> str:
        mode = f"{info.width}x{info.height}"
        named = self._named(file)
        return f"{named}-{mode}" if named else mode

    def _key(self, acquisition: str, path: str) -> Key:
        """Return the movie's file name without ending; with some letters more where another has it."""
        stem = _fit(Path(path).stem)
        if self.taken.get((acquisition, (stem,)), path) != path:
            stem = f"{stem}~{hashlib.sha256(path.encode()).hexdigest()[:6]}"
        return (stem,)

    def _metadata(self, movie: Path, companion: Path) -> Iterator[Found | Trouble]:
        place = self.places.get(self.data.name(movie))
        if place is None:
            return
        acquisition, key = place
        try:
            item = read_exposure_metadata(companion, self.data.name(companion))
        except (FormatError, OSError, ValueError) as error:
            log.warning("The metadata of %s are left out: %s", movie, error)
            return
        yield Found(acquisition, key, "metadata", item)


def _fit(text: str) -> str:
    """Make a text fit to be part of a key, and so of a folder's name."""
    return re.sub(r"[^\w.+=@-]", "_", text).lstrip(".") or "_"
