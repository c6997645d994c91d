"""A simulated session through the protocols of this plug-in, which are found by being installed."""

import json
import logging
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eucentric.cli.app import app
from eucentric.engine import registry
from eucentric.formats import read_particles_star
from eucentric.microscope.simulate import SimulationSettings, simulate_session

WORKFLOW = Path(__file__).parents[1] / "workflows/relion.json"
VALUES = {
    "movies.gain": "night/gain.mrc",
    "align.patches": "2",
    "pick.diameter": "150",
    "extract.particle_pixel_size": "8",
    "classes.least": "20",
    "classes.classes": "2",
    "classes.iterations": "2",
    "classes.angle": "20",
    "classes.worst": "500",
}
Run = Callable[..., Result]


@pytest.fixture
def eucentric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command of the command line in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EUCENTRIC_SITE", raising=False)
    monkeypatch.setenv("EUCENTRIC_MONITOR", "0")
    handlers = logging.root.handlers[:]

    def call(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        logging.root.handlers[:] = handlers
        return result

    return call


def test_a_session_with_relion(eucentric: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SimulationSettings(
        exposures=2, width=512, height=512, pixel_size=2.5, frames=8, particles=25, hot_pixels=5
    )
    simulate_session(tmp_path / "night", settings)
    chosen = [word for name, value in VALUES.items() for word in ("--set", f"{name}={value}")]
    run = ("run", WORKFLOW, "--input", "night/movies", "--session", "s", "--inline", "--until-idle")
    done = eucentric(*run, *chosen)
    assert done.exit_code == 0, done.output
    runs = {each["name"]: each for each in json.loads(eucentric("status", "s", "--json").stdout)["runs"]}
    assert {name: runs[name]["failed"] for name in runs} == dict.fromkeys(runs, 0)
    assert [runs[name]["done"] for name in ("align", "ctf", "pick", "extract")] == [2, 2, 2, 2]
    session = tmp_path / "eucentric-site/sessions/s"
    (newest,) = sorted(session.glob("state/classes/r1/*/v*/selected.star"))[-1:]
    table = read_particles_star(newest)[1]
    assert len(table) >= 20
    for name in table["image"].str.partition("@")[2].unique():
        assert (session / name).is_file()
    logs = "".join(file.read_text() for file in session.glob("logs/align/**/*.log"))
    assert "relion_run_motioncorr 3.1." in logs
    # What makes maps follows the classes, and waits for its number of particles.
    assert runs["sharpen"]["rejected"] == 1
    assert sorted(json.loads(file.read_text())["kind"] for file in session.glob("state/*/*/*/v1/*.json")) == [
        "gathered_particles",
        "relion_map_state",
        "relion_map_state",
    ]
    without_the_plug_in(eucentric, monkeypatch)


def without_the_plug_in(eucentric: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session can be looked at where the plug-in is not installed; to go on, it is asked for."""

    def ours_alone(**wanted: str) -> list[EntryPoint]:
        return [each for each in entry_points(**wanted) if not each.value.startswith("eucentric_relion")]

    monkeypatch.setattr(registry, "entry_points", ours_alone)
    monkeypatch.setattr(registry, "_latest", {})
    assert eucentric("status", "s").exit_code == 0
    refused = eucentric("continue", "s", "--inline", "--until-idle")
    assert refused.exit_code == 1
    assert "there is no protocol relion-motion" in refused.output
