"""The commands that ask a session's engine for something."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.command_line import Cli, Living


def status(cli: Cli, site: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cli("status", "raw", "--site", site, "--json").output)
    return found


def run_of(cli: Cli, site: Path, name: str) -> dict[str, Any]:
    return next(run for run in status(cli, site)["runs"] if run["name"] == name)


@pytest.fixture
def idle(cli: Cli, sample: Path, tmp_path: Path) -> Path:
    """The site with a session `raw` that has been worked on to the end, with one failure."""
    (tmp_path / "raw" / "c.txt").write_text("fail")
    arguments = (tmp_path / "sample.json", "--input", tmp_path / "raw", "--site", sample)
    assert cli("run", *arguments, "--inline", "--until-idle").exit_code == 3
    return sample


@pytest.fixture
def go_on(cli: Cli, idle: Path) -> Callable[[], None]:
    """Continue the session until it is idle."""

    def call() -> None:
        assert cli("continue", "raw", "--site", idle, "--inline", "--until-idle").exit_code in (0, 3)

    return call


def test_what_is_asked_of_a_sleeping_session_is_noted(
    cli: Cli, idle: Path, go_on: Callable[[], None], tmp_path: Path
) -> None:
    (tmp_path / "raw" / "c.txt").write_text("mended")
    result = cli("retry", "raw", "read", "--site", idle)
    assert result.exit_code == 0
    assert "when the session raw is continued" in result.output
    assert run_of(cli, idle, "read")["failed"] == 1
    go_on()
    assert run_of(cli, idle, "read")["failed"] == 0
    assert run_of(cli, idle, "read")["done"] == 3


def test_withdraw_and_restore(cli: Cli, idle: Path, go_on: Callable[[], None]) -> None:
    assert cli("withdraw", "raw", "files", "a", "--reason", "ice", "--site", idle).exit_code == 0
    go_on()
    assert run_of(cli, idle, "files")["done"] == 2
    assert run_of(cli, idle, "files")["withdrawn"] == 1
    assert cli("restore", "raw", "files", "grid/a", "--site", idle).exit_code == 0
    go_on()
    assert run_of(cli, idle, "files")["done"] == 3
    assert run_of(cli, idle, "files")["withdrawn"] == 0


def test_revise_keeps_the_other_parameters(cli: Cli, idle: Path, go_on: Callable[[], None]) -> None:
    for number, setting in enumerate(("lenient=true", "pause=0.001"), 2):
        assert cli("revise", "raw", "read", "--set", setting, "--site", idle).exit_code == 0
        go_on()
        run = run_of(cli, idle, "read")
        assert (run["revision"], run["done"], run["failed"]) == (number, 3, 0)


def test_revise_takes_a_default_again(cli: Cli, idle: Path, go_on: Callable[[], None]) -> None:
    (idle.parent / "raw" / "bad.txt").write_text("fail")
    cli("revise", "raw", "read", "--set", "lenient=true", "--site", idle)
    go_on()
    assert run_of(cli, idle, "read")["failed"] == 0
    assert cli("revise", "raw", "read", "--reset", "lenient", "--site", idle).exit_code == 0
    go_on()
    assert run_of(cli, idle, "read")["failed"] == 1 + 1  # that of the sample and this one


def test_revise_to_nothing_is_none_and_not_the_default(cli: Cli, idle: Path) -> None:
    refused = cli("revise", "raw", "read", "--set", "pause=null", "--site", idle)
    assert refused.exit_code == 0  # noted; the engine says what it thinks of it when it is there
    cli("continue", "raw", "--site", idle, "--until-idle", "--inline")
    assert run_of(cli, idle, "read")["revision"] == 1


def test_extend_adds_runs_that_catch_up(
    cli: Cli, idle: Path, go_on: Callable[[], None], tmp_path: Path
) -> None:
    file = tmp_path / "more.json"
    again = {"protocol": "read-file", "inputs": {"file": "files.file"}, "params": {"lenient": True}}
    file.write_text(json.dumps({"name": "more", "runs": {"again": again}}))
    assert cli("extend", "raw", file, "--site", idle).exit_code == 0
    go_on()
    assert run_of(cli, idle, "again")["done"] == 3


def test_close_and_reopen_a_source(cli: Cli, idle: Path, go_on: Callable[[], None], tmp_path: Path) -> None:
    assert cli("close", "raw", "files", "--site", idle).exit_code == 0
    (tmp_path / "raw" / "late.txt").write_text("late")
    go_on()
    assert run_of(cli, idle, "files")["closed"]
    assert cli("reopen", "raw", "files", "--site", idle).exit_code == 0
    go_on()
    assert run_of(cli, idle, "files")["done"] == 4


def test_stop_asks_nothing_of_a_sleeping_session(cli: Cli, idle: Path, go_on: Callable[[], None]) -> None:
    assert cli("stop", "raw", "--site", idle).output == "No engine runs the session raw.\n"
    go_on()
    assert run_of(cli, idle, "read")["done"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stop", "nobody"], "no session nobody"),
        (["retry", "nobody", "read"], "no session nobody; there are raw"),
        (["retry", "raw", "read", "z"], "z is not there"),
        (["retry", "raw", "reed", "a"], "no run reed; it has files, read"),
        (["revise", "raw", "reed"], "no run reed; it has files, read"),
        (["revise", "raw", "read", "--set", "pause"], "not NAME=VALUE"),
        (["extend", "raw", "nothing.json"], "no workflow nothing.json"),
    ],
)
def test_mistakes_are_told(cli: Cli, idle: Path, arguments: list[str], said: str) -> None:
    result = cli(*arguments, "--site", idle)
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_living_engine_answers(living: Callable[..., Living], cli: Cli, idle: Path, tmp_path: Path) -> None:
    engine = living("continue", "raw", "--inline")
    engine.until("read 2 done")
    assert status(cli, idle)["engine"] == "running"
    (tmp_path / "raw" / "c.txt").write_text("mended")
    result = cli("retry", "raw", "read", "c", "--site", idle)
    assert result.output == "Done: what failed in run read is tried again.\n"
    engine.until("read 3 done")
    refused = cli("close", "raw", "read", "--site", idle)
    assert refused.exit_code == 1
    assert "The engine refused: The run read is not a source" in refused.stderr
    refused = cli("revise", "raw", "read", "--set", "pause=-1", "--site", idle)
    assert "parameter pause" in refused.stderr
    assert cli("stop", "raw", "--site", idle).output == "Done: the engine ends.\n"
    assert engine.process.wait(timeout=100) == 0
    assert status(cli, idle)["engine"] == "stopped"


def test_a_result_is_computed_again_and_compared(cli: Cli, idle: Path) -> None:
    again = cli("recompute", "raw", "read", "a", "--site", idle)
    assert again.exit_code == 0, again.output
    assert "the same to the last bit" in again.output
    compared = json.loads(cli("recompute", "raw", "read", "a", "--site", idle, "--json").output)
    assert compared["same_items"]
    assert compared["same_code"]


def test_a_result_that_is_not_there_cannot_be_computed_again(cli: Cli, idle: Path) -> None:
    result = cli("recompute", "raw", "read", "nothing", "--site", idle)
    assert result.exit_code == 1
    assert "nothing" in result.output
