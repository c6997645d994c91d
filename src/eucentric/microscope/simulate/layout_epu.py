"""The layout of EPU: grid squares, foil holes, and beside every movie the XML and a picture of its sum."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from eucentric.formats import write_mrc
from eucentric.microscope.simulate.camera import Camera
from eucentric.microscope.simulate.epu_documents import EpuImage, Value, image_xml, session_xml
from eucentric.microscope.simulate.exposure import Exposure
from eucentric.microscope.simulate.layouts import Layout, Recording
from eucentric.microscope.simulate.settings import SimulationSettings
from eucentric.microscope.simulate.writing import FRAME_RATE, Frames

_METRES = 1e-10  # in an Å
_EXPOSURES_IN_HOLE = 2
_HOLES_IN_SQUARE = 3
_FRAME_TIME = 0.05  # s, of the others
_LONGEST_PREVIEW = 512  # px
_OUTPUT = {"tiff": "Tiff Lzw Non-Gain normalized", "eer": "Eer"}


class _Detector(NamedTuple):
    place: str
    name: str
    pixel: float  # Å, on the sensor
    binning: int  # of the sum that the XML describes


_K3 = _Detector("EF-CCD", "BioQuantum K3", 5e4, 2)
_FALCON = _Detector("EF-Falcon", "Falcon 4i", 14e4, 1)


class EpuLayout(Layout):
    """A session's folder for every grid, with `Images-Disc1/GridSquare_S/Data/FoilHole_H_Data_A_B_DATE_TIME`.

    TIFF comes from a K3 that counts, with a reference as MRC; EER from a Falcon 4i, whose `.gain` is a TIFF;
    either multiplies. MRC comes from a Falcon 4i that has corrected the movie itself. Of a K3 the XML
    describes the sum, binned twice: its pixels are twice as large as the movie's.
    """

    metadata_first = True

    def __init__(self, folder: Path, settings: SimulationSettings, camera: Camera, began: datetime) -> None:
        """See `Layout`."""
        super().__init__(folder, settings, camera, began)
        self.detector = _K3 if settings.movie_format == "tiff" else _FALCON
        if settings.movie_format.startswith("mrc"):
            self.gain_operation, self.gain_path = "none", None

    def _gain_path(self) -> Path:
        name = "EER_GainReference.gain" if self.settings.movie_format == "eer" else "K3_gain_ref.mrc"
        return self.folder / f"{self.began:%Y%m%d_%H%M%S}_{name}"

    def begin(self) -> None:
        """Write the gain reference, and what EPU says of every session."""
        super().begin()
        for number, grid in enumerate(self.settings.grids or (None,)):
            settings = self.settings.of(
                number * self.settings.exposures // max(1, len(self.settings.grids)) + 1
            )
            session = self.folder / (grid.name if grid else "")
            (session / "Metadata").mkdir(parents=True, exist_ok=True)
            defoci = np.linspace(-settings.max_defocus, -settings.min_defocus, 5) * _METRES
            text = session_xml(
                session.name,
                _OUTPUT.get(settings.movie_format, "Mrc"),
                "Z:\\" + self.folder.name,
                [float(f"{each:.3g}") for each in defoci],
                self.began,
            )
            (session / "EpuSession.dm").write_text(text, encoding="utf-8")

    def movie(self, recording: Recording) -> Path:
        """See `Layout`."""
        exposure, recorded = recording
        hole, square = self._hole(exposure), self._square(exposure)
        end = {".eer": "EER.eer", ".mrc": "Fractions.mrc"}.get(self.settings.suffix, "Fractions.tiff")
        area = self._base(exposure) + 100 + 3 * (exposure.number % _EXPOSURES_IN_HOLE)
        name = f"FoilHole_{hole}_Data_{area}_{area + 2}_{recorded:%Y%m%d_%H%M%S}_{end}"
        return self.grid_folder(exposure) / "Images-Disc1" / f"GridSquare_{square}" / "Data" / name

    def metadata(self, recording: Recording, movie: Path) -> tuple[Path, str]:
        """See `Layout`."""
        exposure, recorded = recording
        settings = self.settings.of(exposure.number)
        binning = self.detector.binning
        image = EpuImage(
            identity=uuid5(NAMESPACE_URL, f"{settings.seed} {exposure.number}"),
            recorded=recorded,
            voltage=settings.voltage * 1e3,
            magnification=round(self.detector.pixel / settings.pixel_size / 1000) * 1000,
            pixel_size=settings.pixel_size * binning * _METRES,
            height=settings.height // binning,
            width=settings.width // binning,
            binning=binning,
            super_resolution=binning,
            fractions="EER" if settings.movie_format == "eer" else settings.frames,
            exposure_time=self._exposure_time(settings),
            camera=self.detector.place,
            detector=self.detector.name,
            dose=settings.dose / _METRES**2,
            defocus=float(f"{-exposure.target_defocus * _METRES:.6g}"),
            stage=(exposure.stage[0] * 1e-6, exposure.stage[1] * 1e-6),
            extra=self._of_detector(settings),
        )
        return self._beside(movie, ".xml"), image_xml(image)

    def write_previews(self, recording: Recording, movie: Path, frames: Frames) -> None:
        """Write the sum beside the movie, as MRC and JPEG, and where its hole and square are seen first."""
        settings = self.settings.of(recording.exposure.number)
        total = np.sum(frames, axis=0, dtype=np.float32) * self.camera.gain
        step = -(-max(total.shape) // _LONGEST_PREVIEW)
        small = _binned(total, step)
        write_mrc(self._beside(movie, ".mrc"), small, settings.pixel_size * step)
        low, high = np.percentile(small, (1, 99))
        grey = np.clip((small[::-1] - low) / max(high - low, 1e-3) * 255, 0, 255).astype(np.uint8)
        self._beside(movie, ".jpg").write_bytes(imagecodecs.jpeg_encode(grey, level=85))
        self._overviews(recording, movie)

    def _overviews(self, recording: Recording, movie: Path) -> None:
        """Write the XML of the grid square's and the hole's image, once each."""
        exposure, recorded = recording
        square = movie.parent.parent
        hole = square / "FoilHoles" / f"FoilHole_{self._hole(exposure)}_{recorded:%Y%m%d_%H%M%S}.xml"
        hole.parent.mkdir(exist_ok=True)
        seen = self.settings.of(exposure.number)
        for path, pixel_size, magnification, pattern in (
            (square / f"GridSquare_{recorded:%Y%m%d_%H%M%S}.xml", 337.4, 580, "GridSquare_*.xml"),
            (hole, 12.5, 15000, f"FoilHole_{self._hole(exposure)}_*.xml"),
        ):
            if any(path.parent.glob(pattern)):
                continue
            image = EpuImage(
                identity=uuid5(NAMESPACE_URL, path.name),
                recorded=recorded,
                voltage=seen.voltage * 1e3,
                magnification=magnification,
                pixel_size=pixel_size * _METRES,
                height=seen.height // self.detector.binning,
                width=seen.width // self.detector.binning,
                binning=self.detector.binning,
                super_resolution=1,
                fractions=None,
                exposure_time=2.0,
                camera=self.detector.place,
                detector=self.detector.name,
                dose=1.5e16,
                defocus=-2.5e-4,
                stage=(exposure.stage[0] * 1e-6, exposure.stage[1] * 1e-6),
                extra={},
            )
            path.write_text(image_xml(image), encoding="utf-8")

    def _of_detector(self, settings: SimulationSettings) -> dict[str, Value]:
        """Return what EPU says of a camera besides."""
        rate = (
            settings.dose * (settings.pixel_size * self.detector.binning) ** 2 / self._exposure_time(settings)
        )
        if self.detector is _K3:
            return {"DoseRate": rate}
        of = f"Detectors[{self.detector.place}]."
        values: dict[str, Value] = {
            f"{of}PixelValueToCameraCounts": "1",
            f"{of}ExposureTime": self._exposure_time(settings),
            f"{of}DoseRate": rate,
            f"{of}CountsToElectrons": 1 / self.counts_per_electron,
        }
        if settings.movie_format == "eer" and self.gain_path is not None:
            reference = f"ImagesForProcessing/{self.detector.place}/300kV/{self.gain_path.name}"
            values |= {
                f"{of}FrameRate": FRAME_RATE,
                f"{of}EerGainReference": reference,
                f"{of}GainReference": reference,
            }
        return values

    @staticmethod
    def _exposure_time(settings: SimulationSettings) -> float:
        """Return the exposure time in s."""
        if settings.movie_format == "eer":
            return settings.frames * settings.camera_frames / FRAME_RATE
        return settings.frames * _FRAME_TIME

    def _beside(self, movie: Path, suffix: str) -> Path:
        """Return what has a movie's name up to its time."""
        return movie.with_name(movie.name.rpartition("_")[0] + suffix)

    def _base(self, exposure: Exposure) -> int:
        """Return where the numbers of an exposure's grid begin."""
        grid = self.settings.grid_of(exposure.number)
        return 10_000_000 + (self.settings.grids.index(grid) if grid else 0) * 1_000_000

    def _hole(self, exposure: Exposure) -> int:
        return self._base(exposure) + 500_000 + (exposure.number - 1) // _EXPOSURES_IN_HOLE

    def _square(self, exposure: Exposure) -> int:
        return self._base(exposure) + (exposure.number - 1) // (_EXPOSURES_IN_HOLE * _HOLES_IN_SQUARE)


def _binned(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return the mean over squares of `step` pixels; what is left at the edges is cut off."""
    height, width = image.shape[0] // step, image.shape[1] // step
    squares = image[: height * step, : width * step].reshape(height, step, width, step)
    means: NDArray[np.float32] = squares.mean(axis=(1, 3), dtype=np.float32)
    return means
