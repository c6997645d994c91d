import pandas as pd
import pytest

from eucentric.formats import (
    FormatError,
    ParticleOptics,
    read_coordinates_star,
    read_particles_star,
    write_coordinates_star,
    write_particles_star,
    write_star,
)

GROUP = ParticleOptics(1, "opticsGroup1", 300.0, 2.7, 0.1, 1.5, 64, micrograph_pixel_size=0.75)
ROWS = pd.DataFrame(
    {
        "x": [10.0, 20.0],
        "y": [30.0, 40.5],
        "score": [1.25, -3.0],
        "image": ["000001@a.mrcs", "000002@a.mrcs"],
        "micrograph_path": ["a.mrc", "a.mrc"],
        "optics_group": [1, 1],
        "defocus_u": [12_000.0, 12_000.0],
    }
)


def test_particles_come_back(tmp_path):
    write_particles_star(tmp_path / "p.star", [GROUP], ROWS)
    optics, rows = read_particles_star(tmp_path / "p.star")
    assert optics == [GROUP]
    assert sorted(rows.columns) == sorted(ROWS.columns)
    pd.testing.assert_frame_equal(rows[ROWS.columns.tolist()], ROWS)


def test_coordinates_come_back(tmp_path):
    table = ROWS[["x", "y", "score"]]
    write_coordinates_star(tmp_path / "c.star", table)
    pd.testing.assert_frame_equal(read_coordinates_star(tmp_path / "c.star"), table)


def test_no_coordinates_come_back_as_none(tmp_path):
    write_coordinates_star(tmp_path / "c.star", ROWS[["x", "y", "score"]][:0])
    assert read_coordinates_star(tmp_path / "c.star").shape == (0, 3)


def test_what_no_table_of_relion_could_hold_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="no label for the columns \\['colour'\\]"):
        write_particles_star(tmp_path / "p.star", [GROUP], ROWS.assign(colour="red"))
    with pytest.raises(ValueError, match="columns \\['image'\\] are missing"):
        write_particles_star(tmp_path / "p.star", [GROUP], ROWS.drop(columns="image"))
    with pytest.raises(ValueError, match="optics groups \\[2\\] are used but not described"):
        write_particles_star(tmp_path / "p.star", [GROUP], ROWS.assign(optics_group=2))


def test_other_tables_are_refused(tmp_path):
    write_star(tmp_path / "m.star", {"micrographs": pd.DataFrame({"rlnMicrographName": ["a.mrc"]})})
    with pytest.raises(FormatError, match="no table with rlnCoordinateX"):
        read_coordinates_star(tmp_path / "m.star")
    with pytest.raises(FormatError, match="no table data_optics"):
        read_particles_star(tmp_path / "m.star")
    write_star(tmp_path / "o.star", {"optics": {"rlnOpticsGroup": 1}})
    with pytest.raises(FormatError, match="data_optics lacks rlnOpticsGroupName"):
        read_particles_star(tmp_path / "o.star")
