import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.command_line import Cli, Living
from eucentric.cli.app import app
from eucentric.store import Site

WORKFLOW = {
    "name": "sample",
    "runs": {
        "files": {"protocol": "list-files"},
        "read": {"protocol": "read-file", "inputs": {"file": "files.file"}},
    },
}


@pytest.fixture(autouse=True)
def without_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sessions run without a monitor, which is tested by itself."""
    monkeypatch.setenv("EUCENTRIC_MONITOR", "0")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run a command in this process, in `tmp_path`."""
    monkeypatch.delenv("EUCENTRIC_SITE", raising=False)
    monkeypatch.chdir(tmp_path)
    handlers = logging.root.handlers[:]

    def call(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        logging.root.handlers[:] = handlers
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A site with the sample protocols, beside a folder `raw` of files and the workflow `sample.json`."""
    site = Site.create(tmp_path / "site")
    shutil.copy(Path(__file__).with_name("text_protocols.py"), site.protocols_folder / "sample.py")
    (tmp_path / "sample.json").write_text(json.dumps(WORKFLOW))
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("a", "b", "c"):
        (raw / f"{name}.txt").write_text(name)
    return site.folder


@pytest.fixture
def living(sample: Path) -> Iterator[Callable[..., Living]]:
    """Start `eucentric ...` on the sample site, in another process."""
    started: list[Living] = []

    def start(*arguments: str) -> Living:
        started.append(Living(sample, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()
