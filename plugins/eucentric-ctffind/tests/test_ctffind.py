"""CTFFIND's dialogue and files, with a stand-in that has them as documented; it is not run itself."""

import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from eucentric.engine.programs import NoSpaceForProgram, ProgramFailed
from eucentric.engine.protocol import Task
from eucentric.formats import write_mrc
from eucentric.metadata import Micrograph
from eucentric_ctffind.dialogue import Search, answers
from eucentric_ctffind.estimate import CTFFINDEstimate
from eucentric_ctffind.results import read_curves, read_result
from outside_environments import site_with

OPTICS = {"pixel_size": 0.885, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.07}
FOUR = "1.000000 10588.083984 9956.687500 -44.710212 0.000000 0.494779 4.102857"
FIVE = "1.000000 9956.687500 10588.083984 44.5 1.570796 0.494779 4.102857 -86.0 30.5 1500.0"


@pytest.fixture
def session(tmp_path: Path) -> Path:
    image = np.random.default_rng(0).integers(0, 50, (300, 400)).astype(np.uint16)
    write_mrc(tmp_path / "m.mrc", image, 0.885)
    return tmp_path


def micrograph() -> Micrograph:
    return Micrograph(path="m.mrc", height=300, width=400, optics_group=2, **OPTICS)


def program(folder: Path, script: str) -> Path:
    folder.mkdir()
    (folder / "ctffind").write_text(script)
    (folder / "ctffind").chmod(0o755)
    return folder


