"""Positions of particles between RELION, EMAN, EMAN2 and cryoSPARC."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eucentric.formats import FormatError, read_star, write_star
from eucentric.formats.convert_coordinates import CoordinateOptions, convert_coordinates
from eucentric.formats.coordinates import read_coordinates

X, Y = [10.0, 20.5, 4000.0], [7.0, 3.25, 0.0]


def _star(path: Path, names: list[str] | None = None) -> Path:
    table = pd.DataFrame({"rlnCoordinateX": X, "rlnCoordinateY": Y, "rlnAutopickFigureOfMerit": [0.5, 1, 2]})
    table["rlnAnglePsi"] = [1.0, 2.0, 3.0]
    if names is not None:
        table["rlnMicrographName"] = names
    write_star(path, {"particles": table}, exact=True)
    return path


def _read(path: Path, name: str = "m") -> list[list[float]]:
    table = read_coordinates(path, name, (100, 200))
    return [table["x"].tolist(), table["y"].tolist()]


@pytest.mark.parametrize(("ending", "lost"), [("star", set()), ("box", {"scores"}), ("json", {"scores"})])
def test_positions_stay_where_they_are(tmp_path: Path, ending: str, lost: set[str]) -> None:
    source = _star(tmp_path / "m.star")
    options = CoordinateOptions(box=65 if ending == "box" else None)
    done = convert_coordinates(source, tmp_path / f"n.{ending}", options)
    assert set(done.lost) == lost | {"other values"}
    assert _read(tmp_path / f"n.{ending}") == [X, Y]
    convert_coordinates(tmp_path / f"n.{ending}", tmp_path / "back.star")
    assert _read(tmp_path / "back.star") == [X, Y]


def test_boxes_as_eman_means_them(tmp_path: Path) -> None:
    convert_coordinates(_star(tmp_path / "m.star"), tmp_path / "m.box", CoordinateOptions(box=64))
    assert (tmp_path / "m.box").read_text() == "-22\t-25\t64\t64\n-11.5\t-28.75\t64\t64\n3968\t-32\t64\t64\n"
    done = convert_coordinates(tmp_path / "m.box", tmp_path / "m_info.json")
    assert done.lost == {"boxes": "their size"}
    assert json.loads((tmp_path / "m_info.json").read_text()) == {
        "boxes": [[10, 7, "manual"], [20.5, 3.25, "manual"], [4000, 0, "manual"]]
    }
    convert_coordinates(tmp_path / "m.box", tmp_path / "same.box")
    assert (tmp_path / "same.box").read_text() == (tmp_path / "m.box").read_text()
    with pytest.raises(FormatError, match="--box PIXELS"):
        convert_coordinates(tmp_path / "m_info.json", tmp_path / "n.box")


def test_other_things_that_eman2_says_are_named(tmp_path: Path) -> None:
    (tmp_path / "m_info.json").write_text('{"boxes": [[1, 2, "manual"]], "ctf": [1], "quality": 5}')
    done = convert_coordinates(tmp_path / "m_info.json", tmp_path / "m.star")
    assert done.counts == {"m": 1}
    assert done.lost == {"other values": "ctf, quality"}


def test_many_micrographs_make_a_folder(tmp_path: Path) -> None:
    source = _star(tmp_path / "p.star", ["J/b.mrc", "J/a.mrc", "J/b.mrc"])
    with pytest.raises(FormatError, match=r"2 micrographs, a file \.box has room for one"):
        convert_coordinates(source, tmp_path / "p.box", CoordinateOptions(box=64))
    done = convert_coordinates(source, tmp_path / "boxes", CoordinateOptions(to="box", box=64))
    assert done.counts == {"J/b.mrc": 2, "J/a.mrc": 1}
    assert sorted(each.name for each in (tmp_path / "boxes").iterdir()) == ["a.box", "b.box"]
    assert _read(tmp_path / "boxes" / "b.box") == [[10.0, 4000.0], [7.0, 0.0]]
    convert_coordinates(source, tmp_path / "a.json", CoordinateOptions(micrograph="a"))
    assert _read(tmp_path / "a.json") == [[20.5], [3.25]]
    with pytest.raises(FormatError, match=r"0 micrographs called c; choose one of: J/b\.mrc, J/a\.mrc"):
        convert_coordinates(source, tmp_path / "c.json", CoordinateOptions(micrograph="c"))
    twice = _star(tmp_path / "q.star", ["J/a.mrc", "K/a.mrc", "K/a.mrc"])
    with pytest.raises(FormatError, match="same name in different folders"):
        convert_coordinates(twice, tmp_path / "twice", CoordinateOptions(to="json"))
    assert not (tmp_path / "twice").exists()


def _cs(path: Path, **fields: Any) -> Path:
    kinds = [("uid", "<u8"), ("location/micrograph_path", "S30"), ("location/center_x_frac", "<f4")]
    kinds += [("location/center_y_frac", "<f4"), ("pick_stats/ncc_score", "<f4")]
    kinds += [("location/micrograph_shape", "<u4", (2,))] if "shape" in fields else []
    data = np.zeros(3, kinds)
    data["location/micrograph_path"] = [b"J2/m_a.mrc", b"J2/m_b.mrc", b"J2/m_a.mrc"]
    data["location/center_x_frac"], data["location/center_y_frac"] = [0.25, 0.5, 0.75], [0.5, 0.125, 1]
    data["pick_stats/ncc_score"] = [3, 2, 1]
    if "shape" in fields:
        data["location/micrograph_shape"] = fields["shape"]
    with path.open("wb") as file:
        np.save(file, data)
    return path


def test_fractions_of_cryosparc_become_pixels(tmp_path: Path) -> None:
    source = _cs(tmp_path / "p.cs", shape=(4000, 6000))
    done = convert_coordinates(source, tmp_path / "p.star")
    assert done.lost == {"other values": "uid"}
    table = read_star(tmp_path / "p.star")[""]
    assert table["rlnMicrographName"].tolist() == ["J2/m_a.mrc", "J2/m_a.mrc", "J2/m_b.mrc"]
    assert table["rlnCoordinateX"].tolist() == [1500, 4500, 3000]
    assert table["rlnCoordinateY"].tolist() == [2000, 4000, 500]
    assert table["rlnAutopickFigureOfMerit"].tolist() == [3, 1, 2]


def test_micrographs_of_unknown_size(tmp_path: Path) -> None:
    source = _cs(tmp_path / "p.cs")
    with pytest.raises(FormatError, match="give the size with --shape ROWS,COLUMNS"):
        convert_coordinates(source, tmp_path / "p.star")
    convert_coordinates(source, tmp_path / "p.star", CoordinateOptions(shape=(400, 600)))
    assert read_star(tmp_path / "p.star")[""]["rlnCoordinateX"].tolist() == [150, 450, 300]


@pytest.mark.parametrize(
    ("name", "content", "target", "message"),
    [
        ("a.box", "1 2 3\n", "a.star", "line 1 is not four numbers"),
        ("a.json", "[1]", "a.star", "no list of boxes"),
        ("a.star", "data_\nloop_\n_rlnVoltage\n300\n", "a.json", "no table with"),
        ("a.cs", "nothing", "a.star", "not an array"),
        ("a.box", "1 2 3 4\n", "a.cs", "no format of coordinates that is written"),
        ("a.txt", "1 2 3 4\n", "a.box", "ending tells no format"),
    ],
)
def test_what_is_none_is_refused(tmp_path: Path, name: str, content: str, target: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(FormatError, match=message):
        convert_coordinates(tmp_path / name, tmp_path / target)
    assert [each.name for each in tmp_path.iterdir()] == [name]
