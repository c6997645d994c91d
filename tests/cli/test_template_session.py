"""A session whose own classes become templates, and whose own picks train a network, while it runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.command_line import Cli
from eucentric.formats import read_coordinates_star
from eucentric.microscope.simulate import SimulationSettings, simulate_session
from eucentric.store import Database, Site
from eucentric.store.tables import item, run, task

MICROGRAPH, CTF = {"micrograph": "align.micrograph"}, {"ctf": "ctf.ctf"}
WORKFLOW: dict[str, Any] = {
    "name": "templates",
    "runs": {
        "movies": {"protocol": "import-movies"},
        "align": {"protocol": "align-movies", "inputs": {"movie": "movies.movie", "gain": "movies.gain"}},
        "ctf": {"protocol": "estimate-ctf", "inputs": MICROGRAPH},
        "pick": {"protocol": "pick-particles", "inputs": MICROGRAPH, "params": {"diameter": 150}},
        "extract": {
            "protocol": "extract-particles",
            "inputs": {**MICROGRAPH, **CTF, "coordinates": "pick.coordinates"},
            "params": {"particle_pixel_size": 6},
        },
        "classify": {
            "protocol": "classify-particles",
            "inputs": {"particles": "extract.particles"},
            "params": {"classes": 3, "resolution": 20},
        },
        "choose": {
            "protocol": "choose-templates",
            "inputs": {"class_averages": "classify.class_averages"},
            "params": {"least_classes": 1, "least_particles": 30},
        },
        "again": {
            "protocol": "pick-by-templates",
            "inputs": {
                **MICROGRAPH,
                **CTF,
                "templates": "choose.templates",
                "coordinates": "pick.coordinates",
            },
        },
        "train": {
            "protocol": "train-picker",
            "inputs": {**MICROGRAPH, "coordinates": "pick.coordinates"},
            "params": {"micrographs": 2, "steps": 60},
        },
        "network": {
            "protocol": "pick-by-network",
            "inputs": {**MICROGRAPH, "model": "train.picking_model", "coordinates": "pick.coordinates"},
        },
        "other": {
            "protocol": "import-coordinates",
            "inputs": MICROGRAPH,
            "params": {"diameter": 150},
        },
        "picks": {
            "protocol": "picking-consensus",
            "inputs": {
                "coordinates": [f"{name}.coordinates" for name in ("pick", "again", "network", "other")]
            },
        },
    },
}


@pytest.fixture
def night(cli: Cli, tmp_path: Path) -> Path:
    """Four exposures; the last comes when the others are done, and one cannot be read by a picker."""
    settings = SimulationSettings(exposures=4, width=768, height=768, frames=4, particles=20, pixel_size=1.5)
    simulate_session(tmp_path / "night", settings)
    names = [each["name"] for each in json.loads((tmp_path / "night/truth.json").read_text())["exposures"]]
    boxes = tmp_path / "boxes"
    boxes.mkdir()
    (boxes / f"{Path(names[0]).stem}.box").write_text("this is no file of boxes")
    (tmp_path / "templates.json").write_text(json.dumps(WORKFLOW))
    late = next((tmp_path / "night/movies").rglob(Path(names[-1]).name))
    late.rename(tmp_path / late.name)
    command = ("run", "templates.json", "--input", "night/movies", "--session", "s", "--inline")
    setting = ("--until-idle", "--set", f"other.source={boxes}", "--set", "movies.gain=night/gain.mrc")
    cli(*command, *setting)
    (tmp_path / late.name).rename(late)
    cli("continue", "s", "--inline", "--until-idle")
    return tmp_path


@pytest.mark.timeout(600)
def test_classes_and_networks_are_switched_in_while_the_stream_runs(cli: Cli, night: Path) -> None:
    runs = {each["name"]: each for each in json.loads(cli("status", "s", "--json").output)["runs"]}
    assert [runs[name]["done"] for name in ("align", "ctf", "again", "network", "picks")] == [4] * 5
    assert [runs["other"][state] for state in ("done", "rejected", "failed")] == [0, 3, 1]

    site = Site.open(night / "eucentric-site")
    session = site.session_folder("s")
    with Database.open(site) as database, database.read() as connection:
        query = item.select().join(run, run.c.id == item.c.run_id).add_columns(run.c.name)
        rows = connection.execute(query.order_by(item.c.id)).all()
        tasks = connection.execute(task.select().join(run).where(run.c.name == "again")).all()
    # Chosen once, from a version of the classes that is named, though these went on.
    (templates,) = [row.data for row in rows if row.name == "choose"]
    versions = [row.data["path"] for row in rows if row.name == "classify"]
    assert templates["averages_path"] in versions[:-1]
    assert (session / templates["path"]).is_file()
    assert [row.name for row in rows].count("train") == 1
    # Earlier micrographs are picked again with them, later ones at once, and nothing a third time.
    done = {row.key: 0 for row in tasks}
    for row in tasks:
        done[row.key] += row.state == "done"
    assert sorted(done.values())[0] == 1
    assert max(done.values()) == 2
    current = [row for row in rows if row.name in ("again", "network") and row.state == "current"]
    assert len(current) == 8
    assert all(row.data["path"].startswith(f"runs/{row.name}/") for row in current)

    _check_picks(night, session, [row for row in current if row.name == "again"], least=0.7)
    # Which picker agrees with how many is told for those that gave a result.
    statistics = [json.loads(file.read_text()) for file in session.glob("runs/picks/r1*/*/*/consensus.json")]
    newest = [
        each for each in statistics if len({one["coordinates"].split("/")[1] for one in each["pickers"]}) == 3
    ]
    assert len(newest) == 4
    assert all(one["picks"] > 0 and 0 <= one["recall"] <= 1 for each in newest for one in each["pickers"])
    agreed = [row for row in rows if row.name == "picks" and row.state == "current"]
    _check_picks(night, session, agreed, least=0.7)


def _check_picks(night: Path, session: Path, rows: list[Any], least: float) -> None:
    """Most particles well within the micrographs are found, and most of what is found is a particle."""
    found, right, picked = 0, 0, 0
    wanted = 0
    for exposure in json.loads((night / "night/truth.json").read_text())["exposures"]:
        (row,) = [row for row in rows if row.key == Path(exposure["name"]).stem]
        table = read_coordinates_star(session / row.data["path"])[["x", "y"]].to_numpy(float)
        true = np.array(exposure["particles"], float)
        inner = true[((true > 60) & (true < 768 - 60)).all(axis=1)]
        away = np.hypot(*(table[:, None] - true[None]).transpose(2, 0, 1))
        right += int((away.min(axis=1) < 0.3 * 100).sum())
        picked += len(table)
        near = np.hypot(*(table[:, None] - inner[None]).transpose(2, 0, 1))
        found += int((near.min(axis=0) < 0.3 * 100).sum())
        wanted += len(inner)
    assert found / wanted > least
    assert right / picked > least
