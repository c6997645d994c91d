"""The reference page names every command and option, and no other."""

import re
from pathlib import Path

from typer.main import get_command

from eucentric.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"


def test_the_reference_names_every_command_and_option() -> None:
    text = PAGE.read_text()
    group = get_command(app)
    said = set(re.findall(r"--[a-z][a-z-]*", text))
    known = {"--help"}
    for name, command in {"": group, **group.commands}.items():  # type: ignore[attr-defined]
        assert f"`eucentric {name}" in text
        for param in command.params:
            known |= {option for option in param.opts if option.startswith("--")}
    assert known - said == set()
    assert said - known == {"--out"}  # an option that `do` makes for every protocol
