"""Finding the movies of a session as they are recorded, and what belongs to them."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from eucentric.engine.protocol import Caught, Found, Source, Trouble
from eucentric.metadata import ExposureMetadata, Gain, Item, Movie
from eucentric.techniques.single_particle.import_params import ImportParams
from eucentric.techniques.single_particle.import_scan import Scan


class ImportMovies(Source):
    """Watch folders for movies, their metadata, and the gain reference.

    EPU's and SerialEM's folders are understood: pixel size, voltage, dose, camera and gain reference are
    found there. What the command line gives counts most, then a movie's own metadata file, then what others
    of its acquisition say, then its header. Movies are grouped into acquisitions by grid, size of their
    frames and pixel size, so that different samples and camera modes are never mixed.
    """

    name = "import-movies"
    version = "2"
    levels: ClassVar[dict[str, int]] = {"movie": 1, "metadata": 1, "gain": 0}
    outputs: ClassVar[dict[str, type[Item]]] = {"movie": Movie, "metadata": ExposureMetadata, "gain": Gain}

    class Params(ImportParams):
        """Where the movies come, and how they are recorded: by default what the microscope says."""

    def scan(
        self, known: Iterable[Found], session: Path, stop: threading.Event
    ) -> Iterator[Found | Trouble | Caught]:
        """Yield movies as they are complete, metadata whenever they come, and the gain before its movies."""
        return Scan(self.params, session).run(known, stop)
