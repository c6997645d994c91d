"""Tables between STAR, CSV and Parquet: every value and, where the format can, every type."""

import csv
import tempfile
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eucentric.formats import FormatError, read_star, write_star
from eucentric.formats.convert_tables import TableOptions, convert_tables
from eucentric.formats.table_files import as_table, read_blocks, write_block

TEXT = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"], exclude_characters='"'))
COLUMNS: dict[str, Any] = {
    "rlnClassNumber": st.integers(-(2**63), 2**63 - 1),
    "rlnDefocusU": st.floats(),
    "rlnImageName": TEXT.map(lambda text: f"000001@{text}"),
    "note": TEXT.map(lambda text: f"a{text}"),
}


@st.composite
def _tables(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 6))
    labels = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, unique=True))
    columns = {label: draw(st.lists(COLUMNS[label], min_size=rows, max_size=rows)) for label in labels}
    types = {"rlnClassNumber": np.int64, "rlnDefocusU": np.float64}
    return pd.DataFrame(
        {label: pd.Series(each, dtype=types.get(label, object)) for label, each in columns.items()}
    )


@given(_tables())
@settings(max_examples=60, deadline=None)
def test_a_table_survives_every_format(table: pd.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "data_particles.parquet")
        write_block(first, table, "particles")
        path = first
        for name in ("a.star", "b.csv", "c.parquet", "d.csv", "e.star"):
            convert_tables(path, Path(folder, name), TableOptions(block="particles"))
            path = Path(folder, name)
        (found,) = (as_table(block) for block in read_blocks(path).values())
        pd.testing.assert_frame_equal(found.astype(object), table.astype(object), check_exact=True)
        assert [each.kind for each in found.dtypes] == [
            "if"["Defocus" in label] if label in ("rlnClassNumber", "rlnDefocusU") else "O" for label in table
        ]


def test_other_libraries_read_the_same(tmp_path: Path) -> None:
    table = pd.DataFrame({"rlnMicrographName": ["a b.mrc", "0012"], "rlnDefocusU": [0.1 + 0.2, -1e-300]})
    write_star(tmp_path / "m.star", {"micrographs": table}, exact=True)
    convert_tables(tmp_path / "m.star", tmp_path / "m.csv")
    convert_tables(tmp_path / "m.csv", tmp_path / "m.parquet")
    convert_tables(tmp_path / "m.parquet", tmp_path / "n.star", TableOptions(block="micrographs"))
    with (tmp_path / "m.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["rlnMicrographName", "rlnDefocusU"],
            ["a b.mrc", "0.30000000000000004"],
            ["0012", "-1e-300"],
        ]
    arrow = pyarrow.parquet.read_table(tmp_path / "m.parquet")
    assert arrow["rlnDefocusU"].to_pylist() == [0.1 + 0.2, -1e-300]
    assert arrow["rlnMicrographName"].to_pylist() == ["a b.mrc", "0012"]
    loop = gemmi.cif.read(str(tmp_path / "n.star"))["micrographs"].find_loop("_rlnDefocusU")
    assert [float(each) for each in loop] == [0.1 + 0.2, -1e-300]


FIXTURES = [
    "starfile__default_pipeline.star",
    "starfile__postprocess.star",
    "starfile__run_it025_optimiser_2D.star",
    "cryoet_alignment-0.2.0__matching_tomograms.star",
    "tiltstack-0.0.1rc6__corrected_micrographs.star",
]


@pytest.mark.parametrize("name", FIXTURES)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_of_relion_go_there_and_back(shared: Path, tmp_path: Path, name: str, ending: str) -> None:
    source = shared / "fixtures" / name
    theirs = read_star(source)
    done = convert_tables(source, tmp_path / "tables", TableOptions(to=ending))
    assert done.lost == {}
    assert {each.name for each in (tmp_path / "tables").iterdir()} == {
        f"data_{key}.{ending}" for key in theirs
    }
    pairs = tuple(key for key, block in theirs.items() if isinstance(block, dict)) if ending == "csv" else ()
    assert len(done.changes) == len(pairs)
    convert_tables(tmp_path / "tables", tmp_path / "back.star", TableOptions(pairs=pairs))
    ours = read_star(tmp_path / "back.star")
    assert set(ours) == set(theirs)
    for key, block in theirs.items():
        assert type(ours[key]) is type(block)
        pd.testing.assert_frame_equal(as_table(ours[key]), as_table(block), check_exact=True)


def test_one_block_of_several(tmp_path: Path) -> None:
    blocks = {"optics": {"rlnVoltage": 300.0}, "particles": pd.DataFrame({"rlnClassNumber": [1, 2]})}
    write_star(tmp_path / "p.star", blocks)
    with pytest.raises(FormatError, match=r"2 blocks .* optics \(1 rows\), particles \(2 rows\)"):
        convert_tables(tmp_path / "p.star", tmp_path / "p.csv")
    with pytest.raises(FormatError, match="no block 'picks'"):
        convert_tables(tmp_path / "p.star", tmp_path / "p.csv", TableOptions(block="picks"))
    for name in ("particles", "data_particles"):
        convert_tables(
            tmp_path / "p.star", tmp_path / "p.csv", TableOptions(block=name, overwrite=name != "particles")
        )
        assert (tmp_path / "p.csv").read_text() == "rlnClassNumber\n1\n2\n"


