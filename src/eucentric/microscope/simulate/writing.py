"""Movie files as they come off a microscope: whole, growing, or broken."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from eucentric.formats import write_eer, write_mrc, write_tiff
from eucentric.microscope.simulate.camera import electron_frames
from eucentric.microscope.simulate.exposure import Exposure
from eucentric.microscope.simulate.settings import SimulationSettings

Frames = Sequence[NDArray[Any]]

FRAME_RATE = 317.76
"""Frames of a Falcon 4i in a second."""

_WHOLE_PART = 0.6  # of a file that is cut short
_CLASSIC_BYTES = 3_500_000_000  # of pixels that surely fit into a TIFF with offsets of 32 bits
_MRC_TYPES = {"mrc-int8": np.int8, "mrc-int16": np.int16, "mrc-float32": np.float32}


def write_movie(
    path: Path,
    frames: Frames,
    settings: SimulationSettings,
    exposure: Exposure,
    recorded: datetime,
    pause: Callable[[], None],
) -> None:
    """Write a movie as the microscope would.

    It appears under its name when it is written (or broken as far as its fault says), or grows there. A
    growing TIFF that is cut short ends after a page: a valid movie, but with fewer frames than its metadata
    say.

    Args:
        path: The movie.
        frames: Counts [y, x], in MRC row order; of EER, electrons.
        settings: Which format, and whether it grows, on the exposure's grid.
        exposure: The exposure: the faults "truncated" and "zero-byte" break the file.
        recorded: When it was recorded.
        pause: Called after each frame of a growing movie.

    Raises:
        OSError: The file cannot be written.
    """
    hidden = path.with_name(f".{path.name}.writing")
    fault = exposure.fault
    if fault == "zero-byte":
        path.touch()
    elif settings.growing and settings.movie_format == "tiff":
        kept = round(len(frames) * _WHOLE_PART) if fault == "truncated" else len(frames)
        _grow_tiff(path, frames[:kept], settings.pixel_size, pause)
    else:
        _write_whole(hidden, frames, settings, exposure.number, recorded)
        if fault == "truncated":
            os.truncate(hidden, int(hidden.stat().st_size * _WHOLE_PART))
        if settings.growing:
            _grow_copy(hidden, path, len(frames), pause)
        else:
            hidden.rename(path)


def _write_whole(
    path: Path, frames: Frames, settings: SimulationSettings, number: int, recorded: datetime
) -> None:
    if settings.movie_format == "tiff":
        write_tiff(path, frames, compression="lzw", pixel_size=settings.pixel_size)
    elif settings.movie_format == "eer":
        rng = np.random.default_rng([settings.seed, number, 7])
        parts = settings.camera_frames
        write_eer(
            path,
            (electrons for frame in frames for electrons in electron_frames(frame, parts, rng)),
            shape=(settings.height, settings.width),
            pixel_size=settings.pixel_size,
            exposure_time=settings.frames * parts / FRAME_RATE,
            electrons_per_pixel=settings.dose * settings.pixel_size**2,
            stated_frames=settings.frames * parts,
            recorded=recorded,
        )
    else:
        dtype = _MRC_TYPES[settings.movie_format]
        written = (frame if dtype == np.float32 else np.rint(frame) for frame in frames)
        write_mrc(path, (frame.astype(dtype) for frame in written), settings.pixel_size)


def _grow_tiff(path: Path, frames: Frames, pixel_size: float, pause: Callable[[], None]) -> None:
    """Write page after page, each seen by readers at once: a valid, shorter movie in between."""
    resolution = 1e8 / pixel_size  # pixels per centimetre
    big = sum(frame.nbytes for frame in frames) > _CLASSIC_BYTES
    with (
        path.open("wb+", buffering=0) as file,
        tifffile.TiffWriter(file, bigtiff=big, byteorder="<") as writer,
    ):
        for frame in frames:
            writer.write(
                frame[::-1],  # TIFF has the top row first
                photometric="minisblack",
                compression="lzw",
                metadata=None,
                software="Eucentric",
                resolution=(resolution, resolution),
                resolutionunit="CENTIMETER",
            )
            pause()


def _grow_copy(source: Path, path: Path, parts: int, pause: Callable[[], None]) -> None:
    """Copy a file bit by bit, as over a slow network."""
    size = -(-source.stat().st_size // parts)
    with source.open("rb") as whole, path.open("wb", buffering=0) as file:
        while part := whole.read(size):
            file.write(part)
            pause()
    source.unlink()
