"""A folder of EPU or SerialEM, processed by one command with nothing but the diameter typed."""

import json
from pathlib import Path

import pytest

from cli.command_line import Cli
from eucentric.microscope.simulate import SimulationSettings, simulate_session


def simulated(folder: Path, **settings: object) -> Path:
    values = {"exposures": 2, "width": 384, "height": 384, "frames": 6, "particles": 8, **settings}
    simulate_session(folder, SimulationSettings(**values))
    return folder


def runs_of(cli: Cli, session: str) -> dict[str, dict[str, int]]:
    status = json.loads(cli("status", session, "--json").output)
    return {run["name"]: run for run in status["runs"]}


@pytest.mark.parametrize(("layout", "movie_format"), [("epu", "eer"), ("serialem", "tiff")])
def test_only_the_diameter_is_typed(cli: Cli, tmp_path: Path, layout: str, movie_format: str) -> None:
    simulated(tmp_path / "night", layout=layout, movie_format=movie_format)
    result = cli("run", "single-particle", "--input", "night", "--diameter", 150, "--inline", "--until-idle")
    assert result.exit_code == 0, result.stderr
    assert f"There is no site yet: {tmp_path / 'eucentric-site'} is made" in result.stderr
    runs = runs_of(cli, "night")  # found again without saying where
    assert (runs["movies"]["done"], runs["align"]["done"], runs["ctf"]["done"]) == (2, 2, 2)
    assert not any(run["failed"] for run in runs.values())
    session = tmp_path / "eucentric-site" / "sessions" / "night"
    assert len(list(session.glob("runs/align/r1/**/*.mrc"))) >= 2


def test_movies_that_nobody_describes_say_what_is_missing(cli: Cli, tmp_path: Path) -> None:
    simulated(tmp_path / "night", layout="epu", missing_metadata={1, 2})
    waiting = ("--set", "movies.wait_for_metadata=0")
    common = ("run", "motion-and-ctf", "--input", "night", "--inline", "--until-idle", *waiting)
    result = cli(*common)
    assert result.exit_code == 3
    assert "acceleration voltage (--voltage, in kV)" in result.stderr
    given = ("--voltage", 300, "--pixel-size", 1.2, "--dose", 40, "--session", "given")
    assert cli(*common, *given).exit_code == 0
    assert runs_of(cli, "given")["ctf"]["done"] == 2


def test_a_workflow_that_picks_asks_for_the_diameter(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    result = cli("run", "single-particle", "--input", "night")
    assert result.exit_code == 1
    assert "The run pick of the workflow single-particle needs --diameter" in result.stderr
    assert not (tmp_path / "eucentric-site").exists()
    result = cli("run", "motion-and-ctf", "--input", "night", "--diameter", "100")
    assert "No run of the workflow motion-and-ctf takes --diameter; leave it out." in result.stderr


def test_results_do_not_go_among_raw_data(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    for arguments in (("--input", "."), ("--input", "night", "--site", "night/site")):
        result = cli("run", "motion-and-ctf", *arguments)
        assert result.exit_code == 1
        assert "among the raw data" in result.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "night"]
