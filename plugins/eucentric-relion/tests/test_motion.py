"""RELION's motion correction of movies of known motion."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from eucentric.engine.protocol import Task
from eucentric.formats import read_image, read_info, read_shifts_star, write_mrc, write_tiff
from eucentric.metadata import Gain, Movie
from eucentric_relion.motion import RelionMotion
from imaging_truth import OPTICS, TrueMovie, error_of_shifts, true_movie

PIXEL, FRAMES, SIZE = 2.5, 12, 512
MakeTask = Callable[..., Task]


@pytest.fixture(scope="module")
def truth() -> TrueMovie:
    return true_movie(frames=FRAMES, size=SIZE, pixel_size=PIXEL, dose=2.0, motion=4, gain_spread=0.2, seed=1)


def movie_item(path: str, **more: object) -> Movie:
    values = {
        "path": path,
        "bytes": 1,
        "modified": 0,
        "frames": FRAMES,
        "height": SIZE,
        "width": SIZE,
        "dose_per_frame": 2.0,
        "pixel_size": PIXEL,
        **OPTICS,
        **more,
    }
    return Movie.model_validate(values)


def likeness(image: np.ndarray, truth: TrueMovie) -> float:
    """Return the correlation with the specimen, apart from the border that moved out of view."""
    inner = (slice(16, -16), slice(16, -16))
    return float(np.corrcoef(image[inner].ravel(), truth.specimen.numpy()[inner].ravel())[0, 1])


@pytest.mark.parametrize("suffix", [".tiff", ".mrc"])
def test_a_movie_is_aligned_with_its_gain(
    session: Path, task_of: MakeTask, truth: TrueMovie, suffix: str
) -> None:
    rng = torch.Generator().manual_seed(1)
    counts = torch.poisson(truth.frames, generator=rng).numpy()  # whole numbers, as a camera writes them
    if suffix == ".mrc":
        write_mrc(session / "a movie.mrc", counts.astype(np.int16), PIXEL)
    else:
        write_tiff(session / "a movie.tiff", counts.astype(np.uint8), pixel_size=PIXEL)
    turned = np.rot90(1 / truth.gain.numpy(), 1)  # clockwise, with the first row at the bottom
    write_mrc(session / "the gain.mrc", np.ascontiguousarray(turned), None)
    gain = Gain(path="the gain.mrc", operation="divide", rotation=90)
    movie = movie_item(f"a movie{suffix}", pre_exposure=1.0)
    found = RelionMotion(RelionMotion.Params(patches=2)).process(movie, gain, task_of("out"))
    shifts = read_shifts_star(session / str(found.shifts_path))
    assert error_of_shifts(torch.from_numpy(shifts.shifts / PIXEL), truth.shifts) < 0.2
    assert (shifts.movie_path, shifts.gain_path) == (movie.path, "the gain.mrc")
    assert found.frames == FRAMES
    assert found.pixel_size == PIXEL
    assert found.dose == 24
    assert (found.height, found.width) == (SIZE, SIZE)
    steps = np.hypot(*np.diff(truth.shifts.numpy(), axis=0).T) * PIXEL
    assert found.motion_total == pytest.approx(steps.sum(), rel=0.15)
    weighted, plain = (read_image(session / str(p)) for p in (found.path, found.unweighted_path))
    still = truth.frames.mean(0).numpy() * truth.gain.numpy()
    assert likeness(plain, truth) > likeness(still, truth) + 0.1
    # The specimen is not damaged here, so that weights only take something away.
    assert likeness(still, truth) + 0.1 < likeness(weighted, truth) < likeness(plain, truth)
    names = {file.name for file in (session / "out").iterdir()}
    assert names == {"weighted.mrc", "sum.mrc", "shifts.star", "thumbnail.png"}


def test_the_same_movie_gives_the_same_files(session: Path, task_of: MakeTask, truth: TrueMovie) -> None:
    write_mrc(session / "m.mrc", truth.frames.numpy().astype(np.float32), PIXEL)
    protocol = RelionMotion(RelionMotion.Params(patches=1, binning=2))
    first, second = (
        protocol.process(movie_item("m.mrc", dose_per_frame=0), Gain(path=None), task_of(name))
        for name in ("one", "two")
    )
    assert first.path == "one/sum.mrc"
    assert first.path == first.unweighted_path
    assert (first.pixel_size, first.height, first.motion_early) == (2 * PIXEL, SIZE // 2, None)
    assert read_info(session / first.path).pixel_size == pytest.approx(2 * PIXEL)
    assert (session / first.path).read_bytes() == (session / second.path).read_bytes()


def test_known_bad_pixels_are_replaced(session: Path, task_of: MakeTask, truth: TrueMovie) -> None:
    counts, defects = truth.frames.numpy().astype(np.float32).copy(), np.zeros((SIZE, SIZE), np.float32)
    counts[:, 100, 200] = 600
    defects[100, 200] = 1
    write_mrc(session / "m.mrc", counts, PIXEL)
    write_mrc(session / "defects.mrc", defects, None)
    gain = Gain(path=None, defects_path="defects.mrc")
    found = RelionMotion(RelionMotion.Params(patches=1)).process(movie_item("m.mrc"), gain, task_of("out"))
    image = read_image(session / str(found.unweighted_path))
    path = np.round(truth.shifts.numpy()).astype(int)
    spots = image[100 - path[:, 1], 200 - path[:, 0]]
    assert abs(spots - image.mean()).max() < 6 * image.std()


def test_what_relion_cannot_do_is_told(session: Path, task_of: MakeTask, truth: TrueMovie) -> None:
    with pytest.raises(ValueError, match=r"does not read a\.dm4: .* use align-movies"):
        RelionMotion().process(movie_item("a.dm4"), Gain(path=None), task_of("one"))
    write_mrc(session / "dark.mrc", np.zeros((SIZE, SIZE), np.float32), None)
    with pytest.raises(ValueError, match=r"dark reference dark\.mrc; use align-movies"):
        RelionMotion().process(movie_item("a.mrc"), Gain(path=None, dark_path="dark.mrc"), task_of("two"))
