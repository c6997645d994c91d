from pathlib import Path

import pytest

from eucentric.microscope import Pairing, companions_of

MOVIE = Path("/data/movies/grid_0001.tif")
RULES = ["{name}.mdoc", "{stem}.mdoc", "../xml/{stem}.xml"]


def test_where_companions_lie() -> None:
    assert companions_of(MOVIE, RULES) == [
        Path("/data/movies/grid_0001.tif.mdoc"),
        Path("/data/movies/grid_0001.mdoc"),
        Path("/data/xml/grid_0001.xml"),
    ]


@pytest.mark.parametrize("rule", ["movie.mdoc", "{title}.mdoc", "{stem}{.xml", "{stem}{0}.xml"])
def test_a_rule_that_names_no_movie_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="companion rule"):
        companions_of(MOVIE, [rule])


def test_companion_first() -> None:
    pairing = Pairing()
    assert pairing.companion(Path("/data/movies/grid_0001.tif.mdoc")) == []
    assert pairing.movie(MOVIE, companions_of(MOVIE, RULES)) == [Path("/data/movies/grid_0001.tif.mdoc")]


def test_movie_first_and_a_companion_that_changes_later() -> None:
    pairing = Pairing()
    assert pairing.movie(MOVIE, companions_of(MOVIE, RULES)) == []
    assert pairing.companion(Path("/data/xml/grid_0001.xml")) == [MOVIE]
    assert pairing.companion(Path("/data/xml/grid_0001.xml")) == [MOVIE]
    assert pairing.movie(MOVIE, companions_of(MOVIE, RULES)) == [Path("/data/xml/grid_0001.xml")]


def test_a_companion_of_another_folder_is_not_mine() -> None:
    pairing = Pairing()
    pairing.movie(MOVIE, companions_of(MOVIE, RULES))
    assert pairing.companion(Path("/data/other/grid_0001.mdoc")) == []


def test_two_movies_may_share_a_companion() -> None:
    pairing = Pairing()
    first, second = Path("/d/a.tiff"), Path("/d/a.mrc")
    pairing.movie(first, [Path("/d/a.xml")])
    pairing.movie(second, [Path("/d/a.xml")])
    pairing.movie(second, [Path("/d/a.xml")])
    assert pairing.companion(Path("/d/a.xml")) == [first, second]


def test_memory_is_bounded_and_the_oldest_are_forgotten() -> None:
    pairing = Pairing(most=10)
    for number in range(1000):
        pairing.movie(Path(f"/d/m{number}.tiff"), [Path(f"/d/m{number}.tiff.mdoc")])
        pairing.companion(Path(f"/d/c{number}.tiff.mdoc"))
    assert pairing.companion(Path("/d/m0.tiff.mdoc")) == []
    assert pairing.companion(Path("/d/m999.tiff.mdoc")) == [Path("/d/m999.tiff")]
    assert pairing.movie(Path("/d/c0.tiff"), [Path("/d/c0.tiff.mdoc")]) == []
    assert pairing.movie(Path("/d/c999.tiff"), [Path("/d/c999.tiff.mdoc")]) == [Path("/d/c999.tiff.mdoc")]
    assert len(pairing._movies) <= 10
    assert len(pairing._companions) <= 10
