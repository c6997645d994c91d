import json
from pathlib import Path

import numpy as np
import pytest

from cli.command_line import Cli
from eucentric.formats import read_image, read_shifts_star, write_mrc
from eucentric.microscope.simulate.session import simulate_session
from eucentric.microscope.simulate.settings import SimulationSettings


@pytest.fixture(scope="module")
def microscope(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated session: one good movie, one cut short."""
    folder = tmp_path_factory.mktemp("microscope")
    settings = SimulationSettings(
        exposures=2, width=256, height=256, frames=6, pixel_size=2.0, faults={2: "truncated"}
    )
    simulate_session(folder, settings)
    return folder


def align(cli: Cli, microscope: Path, *more: object) -> dict[str, object]:
    movie, gain = microscope / "movies" / "GroEL_0001.tiff", microscope / "gain.mrc"
    result = cli("do", "align-movies", movie, "--gain", gain, "--out", "out", "--json", *more)
    assert result.exit_code == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)["micrograph"]
    return found


def test_a_movie_is_aligned_and_its_ctf_fitted(cli: Cli, microscope: Path, tmp_path: Path) -> None:
    micrograph = align(cli, microscope, "--dose-per-frame", 6.7, "--voltage", 200)
    out = tmp_path / "out"
    assert (micrograph["voltage"], micrograph["frames"]) == (200, 6)
    assert micrograph["path"] == "GroEL_0001.align-movies/weighted.mrc"
    assert read_image(out / str(micrograph["path"])).shape == (256, 256)
    assert len(read_shifts_star(out / str(micrograph["shifts_path"])).shifts) == 6
    item = out / "GroEL_0001.align-movies.json"
    assert json.loads(item.read_text())["micrograph"] == micrograph
    result = cli("do", "estimate-ctf", item, "--max-resolution", 6, "--out", "out", "--json")
    assert result.exit_code == 0, result.stderr
    ctf = json.loads(result.stdout)["ctf"]
    assert ctf["micrograph_path"] == micrograph["path"]
    assert ctf["voltage"] == 200
    assert (out / ctf["diagnostic_path"]).exists()


def test_a_lone_micrograph_is_described_by_options(cli: Cli, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=(256, 256)).astype(np.float32)
    write_mrc(tmp_path / "image.mrc", noise, 2.0)
    options = ("--pixel-size", 2.5, "--amplitude-contrast", 0.07, "--out", "out", "--json")
    result = cli("do", "estimate-ctf", "image.mrc", *options)
    assert result.exit_code == 0, result.stderr
    ctf = json.loads(result.stdout)["ctf"]
    assert (ctf["pixel_size"], ctf["amplitude_contrast"]) == (2.5, 0.07)
    assert ctf["micrograph_path"] == str(tmp_path / "image.mrc")


def test_results_are_not_overwritten(cli: Cli, microscope: Path) -> None:
    align(cli, microscope)
    movie = microscope / "movies" / "GroEL_0001.tiff"
    result = cli("do", "align-movies", movie, "--out", "out")
    assert result.exit_code == 1
    assert "is there already" in result.stderr


def test_a_damaged_movie_leaves_nothing(cli: Cli, microscope: Path, tmp_path: Path) -> None:
    result = cli("do", "align-movies", microscope / "movies" / "GroEL_0002.tiff", "--out", "out")
    assert result.exit_code == 1
    assert "GroEL_0002.tiff: it is cut short" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def here(sample: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Path:
    """Work within the sample site, so that its protocols are known."""
    monkeypatch.chdir(sample)
    return sample


def item(folder: Path, text: str) -> Path:
    (folder / "x.txt").write_text(text)
    (folder / "x.json").write_text(json.dumps({"path": "x.txt", "bytes": len(text), "modified": 1.0}))
    return folder / "x.json"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reject", "read-file rejected the input: the file says so"),
        ("fail", "read-file failed: the file is bad"),
    ],
)
def test_a_failure_is_told_and_leaves_nothing_behind(cli: Cli, here: Path, text: str, said: str) -> None:
    result = cli("do", "read-file", item(here, text), "--out", "out")
    assert result.exit_code == 1
    assert said in result.stderr
    assert list((here / "out").iterdir()) == []


def test_parameters_are_options(cli: Cli, here: Path) -> None:
    result = cli("do", "read-file", item(here, "fail"), "--lenient", "--pause", "0.01", "--out", "out")
    assert result.exit_code == 0, result.stderr
    assert (here / "out" / "x.read-file" / "copy.txt").read_text() == "fail"


def test_help_tells_ports_parameters_and_units(cli: Cli, here: Path) -> None:
    result = cli("do", "read-file", "--help")
    assert result.exit_code == 0
    said = " ".join(result.output.split())
    assert "Usage: eucentric do read-file [OPTIONS]" in said
    assert "How long it takes [s]; default: 0." in said
    assert "--lenient / --no-lenient" in said
    said = " ".join(cli("do", "align-movies", "--help").output.split())
    assert "--dose-per-frame <float> Dose of one frame" in said
    assert "[e⁻/Å²]; default: 0." in said
    assert "--gain FILE Gain: an image file or an item (.json); may be left out." in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["read-file"], 2, "Missing argument"),
        (["read-file", "x.json", "--out", "o", "--pause", "soon"], 2, "pause"),
        (["read-file", "x.json", "--out", "o", "--pause", "-1"], 1, "pause: Input should be greater"),
        (["read-file", "x.txt", "--out", "o"], 1, "cannot be taken as file"),
        (["read-file", "missing.json", "--out", "o"], 1, "missing.json: No such file"),
        (["list-files", "x.json", "--out", "o"], 1, "does not work on single exposures"),
        (["no-such", "x.json", "--out", "o"], 1, "There is no protocol no-such"),
    ],
)
def test_mistakes_are_told(cli: Cli, here: Path, arguments: list[str], code: int, said: str) -> None:
    item(here, "text")
    result = cli("do", *arguments)
    assert result.exit_code == code
    assert said in result.stderr
    assert not (here / "o").exists()


def test_a_pixel_size_that_nobody_tells(cli: Cli, tmp_path: Path) -> None:
    write_mrc(tmp_path / "image.mrc", np.zeros((64, 64), np.float32), 1.0)
    with (tmp_path / "image.mrc").open("r+b") as stream:
        stream.seek(40)  # the cell's size in the header of an MRC file
        stream.write(bytes(12))
    result = cli("do", "estimate-ctf", "image.mrc", "--out", "out")
    assert result.exit_code == 1
    assert "give it as --pixel-size" in result.stderr
