"""Bad pixels from SerialEM's text and from images, and what is wrong with some files."""

from pathlib import Path

import numpy as np
import pytest

from eucentric.formats import FormatError, write_mrc, write_tiff
from eucentric.formats.defects import read_defects

TEXT = """CameraSizeX 60
CameraSizeY 40
RotationAndFlip 3
WasScaled 0
K2Type 1
UsableArea 1 0 38 57
PartialBadColumn 20 2 5 9
PartialBadRow 30 1 50 51
BadPixels 3 4 59 39
BadColumns 10 11
BadColumns 15
BadRows 12
"""


def test_a_defect_file_names_pixels_from_the_top_left(tmp_path: Path) -> None:
    path = tmp_path / "defects.txt"
    path.write_text(TEXT.replace("\n", "\r\n"))
    expected = np.zeros((40, 60), bool)
    expected[5:10, 20:22] = True
    expected[30, 50:52] = True
    expected[4, 3] = expected[39, 59] = True
    expected[:, [10, 11, 15]] = True
    expected[12] = True
    expected[0] = expected[39] = True
    expected[:, 58:] = True
    np.testing.assert_array_equal(read_defects(path), expected[::-1])


def test_a_scaled_list_names_groups_of_pixels(tmp_path: Path) -> None:
    path = tmp_path / "defects.txt"
    path.write_text("CameraSizeX 12\nCameraSizeY 8\nWasScaled 1\nBadPixels 4 2 11 7\n")
    expected = np.zeros((8, 12), bool)
    expected[2:4, 4:6] = expected[7, 11] = True
    np.testing.assert_array_equal(read_defects(path), expected[::-1])


def test_a_mask_is_bad_where_it_is_not_zero(tmp_path: Path) -> None:
    mask = np.zeros((8, 12), np.uint8)
    mask[1, 2:5] = 255
    write_tiff(tmp_path / "m.tif", mask)
    write_mrc(tmp_path / "m.mrc", mask.astype(np.float32), 1.0)
    for name in ("m.tif", "m.mrc"):
        np.testing.assert_array_equal(read_defects(tmp_path / name), mask > 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CameraSizeX 10\nBadRows 1\n", "does not say the size"),
        ("CameraSizeX 10\nCameraSizeY 2000000000\n", "a strange one"),
        ("CameraSizeX 10\nCameraSizeY 10\nBadRows 10\n", "row or column 10 of a camera that has 10"),
        ("CameraSizeX 10\nCameraSizeY 10\nBadPixels -1 3\n", "row or column -1"),
        ("CameraSizeX 10\nCameraSizeY 10\nBadPixels 1 3 4\n", "odd number"),
        ("CameraSizeX 10\nCameraSizeY 10\nPartialBadRow 1 1 1\n", "four numbers"),
        ("CameraSizeX 10\nCameraSizeY ten\n", "line 2 has something that is no number"),
        ("Rows 10\n", "MRC"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "defects.txt").write_text(text)
    with pytest.raises(FormatError, match=reason):
        read_defects(tmp_path / "defects.txt")
