"""Coordinates of four programs: the same particles at the same pixels."""

import json

import numpy as np
import pandas as pd
import pytest

from eucentric.formats import FormatError, write_coordinates_star, write_star
from eucentric.formats.coordinates import is_name_of, read_coordinates

PLACES = np.array([(120.0, 30.0), (64.0, 200.0), (300.0, 90.0)])
SHAPE = (256, 384)


def read(path, name="foo_12"):
    return read_coordinates(path, name, SHAPE)


def cs(path, names, places=PLACES, **more):
    fields = [
        ("uid", "<u8"),
        ("location/micrograph_path", "S64"),
        ("location/center_x_frac", "<f4"),
        ("location/center_y_frac", "<f4"),
        ("location/micrograph_shape", "<u4", (2,)),
        *[(name, "<f4") for name in more],
    ]
    table = np.zeros(len(places), fields)
    table["location/micrograph_path"] = names
    table["location/center_x_frac"] = places[:, 0] / SHAPE[1]
    table["location/center_y_frac"] = places[:, 1] / SHAPE[0]
    table["location/micrograph_shape"] = SHAPE
    for name, values in more.items():
        table[name] = values
    with path.open("wb") as file:
        np.save(file, table)
    return path


def test_the_four_formats_say_the_same(tmp_path):
    write_coordinates_star(
        tmp_path / "a.star", pd.DataFrame(PLACES, columns=["x", "y"]).assign(score=[3.0, 2, 1])
    )
    lines = [f"{x - 32:.0f}\t{y - 32:.0f}\t64\t64\t-3" for x, y in PLACES]
    (tmp_path / "a.box").write_text("\n".join(lines) + "\n")
    boxes = [[x, y, "manual"] for x, y in PLACES]
    (tmp_path / "a_info.json").write_text(json.dumps({"boxes": boxes, "apix": 1.2, "ctf": [1]}))
    cs(tmp_path / "a.cs", b"J5/motioncorrected/0042_foo_12_patch_aligned.mrc")
    for name in ("a.star", "a.box", "a_info.json", "a.cs"):
        found = read(tmp_path / name)
        np.testing.assert_allclose(found[["x", "y"]], PLACES, atol=1e-4, err_msg=name)
        assert (name == "a.star") == ("score" in found)


def test_a_box_of_an_odd_size_has_its_middle_at_a_pixel(tmp_path):
    (tmp_path / "a.box").write_text("# by hand\n10 20 65 65\n\n-5 7.5 64 32 -3\n")
    np.testing.assert_array_equal(read(tmp_path / "a.box"), [(42, 52), (27, 23.5)])


def test_of_a_table_of_all_micrographs_the_rows_of_one_are_taken(tmp_path):
    names = ["MotionCorr/job002/foo_12.mrc", "MotionCorr/job002/foo_1.mrc", "MotionCorr/job002/foo_12.mrc"]
    table = pd.DataFrame({"rlnCoordinateX": PLACES[:, 0], "rlnCoordinateY": PLACES[:, 1]})
    write_star(
        tmp_path / "p.star",
        {"optics": {"rlnOpticsGroup": 1}, "particles": table.assign(rlnMicrographName=names)},
    )
    np.testing.assert_array_equal(read(tmp_path / "p.star"), PLACES[[0, 2]])
    np.testing.assert_array_equal(read(tmp_path / "p.star", "foo_1"), PLACES[[1]])
    assert len(read(tmp_path / "p.star", "foo_3")) == 0
    cs(
        tmp_path / "p.cs",
        [b"S1/7_foo_12_aligned.mrc", b"S1/8_foo_1_aligned.mrc", b"S1/7_foo_12_aligned.mrc"],
        **{"pick_stats/ncc_score": [0.25, 0.5, 0.75]},
    )
    found = read(tmp_path / "p.cs")
    np.testing.assert_allclose(found[["x", "y"]], PLACES[[0, 2]], atol=1e-4)
    assert found["score"].tolist() == [0.25, 0.75]


def test_names_are_compared_as_whole_words():
    assert is_name_of("foo_1", "foo_1_autopick")
    assert is_name_of("foo.1", "00012_foo.1.frames")
    assert not is_name_of("foo_1", "foo_12")
    assert not is_name_of("foo_1", "xfoo_1")
    assert not is_name_of("foo.1", "foo_1")


def test_no_picks_are_a_table_without_rows(tmp_path):
    (tmp_path / "a.box").write_text("")
    (tmp_path / "a.json").write_text('{"boxes": []}')
    for name in ("a.box", "a.json"):
        assert list(read(tmp_path / name).columns) == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.box", b"1 2 3\n", "line 1 is not four numbers"),
        ("a.box", b"1 2 three 4\n", "line 1 is not four numbers"),
        ("a.box", b"1 nan 64 64\n", "not finite"),
        ("a.box", b"\xff\xfe\x00", "not a text file"),
        ("a.json", b"{", "not well-formed"),
        ("a.json", b"[" * 100_000, "not well-formed"),
        ("a.json", b"[1]", "no list of boxes"),
        ("a.json", b'{"boxes": [[1, "2"]]}', "begin with two numbers"),
        ("a.json", b'{"boxes": [[1, 2, 3, "manual"]]}', "tomogram"),
        ("a.json", b'{"boxes": [[1, Infinity]]}', "not finite"),
        ("a.star", b"data_\nloop_\n_rlnVoltage\n300\n", "no table with"),
        ("a.star", b"data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 x\n", "not all numbers"),
        ("a.cs", b"\x94CSDAT", "not an array"),
        ("a.cs", b"", "not an array"),
        ("a.txt", b"1 2", "ending"),
    ],
)
def test_what_is_no_file_of_coordinates_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read(tmp_path / name)


def test_nothing_is_unpickled(tmp_path):
    with (tmp_path / "a.cs").open("wb") as file:
        np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(FormatError, match="not an array"):
        read(tmp_path / "a.cs")
    with (tmp_path / "b.cs").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(FormatError, match="no list of structures"):
        read(tmp_path / "b.cs")
    with (tmp_path / "c.cs").open("wb") as file:
        np.save(file, np.zeros(3, [("uid", "u8")]))
    with pytest.raises(FormatError, match="location/micrograph_path"):
        read(tmp_path / "c.cs")
