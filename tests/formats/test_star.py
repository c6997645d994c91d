from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eucentric.formats import FormatError, StarBlock, read_star, write_star

Relion = Callable[..., None]


def _assert_same(found: dict[str, StarBlock], expected: dict[str, StarBlock]) -> None:
    assert list(found) == list(expected)
    for name, block in expected.items():
        other = found[name]
        if isinstance(block, dict):
            assert other == block
        else:
            assert isinstance(other, pd.DataFrame)
            pd.testing.assert_frame_equal(other, block)


BLOCKS: dict[str, StarBlock] = {
    "general": {
        "rlnText": "two words",
        "rlnEmpty": "",
        "rlnDot": ".",
        "rlnVector": "[1,2]",
        "rlnNumber": 3,
        "rlnReal": 2.5,
        "rlnWhole": 300.0,
    },
    "table": pd.DataFrame(
        {
            "rlnMicrographName": ["a b.mrc", "_odd.mrc", "007"],
            "rlnVoltage": [300.0, 200.0, 1e-7],
            "rlnOpticsGroup": [1, 2, 3],
            "rlnDefocusU": [1.23456789e4, -0.1, 1e12],
        }
    ),
}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_star(tmp_path / "a.star", BLOCKS)
    _assert_same(read_star(tmp_path / "a.star"), BLOCKS)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    write_star(tmp_path / "a.star", BLOCKS)
    write_star(tmp_path / "b.star", read_star(tmp_path / "a.star"))
    assert (tmp_path / "a.star").read_bytes() == (tmp_path / "b.star").read_bytes()
    assert '"a b.mrc"' in (tmp_path / "a.star").read_text()


def test_float32_survives(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(0, 1e3, 200).astype(np.float32)
    write_star(tmp_path / "a.star", {"t": pd.DataFrame({"rlnValue": values})})
    table = read_star(tmp_path / "a.star")["t"]
    assert isinstance(table, pd.DataFrame)
    np.testing.assert_array_equal(table["rlnValue"].to_numpy(np.float32), values)


def test_names_stay_text_and_numbers_become_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(
        "data_t\n\nloop_\n_rlnOpticsGroupName\n_rlnA\n_rlnB\n_rlnC\n0012 1 1 1_0\n0013 2 2.5 2_0\n"
    )
    table = read_star(tmp_path / "a.star")["t"]
    assert isinstance(table, pd.DataFrame)
    assert table["rlnOpticsGroupName"].tolist() == ["0012", "0013"]
    assert table["rlnA"].tolist() == [1, 2]
    assert table["rlnB"].tolist() == [1.0, 2.5]
    assert table["rlnC"].tolist() == ["1_0", "2_0"]


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 'a "quoted" word', "two\nlines"],
    ids=["nan", "inf", "quote", "line"],
)
def test_what_star_cannot_hold_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(ValueError, match="STAR file"):
        write_star(tmp_path / "a.star", {"t": {"rlnValue": value}})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="without columns"):
        write_star(tmp_path / "a.star", {"t": pd.DataFrame()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a star file",
        "data_t\n\nloop_\n_rlnA #1\n_rlnB #2\n1 2\n3\n",
        "data_t\n\n_rlnA 1\n\nloop_\n_rlnB\n2\n",
        "data_t\n_rlnA 1\n_rlnA 2\n",
        "data_t\n_rlnA\n",
        "data_t\nloop_\n_rlnA\n'open quote\n",
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.star").write_text(text)
    with pytest.raises(FormatError, match=r"a\.star"):
        read_star(tmp_path / "a.star")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_bytes(bytes(range(256)))
    with pytest.raises(FormatError, match="not a text file"):
        read_star(tmp_path / "a.star")


FIXTURES = [
    ("starfile__default_pipeline.star", "pipeline_processes", 31),
    ("starfile__postprocess.star", "fsc", 49),
    ("starfile__run_it025_optimiser_2D.star", "optimiser_general", 84),
    ("starfile__run_it025_optimiser_3D.star", "optimiser_general", 84),
    ("tiltstack-0.0.1rc6__corrected_micrographs.star", "micrographs", 205),
    ("cryoet_alignment-0.2.0__matching_tomograms.star", "24jul16a_Position_18_1.tomostar", 31),
]


@pytest.mark.parametrize(("name", "block", "size"), FIXTURES)
def test_files_that_relion_and_others_wrote(
    shared: Path, tmp_path: Path, name: str, block: str, size: int
) -> None:
    blocks = read_star(shared / "fixtures" / name)
    assert len(blocks[block]) == size
    write_star(tmp_path / "again.star", blocks)
    _assert_same(read_star(tmp_path / "again.star"), blocks)


def test_relion_reads_and_writes_the_same(tmp_path: Path, relion: Relion) -> None:
    optics = pd.DataFrame(
        {"rlnOpticsGroupName": ["first group"], "rlnOpticsGroup": [1], "rlnVoltage": [300.0],
         "rlnSphericalAberration": [2.7], "rlnAmplitudeContrast": [0.1], "rlnMicrographPixelSize": [0.83]}
    )  # fmt: skip
    table = pd.DataFrame(
        {"rlnMicrographName": ["a folder/a b.mrc", "c.mrc"], "rlnOpticsGroup": [1, 1],
         "rlnDefocusU": [12345.5, 0.25]}
    )  # fmt: skip
    blocks: dict[str, StarBlock] = {"optics": optics, "micrographs": table}
    write_star(tmp_path / "ours.star", blocks)
    relion("relion_star_handler", "--i", "ours.star", "--o", "theirs.star")
    _assert_same(read_star(tmp_path / "theirs.star"), blocks)
