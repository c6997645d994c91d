"""The files of one aligned movie: sums, power spectrum, motion, thumbnail."""

from collections.abc import Collection
from typing import Any

import numpy as np
from torch import Tensor

from eucentric.engine.protocol import Task
from eucentric.formats import FrameShifts, PatchShifts, write_mrc, write_shifts_star
from eucentric.formats.png import write_png
from eucentric.imaging import AlignedMovie, thumbnail
from eucentric.metadata import Gain, Movie


def write_aligned(
    aligned: AlignedMovie, movie: Movie, gain: Gain, task: Task, keep: Collection[str], precision: str
) -> dict[str, Any]:
    """Write what is kept of an aligned movie into the task's folder.

    Args:
        aligned: The movie.
        movie: Its item.
        gain: The gain it was corrected with.
        task: Where to write.
        keep: Any of "weighted", "unweighted" and "halves", with at least one of the first two.
        precision: "float32" or "float16"; the power spectrum is float32 in any case.

    Returns:
        The fields of a Micrograph that name the files.
    """
    images: dict[str, Tensor] = {}
    fields: dict[str, Any] = {}
    if "weighted" in keep:
        images["weighted.mrc"] = aligned.weighted
        fields["path"] = task.keep("weighted.mrc")
    if "unweighted" in keep:
        images["sum.mrc"] = aligned.unweighted
        fields["unweighted_path"] = task.keep("sum.mrc")
        fields.setdefault("path", fields["unweighted_path"])
    if aligned.halves is not None:
        images["odd.mrc"], images["even.mrc"] = aligned.halves
        fields["halves_paths"] = (task.keep("odd.mrc"), task.keep("even.mrc"))
    for name, image in images.items():
        write_mrc(task.folder / name, image.cpu().numpy().astype(precision), aligned.pixel_size)
    spectrum = aligned.spectrum.cpu().numpy().astype(np.float32)
    write_mrc(task.folder / "spectrum.mrc", spectrum, aligned.spectrum_pixel_size)
    write_png(task.folder / "thumbnail.png", thumbnail(aligned.weighted).cpu().numpy())
    write_shifts_star(task.folder / "shifts.star", frame_shifts(aligned, movie, gain))
    return fields | {
        "spectrum_path": task.keep("spectrum.mrc"),
        "thumbnail_path": task.keep("thumbnail.png"),
        "shifts_path": task.keep("shifts.star"),
    }


def frame_shifts(aligned: AlignedMovie, movie: Movie, gain: Gain) -> FrameShifts:
    """Return the motion of an aligned movie as it is kept in files."""
    local = aligned.field.local() > 0
    return FrameShifts(
        movie_path=movie.path,
        frames=len(aligned.shifts),
        height=aligned.field.shape[0],
        width=aligned.field.shape[1],
        pixel_size=movie.pixel_size,
        voltage=movie.voltage,
        dose_per_frame=movie.dose_per_frame,
        pre_exposure=movie.pre_exposure,
        shifts=aligned.shifts.numpy() * movie.pixel_size,
        gain_path=gain.path,
        binning=aligned.pixel_size / movie.pixel_size,
        model=aligned.field.polynomials() * movie.pixel_size if local else None,
        patches=_patch_shifts(aligned, movie.pixel_size),
    )


def _patch_shifts(aligned: AlignedMovie, pixel_size: float) -> PatchShifts | None:
    """Return the measured paths of the patches, without those that could not be measured throughout."""
    seen = aligned.patches
    if seen is None:
        return None
    good = np.isfinite(seen.errors).all(axis=(1, 2))
    if not good.any():
        return None
    whole = seen.coefficients[:, 0] - seen.coefficients[0, 0]
    shifts = seen.shifts[good] - whole
    height, width = aligned.field.shape
    times = np.round(seen.times).astype(np.int64) + 1
    patches = int(good.sum())
    return PatchShifts(
        frames=np.tile(times, patches),
        x=np.repeat((seen.places[good, 0] + 0.5) * width, len(times)),
        y=np.repeat((seen.places[good, 1] + 0.5) * height, len(times)),
        shifts=shifts.reshape(-1, 2) * pixel_size,
    )
