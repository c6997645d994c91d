"""RELION and Eucentric see the same picture: the one place where top and bottom are decided."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from eucentric.formats import (
    StarMovie,
    StarOptics,
    open_frames,
    read_image,
    write_movies_star,
    write_mrc,
    write_tiff,
)

Relion = Callable[..., None]

OPTICS = [StarOptics(1, "opticsGroup1", 300.0, 2.7, 0.1, movie_pixel_size=1.0)]


def _motion_correction(relion: Relion, folder: Path, movie: str) -> NDArray[np.float32]:
    """Sum a movie whose specimen does not move with RELION's motion correction and the gain gain.mrc."""
    write_movies_star(folder / "movies.star", OPTICS, [StarMovie(movie)])
    relion(
        "relion_run_motioncorr",
        *("--i", "movies.star", "--o", f"from_{Path(movie).suffix[1:]}/", "--use_own", "--j", "1"),
        *("--patch_x", "1", "--patch_y", "1", "--bin_factor", "1", "--bfactor", "150"),
        *("--first_frame_sum", "1", "--last_frame_sum", "0", "--gainref", "gain.mrc"),
        *("--dose_per_frame", "1", "--preexposure", "0", "--voltage", "300", "--angpix", "1"),
    )
    return read_image(folder / f"from_{Path(movie).suffix[1:]}" / f"{Path(movie).stem}.mrc")


def test_a_tiff_movie_with_an_mrc_gain_is_the_mrc_movie_with_it(tmp_path: Path, relion: Relion) -> None:
    rng = np.random.default_rng(2)
    picture = rng.normal(20, 6, (128, 160)).clip(1)
    picture[:30, :50] += 25
    movie = rng.poisson(picture, (4, 128, 160)).astype(np.uint8)
    gain = np.ones((128, 160), np.float32)
    gain[60:80, 90:150] = 3  # not in the middle: a gain the wrong way up falls elsewhere
    # The TIFF file is made by another library, from the picture as one looks at it: top row first.
    tifffile.imwrite(tmp_path / "movie.tif", movie[:, ::-1], photometric="minisblack")
    write_mrc(tmp_path / "movie.mrcs", movie, 1.0)
    write_mrc(tmp_path / "gain.mrc", gain, 1.0)

    with open_frames(tmp_path / "movie.tif") as tiff, open_frames(tmp_path / "movie.mrcs") as mrc:
        ours_tiff, ours_mrc = (reader.read(0, 4).sum(0) * read_image(tmp_path / "gain.mrc")
                               for reader in (tiff, mrc))  # fmt: skip
    np.testing.assert_array_equal(ours_tiff, ours_mrc)
    for name in ("movie.tif", "movie.mrcs"):
        theirs = _motion_correction(relion, tmp_path, name)
        # RELION moves frames by small fractions of a pixel, so the sums agree but for noise.
        same = np.corrcoef(theirs.ravel(), ours_tiff.ravel())[0, 1]
        upside_down = np.corrcoef(theirs.ravel(), ours_tiff[::-1].ravel())[0, 1]
        gain_upside_down = np.corrcoef(
            theirs.ravel(), (movie.sum(0) * gain[::-1]).ravel().astype(np.float64)
        )[0, 1]
        assert same > 0.98
        assert max(upside_down, gain_upside_down) < 0.7


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "f4"])
def test_relion_reads_our_tiff_the_same_way_up(
    tmp_path: Path, relion: Relion, frames: NDArray[np.uint8], dtype: str
) -> None:
    write_tiff(tmp_path / "movie.tif", frames.astype(dtype), pixel_size=1.0)
    relion("relion_image_handler", "--i", "movie.tif", "--o", "seen.mrcs")
    with open_frames(tmp_path / "seen.mrcs") as seen:
        np.testing.assert_array_equal(seen.read(0, 5), frames)


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "zstd"])
@pytest.mark.parametrize("big", [False, True])
def test_relion_reads_every_compression_of_ours(
    tmp_path: Path, relion: Relion, frames: NDArray[np.uint8], compression: Any, big: bool
) -> None:
    write_tiff(tmp_path / "movie.tif", iter(frames) if big else frames, compression=compression)
    relion("relion_image_handler", "--i", "movie.tif", "--o", "seen.mrcs")
    with open_frames(tmp_path / "seen.mrcs") as seen:
        np.testing.assert_array_equal(seen.read(0, 5), frames)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "f4"])
def test_relion_reads_our_mrc_the_same_way_up(
    tmp_path: Path, relion: Relion, frames: NDArray[np.uint8], dtype: str
) -> None:
    stack = frames.astype(dtype)
    write_mrc(tmp_path / "stack.mrcs", stack, 1.7)
    relion("relion_image_handler", "--i", "stack.mrcs", "--o", "seen.mrcs")
    with open_frames(tmp_path / "seen.mrcs") as seen:
        np.testing.assert_array_equal(seen.read(0, 5), stack)
        assert seen.info.pixel_size == pytest.approx(1.7)


def test_we_read_a_tiff_of_relion_the_same_way_up(
    tmp_path: Path, relion: Relion, frames: NDArray[np.uint8]
) -> None:
    write_mrc(tmp_path / "movie.mrcs", frames.astype("f4"), 1.0)
    write_movies_star(tmp_path / "movies.star", OPTICS, [StarMovie("movie.mrcs")])
    relion("relion_convert_to_tiff", "--i", "movies.star", "--o", "tiff/", "--compression", "lzw")
    (written,) = (tmp_path / "tiff").rglob("*.tif")
    with open_frames(written) as reader:
        np.testing.assert_array_equal(reader.read(0, 5), frames)


def test_an_mrc_file_keeps_the_order_of_its_rows(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    with mrcfile.new(tmp_path / "i.mrc", frames[0].astype("f4")):
        pass
    np.testing.assert_array_equal(read_image(tmp_path / "i.mrc"), frames[0])
