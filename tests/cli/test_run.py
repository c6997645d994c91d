import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.command_line import Cli, Living


@pytest.fixture
def run(cli: Cli, sample: Path, tmp_path: Path) -> Callable[..., object]:
    """Run the sample workflow in this process until it is idle."""
    common = ("run", tmp_path / "sample.json", "--input", tmp_path / "raw", "--site", sample)

    return lambda *more: cli(*common, "--inline", "--until-idle", *more)


def runs_of(cli: Cli, site: Path, session: str) -> dict[str, dict[str, object]]:
    status = json.loads(cli("status", session, "--site", site, "--json").output)
    return {run["name"]: run for run in status["runs"]}


def test_a_folder_is_processed_to_the_end(run: Cli, cli: Cli, sample: Path, tmp_path: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.stderr
    runs = runs_of(cli, sample, "raw")
    assert (runs["files"]["done"], runs["read"]["done"], runs["read"]["waiting"]) == (3, 3, 0)
    made = sample / "sessions" / "raw" / "runs" / "read" / "r1" / "grid"
    assert (made / "b" / "copy.txt").read_text() == "b"
    assert f"Results: {sample / 'sessions' / 'raw'}" in result.stderr


def test_failed_tasks_end_with_3_and_rejected_ones_do_not(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "raw" / "a.txt").write_text("reject")
    assert run().exit_code == 0
    (tmp_path / "raw" / "d.txt").write_text("fail")
    result = run()
    assert result.exit_code == 3
    assert "Failed: read grid/d: ValueError: the file is bad" in result.stderr
    assert "grid/a" not in result.stderr


def test_a_source_that_fails_ends_with_3(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "raw" / ".bad.txt").write_text("a key may not begin with a dot")
    result = run()
    assert result.exit_code == 3
    assert "The source files has failed" in result.stderr


def test_the_same_command_continues_a_session(run: Cli, cli: Cli, sample: Path, tmp_path: Path) -> None:
    assert run().exit_code == 0
    (tmp_path / "raw" / "d.txt").write_text("d")
    assert run().exit_code == 0
    assert runs_of(cli, sample, "raw")["read"]["done"] == 4
    assert len(json.loads(cli("status", "--site", sample, "--json").output)) == 1


def test_another_workflow_does_not_continue_it(run: Cli) -> None:
    assert run().exit_code == 0
    result = run("--set", "read.pause=0.001")
    assert result.exit_code == 1
    assert "its run read has pause = the default, not 0.001" in result.stderr
    assert run("--set", "read.pause=0.001", "--session", "other").exit_code == 0


def test_a_session_that_never_ran_is_compared_as_well(cli: Cli, sample: Path, tmp_path: Path) -> None:
    from eucentric.cli.preparing import begin_session
    from eucentric.engine.workflow import read_workflow
    from eucentric.store import Database, Site

    workflow = read_workflow(tmp_path / "sample.json")
    spec = workflow.runs["files"].model_copy(update={"params": {"folders": ["/x"]}})
    workflow = workflow.model_copy(update={"runs": {**workflow.runs, "files": spec}})
    site = Site.open(sample)
    with Database.open(site) as database:
        assert begin_session(site, database, "s", workflow, "me")
        assert not begin_session(site, database, "s", workflow, "me")
    raw = tmp_path / "raw"
    result = cli("run", tmp_path / "sample.json", "--input", raw, "--site", sample, "--session", "s")
    assert result.exit_code == 1
    assert "folders = ['/x']" in result.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--set", "raed.pause=1"], "has no run raed; it has files, read"),
        (["--set", "pause=1"], "names no run"),
        (["--set", "read.pause=-1"], "parameter pause: Input should be greater than or equal to 0"),
        (["--pixel-size", "1.0"], "No run of the workflow sample takes --pixel-size"),
        (["--gain", "missing.mrc"], "missing.mrc is not a file"),
        (["--session", "a/b"], "cannot name a session"),
    ],
)
def test_mistakes_are_told_before_anything_is_made(
    run: Cli, cli: Cli, sample: Path, more: list[str], said: str
) -> None:
    result = run(*more)
    assert result.exit_code == 1
    assert said in result.stderr
    assert json.loads(cli("status", "--site", sample, "--json").output) == []


def test_an_input_that_is_no_folder(cli: Cli, sample: Path, tmp_path: Path) -> None:
    result = cli("run", tmp_path / "sample.json", "--input", tmp_path / "nowhere", "--site", sample)
    assert result.exit_code == 1
    assert "nowhere is not a folder" in result.stderr


def test_a_site_is_made_where_there_is_none(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "movies").mkdir()
    new = tmp_path / "new"
    command = ("run", "motion-and-ctf", "--input", tmp_path / "movies", "--site", new)
    assert cli(*command, "--inline", "--until-idle").exit_code == 0
    assert (new / "eucentric.toml").exists()


def test_ctrl_c_ends_in_good_order_and_the_session_continues(
    living: Callable[..., Living], cli: Cli, sample: Path, tmp_path: Path
) -> None:
    common = [str(tmp_path / "sample.json"), "--input", str(tmp_path / "raw"), "--inline"]
    engine = living("run", *common)
    engine.until("read 3 done")
    code, said = engine.end()
    assert code == 0
    assert "Stopping in good order" in said
    status = json.loads(cli("status", "raw", "--site", sample, "--json").output)
    assert status["engine"] == "stopped"
    (tmp_path / "raw" / "d.txt").write_text("d")
    assert cli("continue", "raw", "--site", sample, "--inline", "--until-idle").exit_code == 0
    assert runs_of(cli, sample, "raw")["read"]["done"] == 4


def test_a_second_ctrl_c_ends_at_once(living: Callable[..., Living], tmp_path: Path) -> None:
    common = [str(tmp_path / "sample.json"), "--input", str(tmp_path / "raw"), "--inline"]
    engine = living("run", *common, "--set", "read.pause=1000")
    engine.until("1 running")
    engine.process.send_signal(2)
    engine.until("Stopping in good order")
    code, _ = engine.end()
    assert code == 130


def test_a_session_runs_once(living: Callable[..., Living], cli: Cli, sample: Path, tmp_path: Path) -> None:
    engine = living("run", str(tmp_path / "sample.json"), "--input", str(tmp_path / "raw"), "--inline")
    engine.until("read 3 done")
    result = cli("continue", "raw", "--site", sample, "--inline")
    assert result.exit_code == 1
    assert "run by another engine" in result.stderr
