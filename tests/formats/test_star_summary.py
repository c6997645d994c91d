"""What a STAR file holds, line by line, as `read_star` sees it as a whole."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eucentric.formats import FormatError, read_star, write_star
from eucentric.formats.star_summary import MAX_LINE, star_rows, summarise_star


def test_it_agrees_with_the_whole_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "rlnMicrographName": ["a b.mrc", "c.mrc", "d.mrc"],
            "rlnDefocusU": rng.uniform(5e3, 2e4, 3),
            "rlnClassNumber": [1, 2, 2],
        }
    )
    write_star(tmp_path / "a.star", {"general": {"rlnText": "two words", "rlnX": 2.5}, "particles": table})
    found = summarise_star(tmp_path / "a.star", ("rlnDefocusU", "rlnMissing"))
    assert found.comments[-1] == "version 30001"
    general, particles = found.blocks["general"], found.blocks["particles"]
    assert (general.text("rlnText"), general.number("rlnX")) == ("two words", 2.5)
    assert general.number("rlnText") is None
    assert particles.columns == list(table.columns)
    assert particles.rows == 3
    assert particles.first["rlnMicrographName"] == "a b.mrc"
    numbers = particles.numbers["rlnDefocusU"]
    assert (numbers.count, numbers.minimum, numbers.maximum) == pytest.approx(
        (3, table["rlnDefocusU"].min(), table["rlnDefocusU"].max())
    )
    assert numbers.mean == pytest.approx(table["rlnDefocusU"].mean())
    assert set(particles.numbers) == {"rlnDefocusU"}


def test_real_files(shared: Path) -> None:
    for file in sorted((shared / "fixtures").glob("starfile__*.star")):
        whole, found = read_star(file), summarise_star(file)
        assert list(found.blocks) == list(whole)
        for name, block in whole.items():
            if isinstance(block, dict):
                assert set(found.blocks[name].pairs) == set(block)
            else:
                assert (found.blocks[name].rows, found.blocks[name].columns) == (len(block), list(block))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "has no block yet"),
        (b"# only a comment\n", "has no block yet"),
        (b"nothing\n", "it does not begin with a block"),
        (b"data_a\nloop_\n_x #1\n_y #2\n1 2\n3\n", "a row has 1 values for 2 columns"),
        (b"data_a\nwords\n", "it has a line out of place"),
        (b"data_a\n_x \xff\n", "it is not a text file"),
        (b"data_a\n_x \0\n", "it is not a STAR file with a row on each line"),
        (b"data_a\n_x " + b"y" * MAX_LINE + b"\n", "it is not a STAR file with a row on each line"),
        (b"data_a\n" + b"".join(b"_x%d 1\n" % n for n in range(10_001)), "it has too many labels"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "a.star").write_bytes(text)
    with pytest.raises(FormatError, match=said):
        summarise_star(tmp_path / "a.star", ("x",))


def test_numbers_that_are_none_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("data_\nloop_\n_x #1\n1\nnan\ninf\n1_0\nNone\n3\n")
    numbers = summarise_star(tmp_path / "a.star", ("x",)).blocks[""].numbers["x"]
    assert (numbers.count, numbers.mean) == (2, 2.0)


def test_rows_one_by_one(tmp_path: Path) -> None:
    table = pd.DataFrame({"rlnMicrographName": ["a b.mrc", "c.mrc"], "rlnOpticsGroup": [1, 2]})
    write_star(tmp_path / "a.star", {"optics": pd.DataFrame({"rlnOpticsGroup": [7]}), "micrographs": table})
    path = tmp_path / "a.star"
    assert list(star_rows(path, ("rlnOpticsGroup", "rlnMicrographName"))) == [
        ("1", "a b.mrc"),
        ("2", "c.mrc"),
    ]
    assert list(star_rows(path, ("rlnOpticsGroup",))) == [("7",), ("1",), ("2",)]
    assert list(star_rows(path, ("rlnMissing",))) == []
