import os
from pathlib import Path

import pytest

from eucentric.microscope.gain_search import find_defects, find_gain


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder as EPU's, with one movie."""
    data = tmp_path / "session" / "Images-Disc1" / "GridSquare_1" / "Data"
    data.mkdir(parents=True)
    (data / "FoilHole_1_Data_2_3_20240101_000000_EER.eer").touch()
    return tmp_path


def movie(tree: Path) -> Path:
    return next(tree.glob("**/*.eer"))


def put(path: Path, when: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (when, when))
    return path


def test_there_is_none(tree: Path) -> None:
    put(tree / "other" / "gain.mrc")  # beside the session, not above the movie
    put(tree / "session" / "again.txt")
    assert find_gain(movie(tree), tree, None) is None


@pytest.mark.parametrize(
    "place",
    [
        "session/Images-Disc1/GridSquare_1/Data",
        "session",
        "",
        "session/Gain",
        "ImagesForProcessing/EF-Falcon/300kV",
        "References/today",
    ],
)
def test_places_where_references_lie(tree: Path, place: str) -> None:
    gain = put(tree / place / "20240830_103455_EER_GainReference.gain")
    assert find_gain(movie(tree), tree, None) == gain
    assert find_gain(movie(tree), tree, f"ImagesForProcessing/EF-Falcon/300kV/{gain.name}") == gain


def test_nothing_outside_the_watched_folder_is_looked_at(tree: Path) -> None:
    put(tree / "gain.mrc")
    assert find_gain(movie(tree), tree / "session", None) is None


def test_the_one_that_is_named_counts_and_else_the_newest(tree: Path) -> None:
    old = put(tree / "session" / "CountRef_a.mrc", 1000)
    new = put(tree / "CountRef_b.mrc", 2000)
    assert find_gain(movie(tree), tree, None) == new
    assert find_gain(movie(tree), tree, "X:\\there\\CountRef_a.mrc") == old
    assert find_gain(movie(tree), tree, "CountRef_a.dm4") == old  # converted by somebody
    assert find_gain(movie(tree), tree, "CountRef_c.dm4") == new


def test_a_named_reference_need_not_be_called_as_one(tree: Path) -> None:
    reference = put(tree / "session" / "K3-ref.tif")
    assert find_gain(movie(tree), tree, None) is None
    assert find_gain(movie(tree), tree, "K3-ref.tif") == reference


def test_defects(tree: Path) -> None:
    assert find_defects(movie(tree), tree, None) is None
    listed = put(tree / "defects_grid1.txt")
    assert find_defects(movie(tree), tree, None) == listed
    assert find_defects(movie(tree), tree, "defects_grid1.txt") == listed
