"""Motion correction of every movie: gain, motion, dose weighting, sums, power spectrum."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ByteSize, Field, model_validator

from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import EERRendering, FrameReader, open_frames
from eucentric.imaging import AlignedMovie, align_movie
from eucentric.metadata import AngstromPerPixel, Gain, Micrograph, Movie
from eucentric.techniques.single_particle.aligned_files import write_aligned
from eucentric.techniques.single_particle.gain import read_correction

EARLY_DOSE = 4.0
"""e⁻/Å² over which motion counts as early: it is fastest at the beginning (RELION divides there too)."""


class AlignMovies(Protocol):
    """Correct movies for gain and motion, and sum their frames with and without dose weights."""

    name = "align-movies"
    version = "3"
    # A movie of 4096 × 4096 × 40 needs 2.0 to 2.3 GB, one in super-resolution of 11520 × 8184 4.3 GB.
    resources = Resources(memory=ByteSize(4_300_000_000), gpus=1)

    class Params(ProtocolParams):
        """How the sums are made."""

        binning: float = Field(
            default=1.0,
            ge=1,
            le=8,
            description="Factor by which micrographs are smaller than movies (2 for super-resolution).",
        )
        pixel_size: AngstromPerPixel | None = Field(
            default=None,
            gt=0,
            description="Pixel size of the micrographs, if it shall be the same for all; instead of binning.",
        )
        dose_weighting: bool = Field(
            default=True, description="Weight frames by how much the specimen is damaged."
        )
        patches: int | None = Field(
            default=None,
            ge=0,
            le=16,
            description="Patches along the longer side to measure motion in; 0 moves frames as a whole;"
            " empty: about one for 600 Å. Motion that differs within the field is only followed as far as"
            " it is significant.",
        )
        keep: list[Literal["weighted", "unweighted", "halves"]] = Field(
            default=["weighted", "unweighted"],
            description="Which sums are written: dose-weighted, unweighted, those of odd and even frames.",
        )
        precision: Literal["float32", "float16"] = Field(
            default="float32",
            description="Numbers in the micrographs. float16 halves their size and loses nothing that can be"
            " seen; RELION reads it from version 4 on (3.1 does not).",
        )

        @model_validator(mode="after")
        def _one_sum(self) -> Self:
            if not {"weighted", "unweighted"} & set(self.keep):
                raise ValueError("keep the weighted or the unweighted sum, for all that follows needs one")
            return self

    def process(self, movie: Movie, gain: Gain, task: Task) -> Micrograph:
        """Align one movie."""
        with _open(movie, task) as frames:
            if len(frames) != movie.frames:
                task.log.warning("The file has %d frames, the item says %d.", len(frames), movie.frames)
            aligned = self._align(frames, movie, gain, task)
        if aligned.gain_check is not None and aligned.gain_check.verdict == "corrected twice":
            raise ValueError(
                f"{movie.path} was corrected with its gain reference already, and {gain.path} would do it"
                " again; set no gain reference for this acquisition (gain none)."
            )
        files = write_aligned(aligned, movie, gain, task, self.params.keep, self.params.precision)
        early, late = _motion(aligned.shifts.numpy() * movie.pixel_size, movie.dose_per_frame)
        local = aligned.field.local() * movie.pixel_size
        count = len(aligned.shifts)
        task.log.info(
            "%d frames aligned; motion %.1f Å of the whole, %.2f Å (RMS) within the field; %d bad pixels",
            count,
            early + late,
            local,
            aligned.bad_pixels,
        )
        height, width = aligned.unweighted.shape
        expected = movie.dose_per_frame * movie.pixel_size**2 * (gain.counts_per_electron or 1.0)
        return Micrograph(
            **files,
            spectrum_pixel_size=aligned.spectrum_pixel_size,
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
            motion_local=local,
            mean_counts=aligned.mean_counts,
            expected_counts=expected or None,
            gain_residual=None if aligned.gain_check is None else aligned.gain_check.residual,
            bad_pixels=aligned.bad_pixels,
            optics_group=movie.optics_group,
        )

    def _align(self, frames: FrameReader, movie: Movie, gain: Gain, task: Task) -> AlignedMovie:
        correction = read_correction(gain, task, (frames.info.height, frames.info.width))
        wanted = self.params.pixel_size
        return align_movie(
            frames,
            correction.multiplier,
            dark=correction.dark,
            defects=correction.defects,
            counts_per_electron=gain.counts_per_electron or 1.0,
            pixel_size=movie.pixel_size,
            dose_per_frame=movie.dose_per_frame,
            dose_weighting=self.params.dose_weighting and "weighted" in self.params.keep,
            voltage=movie.voltage,
            patches=self.params.patches,
            binning=self.params.binning if wanted is None else max(1.0, wanted / movie.pixel_size),
            halves="halves" in self.params.keep,
            device=task.device,
            progress=task.progress,
        )


def _open(movie: Movie, task: Task) -> FrameReader:
    eer = None if movie.raw_frames is None else EERRendering(movie.upsampling, movie.frames)
    if movie.dropped_frames:
        task.log.warning("%d frames of %s were dropped", movie.dropped_frames, movie.path)
    return open_frames(task.locate(movie.path), threads=task.cpus, eer=eer)


def _motion(shifts: NDArray[np.float64], dose_per_frame: float) -> tuple[float, float]:
    """Return the length of the path [frame, 2] (Å) over the early dose, and after it, in Å."""
    steps = np.hypot(*np.diff(shifts, axis=0).T)
    doses = dose_per_frame * np.arange(1, len(shifts))
    return float(steps[doses <= EARLY_DOSE].sum()), float(steps[doses > EARLY_DOSE].sum())
