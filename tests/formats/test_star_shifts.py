from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from eucentric.formats import (
    FormatError,
    FrameShifts,
    PatchShifts,
    StarMovie,
    StarOptics,
    read_micrographs_star,
    read_shifts_star,
    write_movies_star,
    write_mrc,
    write_shifts_star,
)

Relion = Callable[..., None]

SHIFTS = np.array([[0.0, 0.0], [1.5, -0.5], [3.0, -1.0]])
MOTION = FrameShifts("data/a movie.tif", 3, 40, 56, 0.5, 300.0, 1.25, 0.0, SHIFTS, "gain.mrc")


def _assert_same(found: FrameShifts, expected: FrameShifts) -> None:
    np.testing.assert_allclose(found.shifts, expected.shifts, atol=1e-6)
    assert replace(found, shifts=SHIFTS) == replace(expected, shifts=SHIFTS)


def test_shifts_come_back(tmp_path: Path) -> None:
    write_shifts_star(tmp_path / "m.star", MOTION)
    _assert_same(read_shifts_star(tmp_path / "m.star"), MOTION)
    write_shifts_star(tmp_path / "m.star", replace(MOTION, gain_path=None, first_frame=2, shifts=SHIFTS[:2]))
    found = read_shifts_star(tmp_path / "m.star")
    assert (found.gain_path, found.first_frame, len(found.shifts)) == (None, 2, 2)


def test_the_sign_is_that_of_the_specimen(tmp_path: Path, relion: Relion) -> None:
    """A specimen that drifts by +3 pixels in x and -2 in y per frame, measured by RELION, and back."""
    rng = np.random.default_rng(1)
    specimen = ndimage.gaussian_filter(rng.normal(size=(190, 220)), 3) * 60 + 20
    drift = [(3 * k, -2 * k) for k in range(3)]
    movie = [np.roll(specimen, (y, x), (0, 1))[30:158, 30:190].clip(0) for x, y in drift]
    write_mrc(tmp_path / "movie.mrcs", rng.poisson(movie).astype("f4"), 0.5)
    optics = [StarOptics(1, "opticsGroup1", 300.0, 2.7, 0.1, movie_pixel_size=0.5)]
    write_movies_star(tmp_path / "movies.star", optics, [StarMovie("movie.mrcs")])
    command = [
        "relion_run_motioncorr",
        *("--i", "movies.star", "--o", "out/", "--use_own", "--j", "1", "--patch_x", "1", "--patch_y", "1"),
        *("--bin_factor", "1", "--bfactor", "150", "--first_frame_sum", "1", "--last_frame_sum", "0"),
        *("--dose_per_frame", "1", "--preexposure", "0", "--voltage", "300", "--angpix", "0.5"),
    ]
    relion(*command)
    found = read_shifts_star(tmp_path / "out" / "movie.star")
    assert (found.frames, found.height, found.width, found.pixel_size) == (3, 128, 160, 0.5)
    np.testing.assert_allclose(found.shifts, np.array(drift) * 0.5, atol=0.2)

    # RELION goes on from our file with ten times these shifts, and adds up the path in it.
    write_shifts_star(tmp_path / "out" / "movie.star", replace(found, shifts=found.shifts * 10))
    relion(*command, "--only_do_unfinished")
    _, (micrograph,) = read_micrographs_star(tmp_path / "out" / "corrected_micrographs.star")
    path = np.hypot(*np.diff(found.shifts * 10, axis=0).T).sum()
    assert micrograph.motion_total == pytest.approx(path, rel=1e-4)


