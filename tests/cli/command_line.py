"""The command line in tests: the installed command, and sessions that live in another process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

COMMAND = Path(sys.executable).with_name("eucentric")

Cli = Callable[..., Result]
"""Runs a command in the test's own process."""


class Living:
    """A session whose engine runs in another process."""

    def __init__(self, site: Path, *arguments: str) -> None:
        command = [str(COMMAND), *arguments, "--site", str(site)]
        self.site = site
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )

    def until(self, word: str) -> str:
        """Read lines of stderr until one holds the word."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if word in line:
                return line
        raise AssertionError(f"the command ended before it said {word!r}")

    def end(self) -> tuple[int, str]:
        """Press Ctrl-C, and return the exit code and what else it said on stderr."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=100)
        return self.process.returncode, said
