"""What has been read of the metadata of each movie, and what the paths of movies tell."""

import logging
import re
from pathlib import Path

from eucentric.formats import FormatError
from eucentric.microscope.exposure_metadata import Companion, MovieShape, read_companion
from eucentric.microscope.layouts import Place, place_of
from eucentric.techniques.single_particle.data_folders import DataFolders
from eucentric.techniques.single_particle.import_acquisitions import Acquisitions
from eucentric.techniques.single_particle.import_params import ImportParams
from eucentric.techniques.single_particle.movie_values import MovieFile

log = logging.getLogger("eucentric.import")


class Companions:
    """The metadata of a session's movies, by the movie's path."""

    def __init__(self, params: ImportParams, data: DataFolders, acquisitions: Acquisitions) -> None:
        """Know none yet."""
        self._params = params
        self._data = data
        self._acquisitions = acquisitions
        self._read: dict[Path, tuple[Path, Companion]] = {}

    def get(self, movie: Path) -> Companion | None:
        """Return what a movie's metadata say."""
        return self._read[movie][1] if movie in self._read else None

    def recall(self, movie: Path, file: Path, companion: Companion) -> None:
        """Take over what was read in an earlier life."""
        self._read[movie] = (file, companion)

    def read(self, movie: Path, file: Path, shape: MovieShape, *, is_whole: bool = True) -> bool:
        """Read a metadata file; say whether it told something new.

        Where a movie has several, that of the first rule counts.

        Args:
            movie: The movie.
            file: The metadata file.
            shape: Columns and rows of the movie's frames.
            is_whole: It is known to be written to its end, so what is wrong with it is told.
        """
        present, before = self._read.get(movie, (None, None))
        rules = self.place(movie).companions
        if present in rules and rules.index(present) < rules.index(file):
            return False
        try:
            read = read_companion(file, self._data.name(file), movie.name, shape)
        except (FormatError, OSError, ValueError) as error:
            if is_whole:
                log.warning("The metadata of %s are left out: %s", movie, " ".join(str(error).split()))
            return False
        if before is not None and present == file and before.metadata == read.metadata:
            return False
        self._read[movie] = (file, read)
        return True

    def source(self, movie: Path) -> str:
        """Return where a movie's values are from, for people."""
        if movie in self._read:
            return f"as {self._read[movie][0].name} says"
        return "as was given or its header says"

    def place(self, movie: Path) -> Place:
        """Return what a movie's path tells."""
        has_mdoc = movie in self._read and self._read[movie][0].suffix == ".mdoc"
        settled = self._acquisitions.has_folder(movie.parent)
        serialem = True if has_mdoc else False if settled else None
        return place_of(movie, self._data.folders, self._params.companions, serialem=serialem)

    def named(self, file: Path) -> str | None:
        """Return what the acquisition's pattern finds in a movie's path; None where there is no pattern."""
        pattern = self._params.acquisition_pattern
        if pattern is None:
            return None
        match = re.search(pattern, str(self._data.below(file)))
        return (match.group(1) or "") if match else ""

    def base(self, movie: Path, file: MovieFile, place: Place) -> str:
        """Return the name of a movie's acquisition, but for the pixel size."""
        named = self.named(movie)
        upsampling = self._params.eer_upsampling if file.format == "EER" else 1
        mode = f"{file.width * upsampling}x{file.height * upsampling}"
        return self._acquisitions.base(movie.parent, place.group if named is None else named, mode)