def test_the_model_and_the_patches_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    patches = PatchShifts(
        np.array([1, 2]), np.array([10.0, 20.5]), np.array([5.0, 5.0]), rng.normal(size=(2, 2))
    )
    motion = replace(MOTION, model=rng.normal(size=(2, 6, 3)), patches=patches)
    write_shifts_star(tmp_path / "m.star", motion)
    found = read_shifts_star(tmp_path / "m.star")
    np.testing.assert_allclose(found.model, motion.model, rtol=1e-5)
    assert found.patches is not None
    np.testing.assert_array_equal(found.patches.frames, patches.frames)
    np.testing.assert_allclose(found.patches.x, patches.x)
    np.testing.assert_allclose(found.patches.shifts, patches.shifts, atol=1e-5)
    with pytest.raises(ValueError, match="2 × 6 × 3"):
        write_shifts_star(tmp_path / "m.star", replace(MOTION, model=np.zeros((2, 18))))


def test_the_local_model_is_that_of_relion(tmp_path: Path, relion: Relion) -> None:
    """A field that stretches along x, measured by RELION, is read as it is; RELION reads what is written."""
    rng = np.random.default_rng(1)
    size, frames, stretch = 512, 6, 8.0
    specimen = ndimage.gaussian_filter(rng.normal(size=(size, size)), 2) * 300 + 60
    y, x = np.mgrid[:size, :size].astype(float)
    u = x / size - 0.5
    movie = [
        ndimage.map_coordinates(
            specimen, [y, x - stretch * u * frame / (frames - 1)], order=3, mode="reflect"
        )
        for frame in range(frames)
    ]
    write_mrc(tmp_path / "movie.mrcs", rng.poisson(np.clip(movie, 0, None)).astype("f4"), 1.0)
    optics = [StarOptics(1, "opticsGroup1", 300.0, 2.7, 0.1, movie_pixel_size=1.0)]
    write_movies_star(tmp_path / "movies.star", optics, [StarMovie("movie.mrcs")])
    command = [
        "relion_run_motioncorr",
        *("--i", "movies.star", "--o", "out/", "--use_own", "--j", "1", "--patch_x", "4", "--patch_y", "4"),
        *("--bin_factor", "1", "--bfactor", "100", "--first_frame_sum", "1", "--last_frame_sum", "0"),
        *("--dose_per_frame", "1", "--preexposure", "0", "--voltage", "300", "--angpix", "1"),
    ]
    relion(*command)
    found = read_shifts_star(tmp_path / "out" / "movie.star")
    assert found.model is not None
    time = (frames - 1.0) ** np.array([1, 2, 3])
    for place in (-0.3, 0.3):
        terms = np.array([1, place, place**2, 0, 0, 0])
        last = found.shifts[-1] + np.einsum("z,asz,s->a", time, found.model, terms)
        np.testing.assert_allclose(last, [stretch * place, 0], atol=0.5)
    assert found.patches is not None
    assert len(found.patches.x) == 16 * frames
    right = (found.patches.x > 0.7 * size) & (found.patches.frames == frames)
    assert found.patches.shifts[right, 0].mean() > 1

    write_shifts_star(tmp_path / "out" / "movie.star", found)
    relion(*command, "--only_do_unfinished")
    _, (micrograph,) = read_micrographs_star(tmp_path / "out" / "corrected_micrographs.star")
    assert micrograph.motion_total is not None


@pytest.mark.parametrize("shifts", [np.zeros((4, 2)), np.zeros((3, 3)), np.zeros((0, 2)), SHIFTS * np.nan])
def test_shifts_that_do_not_fit_are_refused(tmp_path: Path, shifts: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"shifts of shape|the number nan"):
        write_shifts_star(tmp_path / "m.star", replace(MOTION, shifts=shifts))


def test_other_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.star").write_text("data_general\n\n_rlnVoltage 300\n")
    with pytest.raises(FormatError, match="does not hold the shifts"):
        read_shifts_star(tmp_path / "m.star")
    write_shifts_star(tmp_path / "m.star", MOTION)
    text = (tmp_path / "m.star").read_text()
    (tmp_path / "m.star").write_text(text.replace("rlnVoltage", "rlnOther"))
    with pytest.raises(FormatError, match="rlnVoltage"):
        read_shifts_star(tmp_path / "m.star")
