"""`PARAM=VALUE` on the command line."""

import json
from collections.abc import Iterable
from typing import Any

from eucentric.cli.errors import CommandFailed


def value_of(text: str) -> Any:
    """Return the JSON value that `text` is, or the text itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def assignments(given: Iterable[str]) -> dict[str, Any]:
    """Return the values by name of texts such as `bins=20`.

    Raises:
        CommandFailed: One has no name or no equals sign.
    """
    found = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not name or not equals:
            raise CommandFailed(f"--set {each} is not NAME=VALUE; write --set bins=20, for example.")
        found[name] = value_of(text)
    return found


def run_assignments(given: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the values by run and parameter of texts such as `statistics.bins=20`.

    Raises:
        CommandFailed: One is not of this form.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, value in assignments(given).items():
        run, dot, param = name.partition(".")
        if not run or not dot or not param:
            raise CommandFailed(
                f"--set {name}=... names no run; write RUN.PARAM=VALUE, such as --set statistics.bins=20."
            )
        found.setdefault(run, {})[param] = value
    return found