def test_types_that_text_does_not_keep_are_named(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "small": np.array([0.1, np.nan], "f4"),
            "id": ["0012", "3"],
            "flag": [True, False],
            "whole": np.array([1, 2**63], "u8"),
        }
    )
    write_block(tmp_path / "t.parquet", table, "t")
    done = convert_tables(tmp_path / "t.parquet", tmp_path / "t.csv")
    assert done.lost == {
        "type float32, which is read as float64": "small",
        "type text, which is read as int64": "id",
        "type uint64, which is read as float64": "whole",
    }
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "0.10000000149011612,0012,True,1"
    assert (
        "type bool, which is read as int64"
        in convert_tables(tmp_path / "t.parquet", tmp_path / "t.star").lost
    )


def test_gaps_are_gaps_in_parquet_and_refused_in_star(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text(f"count,size,note\n{2**60 + 1},,x\n,2.5,\n")
    convert_tables(tmp_path / "g.csv", tmp_path / "g.parquet")
    arrow = pyarrow.parquet.read_table(tmp_path / "g.parquet")
    assert arrow.to_pydict() == {"count": [2**60 + 1, None], "size": [None, 2.5], "note": ["x", ""]}
    convert_tables(tmp_path / "g.parquet", tmp_path / "h.csv")
    assert (tmp_path / "h.csv").read_text() == f"count,size,note\n{2**60 + 1},nan,x\n,2.5,\n"
    with pytest.raises(FormatError, match="column count of data_g has missing values"):
        convert_tables(tmp_path / "g.parquet", tmp_path / "g.star")
    assert not (tmp_path / "g.star").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "a,b\n1\n", "row 2 has 1 values for 2 labels"),
        ("a.csv", "a,b\n1,2\n1,2,3\n", "row 3 has 3 values for 2 labels"),
        ("a.csv", "a,a\n1,2\n", "no list of different labels"),
        ("a.csv", "", "no list of different labels"),
        ("a.csv", 'a,b\n"1,2\n', "no CSV file"),
        ("a.csv", "a,b\n\udcff,2\n", "no CSV file"),
        ("a.csv", "a b,c\n1,2\n", "no labels like 'a b'"),
        ("a.csv", 'a,c\n"x ""y""",2\n', "a quote or a line break"),
        ("a.parquet", "PAR1", "no whole Parquet file"),
        ("a.xlsx", "PK", "ending tells no format of tables"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, errors="surrogateescape")
    with pytest.raises(FormatError, match=message):
        convert_tables(tmp_path / name, tmp_path / "out.star")
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_parquet_of_other_types_is_refused(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"a": [[1, 2]]}), tmp_path / "a.parquet")
    with pytest.raises(FormatError, match="column a is of type list"):
        convert_tables(tmp_path / "a.parquet", tmp_path / "a.csv")


def test_without_pyarrow_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(FormatError, match=r"pip install 'eucentric\[parquet\]'"):
        convert_tables(tmp_path / "a.csv", tmp_path / "a.parquet")
    assert not (tmp_path / "a.parquet").exists()


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "b.star").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    with pytest.raises(FormatError, match="there already"):
        convert_tables(tmp_path / "a.csv", tmp_path / "b.star")
    with pytest.raises(FormatError, match="something else"):
        convert_tables(tmp_path / "a.csv", tmp_path / "folder", TableOptions(to="star", overwrite=True))
    assert (tmp_path / "b.star").read_text() == "mine"
    with pytest.raises(FormatError, match="a folder and --to csv"):
        convert_tables(tmp_path / "a.csv", tmp_path / "c")


def test_particles_of_cryosparc_become_a_table(tmp_path: Path) -> None:
    data = np.zeros(3, [("uid", "<u8"), ("blob/path", "S20"), ("alignments3D/pose", "<f4", (3,))])
    data["uid"] = [1, 2**63 + 5, 3]
    data["blob/path"] = [b"J1/a.mrc", b"J1/b.mrc", b""]
    data["alignments3D/pose"] = np.arange(9).reshape(3, 3) / 7
    with (tmp_path / "p.cs").open("wb") as file:
        np.save(file, data)
    convert_tables(tmp_path / "p.cs", tmp_path / "p.parquet")
    arrow = pyarrow.parquet.read_table(tmp_path / "p.parquet")
    assert arrow["uid"].to_pylist() == data["uid"].tolist()
    assert arrow["blob/path"].to_pylist() == ["J1/a.mrc", "J1/b.mrc", ""]
    assert arrow.schema.field("alignments3D/pose[2]").type == pa.float32()
    np.testing.assert_array_equal(arrow["alignments3D/pose[2]"], data["alignments3D/pose"][:, 2])
