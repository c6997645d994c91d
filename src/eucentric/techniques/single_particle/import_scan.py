"""One life of the import: what has come, what belongs together, and what is still waited for."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eucentric.engine.protocol import Caught, Found, Trouble
from eucentric.formats import FormatError, read_info
from eucentric.metadata import ExposureMetadata, Gain, Movie
from eucentric.metadata.registry import InstrumentEntry
from eucentric.microscope import FoundFile, Pairing, Tick, has_frames, watch
from eucentric.microscope.exposure_metadata import SUFFIXES, Companion
from eucentric.microscope.layouts import Place, is_movie
from eucentric.techniques.single_particle.data_folders import DataFolders
from eucentric.techniques.single_particle.import_acquisitions import Acquisition, Acquisitions
from eucentric.techniques.single_particle.import_companions import Companions
from eucentric.techniques.single_particle.import_gain import GainMissing, Gains
from eucentric.techniques.single_particle.import_instruments import Instruments, aberration_of, name_of
from eucentric.techniques.single_particle.import_params import ImportParams
from eucentric.techniques.single_particle.movie_values import (
    MovieFile,
    Rendering,
    Values,
    first_of,
    missing,
    movie_of,
    settled,
)

log = logging.getLogger("eucentric.import")
"""What is understood of the movies is told here, as information; see `eucentric run`."""

TICK = 0.5
"""Seconds between looks at movies that wait for their metadata."""

RETRY = 10.0
"""Seconds between looks at movies of which it was told what they lack: others may have told it since."""


class NotYet(Exception):
    """A movie cannot be imported yet, for the reason in the message."""


@dataclass
class Waiting:
    """A movie that cannot be imported yet.

    Attributes:
        file: Its headers.
        since: When it came (monotonic s).
        tried: When it was tried last.
        told: The reason that was told.
    """

    file: MovieFile
    since: float
    tried: float = 0.0
    told: str | None = None


class Scan:
    """One life of the scan: `run` yields what it finds."""

    def __init__(self, params: ImportParams, session: Path) -> None:
        """Scan for the session in the folder `session`."""
        self.params = params
        self.data = DataFolders(session, [Path(folder) for folder in params.folders])
        # Results lie in the sessions of the site; where these are below a watched folder, they are no movies.
        self.results = session.parent if session.absolute().parent.name == "sessions" else session
        self.pairing = Pairing()
        self.acquisitions = Acquisitions()
        self.gains = Gains(params, self.data)
        self.movies: dict[Path, Movie] = {}
        """The movies that were yielded, by path."""
        self.companions = Companions(params, self.data, self.acquisitions)
        self.waiting: dict[Path, Waiting] = {}
        self.instruments = Instruments(session)

    def run(self, known: Iterable[Found], stop: threading.Event) -> Iterator[Found | Trouble | Caught]:
        """Yield what comes; see `Source.scan`."""
        versions = self._recall(known)
        expected = self.params.expected_frames
        patterns = [*self.params.patterns, *(f"**/*{suffix}" for suffix in sorted(SUFFIXES))]
        files = watch(
            self.data.folders,
            patterns,
            stop=stop,
            known=versions,
            quiet_period=self.params.quiet_period,
            whole=has_frames(expected) if expected else None,
            tick=self._pause,
        )
        quiet = False
        for found in files:
            if isinstance(found, FoundFile):
                quiet = False
                yield from self._file(found)
            elif isinstance(found, Tick):
                yield from self._look_after_waiting()
            else:
                quiet = True
            if quiet and all(each.told for each in self.waiting.values()):
                quiet = False
                yield Caught()

    def _pause(self) -> float | None:
        """Return after how many seconds to look after what waits."""
        if not self.waiting:
            return None
        return RETRY if all(each.told for each in self.waiting.values()) else TICK

    def _look_after_waiting(self) -> Iterator[Found | Trouble]:
        now = time.monotonic()
        for path, waiting in list(self.waiting.items()):
            if waiting.told is None or now - waiting.tried >= RETRY:
                yield from self._try(path)

    def _file(self, found: FoundFile) -> Iterator[Found | Trouble]:
        if found.path.is_relative_to(self.results.absolute()):
            return
        if found.path.suffix in SUFFIXES:
            for movie in self.pairing.companion(found.path):
                yield from self._companion(movie, found.path)
        elif is_movie(found.path.name) and not any(found.path.match(each) for each in self.params.ignore):
            yield from self._movie(found)

    # ---------------------------------------------------------------- movies

    def _movie(self, found: FoundFile) -> Iterator[Found | Trouble]:
        path = found.path
        try:
            info = read_info(path)
        except (FormatError, OSError, ValueError) as error:
            group = self.companions.named(path) or self.companions.place(path).group
            name, key = self.acquisitions.place_of_broken(self.data.name(path), path.parent, group)
            yield Trouble(name, key, _sentence(error))
            return
        file = MovieFile.of_info(self.data.name(path), found.size, found.modified, info)
        self.waiting[path] = Waiting(file, time.monotonic())
        companions = self.companions.place(path).companions
        come = self.pairing.movie(path, companions)
        for companion in companions:
            # One that is there but not known to be whole is read as well, and again when it is: in a folder
            # that is old, movies come before their metadata, but need not wait for them.
            if companion in come or companion.is_file():
                self.companions.read(path, companion, file.shape, is_whole=companion in come)
        yield from self._try(path)

    def _try(self, path: Path) -> Iterator[Found | Trouble]:
        """Import a movie that waits, if it can be now; tell why not, once it has waited long enough."""
        waiting = self.waiting[path]
        companion = self.companions.get(path)
        if companion is not None and companion.is_of_image:
            del self.waiting[path]
            log.info("%s is an image of SerialEM, not a movie; it is left out.", path)
            if known := self.acquisitions.place_of(waiting.file.path):
                yield Trouble(*known, f"{path} is an image of SerialEM by its metadata, not a movie.")
            return
        waiting.tried = time.monotonic()
        patient = waiting.tried - waiting.since < self.params.wait_for_metadata
        place = self.companions.place(path)
        base = self.companions.base(path, waiting.file, place)
        try:
            acquisition, movie, gain = self._resolved(path, waiting.file, place, base, patient)
        except NotYet as reason:
            if not patient and waiting.told != str(reason):
                waiting.told = str(reason)
                name, key = self.acquisitions.place(base, waiting.file.path)
                yield Trouble(name, key, str(reason))
            return
        except (FormatError, OSError, ValueError) as error:
            waiting.told = _sentence(error)
            name, key = self.acquisitions.place(base, waiting.file.path)
            del self.waiting[path]
            yield Trouble(name, key, waiting.told)
            return
        del self.waiting[path]
        yield from self._imported(path, acquisition, movie, gain)

    def _resolved(
        self, path: Path, file: MovieFile, place: Place, base: str, patient: bool
    ) -> tuple[Acquisition, Movie, Gain]:
        """Return a movie with its acquisition and gain.

        Raises:
            NotYet: Something is not known.
        """
        companion = self.companions.get(path)
        own = Values.of_metadata(companion.metadata) if companion else Values()
        given = Values(self.params.pixel_size, self.params.voltage, self.params.dose)
        acquisition = self.acquisitions.fitting(base, file.path, own.pixel_size, file.header.pixel_size)
        if acquisition is None and own.pixel_size is None and self.acquisitions.several(base):
            raise NotYet(
                f"{path} waits for its metadata: there are movies of several pixel sizes beside it, and"
                " nothing says which of them it has; put the metadata file beside it."
            )
        shared = acquisition.values if acquisition else Values()
        # What a movie was imported with counts more than what others were recorded with since.
        rest = [file.header, shared] if path in self.movies else [shared, file.header]
        lens = self.instruments.lens(companion, acquisition)
        values = first_of([given, own, *rest, Values(voltage=lens.acceleration_voltage)])
        if lacking := missing(values):
            raise NotYet(
                f"{path} waits for its metadata: nothing says the {lacking}; give that on the command line,"
                " or put the metadata file beside it."
            )
        # A companion that is about to come also tells dose, camera and gain; one exposure may wait for that.
        if patient and companion is None and acquisition is None and place.layout != "plain":
            raise NotYet(f"{path} waits for its metadata.")
        if acquisition is None:
            stated = own.pixel_size or file.header.pixel_size or values.pixel_size
            assert stated is not None  # else it would be missing
            certain = own.pixel_size is not None
            acquisition = self.acquisitions.new(base, place.layout, stated, certain=certain)
        try:
            gain = self.gains.gain_for(acquisition, path, file, companion)
        except GainMissing as error:
            raise NotYet(str(error)) from error
        movie = self._item(file, values, lens)
        if (before := self.movies.get(path)) and before.modified == movie.modified:
            movie = settled(movie, before)
        return acquisition, movie, gain

    def _imported(
        self, path: Path, acquisition: Acquisition, movie: Movie, gain: Gain
    ) -> Iterator[Found | Trouble]:
        """Yield a movie with what belongs to it."""
        moved = self.acquisitions.earlier(movie.path, acquisition)
        name, key = self.acquisitions.put(path.parent, movie.path, acquisition)
        if moved is not None:
            reason = f"By its metadata this exposure belongs to {name}, where it is processed."
            yield Trouble(*moved, reason)
        companion = self.companions.get(path)
        own = Values.of_metadata(companion.metadata) if companion else Values()
        acquisition.learn(own if companion else Values.of_movie(movie))
        acquisition.instrument = name_of(companion) or acquisition.instrument
        if acquisition.gain != gain:
            acquisition.gain = gain
            yield Found(name, (), "gain", gain)
        if not acquisition.told:
            acquisition.told = True
            log.info("%s", acquisition.sentence(movie, self.companions.source(path)))
            if movie.dose_per_frame == 0:
                log.warning(
                    "%s: the dose is not known, so frames are not weighted by it; give --dose-per-frame.",
                    name,
                )
        if movie.dropped_frames:
            frames = (movie.raw_frames or movie.frames) + movie.dropped_frames
            log.warning("%s: of %d frames %d are missing.", movie.path, frames, movie.dropped_frames)
        if self.movies.get(path) != movie or moved:
            self.movies[path] = movie
            yield Found(name, key, "movie", movie)
        if companion:
            yield Found(name, key, "metadata", companion.metadata)

    def _item(self, file: MovieFile, values: Values, lens: InstrumentEntry) -> Movie:
        params = self.params
        return movie_of(
            file,
            values,
            Rendering(params.eer_upsampling, params.eer_fractions, params.eer_dose_per_fraction),
            dose_per_frame=params.dose_per_frame,
            spherical_aberration=aberration_of(lens, params.spherical_aberration),
            amplitude_contrast=params.amplitude_contrast,
            pre_exposure=params.pre_exposure,
        )

    # ---------------------------------------------------------------- metadata and memory

    def _companion(self, movie: Path, file: Path) -> Iterator[Found | Trouble]:
        """Take in a metadata file that came, or changed, after its movie."""
        waiting = self.waiting.get(movie)
        if waiting is None and movie in self.movies:
            waiting = Waiting(MovieFile.of_movie(self.movies[movie]), time.monotonic())
        if waiting is not None and self.companions.read(movie, file, waiting.file.shape):
            self.waiting[movie] = waiting
            yield from self._try(movie)

    def _recall(self, known: Iterable[Found]) -> dict[Path, tuple[int, float]]:
        """Take over what earlier lives have found; return the versions of files that are known."""
        versions = {}
        known = list(known)
        for found in known:
            if isinstance(found.item, Gain):
                self.acquisitions.recall_gain(found.acquisition, found.item)
        for found in known:
            if isinstance(found.item, Movie):
                path = self.data.locate(found.item.path)
                versions[path] = (found.item.bytes, found.item.modified)
                self.movies[path] = found.item
                self.acquisitions.recall(path.parent, found.acquisition, found.key, found.item)
                self.pairing.movie(path, self.companions.place(path).companions)
        for found in known:
            if isinstance(found.item, ExposureMetadata):
                path = self.data.locate(found.item.path)
                versions[path] = (found.item.bytes, found.item.modified)
                self.acquisitions.recall_instrument(found.acquisition, found.item.instrument)
                for movie in self.pairing.companion(path):
                    self.companions.recall(movie, path, Companion(found.item))
        return versions


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())
