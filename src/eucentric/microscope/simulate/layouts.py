"""How a session is laid out in folders: what an acquisition program writes beside the movies."""

from abc import ABC, abstractmethod
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from eucentric.formats import write_mrc, write_tiff
from eucentric.microscope.simulate.camera import Camera
from eucentric.microscope.simulate.exposure import Exposure
from eucentric.microscope.simulate.mdoc import mdoc_text
from eucentric.microscope.simulate.settings import SimulationSettings

GainOperation = Literal["multiply", "divide", "none"]


class Recording(NamedTuple):
    """An exposure and when it was recorded, with the time zone."""

    exposure: Exposure
    recorded: datetime


class Layout(ABC):
    """Where the files of a session go, and what is in those that are no movies.

    Attributes:
        folder: The session's folder.
        settings: The session.
        camera: Its camera.
        gain_path: The gain reference.
        gain_operation: What is to be done with it: "none" where they are corrected already.
        metadata_first: Whether an exposure's metadata are written before its movie, as long as in time.
        counts_per_electron: What an electron counts in movies that are corrected already.
    """

    metadata_first = False
    counts_per_electron = 1.0

    def __init__(self, folder: Path, settings: SimulationSettings, camera: Camera, began: datetime) -> None:
        """Prepare; nothing is written yet. `began` is when the session began, with its time zone."""
        self.folder = folder
        self.settings = settings
        self.camera = camera
        self.began = began
        self.gain_operation: GainOperation = "multiply"
        self.gain_path: Path | None = self._gain_path()

    @abstractmethod
    def _gain_path(self) -> Path:
        """Return where the gain reference goes."""

    @abstractmethod
    def movie(self, recording: Recording) -> Path:
        """Return where the movie of an exposure goes."""

    @abstractmethod
    def metadata(self, recording: Recording, movie: Path) -> tuple[Path, str]:
        """Return where the metadata of an exposure go, and their text."""

    def begin(self) -> None:
        """Write what is there before the first exposure."""
        if self.gain_path is not None:
            self.gain_path.parent.mkdir(parents=True, exist_ok=True)
            self._write_gain(self.gain_path)

    def grid_folder(self, exposure: Exposure) -> Path:
        """Return the folder of the exposure's grid: the session's own where no grids are named."""
        grid = self.settings.grid_of(exposure.number)
        return self.folder if grid is None else self.folder / grid.name

    def _write_gain(self, path: Path) -> None:
        """Write the reference: as MRC, or as Thermo Fisher's `.gain`, which is a TIFF of factors."""
        reference = self.camera.sensitivity if self.gain_operation == "divide" else self.camera.gain
        if path.suffix == ".gain":
            write_tiff(path, reference[::-1], compression="none")  # bottom row first, as in EER files
        else:
            write_mrc(path, reference, self.settings.pixel_size)


class PlainLayout(Layout):
    """`gain.mrc` and `movies/NAME_0001.tiff` with a `.mdoc`, a folder for each grid.

    For EER the reference is what the camera recorded under even illumination, so that it divides.
    """

    def __init__(self, folder: Path, settings: SimulationSettings, camera: Camera, began: datetime) -> None:
        """See `Layout`."""
        super().__init__(folder, settings, camera, began)
        if settings.movie_format == "eer":
            self.gain_operation = "divide"

    def _gain_path(self) -> Path:
        return self.folder / "gain.mrc"

    def movie(self, recording: Recording) -> Path:
        """See `Layout`."""
        folder = self.folder / "movies" / self.grid_folder(recording.exposure).relative_to(self.folder)
        return folder / f"{self.settings.name}_{recording.exposure.number:04d}{self.settings.suffix}"

    def metadata(self, recording: Recording, movie: Path) -> tuple[Path, str]:
        """See `Layout`."""
        settings = self.settings.of(recording.exposure.number)
        text = mdoc_text(settings, str(movie), *recording, {"GainReference": self._gain_path().name})
        return movie.with_name(movie.name + ".mdoc"), text
