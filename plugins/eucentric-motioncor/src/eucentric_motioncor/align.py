"""Motion correction of every movie by MotionCor3."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ByteSize, Field

from eucentric.engine.programs import Program, ProgramFailed, Workplace
from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import FrameShifts, read_image, read_info, write_mrc, write_png, write_shifts_star
from eucentric.imaging import thumbnail
from eucentric.metadata import Gain, Micrograph, Movie
from eucentric.techniques.single_particle.align_movies import EARLY_DOSE
from eucentric.techniques.single_particle.gain import read_correction
from eucentric_motioncor.command import FRACTIONS, LOGS, Options, arguments, fractions
from eucentric_motioncor.logs import read_frame_shifts, read_patch_shifts

MOTIONCOR = Program(
    name="motioncor",
    command="MotionCor3",
    versions=">=1.1,<2",
    install="Its source is published by the Chan Zuckerberg Imaging Institute; it needs a GPU by NVIDIA.",
    version_pattern=r"MotionCor3 version (\d+(?:\.\d+)+)",
)

_KINDS = {"MRC": "mrc", "TIFF": "tif", "EER": "eer"}


class MotionCorAlign(Protocol):
    """Correct movies for gain and motion with MotionCor3, and sum their frames.

    References are turned, inverted and resized as align-movies does it before the program sees them.
    """

    name = "motioncor-align"
    version = "1"
    resources = Resources(memory=ByteSize(20 * 10**9), gpus=1)

    class Params(ProtocolParams):
        """How the motion is measured and the sums are made."""

        patches_x: int = Field(default=5, ge=0, le=20, description="Patches along x; 0: frames as a whole.")
        patches_y: int = Field(default=5, ge=0, le=20, description="Patches along y; 0: frames as a whole.")
        b_factor: float = Field(default=500, ge=0, description="B-factor of frames as a whole, px².")
        patch_b_factor: float = Field(default=100, ge=0, description="B-factor of patches, px².")
        iterations: int = Field(default=15, ge=1, description="Most iterations.")
        tolerance: float = Field(default=0.1, gt=0, description="Pixels by which it may end.")
        binning: float = Field(
            default=1.0, ge=1, le=8, description="Factor by which micrographs are smaller than movies."
        )
        dose_weighting: bool = Field(
            default=True, description="Weight frames by how much the specimen is damaged."
        )
        halves: bool = Field(default=False, description="Write the sums of odd and even frames, too.")

    def process(self, movie: Movie, gain: Gain, task: Task) -> Micrograph:
        """Align one movie."""
        wanted = self.params
        options = Options(
            patches=(wanted.patches_x, wanted.patches_y),
            b_factors=(wanted.b_factor, wanted.patch_b_factor),
            iterations=wanted.iterations,
            tolerance=wanted.tolerance,
            binning=wanted.binning,
            dose_weighting=wanted.dose_weighting,
            halves=wanted.halves,
        )
        kind = _kind(task.locate(movie.path), movie)
        with Workplace.of(task) as place:
            place.link(f"movie.{kind}", movie.path)
            references = _write_references(movie, gain, place, task)
            place.path(LOGS).mkdir()
            if kind == "eer":
                place.path(FRACTIONS).write_text(fractions(movie))
            weighted = wanted.dose_weighting and movie.dose_per_frame > 0
            names = {"unweighted_path": "sum"} | ({"path": "sum_DW"} if weighted else {})
            halves = ["sum_ODD", "sum_EVN"] if wanted.halves else []
            done = MOTIONCOR.run(
                arguments(movie, kind, options, references),
                task,
                folder=place.folder,
                expects=[f"{name}.mrc" for name in [*names.values(), *halves]],
            )
            shifts = self._keep_shifts(movie, gain, place, task, done.version)
            images = {name: read_image(place.path(f"{name}.mrc")) for name in [*names.values(), *halves]}
        pixel_size = _check(images, movie, wanted.binning, done.version)
        for name, image in images.items():
            write_mrc(task.folder / f"{name}.mrc", image.astype(np.float32), pixel_size)
        fields: dict[str, Any] = {field: task.keep(f"{name}.mrc") for field, name in names.items()}
        fields.setdefault("path", fields["unweighted_path"])
        if halves:
            fields["halves_paths"] = (task.keep("sum_ODD.mrc"), task.keep("sum_EVN.mrc"))
        shown = images[names.get("path", "sum")]
        write_png(
            task.folder / "thumbnail.png", thumbnail(torch.from_numpy(shown.astype(np.float32))).numpy()
        )
        return _item(movie, shown.shape, pixel_size, shifts, fields, task)

    def _keep_shifts(
        self, movie: Movie, gain: Gain, place: Workplace, task: Task, version: str
    ) -> NDArray[np.float64]:
        """Write the shifts as a STAR file; return those of the whole field, Å, [frame, 2]."""
        measure = (movie.frames, movie.pixel_size, version)
        patches = None
        if min(self.params.patches_x, self.params.patches_y) > 1:
            shifts = read_frame_shifts(place.path(f"{LOGS}/movie-Patch-Full.log"), *measure)
            patches = read_patch_shifts(place.path(f"{LOGS}/movie-Patch-Patch.log"), *measure)
        else:
            shifts = read_frame_shifts(place.path(f"{LOGS}/movie-Full.log"), *measure)
        motion = FrameShifts(
            movie_path=movie.path,
            frames=movie.frames,
            height=movie.height,
            width=movie.width,
            pixel_size=movie.pixel_size,
            voltage=movie.voltage,
            dose_per_frame=movie.dose_per_frame,
            pre_exposure=movie.pre_exposure,
            shifts=shifts,
            gain_path=gain.path,
            binning=self.params.binning,
            patches=patches,
        )
        write_shifts_star(task.folder / "shifts.star", motion)
        return shifts


def _kind(path: Path, movie: Movie) -> str:
    kind = _KINDS.get(read_info(path).format)
    if kind is None:
        raise ValueError(f"MotionCor3 reads MRC, TIFF and EER, not {movie.path}; align it with align-movies.")
    return kind


def _write_references(movie: Movie, gain: Gain, place: Workplace, task: Task) -> dict[str, str]:
    """Write what corrects the frames into the workplace; return the options and the names of the files."""
    correction = read_correction(gain, task, (movie.height, movie.width))
    images = {
        "-Gain": correction.multiplier,
        "-Dark": correction.dark,
        "-DefectMap": None if correction.defects is None else correction.defects.astype(np.int8),
    }
    names = {"-Gain": "gain.mrc", "-Dark": "dark.mrc", "-DefectMap": "defects.mrc"}
    if correction.dark is not None and correction.multiplier is None:
        # It corrects for the dark reference only where there is a gain reference.
        images["-Gain"] = np.ones((movie.height, movie.width), np.float32)
    written = {option: image for option, image in images.items() if image is not None}
    for option, image in written.items():
        write_mrc(place.path(names[option]), image, movie.pixel_size)
    return {option: names[option] for option in written}


def _check(images: dict[str, NDArray[Any]], movie: Movie, binning: float, version: str) -> float:
    """Return the pixel size (Å) of the sums, which must be as large as the movie, binned."""
    shapes = {image.shape for image in images.values()}
    height, width = next(iter(shapes))
    wanted = (movie.height / binning, movie.width / binning)
    if len(shapes) > 1 or abs(height - wanted[0]) > 2 or abs(width - wanted[1]) > 2:
        raise ProgramFailed(
            f"MotionCor3 {version} made sums of {sorted(shapes)} rows and columns, not of about"
            f" {wanted[0]:.0f} × {wanted[1]:.0f}; please report it with the task's log."
        )
    if not all(np.isfinite(image).all() for image in images.values()):
        raise ProgramFailed(f"MotionCor3 {version} made sums with numbers that are not finite.")
    # The field stays the same, while the number of pixels is rounded to an even one.
    return movie.pixel_size * movie.width / int(width)


def _item(
    movie: Movie,
    shape: tuple[int, ...],
    pixel_size: float,
    shifts: NDArray[np.float64],
    fields: dict[str, Any],
    task: Task,
) -> Micrograph:
    steps = np.hypot(*np.diff(shifts, axis=0).T)
    early = steps[movie.dose_per_frame * np.arange(1, len(shifts)) <= EARLY_DOSE]
    task.log.info("%d frames aligned; motion %.1f Å of the whole", len(shifts), math.fsum(steps))
    return Micrograph(
        **fields,
        thumbnail_path=task.keep("thumbnail.png"),
        shifts_path=task.keep("shifts.star"),
        movie_path=movie.path,
        pixel_size=pixel_size,
        voltage=movie.voltage,
        spherical_aberration=movie.spherical_aberration,
        amplitude_contrast=movie.amplitude_contrast,
        height=shape[0],
        width=shape[1],
        frames=movie.frames,
        dose=movie.dose_per_frame * movie.frames,
        motion_total=math.fsum(steps),
        motion_early=math.fsum(early),
        motion_late=math.fsum(steps) - math.fsum(early),
        optics_group=movie.optics_group,
    )
