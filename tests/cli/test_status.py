import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from cli.command_line import COMMAND, Cli, Living


def begin(cli: Cli, site: Path, folder: Path) -> None:
    arguments = (folder / "sample.json", "--input", folder / "raw", "--site", site)
    cli("run", *arguments, "--inline", "--until-idle")


def test_an_empty_site(cli: Cli, sample: Path) -> None:
    assert "no session yet" in cli("status", "--site", sample).output
    assert json.loads(cli("status", "--site", sample, "--json").output) == []


def test_sessions_are_listed_newest_first(cli: Cli, sample: Path, tmp_path: Path) -> None:
    begin(cli, sample, tmp_path)
    arguments = (tmp_path / "sample.json", "--input", tmp_path / "raw", "--site", sample)
    cli("run", *arguments, "--inline", "--until-idle", "--session", "second")
    lines = cli("status", "--site", sample).output.splitlines()
    assert [line.split()[0] for line in lines] == ["session", "second", "raw"]
    assert lines[2].split()[3:5] == ["stopped", "3"]


def test_failures_are_shown_with_reason_and_log(cli: Cli, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "raw" / "b.txt").write_text("fail")
    (tmp_path / "raw" / "c.txt").write_text("reject")
    (tmp_path / "raw" / "unreadable.txt").write_text("")
    begin(cli, sample, tmp_path)
    text = cli("status", "raw", "--site", sample).output
    assert "failed: read grid/b: ValueError: the file is bad" in text
    assert "rejected: read grid/c: the file says so" in text
    assert "failed: files grid/unreadable: unreadable.txt cannot be read" in text
    log = next(line for line in text.splitlines() if line.startswith("  log: ")).removeprefix("  log: ")
    assert "ValueError" in Path(log).read_text()
    found = json.loads(cli("status", "raw", "--site", sample, "--json", "--failures", 1).output)
    assert len(found["failures"]) == 1


def test_an_unknown_session(cli: Cli, sample: Path) -> None:
    result = cli("status", "nobody", "--site", sample)
    assert result.exit_code == 1
    assert "no session nobody" in result.stderr


def test_an_engine_that_was_killed_is_called_interrupted(
    living: Callable[..., Living], cli: Cli, sample: Path, tmp_path: Path
) -> None:
    engine = living("run", str(tmp_path / "sample.json"), "--input", str(tmp_path / "raw"), "--inline")
    engine.until("read 3 done")
    engine.process.kill()
    engine.process.wait()
    assert json.loads(cli("status", "raw", "--site", sample, "--json").output)["engine"] == "interrupted"


def test_watch_draws_a_picture_until_ctrl_c(cli: Cli, sample: Path, tmp_path: Path) -> None:
    begin(cli, sample, tmp_path)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "LINES": "40", "TERM": "xterm-256color"}
    command = [str(COMMAND), "status", "raw", "--watch", "--site", str(sample)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = ""
    while "Newest exposures" not in seen or "throughput" not in seen:
        seen += os.read(ours, 10_000).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    while True:
        try:
            seen += os.read(ours, 10_000).decode(errors="replace")
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert process.wait(timeout=100) == 0
    assert "session raw" in seen
    assert "\x1b[?25h" in seen  # the cursor is there again


def test_watch_needs_a_session(cli: Cli, sample: Path) -> None:
    assert cli("status", "--watch", "--site", sample).exit_code == 1
