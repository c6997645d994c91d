import logging
from pathlib import Path

import pytest

from eucentric.formats import FormatError, read_mdoc

FIXTURES = [
    ("cets-empiar__TS_001.mdoc", 2, 1, 3),
    ("cets-empiar__TS_complex.mdoc", 6, 2, 3),
    ("cets-empiar__TS_minimal.mdoc", 0, 0, 2),
    ("cets-empiar__TS_snake_case.mdoc", 3, 0, 1),
    ("mdocfile__frame_set_single.mdoc", 1, 1, 1),
    ("mdocfile__montage_section.mdoc", 6, 2, 63),
    ("mdocfile__tilt_series.mdoc", 4, 2, 41),
    ("oscem-extractor-life__TS_41.mrc.mdoc", 5, 2, 40),
    ("python-murfey__test_1.mdoc", 6, 2, 11),
    ("tiltstack-0.0.1rc6__TS_01.mrc.mdoc", 4, 2, 41),
]


@pytest.mark.parametrize(("name", "values", "titles", "sections"), FIXTURES)
def test_real_files(
    shared: Path, caplog: pytest.LogCaptureFixture, name: str, values: int, titles: int, sections: int
) -> None:
    with caplog.at_level(logging.WARNING):
        mdoc = read_mdoc(shared / "fixtures" / name)
    assert (len(mdoc.values), len(mdoc.titles), len(mdoc.sections)) == (values, titles, sections)
    assert not caplog.records  # every line was understood


def test_a_movie(shared: Path) -> None:
    mdoc = read_mdoc(shared / "fixtures" / "mdocfile__frame_set_single.mdoc")
    assert mdoc.numbers("Voltage") == (300.0,)
    (movie,) = mdoc.sections
    assert (movie.kind, movie.name) == ("FrameSet", "0")
    assert movie.numbers("FrameDosesAndNumber") == (0.63824, 12.0)
    assert movie.numbers("StagePosition") == (-142.82, -457.442)
    assert movie.values["SubFramePath"].endswith("s_mmm_00993_33.0_Oct08_07.39.05.tif")
    assert movie.values["DateTime"] == "08-Oct-21  07:39:08"
    assert movie.numbers("SubFramePath") == movie.numbers("NotThere") == ()


def test_every_section_of_a_tilt_series(shared: Path) -> None:
    mdoc = read_mdoc(shared / "fixtures" / "mdocfile__tilt_series.mdoc")
    tilts = [section.numbers("TiltAngle")[0] for section in mdoc.sections]
    assert [section.name for section in mdoc.sections] == [str(z) for z in range(41)]
    assert (min(tilts), max(tilts)) == pytest.approx((-60, 60), abs=0.01)
    assert "Tilt axis angle = 85.3, binning = 4  spot = 8  camera = 2" in mdoc.titles


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    lines = [
        "Voltage = 300",
        "",
        "[T = Mühle]",
        "[ZValue=0]",
        "Note = µm = good",
        "Empty =",
        "[ FrameSet = 7 ]",
    ]
    (tmp_path / "a.mdoc").write_bytes(end.join(lines).encode(encoding))
    mdoc = read_mdoc(tmp_path / "a.mdoc")
    assert mdoc.values == {"Voltage": "300"}
    assert mdoc.titles == ("Mühle",)
    assert [(s.kind, s.name, s.values) for s in mdoc.sections] == [
        ("ZValue", "0", {"Note": "µm = good", "Empty": ""}),
        ("FrameSet", "7", {}),
    ]


def test_lines_of_no_known_form_are_passed_over_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.mdoc").write_text("Voltage = 300\nhello\n")
    assert read_mdoc(tmp_path / "a.mdoc").values == {"Voltage": "300"}
    assert "line 2" in caplog.text


@pytest.mark.parametrize("raw", [b"", b"\0" * 100, b"hello\nworld\n", bytes(range(128, 256))])
def test_other_files_are_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.mdoc").write_bytes(raw)
    with pytest.raises(FormatError, match="key = value"):
        read_mdoc(tmp_path / "a.mdoc")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.mdoc").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(FormatError, match="too many"):
        read_mdoc(tmp_path / "a.mdoc")


def test_numbers_are_finite(tmp_path: Path) -> None:
    (tmp_path / "a.mdoc").write_text("Voltage = nan\nStagePosition = 1 inf\n")
    mdoc = read_mdoc(tmp_path / "a.mdoc")
    assert mdoc.numbers("Voltage") == mdoc.numbers("StagePosition") == ()
