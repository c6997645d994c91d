"""Estimating the camera's gain from the first movies of an acquisition, and judging its reference by it."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ByteSize, Field

from eucentric.engine.protocol import Accumulator, ProtocolParams, Resources, Task
from eucentric.formats import EERRendering, FormatError, open_frames, write_mrc
from eucentric.metadata import Gain, GainEstimate, Item, Movie
from eucentric.techniques.single_particle.gain_judgement import Judged, judge

Image = NDArray[np.float32]

_SUMS = "sums.mrc"
_FILES = (_SUMS, "residual.mrc", "gain.mrc")


class GainState(Item):
    """The movies that are summed, and what was found from them."""

    movies: list[Movie] = Field(default_factory=list)
    """In the order they came; the first, third, ... are of the first half, the others of the second."""
    gain: Gain | None = None
    """The reference that was judged."""
    folder: str | None = None
    """Where the files lie."""
    estimate: GainEstimate | None = None
    corrected: Gain | None = None


class GainOutputs(NamedTuple):
    """The judgement, and a gain to correct the movies with."""

    gain: Gain
    estimate: GainEstimate


class EstimateGain(Accumulator[GainState]):
    """Estimate what the gain reference leaves in the first movies, and say whether the reference fits.

    The output `gain` corrects the movies: it is the given one where that fits, the same turned, flipped or
    inverted where it fits so, and else the estimate.
    """

    name = "estimate-gain"
    version = "1"
    # Movies of 4096 × 4096 need 1.3 GB, those of 11520 × 8184 (super-resolution) about 6 GB.
    resources = Resources(memory=ByteSize(6_500_000_000))

    class Params(ProtocolParams):
        """From how much it is estimated."""

        movies: int = Field(
            default=8, ge=2, le=100, description="Movies it is estimated from: the first that come."
        )

    class Entry(NamedTuple):
        """One movie, and the reference of its acquisition."""

        movie: Movie
        gain: Gain

    def update(
        self, state: GainState | None, added: Sequence[Entry], removed: Sequence[Entry], task: Task
    ) -> tuple[GainState, GainOutputs]:
        """Add movies until there are enough, and judge the reference again when something changed."""
        before = state or GainState()
        gone = {entry.movie.path for entry in removed}
        kept = [movie for movie in before.movies if movie.path not in gone]
        new = [entry.movie for entry in added if _alike(entry.movie, kept or [added[0].movie])]
        gain = added[-1].gain if added else before.gain or removed[-1].gain
        full = len(kept) >= self.params.movies
        if kept == before.movies and (full or not new) and gain == before.gain and before.estimate:
            return _carried_over(before, task)
        if kept == before.movies and before.folder:
            sums: Image | None = _read_sums(task.locate(f"{before.folder}/{_SUMS}"))
            movies = list(kept)
        else:
            sums, movies, new = None, [], [*kept, *new]  # a sum cannot be told from what was taken out of it
        for movie in new:
            if len(movies) < self.params.movies:
                sums = _add(movie, sums, movies, task)
                task.progress(len(movies) / self.params.movies)
        if sums is None:
            return _nothing(gain, task)
        write_mrc(task.folder / _SUMS, sums, movies[0].pixel_size)
        judged = _judge(sums, movies, gain, task)
        _write(judged, movies[0].pixel_size, task)
        (task.log.info if judged.harmless else task.log.warning)(judged.estimate.message)
        state = GainState(
            movies=movies,
            gain=gain,
            folder=task.destination,
            estimate=judged.estimate,
            corrected=judged.gain,
        )
        return state, GainOutputs(judged.gain, judged.estimate)


def _alike(movie: Movie, others: Sequence[Movie]) -> bool:
    return (movie.height, movie.width) == (others[0].height, others[0].width)


def _read_sums(path: Path) -> Image:
    """Return the sums of both halves, [half, y, x]."""
    with open_frames(path, threads=1) as reader:
        return reader.read(0, 2)


def _add(movie: Movie, sums: Image | None, movies: list[Movie], task: Task) -> Image | None:
    """Add the frames of a movie, as they are on disk, to the sum of the half whose turn it is.

    A movie that cannot be read is left out: it will fail where it is aligned, and the gain is that of others.
    """
    eer = None if movie.raw_frames is None else EERRendering(movie.upsampling, movie.frames)
    total = np.zeros((movie.height, movie.width), np.float32)
    try:
        with open_frames(task.locate(movie.path), threads=task.cpus, eer=eer) as frames:
            for frame in frames:
                total += frame
    except (FormatError, OSError, ValueError) as error:
        task.log.warning("%s is left out: %s", movie.path, error)
        return sums
    if sums is None:
        sums = np.zeros((2, movie.height, movie.width), np.float32)
    sums[len(movies) % 2] += total
    movies.append(movie)
    return sums


def _judge(sums: Image, movies: list[Movie], gain: Gain, task: Task) -> Judged:
    frames = [sum(movie.frames for movie in movies[half::2]) for half in (0, 1)]
    try:
        return judge(torch.from_numpy(sums).to(task.device), frames, len(movies), gain, task)
    except (FormatError, OSError, ValueError) as error:
        # A reference that cannot be used holds up nothing: the movies fail with it, each for this reason.
        estimate = GainEstimate(verdict="wrong", message=str(error), movies=len(movies))
        return Judged(estimate, gain)


def _write(judged: Judged, pixel_size: float, task: Task) -> None:
    if judged.residual is not None:
        write_mrc(task.folder / "residual.mrc", judged.residual, pixel_size)
    if judged.multiplier is not None:
        write_mrc(task.folder / "gain.mrc", judged.multiplier, pixel_size)


def _carried_over(state: GainState, task: Task) -> tuple[GainState, GainOutputs]:
    """Return the same again, with its files in the new version's folder: old versions' are removed."""
    assert state.folder is not None
    assert state.estimate is not None
    assert state.corrected is not None
    for name in _FILES:
        old, new = task.locate(f"{state.folder}/{name}"), task.folder / name
        if old.exists():
            with contextlib.suppress(OSError):  # some network file systems have no links
                os.link(old, new)
            if not new.exists():
                shutil.copyfile(old, new)
    estimate, gain = state.estimate, state.corrected
    if estimate.residual_path is not None:
        estimate = estimate.model_copy(update={"residual_path": task.keep("residual.mrc")})
    if gain.path == f"{state.folder}/gain.mrc":
        gain = gain.model_copy(update={"path": task.keep("gain.mrc")})
    state = state.model_copy(update={"folder": task.destination, "estimate": estimate, "corrected": gain})
    return state, GainOutputs(gain, estimate)


def _nothing(gain: Gain, task: Task) -> tuple[GainState, GainOutputs]:
    """Return what is said of no movies."""
    task.log.info("No movie is there that can be read.")
    estimate = GainEstimate(verdict="unsure", message="There are no movies yet to judge it by.", movies=0)
    return GainState(), GainOutputs(gain, estimate)
