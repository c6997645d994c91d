import subprocess
import sys
from pathlib import Path

import pytest

from cli.command_line import COMMAND, Cli

COMMANDS = [
    *("demo", "init", "simulate", "run", "continue", "do", "status", "stop", "retry", "revise", "extend"),
    *("close", "reopen", "withdraw", "restore", "protocols", "workflows"),
]


def test_help_names_every_command(cli: Cli) -> None:
    result = cli("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f" {name} " in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(cli: Cli, name: str) -> None:
    result = cli(name, "--help")
    assert result.exit_code == 0
    assert f" {name} " in result.output


@pytest.mark.parametrize("arguments", [["--help"], ["status", "--site", "SITE"]])
def test_light_commands_load_nothing_heavy(sample: Path, arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from eucentric.cli.app import app\n"
        f"app({[str(sample) if each == 'SITE' else each for each in arguments]!r}, standalone_mode=False)\n"
        "sys.exit(', '.join({'torch', 'distributed', 'numba', 'scipy'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stderr.strip() == ""
    assert ended.stdout


def test_an_expected_error_is_one_line_on_stderr(tmp_path: Path) -> None:
    ended = subprocess.run(
        [COMMAND, "status", "--site", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == f"eucentric: {tmp_path} is not a site: it has no eucentric.toml.\n"


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    command = [COMMAND, "--debug", "status", "--site", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr


def test_wrong_usage_ends_with_2(cli: Cli) -> None:
    assert cli("no-such-command").exit_code == 2
    assert cli("run", "single-particle").exit_code == 2
    assert cli("status", "--failures", "-1").exit_code == 2


def test_version(cli: Cli) -> None:
    assert cli("--version").output.startswith("eucentric 0")
