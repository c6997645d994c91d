import json
import os
import subprocess
from pathlib import Path
from typing import get_args

from cli.command_line import COMMAND, Cli
from eucentric.cli.simulate import FAULTS
from eucentric.microscope.simulate import Fault
from eucentric.microscope.simulate.truth import read_truth

SMALL = ["--width", "96", "--height", "96", "--frames", "3", "--particles", "1", "--dose", "6"]


def test_a_session_is_written(cli: Cli, tmp_path: Path) -> None:
    result = cli("simulate", "m", "--exposures", 2, *SMALL, "--fault", "2=zero-byte", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["exposures"] == 2
    truth = read_truth(tmp_path / "m")
    assert [each.fault for each in truth.exposures] == [None, "zero-byte"]
    assert (truth.settings.width, truth.settings.frames) == (96, 3)
    again = cli("simulate", "m", *SMALL)
    assert again.exit_code == 1
    assert "holds a simulated session already" in again.stderr


def test_layouts_grids_and_metadata_are_as_asked(cli: Cli, tmp_path: Path) -> None:
    grids = ("--grid", "a:pixel_size=1.0,particles=0", "--grid", "b")
    result = cli(
        "simulate", "m", "--exposures", 2, *SMALL, "--layout", "epu", *grids, "--no-metadata", 2
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    truth = read_truth(tmp_path / "m")
    assert [(each.grid, each.pixel_size, each.metadata) for each in truth.exposures] == [
        ("a", 1.0, True),
        ("b", 1.2, False),
    ]
    assert (tmp_path / "m" / "b" / "EpuSession.dm").is_file()
    assert "foo" in cli("simulate", "n", "--grid", "a:foo=1").stderr


def test_all_faults_are_offered() -> None:
    assert get_args(Fault) == FAULTS


def test_impossible_settings_are_explained(cli: Cli) -> None:
    assert "--fault 3=cold" in cli("simulate", "m", "--fault", "3=cold").stderr
    result = cli("simulate", "m", "--min-defocus", 30_000)
    assert result.exit_code == 1
    assert "smaller than min_defocus" in result.stderr


def test_ctrl_c_finishes_what_was_begun(tmp_path: Path) -> None:
    command = [str(COMMAND), "simulate", str(tmp_path), *SMALL, "--exposures", "50", "--interval", "60"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    while not (tmp_path / "truth.json").exists():
        assert process.poll() is None
    process.send_signal(2)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    assert b"Wrote 0 exposures" in out