def stand_in(session: Path, version: str, result: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAND_IN_LOG", str(session / "asked.json"))
    monkeypatch.setenv("STAND_IN_RESULT", result)
    text = Path(__file__).with_name("stand_in.py").read_text().replace("{version}", version)
    return program(session / "bin", f"#!{sys.executable}\n{text}")


def run(session: Path, programs: Path, **params: object):
    (session / "work").mkdir()
    site = site_with(session / "site", "ctffind", programs)
    log = logging.getLogger("eucentric.task")
    log.setLevel(logging.INFO)
    task = Task(("grid", "m"), session / "work", "runs/work", session, site, cpus=3)
    return CTFFINDEstimate(CTFFINDEstimate.Params(**params)).process(micrograph(), task)


def test_version_4_1_is_answered_and_its_result_read(session: Path, monkeypatch) -> None:
    found = run(session, stand_in(session, "4.1.14", FOUR, monkeypatch), min_defocus=3_000)
    assert (found.defocus_u, found.defocus_v) == (10588.083984, 9956.6875)
    assert found.defocus_angle == pytest.approx(180 - 44.710212)
    assert (found.phase_shift, found.score, found.resolution) == (0, 0.494779, 4.102857)
    assert (found.confidence, found.ice_ring, found.optics_group) == (None, None, 2)
    assert (found.micrograph_path, found.diagnostic_path) == ("m.mrc", "runs/work/ctf.png")
    assert {file.name for file in (session / "work").iterdir()} == {"ctf.png", "ctf.json", "ctffind.txt"}
    profile = json.loads((session / "work" / "ctf.json").read_text())
    assert len(profile["frequency"]) == len(profile["model"]) == 199  # without zero frequency
    assert profile["spectrum"][9] == pytest.approx(np.cos(80 * 0.025**2), abs=1e-5)
    assert profile["resolution"] == pytest.approx(4.103)
    asked = dict(json.loads((session / "asked.json").read_text()))
    assert asked["Pixel size"] == "0.885"
    assert (asked["Spherical aberration"], asked["Amplitude contrast"]) == ("2.7", "0.07")
    assert (asked["Minimum resolution"], asked["Maximum resolution"]) == ("30", "4")
    assert (asked["Minimum defocus"], asked["Maximum defocus"]) == ("3000", "50000")
    assert asked["Desired number of parallel threads"] == "3"
    assert "Determine sample thickness?" not in asked
    assert "Target pixel size after resampling" not in asked


def test_version_5_is_answered_and_its_result_read(session: Path, monkeypatch, caplog) -> None:
    programs = stand_in(session, "5.0.2", FIVE, monkeypatch)
    with caplog.at_level(logging.INFO, "eucentric.task"):
        found = run(session, programs, tilt=True, thickness=True, tolerated_astigmatism=300)
    # Defocus 1 is the smaller one here: U and its angle are those of the larger.
    assert (found.defocus_u, found.defocus_v) == (10588.083984, 9956.6875)
    assert found.defocus_angle == pytest.approx(134.5)
    assert found.phase_shift == pytest.approx(90, abs=1e-3)
    asked = dict(json.loads((session / "asked.json").read_text()))
    assert asked["Determine sample tilt?"] == asked["Determine sample thickness?"] == "Yes"
    assert asked["Expected (tolerated) astigmatism"] == "300"
    assert asked["Target pixel size after resampling"] == "1.4"
    assert asked["Desired number of parallel threads"] == "3"
    assert "tilted by 30.5° about an axis at -86.0°" in caplog.text
    assert "1500 Å thick" in caplog.text
    assert "ctffind 5.0.2" in caplog.text


@pytest.mark.parametrize("version", ["4.1.14", "5.0.2"])
def test_a_phase_shift_is_asked_for_in_radians(session: Path, monkeypatch, version: str) -> None:
    run(
        session,
        stand_in(session, version, FOUR.replace(" 4.102857", " inf"), monkeypatch),
        fit_phase_shift=True,
        exhaustive=True,
    )
    asked = dict(json.loads((session / "asked.json").read_text()))
    assert asked["Maximum phase shift (rad)"] == "3.141593"
    assert asked["Phase shift search step"] == "0.261799"
    assert asked["Slower, more exhaustive search?"] == "Yes"
    assert "Determine sample tilt?" not in asked


def test_no_rings_are_a_resolution_that_says_so(session: Path, monkeypatch) -> None:
    none = FOUR.replace(" 4.102857", " inf")
    assert run(session, stand_in(session, "4.1.14", none, monkeypatch)).resolution == 30


def test_what_it_cannot_do_is_refused() -> None:
    search = Search(512, (30, 4), (5000, 50000), 100, False, None, None, False, True)
    with pytest.raises(ValueError, match=r"CTFFIND 4\.1\.14 does not estimate the thickness"):
        answers("4.1.14", micrograph(), search, 1)
    with pytest.raises(ValueError, match="tilt and phase shift at once"):
        CTFFINDEstimate.Params(tilt=True, fit_phase_shift=True)
    for wrong in ({"max_defocus": 5_000}, {"max_resolution": 30}, {"max_phase_shift": 0}):
        with pytest.raises(ValueError, match="must be"):
            CTFFINDEstimate.Params(**wrong)


def test_small_numbers_are_written_as_it_reads_them() -> None:
    """It takes only what begins with a digit, a sign or a point for a number, and no exponents."""
    search = Search(512, (30, 4), (5000, 1_000_000), 100, False, None, None, False, False)
    corrected = micrograph().model_copy(update={"spherical_aberration": 0.00001})
    typed = answers("5.0.2", corrected, search, 1).splitlines()
    assert typed[4] == "0.00001"
    assert typed[10] == "1000000"
    assert not any("e" in answer.lower() for answer in typed[2:11])


def write(folder: Path, text: str) -> Path:
    (folder / "diagnostic.txt").write_text(text)
    return folder / "diagnostic.txt"


@pytest.mark.parametrize(
    "text", ["", "# only comments\n", "1 2 3\n", f"{FOUR}\n{FOUR}\n", "1 2 3 4 5 6 seven\n", "\udcff\0"]
)
def test_results_of_another_layout_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "diagnostic.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ProgramFailed, match=r"ctffind 5\.1 wrote diagnostic\.txt otherwise than"):
        read_result(tmp_path / "diagnostic.txt", "5.1")


def test_numbers_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="found no defocus"):
        read_result(write(tmp_path, FOUR.replace("10588.083984", "nan")), "4.1.14")
    (tmp_path / "curves.txt").write_text("1 2 3\n" * 5)
    with pytest.raises(ProgramFailed, match=r"curves\.txt otherwise"):
        read_curves(tmp_path / "curves.txt", "4.1.14")


BANNER = "#!/bin/sh\nprintf '   Version : %s\\n'\n"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (BANNER % "5.0.2" + "echo 'Segmentation fault'; exit 139", "ctffind 5.0.2 was killed|exit code 139"),
        (BANNER % "5.0.2", "ended well but did not write diagnostic.txt, diagnostic_avrot.txt, diagnostic"),
        (BANNER % "4.0.17", "is version 4.0.17, but >=4.1.12,<6 is needed. Its authors"),
        ("#!/bin/sh\necho hello", "does not tell its version as ctffind does. Its last lines: hello"),
    ],
)
def test_failures_are_told(session: Path, script: str, told: str) -> None:
    with pytest.raises(ProgramFailed, match=told):
        run(session, program(session / "bin", script))


def test_where_the_program_comes_from_is_told(session: Path) -> None:
    with pytest.raises(ProgramFailed, match=r"ctffind was not found at .*Its authors .* offer it"):
        run(session, session / "nowhere")


def test_a_full_disk_is_told_as_such(session: Path) -> None:
    full = BANNER % "5.0.2" + "echo 'fatal: No space left on device' >&2; exit 1"
    with pytest.raises(NoSpaceForProgram, match=r"ctffind 5\.0\.2 found no space"):
        run(session, program(session / "bin", full))
