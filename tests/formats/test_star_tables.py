from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eucentric.formats import (
    FormatError,
    StarMicrograph,
    StarMovie,
    StarOptics,
    read_micrographs_star,
    read_movies_star,
    write_micrographs_star,
    write_movies_star,
)

Relion = Callable[..., None]

OPTICS = [
    StarOptics(1, "left", 300.0, 2.7, 0.1, movie_pixel_size=0.5, pixel_size=1.0),
    StarOptics(2, "right", 300.0, 2.7, 0.07, movie_pixel_size=0.5, pixel_size=1.0),
]
FIRST = StarMicrograph(
    "run/first of all.mrc",
    1,
    shifts_path="run/first.star",
    ctf_path="run/first.ctf",
    defocus_u=15_000.5,
    defocus_v=14_800.25,
    astigmatism=200.25,
    defocus_angle=35.0,
    phase_shift=0.0,
    score=0.25,
    resolution=3.5,
    motion_total=12.5,
    motion_early=8.0,
    motion_late=4.5,
)
ROWS = [FIRST, replace(FIRST, path="run/second.mrc", optics_group=2, defocus_u=20_000.0)]


def test_micrographs_come_back(tmp_path: Path) -> None:
    write_micrographs_star(tmp_path / "m.star", OPTICS, ROWS)
    assert read_micrographs_star(tmp_path / "m.star") == (OPTICS, ROWS)


def test_movies_come_back(tmp_path: Path) -> None:
    movies = [StarMovie("data/a.tif"), StarMovie("data/b c.tif", 2)]
    write_movies_star(tmp_path / "m.star", OPTICS, movies)
    assert read_movies_star(tmp_path / "m.star") == (OPTICS, movies)


def test_relion_understands_every_column(tmp_path: Path, relion: Relion) -> None:
    write_micrographs_star(tmp_path / "ours.star", OPTICS, ROWS)
    # A selection by value makes RELION interpret the numbers, not only copy text.
    relion("relion_star_handler", "--i", "ours.star", "--o", "theirs.star",
           "--select", "rlnDefocusU", "--minval", "18000", "--maxval", "30000")  # fmt: skip
    optics, rows = read_micrographs_star(tmp_path / "theirs.star")
    assert optics == OPTICS
    assert rows == ROWS[1:]


def test_relion_imports_our_movies(tmp_path: Path, relion: Relion) -> None:
    write_movies_star(tmp_path / "ours.star", OPTICS[:1], [StarMovie("data/a.tif")])
    relion("relion_star_handler", "--i", "ours.star", "--o", "theirs.star")
    assert read_movies_star(tmp_path / "theirs.star") == (OPTICS[:1], [StarMovie("data/a.tif")])


def test_a_table_of_relion(shared: Path) -> None:
    path = shared / "fixtures" / "tiltstack-0.0.1rc6__corrected_micrographs.star"
    optics, rows = read_micrographs_star(path)
    assert optics == [StarOptics(1, "opticsGroup1", 300.0, 2.7, 0.1, 1.35, 1.35)]
    assert len(rows) == 205
    assert rows[0].motion_total == pytest.approx(2.304019 * 1.35)  # pixels of 1.35 Å
    assert rows[0].shifts_path == "tests/test_data/tilt_images/TS_01_000_0_0.star"
    assert rows[0].defocus_u is None


def test_gaps_and_unknown_groups_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only 1 of 2 rows have defocus_u"):
        write_micrographs_star(tmp_path / "m.star", OPTICS, [FIRST, replace(FIRST, defocus_u=None)])
    with pytest.raises(ValueError, match="optics groups \\[2\\]"):
        write_movies_star(tmp_path / "m.star", OPTICS[:1], [StarMovie("a.tif", 2)])
    with pytest.raises(ValueError, match="whose size is missing"):
        write_micrographs_star(tmp_path / "m.star", OPTICS[:1], ROWS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data_\n\nloop_\n_rlnMicrographName #1\na.mrc\n", "RELION 3.0"),
        ("data_optics\n\n_rlnOpticsGroup 1\n", "data_optics lacks|no table"),
        ("data_optics\n\n_rlnOpticsGroup 1\n_rlnOpticsGroupName a\n_rlnVoltage high\n"
         "_rlnSphericalAberration 2.7\n_rlnAmplitudeContrast 0.1\n", "voltage of 'high'"),
        ("data_optics\n\n_rlnOpticsGroup 1\n_rlnOpticsGroupName a\n_rlnVoltage nan\n"
         "_rlnSphericalAberration 2.7\n_rlnAmplitudeContrast 0.1\n", "voltage of nan"),
    ],
)  # fmt: skip
def test_other_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.star").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_micrographs_star(tmp_path / "m.star")
