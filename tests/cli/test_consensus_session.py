"""A simulated session with a wrong gain reference, two pickers and two CTF fits, against the truth."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from cli.command_line import Cli
from eucentric.formats import read_coordinates_star, read_image, write_mrc
from eucentric.microscope.simulate import SimulationSettings, simulate_session

WORKFLOW: dict[str, Any] = {
    "name": "consensus",
    "runs": {
        "movies": {"protocol": "import-movies"},
        "gain": {"protocol": "estimate-gain", "inputs": {"movie": "movies.movie", "gain": "movies.gain"}},
        "align": {"protocol": "align-movies", "inputs": {"movie": "movies.movie", "gain": "gain.gain"}},
        "ctf": {"protocol": "estimate-ctf", "inputs": {"micrograph": "align.micrograph"}},
        "coarse": {
            "protocol": "estimate-ctf",
            "inputs": {"micrograph": "align.micrograph"},
            "params": {"max_resolution": 6},
        },
        "ctfs": {"protocol": "ctf-consensus", "inputs": {"ctf": ["ctf.ctf", "coarse.ctf"]}},
        "pick": {
            "protocol": "pick-particles",
            "inputs": {"micrograph": "align.micrograph"},
            "params": {"diameter": 150},
        },
        "other": {
            "protocol": "import-coordinates",
            "inputs": {"micrograph": "align.micrograph"},
            "params": {"diameter": 150},
        },
        "picks": {
            "protocol": "picking-consensus",
            "inputs": {"coordinates": ["pick.coordinates", "other.coordinates"]},
        },
    },
}


def test_a_session_from_a_wrong_gain_reference_to_agreed_particles(cli: Cli, tmp_path: Path) -> None:
    simulate_session(
        tmp_path / "night",
        SimulationSettings(exposures=2, width=768, height=768, frames=6, particles=30),
    )
    truth = json.loads((tmp_path / "night/truth.json").read_text())["exposures"]
    write_mrc(tmp_path / "flipped.mrc", read_image(tmp_path / "night/gain.mrc")[::-1].copy(), 1.0)
    boxes = tmp_path / "boxes"
    boxes.mkdir()
    for exposure in truth[:1]:
        lines = [f"{x - 64:.0f} {y - 64:.0f} 128 128" for x, y in exposure["particles"]]
        (boxes / f"{Path(exposure['name']).stem}.box").write_text("\n".join([*lines, "0 0 128 128"]))
    (boxes / f"{Path(truth[1]['name']).stem}.box").write_text("this is no file of boxes")
    (tmp_path / "consensus.json").write_text(json.dumps(WORKFLOW))
    run = ("run", "consensus.json", "--input", "night/movies", "--session", "s", "--inline", "--until-idle")
    chosen = ("--set", f"movies.gain={tmp_path / 'flipped.mrc'}", "--set", f"other.source={boxes}")
    cli(*run, *chosen)
    runs = {each["name"]: each for each in json.loads(cli("status", "s", "--json").output)["runs"]}
    # One picker fails on an exposure: the consensus takes what remains.
    assert [runs["other"][state] for state in ("done", "rejected", "failed")] == [1, 0, 1]
    assert [runs[name]["done"] for name in ("align", "ctfs", "picks")] == [2, 2, 2]

    session = tmp_path / "eucentric-site/sessions/s"
    logs = "".join(file.read_text() for file in sorted(session.glob("logs/gain/*.log")))
    assert "flipped.mrc lies the wrong way; it fits when flipped top-bottom." in logs
    folder = next(session.glob(f"runs/picks/r1/*/{Path(truth[0]['name']).stem}"))
    found = read_coordinates_star(folder / "coordinates.star")[["x", "y"]].to_numpy(float)
    away = np.hypot(*(found[:, None] - np.array(truth[0]["particles"])[None]).transpose(2, 0, 1))
    assert len(found) >= 3
    assert away.min(axis=1).max() < 0.25 * 150 / 1.2
    statistics = json.loads((folder / "consensus.json").read_text())
    assert [len(statistics["pickers"]), statistics["agree"]] == [2, 2]
