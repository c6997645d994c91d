"""The demonstration: a microscope simulated in one process, its session processed live in this one."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import typer
from rich.console import Console

from eucentric.cli.comparing import Comparison, compare, comparison_table
from eucentric.cli.errors import CommandFailed
from eucentric.cli.looking import Look
from eucentric.cli.picture import picture
from eucentric.cli.preparing import begin_session, fill_in
from eucentric.cli.running import run_session
from eucentric.cli.sites import user
from eucentric.engine.engine import Engine
from eucentric.engine.registry import Registry
from eucentric.microscope.simulate.truth import TRUTH_NAME, read_truth
from eucentric.store import Bell, Database, Site
from eucentric.techniques.workflows import find_workflow

SESSION = "demo"
PIXEL_SIZE = 1.2
DOSE = 40.0
_FEWEST_WITH_FAULTS = 8


def faults_of(exposures: int) -> dict[int, str]:
    """Return which exposures are bad on purpose: one of each kind, unless there are only few exposures."""
    if exposures < _FEWEST_WITH_FAULTS:
        return {exposures: "truncated"} if exposures > 2 else {}
    return {exposures // 4: "empty", exposures // 2: "drifting", 3 * exposures // 4: "truncated"}


class Demo:
    """One demonstration, in a new site."""

    def __init__(self, site: Site, exposures: int, size: int, frames: int, interval: float) -> None:
        """Prepare: nothing is simulated before `run`. Sizes in px, the interval in s."""
        self.site = site
        self.exposures = exposures
        self.microscope = site.folder / "microscope"
        self._arguments = {
            "exposures": exposures,
            "interval": interval,
            "width": size,
            "height": size,
            "frames": frames,
            "pixel-size": PIXEL_SIZE,
            "dose": DOSE,
        }
        self._dose_per_frame = DOSE / frames
        self._simulator: subprocess.Popen[bytes] | None = None
        self._pictured = False

    def run(self, *, inline: bool, svg: Path | None, as_json: bool) -> int:
        """Simulate and process; tell how the results compare with the truth, and return the exit code."""
        with Database.open(self.site) as database:
            self._begin(database)
            bell = Bell(self.site, database)
            try:
                look = run_session(
                    self.site,
                    database,
                    SESSION,
                    inline=inline,
                    until_idle=False,
                    on_look=lambda look, engine: self._seen(look, engine, bell, svg),
                    on_stop=self._stop_simulator,
                )
            finally:
                self._stop_simulator()
            if not (self.microscope / TRUTH_NAME).exists():
                log = self.site.logs_folder / "microscope.log"
                raise CommandFailed(f"The simulated microscope recorded nothing; {log} may say why.")
            compared = compare(self.site, database, SESSION, self.microscope)
        self._tell(compared, look, as_json)
        return 0

    def _begin(self, database: Database) -> None:
        """Make the session, with what a scientist would say of it on the command line."""
        self.microscope.mkdir()
        common = {
            "folders": [str(self.microscope)],
            "gain": str(self.microscope / "gain.mrc"),
            "dose_per_frame": self._dose_per_frame,
        }
        registry = Registry(self.site.protocols_folder)
        workflow = fill_in(find_workflow("single-particle"), registry, common, {})
        begin_session(self.site, database, SESSION, workflow, user())

    def _start_simulator(self) -> None:
        command = [sys.executable, "-m", "eucentric.cli", "simulate", str(self.microscope)]
        for name, value in self._arguments.items():
            command += [f"--{name}", str(value)]
        for number, fault in faults_of(self.exposures).items():
            command += ["--fault", f"{number}={fault}"]
        log = (self.site.logs_folder / "microscope.log").open("wb")
        with log:
            self._simulator = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for this process, which then ends that one
            )

    def _seen(self, look: Look, engine: Engine, bell: Bell, svg: Path | None) -> None:
        """End when the last exposure was found; on the way, take a picture if one is wanted."""
        if self._simulator is None:
            if look.overview.runs:  # the workers are there
                self._start_simulator()
            return
        fitted = sum("ctf" in each.items for each in look.newest)
        if svg is not None and not self._pictured and 3 * fitted >= 2 * self.exposures:
            self._pictured = True
            save_picture(look, svg)
        if self._simulator.poll() is None or engine.until_idle:
            return
        truth = self.microscope / TRUTH_NAME
        if self._simulator.returncode != 0 or not truth.exists():
            engine.stop()
        elif look.found >= len(read_truth(self.microscope).exposures):
            engine.until_idle = True
            bell.ring(f"commands:{SESSION}")

    def _stop_simulator(self) -> None:
        if self._simulator is not None and self._simulator.poll() is None:
            self._simulator.terminate()
            self._simulator.wait()

    def _tell(self, compared: Comparison, look: Look, as_json: bool) -> None:
        if as_json:
            typer.echo(compared.model_dump_json(indent=2))
            return
        console = Console(highlight=False, markup=False)
        console.print()
        console.print(comparison_table(compared))
        console.print()
        console.print(f"Results: {look.folder}", soft_wrap=True)
        console.print(f"Movies and truth: {self.microscope}", soft_wrap=True)
        console.print(f"Look again: eucentric status {SESSION} --site {self.site.folder}", soft_wrap=True)


def save_picture(look: Look, file: Path) -> None:
    """Save what a terminal of 110 columns would show of a session as an SVG file."""
    console = Console(record=True, width=110, file=io.StringIO(), force_terminal=True)
    console.print(picture(look, 110, 32))
    drawn = console.export_svg(title="eucentric demo")
    # Without the fonts that the reader's browser would fetch from elsewhere.
    file.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))
