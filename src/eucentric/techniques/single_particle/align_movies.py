"""Motion correction of every movie: gain, global motion, dose weighting, sums, power spectrum."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ByteSize, Field

from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import FrameShifts, open_frames, read_image, write_mrc, write_shifts_star
from eucentric.imaging import AlignedMovie, align_movie
from eucentric.metadata import Gain, Micrograph, Movie

EARLY_DOSE = 4.0
"""e⁻/Å² over which motion counts as early: it is fastest at the beginning (RELION divides there too)."""


class AlignMovies(Protocol):
    """Correct movies for gain and motion, and sum their frames with and without dose weights."""

    name = "align-movies"
    version = "1"
    resources = Resources(memory=ByteSize(3 * 10**9), gpus=1)

    class Params(ProtocolParams):
        """How the sums are made."""

        binning: float = Field(
            default=1.0, ge=1, le=8, description="Factor by which micrographs are smaller than movies."
        )
        dose_weighting: bool = Field(
            default=True, description="Weight frames by how much the specimen is damaged."
        )

    def process(self, movie: Movie, gain: Gain, task: Task) -> Micrograph:
        """Align one movie."""
        with open_frames(task.locate(movie.path), threads=task.cpus) as frames:
            if len(frames) != movie.frames:
                task.log.warning("The file has %d frames, the item says %d.", len(frames), movie.frames)
            aligned = align_movie(
                frames,
                _reference(gain, task),
                pixel_size=movie.pixel_size,
                dose_per_frame=movie.dose_per_frame if self.params.dose_weighting else 0.0,
                voltage=movie.voltage,
                pre_exposure=movie.pre_exposure,
                binning=self.params.binning,
                device=task.device,
                progress=task.progress,
            )
            count = len(frames)
        shifts = aligned.shifts.cpu().numpy().astype(np.float64) * movie.pixel_size
        _write(aligned, shifts, movie, gain, count, task)
        early, late = _motion(shifts, movie.dose_per_frame)
        task.log.info(
            "%d frames aligned; the specimen moved %.1f Å; %d bad pixels",
            count,
            early + late,
            aligned.bad_pixels,
        )
        height, width = aligned.weighted.shape
        return Micrograph(
            path=task.keep("weighted.mrc"),
            unweighted_path=task.keep("sum.mrc"),
            spectrum_path=task.keep("spectrum.mrc"),
            spectrum_pixel_size=aligned.spectrum_pixel_size,
            shifts_path=task.keep("shifts.star"),
            movie_path=movie.path,
            pixel_size=aligned.pixel_size,
            voltage=movie.voltage,
            spherical_aberration=movie.spherical_aberration,
            amplitude_contrast=movie.amplitude_contrast,
            height=height,
            width=width,
            frames=count,
            dose=movie.dose_per_frame * count,
            motion_total=early + late,
            motion_early=early,
            motion_late=late,
            mean_counts=aligned.mean_counts,
            bad_pixels=aligned.bad_pixels,
            optics_group=movie.optics_group,
        )


def _reference(gain: Gain, task: Task) -> NDArray[Any] | None:
    """Return what the counts are multiplied by; pixels where a divisor is zero count nothing."""
    if gain.path is None:
        return None
    reference = read_image(task.locate(gain.path)).astype(np.float32)
    if gain.operation == "divide":
        return np.divide(1.0, reference, out=np.zeros_like(reference), where=reference != 0)
    return reference


def _write(
    aligned: AlignedMovie, shifts: NDArray[np.float64], movie: Movie, gain: Gain, frames: int, task: Task
) -> None:
    folder: Path = task.folder
    for name, image, pixel_size in (
        ("weighted.mrc", aligned.weighted, aligned.pixel_size),
        ("sum.mrc", aligned.unweighted, aligned.pixel_size),
        ("spectrum.mrc", aligned.spectrum, aligned.spectrum_pixel_size),
    ):
        write_mrc(folder / name, image.cpu().numpy().astype(np.float32), pixel_size)
    write_shifts_star(
        folder / "shifts.star",
        FrameShifts(
            movie_path=movie.path,
            frames=frames,
            height=movie.height,
            width=movie.width,
            pixel_size=movie.pixel_size,
            voltage=movie.voltage,
            dose_per_frame=movie.dose_per_frame,
            pre_exposure=movie.pre_exposure,
            shifts=shifts,
            gain_path=gain.path,
            binning=aligned.pixel_size / movie.pixel_size,
        ),
    )


def _motion(shifts: NDArray[np.float64], dose_per_frame: float) -> tuple[float, float]:
    """Return the length of the path [frame, 2] (Å) over the early dose, and after it, in Å."""
    steps = np.hypot(*np.diff(shifts, axis=0).T)
    doses = dose_per_frame * np.arange(1, len(shifts))
    return float(steps[doses <= EARLY_DOSE].sum()), float(steps[doses > EARLY_DOSE].sum())
