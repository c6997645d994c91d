import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from cli.command_line import COMMAND
from eucentric.cli.demo_session import faults_of

SMALL = ["--size", "384", "--frames", "8", "--interval", "0", "--inline"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    return {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path / "tmp")}


def test_the_demo_finds_what_is_true(tmp_path: Path, environment: dict[str, str]) -> None:
    picture = tmp_path / "demo.svg"
    command = [str(COMMAND), "demo", *SMALL, "--exposures", "3", "--svg", str(picture), "--json"]
    ended = subprocess.run(
        [*command, "--site", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    first, second, bad = json.loads(ended.stdout)["exposures"]
    for each in (first, second):
        assert each["fault"] is None
        assert abs(each["defocus_error"]) < 1000
        assert each["shift_error"] < 5
        assert each["local_error"] < 5
        assert each["latency"] > 0
        assert each["state"] in ("done", "rejected")
    assert bad["fault"] == "truncated"
    assert bad["outcome"].startswith("failed at movies: ")
    assert "Newest" in picture.read_text()
    assert list((tmp_path / "tmp").glob("eucentric-demo-*")) == []
    assert (tmp_path / "demo" / "sessions" / "demo" / "runs" / "ctf").is_dir()


def test_ctrl_c_ends_the_demo_and_its_microscope(tmp_path: Path, environment: dict[str, str]) -> None:
    site = tmp_path / "demo"
    process = subprocess.Popen(
        [str(COMMAND), "demo", *SMALL, "--exposures", "500", "--site", str(site)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(r"movies [1-9]\d* done", line):
            break
    process.send_signal(2)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    assert "Against the truth" in out
    movies = len(list((site / "microscope").rglob("*_Fractions.tiff")))
    truth = json.loads((site / "microscope" / "truth.json").read_text())
    assert movies == len(truth["exposures"])  # the microscope has ended, and in good order


def test_few_exposures_are_mostly_good() -> None:
    assert faults_of(2) == {}
    assert faults_of(3) == {3: "truncated"}
    assert sorted(faults_of(8).values()) == ["drifting", "empty", "truncated"]
    assert len(faults_of(16)) == 6
