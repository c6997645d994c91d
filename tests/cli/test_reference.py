"""The reference page names every command and option, and no other."""

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from eucentric.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"


def commands_of(group: Any, above: str = "") -> dict[str, Any]:
    """All commands by name, those of groups as `deposit prepare`."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        found |= commands_of(command, f"{name} ") if hasattr(command, "commands") else {above + name: command}
    return found


def test_the_reference_names_every_command_and_option() -> None:
    text = PAGE.read_text()
    group = get_command(app)
    said = set(re.findall(r"--[a-z][a-z-]*", text))
    known = {"--help"}
    for name, command in {"": group, **commands_of(group)}.items():
        assert f"`eucentric {name}" in text
        for param in command.params:
            if not getattr(param, "hidden", False):
                options = (*param.opts, *param.secondary_opts)
                known |= {option for option in options if option.startswith("--")}
    assert known - said == set()
    assert said - known == set()
