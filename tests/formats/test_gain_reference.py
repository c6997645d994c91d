"""References from every kind of file, and which way they lie."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from eucentric.formats import FormatError, write_eer, write_mrc, write_tiff
from eucentric.formats.gain_reference import (
    orientation_between,
    read_reference,
    reference_shape,
    title_code,
    turned,
)

Relion = Callable[..., None]

CODES = range(8)


@pytest.fixture
def picture() -> NDArray[np.float32]:
    """An image [y, x] that looks like none of its mirror images."""
    return np.random.default_rng(1).normal(1, 0.1, (6, 9)).astype(np.float32)


def _by_serialem(native: NDArray[Any], code: int) -> NDArray[Any]:
    """Turn what a camera delivers as SerialEM's r/f says, pixel by pixel; row 0 is the bottom."""
    if code >= 4:
        native = np.array([row[::-1] for row in native])  # about the vertical axis
    for _ in range(code % 4):
        rows, columns = native.shape
        # A quarter turn counter-clockwise takes what is right (+x) to the top (+y), and the top to the left.
        new = np.empty((columns, rows), native.dtype)
        for y in range(rows):
            for x in range(columns):
                new[x, rows - 1 - y] = native[y, x]
        native = new
    return native


@pytest.mark.parametrize("frames_code", CODES)
@pytest.mark.parametrize("reference_code", CODES)
def test_a_reference_is_brought_to_lie_as_the_frames(
    picture: NDArray[np.float32], reference_code: int, frames_code: int
) -> None:
    reference, frames = _by_serialem(picture, reference_code), _by_serialem(picture, frames_code)
    np.testing.assert_array_equal(
        turned(reference, *orientation_between(reference_code, frames_code)), frames
    )


def test_a_quarter_turn_is_counter_clockwise_as_one_looks_at_it() -> None:
    # Bright at the right, in the middle of the height; row 0 is the bottom.
    image = np.zeros((3, 5))
    image[1, 4] = 1
    assert turned(image, 90, "none")[4, 1] == 1  # at the top
    image = np.zeros((3, 5))
    image[2, 0] = 1  # top left
    assert turned(image, 0, "left-right")[2, 4] == 1
    assert turned(image, 0, "top-bottom")[0, 0] == 1
    assert turned(image, 90, "left-right")[0, 2] == 1  # top left, bottom left, bottom right


def test_a_strange_code_is_refused() -> None:
    with pytest.raises(ValueError, match="8 is no rotation and flip"):
        orientation_between(8, 0)


def test_mrc_tiff_and_gain_files_show_the_same(tmp_path: Path, picture: NDArray[np.float32]) -> None:
    write_mrc(tmp_path / "g.mrc", picture, 1.0)
    write_tiff(tmp_path / "g.tif", picture)
    # A .gain file is written by another library, its first row first, as in EER movies.
    tifffile.imwrite(tmp_path / "g.gain", picture, photometric="minisblack")
    for name in ("g.mrc", "g.tif", "g.gain"):
        found = read_reference(tmp_path / name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, picture)
        assert reference_shape(tmp_path / name) == picture.shape


def test_of_a_gain_file_the_first_page_is_read(tmp_path: Path, picture: NDArray[np.float32]) -> None:
    tifffile.imwrite(tmp_path / "g.gain", np.stack([picture, picture * 0]), photometric="minisblack")
    np.testing.assert_array_equal(read_reference(tmp_path / "g.gain"), picture)
    write_tiff(tmp_path / "g.tif", np.stack([picture, picture]))
    with pytest.raises(FormatError, match="holds 2 images"):
        read_reference(tmp_path / "g.tif")


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("SerialEM: frames saved, r/f 1 need 0, scaled by 2.00", 1),
        ("SerialEMCCD: Dose frac. image, scaled by 32.00  r/f 7", 7),
        ("SerialEM: no turning", None),
        ("r/f 9", None),
    ],
)
def test_titles_tell_how_frames_are_turned(tmp_path: Path, title: str, code: int | None) -> None:
    with mrcfile.new(tmp_path / "f.mrc") as file:
        file.set_data(np.zeros((4, 4), np.float32))
        file.add_label(title)
    tifffile.imwrite(tmp_path / "f.tif", np.zeros((4, 4), np.uint8), description=title)
    assert title_code(tmp_path / "f.mrc") == code
    assert title_code(tmp_path / "f.tif") == code


def test_relion_takes_references_of_eer_movies_the_same(tmp_path: Path, relion: Relion) -> None:
    """A .gain file lies as the electrons do and is multiplied with; any other reference is divided by."""
    movie = [np.random.default_rng(2).uniform(0, (900, 300), (500, 2))]
    write_eer(tmp_path / "m.eer", movie)
    reference = np.ones((4096, 4096), np.float32)
    reference[100:300, 50:700] = 2
    reference[5, 9] = 0
    write_mrc(tmp_path / "r.mrc", reference * 50, 1.0)
    tifffile.imwrite(tmp_path / "r.gain", reference, photometric="minisblack")
    theirs = {}
    for name in ("r.mrc", "r.gain"):
        relion(
            *("relion_convert_to_tiff", "--i", "m.eer", "--o", f"{name[2:]}/", "--gain", name),
            *("--eer_grouping", "1", "--eer_upsampling", "1"),
        )
        theirs[name] = read_reference(tmp_path / name[2:] / "gain-reference.mrc")
    np.testing.assert_array_equal(read_reference(tmp_path / "r.gain"), theirs["r.gain"])
    divisor = read_reference(tmp_path / "r.mrc")
    inverse = np.divide(divisor.mean(), divisor, out=np.zeros_like(divisor), where=divisor > 0)
    np.testing.assert_allclose(inverse, theirs["r.mrc"], rtol=1e-5)
