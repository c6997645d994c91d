"""A program: where it is, which version it is, and running it."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from eucentric.engine.programs.failure import ProgramFailed, failure, shown
from eucentric.engine.programs.output import Output
from eucentric.engine.programs.process import check, environment_of, run_kept, why_not
from eucentric.engine.protocol import Task

_VERSION_SECONDS = 60.0


@dataclass(frozen=True)
class Finished:
    """How a program's run went.

    Attributes:
        version: The program's version.
        lines: The last lines that it printed (several hundred).
        seconds: How long it took.
        cpu_seconds: CPU time of the program and what it waited for.
        memory: Most memory that one of its processes had, bytes.
    """

    version: str
    lines: tuple[str, ...]
    seconds: float
    cpu_seconds: float
    memory: int


@dataclass(frozen=True)
class Program:
    """An outside program that a plug-in runs.

    Attributes:
        name: Its name among the settings `[programs]`; programs of one suite share it.
        command: The executable's name.
        versions: Which versions the plug-in was made for: ">=3.1,<3.2".
        install: Where it comes from, told when it is missing: "Debian has it as `apt install relion`."
        version_args: The arguments that make it tell its version.
        version_pattern: Finds the version in what it prints then; the first group.
        home: A folder in which it is looked for before PATH: where its plug-in installs it.
    """

    name: str
    command: str
    versions: str
    install: str
    version_args: tuple[str, ...] = ("--version",)
    version_pattern: str = r"(\d+(?:\.\d+)+)"
    home: Path | None = None

    def find(self, site: Path | None) -> tuple[str, ...]:
        """Return the words that begin its command line: where it lies, or what starts it.

        Args:
            site: Folder of the site whose settings say where it is; else it is looked for at its home and in
                PATH.

        Raises:
            ProgramFailed: It is not there.
            SiteError: The site's settings cannot be read.
        """
        setting = _settings(site).get(self.name)
        if setting is None:
            found = (self.home and shutil.which(self.home / self.command)) or shutil.which(self.command)
            where = f"in {self.home} or PATH" if self.home else "in PATH"
        elif isinstance(setting, str):
            place = Path(setting).expanduser()
            found = shutil.which(place / self.command if place.is_dir() else place)
            where = f"at {place} (`{self.name}` in [programs] of eucentric.toml)"
        else:
            found = shutil.which(setting[0])
            where = f"through {' '.join(setting)} (`{self.name}` in [programs] of eucentric.toml)"
        if found is None:
            raise ProgramFailed(
                f"The program {self.command} was not found {where}. {self.install} Where it lies elsewhere,"
                f" say so as `{self.name}` in [programs] of eucentric.toml."
            )
        found = str(Path(found).absolute())
        return (found, *setting[1:], self.command) if isinstance(setting, list) else (found,)

    def version(self, words: Sequence[str]) -> str:
        """Return the version of the program that `words` start, which is asked once as long as it stays.

        Raises:
            ProgramFailed: It does not tell, or it is none that the plug-in was made for.
        """
        stamp = (self, tuple(words), Path(words[0]).stat().st_mtime_ns)
        if stamp not in _known_versions:
            _known_versions[stamp] = self._ask_version(words)
        return _known_versions[stamp]

    def _ask_version(self, words: Sequence[str]) -> str:
        output = Output(None)
        with tempfile.TemporaryDirectory(prefix="eucentric-") as folder, tempfile.TemporaryFile() as nothing:
            env = environment_of(cpus=1, device="cpu")
            until = time.monotonic() + _VERSION_SECONDS
            told = run_kept([*words, *self.version_args], nothing, Path(folder), env, output, until)
        said = "\n".join(output.last)
        if told is None:
            raise ProgramFailed(f"{words[0]} did not tell its version within a minute.{shown(output.last)}")
        if told[0] != "ended":
            raise ProgramFailed(f"{words[0]} cannot be started: {why_not(told)}.")
        found = re.search(self.version_pattern, said)
        try:
            version = Version(found.group(1)) if found else None
        except InvalidVersion:
            version = None
        if version is None:
            raise ProgramFailed(
                f"{' '.join(words)} does not tell its version as {self.command} does.{shown(output.last)}"
            )
        if not SpecifierSet(self.versions, prereleases=True).contains(version):
            raise ProgramFailed(
                f"{' '.join(words)} is version {version}, but {self.versions} is needed. {self.install}"
                f" Where a fitting version lies, say as `{self.name}` in [programs] of eucentric.toml."
            )
        return str(version)

    def run(
        self,
        arguments: Sequence[str | Path | float],
        task: Task,
        *,
        folder: Path,
        expects: Sequence[str] = (),
        launcher: Sequence[str] = (),
        answers: str | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
        watch: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run the program until it ends; its output goes to the task's log.

        It dies with this process, and all that it began with it. It may use `task.cpus` threads (in the usual
        variables; tell it by its own option too), and no GPU unless the task has one.

        Args:
            arguments: What follows the program's name.
            task: The task it works for.
            folder: Its working folder: that of a `Workplace`.
            expects: Names within `folder` of files that it must have written.
            launcher: Words that start it, before its name: `("mpirun", "-n", "3")`.
            answers: What is given to it as standard input; nothing by default.
            environment: Further environment variables.
            timeout: Seconds after which it is ended.
            watch: Called with every line, and every state of a line that is written over (progress bars).

        Raises:
            ProgramFailed: It is missing, not of the right version, crashed, took too long, or did not write
                what it should; the message names it and shows its last lines.
            NoSpaceForProgram: There was no space for what it wrote.
        """
        words = self.find(task.site)
        version = self.version(words)
        if launcher and len(words) == 1 and shutil.which(launcher[0]) is None:
            raise ProgramFailed(f"{self.command} is started by {launcher[0]}, which was not found in PATH.")
        command = [*words[:-1], *launcher, words[-1], *map(str, arguments)]
        task.log.info("%s %s: %s", self.command, version, " ".join(command))
        who = f"{self.command} {version}"
        output = Output(task.log, watch)
        env = environment_of(task.cpus, task.device) | dict(environment or {})
        begun = time.monotonic()
        with tempfile.TemporaryFile(dir=folder) as stdin:
            stdin.write((answers or "").encode())
            stdin.seek(0)
            told = run_kept(command, stdin, folder, env, output, None if timeout is None else begun + timeout)
        lines = tuple(output.last)
        if told is None:
            raise failure(who, f"was ended after {timeout:g} seconds", lines, folder)
        if told[0] != "ended":
            raise ProgramFailed(f"{who} did not run to its end: {why_not(told)}.{shown(lines)}")
        check(who, int(told[1]), lines, folder, expects)
        done = Finished(version, lines, time.monotonic() - begun, float(told[2]), int(told[3]) * 1024)
        task.log.info(
            "%s took %.1f s (%.1f CPU s) and %.2f GB",
            self.command,
            done.seconds,
            done.cpu_seconds,
            done.memory / 1e9,
        )
        return done


_known_versions: dict[tuple[Program, tuple[str, ...], int], str] = {}


def _settings(site: Path | None) -> Mapping[str, str | list[str]]:
    """Return where the site's settings say that programs are."""
    from eucentric.store.site import SETTINGS, Site  # with the database's library, which workers do without

    if site is None or not (site / SETTINGS).is_file():
        return {}
    return Site.open(site).settings.programs
