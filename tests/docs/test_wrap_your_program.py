"""What the how-to on wrapping a program says is done here as it stands there, and gives what it shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eucentric.engine.registry import Registry
from eucentric.engine.workflow import read_workflow
from eucentric.formats import write_mrc

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/wrap-your-program.md"
EXAMPLE = ROOT / "examples/eucentric-gzip"
ELSEWHERE = ("mkdir", "cd", "pip install")  # the files are copied, and `make setup` has installed them
IN_A_SESSION = ("eucentric extend",)


def commands() -> list[tuple[str, list[str]]]:
    """Return every command of the page, and the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line:
                found[-1][1].append(line.strip())
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder as a reader has it after the first part, and an image."""
    shutil.copytree(EXAMPLE, tmp_path / "eucentric-gzip", ignore=shutil.ignore_patterns("*.egg-info"))
    write_mrc(tmp_path / "eucentric-gzip/image.mrc", np.zeros((64, 64), np.float32), 1.5)
    return tmp_path / "eucentric-gzip"


def test_the_commands_give_what_the_page_shows(folder: Path) -> None:
    run = [each for each in commands() if not each[0].startswith((*ELSEWHERE, *IN_A_SESSION))]
    assert len(run) == 6
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "100",
    }
    environment.pop("EUCENTRIC_SITE", None)
    for command, shown in run:
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        printed = " ".join((done.stdout + done.stderr).split())
        for line in shown:
            assert " ".join(line.split()) in printed, command
        fails = any(line.startswith("eucentric: ") for line in shown)
        assert done.returncode == (1 if fails else 0), printed


def test_the_files_on_the_page_are_those_that_are_tested() -> None:
    text = PAGE.read_text()
    for file in (*EXAMPLE.glob("*.toml"), *EXAMPLE.glob("*.json"), *EXAMPLE.rglob("*.py")):
        assert f"literalinclude}} ../../{file.relative_to(ROOT)}\n" in text
    assert "pack-micrograph" in Registry()
    assert {run.protocol for run in read_workflow(EXAMPLE / "pack.json").runs.values()} == {"pack-micrograph"}
