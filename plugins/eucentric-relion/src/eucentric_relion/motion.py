"""Motion correction with RELION's own implementation."""

from pathlib import Path

import numpy as np
import torch
from pydantic import ByteSize, Field

from eucentric.engine.programs import Workplace
from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import (
    FrameShifts,
    StarMicrograph,
    StarMovie,
    StarOptics,
    read_image,
    read_info,
    read_micrographs_star,
    read_shifts_star,
    write_movies_star,
    write_mrc,
    write_png,
    write_shifts_star,
)
from eucentric.imaging import thumbnail
from eucentric.metadata import Gain, Micrograph, Movie
from eucentric.techniques.single_particle.gain import read_correction
from eucentric_relion.images import keep_image
from eucentric_relion.programs import MOTION, Arguments

FORMATS = (".mrc", ".mrcs", ".tif", ".tiff", ".eer")


class RelionMotion(Protocol):
    """Align and sum the frames of a movie with RELION's motion correction, as a whole and in patches."""

    name = "relion-motion"
    version = "1"
    resources = Resources(cpus=4, memory=ByteSize(8 * 10**9))

    class Params(ProtocolParams):
        """Patches, and what is written."""

        patches: int = Field(default=5, ge=1, le=20, description="Patches along each side.")
        binning: float = Field(default=1, ge=1, description="By how much the sum is smaller than the movie.")
        b_factor: float = Field(
            default=150, ge=0, description="Fall-off (px²) with which frames are compared."
        )
        group_frames: int = Field(default=1, ge=1, description="Frames that are added up to be compared.")
        dose_weighting: bool = Field(
            default=True, description="Weight frequencies by dose, where the dose is known."
        )

    def process(self, movie: Movie, gain: Gain, task: Task) -> Micrograph:
        """Align one movie."""
        suffix = Path(movie.path).suffix.lower()
        if suffix not in FORMATS:
            raise ValueError(
                f"RELION does not read {movie.path}: it reads {', '.join(FORMATS)}; use align-movies."
            )
        weighted = self.params.dose_weighting and movie.dose_per_frame > 0
        with Workplace.of(task) as place:
            name = place.link(f"movie{suffix}", movie.path)
            optics = StarOptics(
                movie.optics_group,
                f"opticsGroup{movie.optics_group}",
                movie.voltage,
                movie.spherical_aberration,
                movie.amplitude_contrast,
                movie_pixel_size=movie.pixel_size,
            )
            write_movies_star(place.path("movies.star"), [optics], [StarMovie(name, movie.optics_group)])
            arguments = [*self._arguments(movie, weighted, task), *_gain_arguments(gain, movie, place, task)]
            sums = ["movie.mrc", "movie_noDW.mrc"] if weighted else ["movie.mrc"]
            expected = [f"out/{each}" for each in (*sums, "movie.star", "corrected_micrographs.star")]
            MOTION.run(arguments, task, folder=place.folder, expects=expected)
            (group,), (row,) = read_micrographs_star(place.path("out/corrected_micrographs.star"))
            _write_shifts(place, movie, gain, task)
            path = keep_image(place, "out/movie.mrc", "weighted.mrc" if weighted else "sum.mrc")
            unweighted = keep_image(place, "out/movie_noDW.mrc", "sum.mrc") if weighted else path
        return _micrograph(movie, path, unweighted, group, row, task)

    def _arguments(self, movie: Movie, weighted: bool, task: Task) -> Arguments:
        params = self.params
        dose, grouping = movie.dose_per_frame, None
        if movie.raw_frames is not None:  # RELION leaves out the frames after the last whole fraction
            grouping = max(1, movie.raw_frames // movie.frames)
            dose *= grouping * movie.frames / movie.raw_frames
        arguments: Arguments = ["--i", "movies.star", "--o", "out", "--use_own", "--j", task.cpus]
        arguments += ["--patch_x", params.patches, "--patch_y", params.patches]
        arguments += ["--bin_factor", params.binning, "--bfactor", params.b_factor]
        arguments += ["--group_frames", params.group_frames]
        arguments += ["--dose_per_frame", dose, "--preexposure", movie.pre_exposure]
        if grouping is not None:
            arguments += ["--eer_grouping", grouping, "--eer_upsampling", movie.upsampling]
        return [*arguments, "--dose_weighting", "--save_noDW"] if weighted else arguments


def _gain_arguments(gain: Gain, movie: Movie, place: Workplace, task: Task) -> Arguments:
    """Write what the counts are corrected with as RELION reads it: turned as the movie lies."""
    correction = read_correction(gain, task, (movie.height, movie.width))
    if correction.dark is not None:
        raise ValueError(
            f"RELION does not subtract the dark reference {gain.dark_path}; use align-movies, or set none."
        )
    arguments: Arguments = []
    if correction.multiplier is not None:
        multiplier = correction.multiplier
        if movie.raw_frames is not None:  # of EER movies, RELION divides by what is no .gain file
            multiplier = np.divide(1, multiplier, out=np.zeros_like(multiplier), where=multiplier > 0)
        write_mrc(place.path("gain.mrc"), multiplier, None)
        arguments += ["--gainref", "gain.mrc"]
    if correction.defects is not None:
        write_mrc(place.path("defects.mrc"), correction.defects.astype(np.float32), None)
        arguments += ["--defect_file", "defects.mrc"]
    return arguments


def _write_shifts(place: Workplace, movie: Movie, gain: Gain, task: Task) -> None:
    """Keep the shifts, with the names that the session knows."""
    found = read_shifts_star(place.path("out/movie.star"))
    fields = {name: getattr(found, name) for name in FrameShifts.__dataclass_fields__}
    named = FrameShifts(**fields | {"movie_path": movie.path, "gain_path": gain.path})
    write_shifts_star(task.folder / "shifts.star", named)


def _micrograph(
    movie: Movie, path: str, unweighted: str, group: StarOptics, row: StarMicrograph, task: Task
) -> Micrograph:
    file = task.folder / Path(path).name
    info = read_info(file)
    small = thumbnail(torch.from_numpy(read_image(file).astype(np.float32)))
    write_png(task.folder / "thumbnail.png", small.numpy())
    shifts = read_shifts_star(task.folder / "shifts.star")
    local = None if shifts.patches is None else float(np.sqrt((shifts.patches.shifts**2).sum(1).mean()))
    timed = movie.dose_per_frame > 0
    return Micrograph(
        path=path,
        unweighted_path=unweighted,
        shifts_path=task.keep("shifts.star"),
        thumbnail_path=task.keep("thumbnail.png"),
        movie_path=movie.path,
        pixel_size=group.pixel_size or movie.pixel_size,
        voltage=movie.voltage,
        spherical_aberration=movie.spherical_aberration,
        amplitude_contrast=movie.amplitude_contrast,
        height=info.height,
        width=info.width,
        frames=len(shifts.shifts),
        dose=movie.dose_per_frame * movie.frames,
        motion_total=row.motion_total,
        motion_early=row.motion_early if timed else None,
        motion_late=row.motion_late if timed else None,
        motion_local=local,
        optics_group=movie.optics_group,
    )
