"""A virtual environment of its own for a program that comes from PyPI.

Such programs want other versions of libraries than Eucentric has, or are under licences whose code it must
not import. They are installed beside it and only ever run.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eucentric.engine.programs.failure import ProgramFailed
from eucentric.engine.programs.process import environment_of
from eucentric.engine.programs.program import Program


@dataclass(frozen=True)
class Environment:
    """What a virtual environment is made of.

    Attributes:
        name: Its name among the settings `[programs]`, and of its folder.
        alone: What is installed without what it asks for: "topaz-em==0.3.20".
        requirements: What it truly needs, found by running it.
    """

    name: str
    alone: tuple[str, ...]
    requirements: tuple[str, ...]

    @property
    def home(self) -> Path:
        """Where it lies unless another folder is given: beside Eucentric's own packages."""
        return Path(sys.prefix) / "share" / "eucentric" / self.name

    def install(self, folder: Path | None = None, say: Callable[[str], None] = print) -> Path:
        """Make the environment, or complete one that is there; what pip does is printed as it goes.

        Args:
            folder: Where; `home` by default.
            say: Is told what is done.

        Returns:
            The folder that holds its programs.

        Raises:
            ProgramFailed: The folder holds something else, or a package could not be installed.
        """
        folder = (folder or self.home).expanduser().absolute()
        if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").is_file():
            raise ProgramFailed(f"{folder} is not empty and no virtual environment; give another folder.")
        say(f"Making the virtual environment {folder}")
        self._run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
        say(f"Installing {', '.join(self.requirements)}; this takes some minutes")
        self._run([*pip, *self.requirements])
        say(f"Installing {', '.join(self.alone)}")
        self._run([*pip, "--no-deps", *self.alone])
        return folder / "bin"

    def _run(self, command: list[str]) -> None:
        environment = environment_of(cpus=os.cpu_count() or 1, device="cpu")
        if code := subprocess.run(command, env=environment, check=False).returncode:
            raise ProgramFailed(
                f"The environment of {self.name} could not be made: `{' '.join(command)}` ended with"
                f" exit code {code}; what it printed says why. Started again, it goes on where it was."
            )


def main(
    environment: Environment,
    program: Program,
    finish: Callable[[Path], None] = lambda _folder: None,
    arguments: Sequence[str] | None = None,
) -> None:
    """Be the command `eucentric-NAME install [FOLDER]` of a plug-in.

    Args:
        environment: What is installed.
        program: What it is installed for; asked for its version in the end.
        finish: Is given the folder of programs once everything is installed.
        arguments: Instead of those of the process.
    """
    parser = argparse.ArgumentParser(prog=f"eucentric-{environment.name}")
    commands = parser.add_subparsers(required=True)
    what = f"make the virtual environment in which {program.command} runs: {', '.join(environment.alone)}"
    install = commands.add_parser("install", help=what, description=what.capitalize())
    install.add_argument("folder", nargs="?", type=Path, help=f"where; by default {environment.home}")
    folder = parser.parse_args(arguments).folder
    try:
        found = environment.install(folder)
        finish(found)
        version = program.version((str(found / program.command),))
    except ProgramFailed as failed:
        sys.exit(str(failed))
    lines = [f"{', '.join(environment.alone)} is ready ({version})."]
    if found.parent != environment.home:
        lines += ["Say so in the site's eucentric.toml:", "[programs]", f'{environment.name} = "{found}"']
    sys.stdout.write("\n".join(lines) + "\n")
