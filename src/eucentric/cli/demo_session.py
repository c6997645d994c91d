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
DIAMETER = 150.0
"""Å, of GroEL: all that the demonstration is told."""
GRIDS = ("grid1:pixel_size=1.2", "grid2:pixel_size=1.0,particles=20")
_FEWEST_WITH_FAULTS = 8
_WITHOUT_METADATA = 3  # the exposure whose values are to be taken from the others of its grid
_FAULTS = ("empty", "carbon", "drifting", "crystalline-ice", "truncated", "dropped-frames")


def faults_of(exposures: int) -> dict[int, str]:
    """Return which exposures are bad on purpose: one of each kind, unless there are only few exposures."""
    if exposures < _FEWEST_WITH_FAULTS:
        return {exposures: "truncated"} if exposures > 2 else {}
    kinds = _FAULTS if exposures >= 2 * _FEWEST_WITH_FAULTS else _FAULTS[::2]
    return {(n + 1) * exposures // (len(kinds) + 1): kind for n, kind in enumerate(kinds)}


class Demo:
    """One demonstration, in a new site."""

    def __init__(
        self, site: Site, layout: str, exposures: int, size: int, frames: int, interval: float
    ) -> None:
        """Prepare: nothing is simulated before `run`. Sizes in px, the interval in s."""
        self.site = site
        self.exposures = exposures
        self.microscope = site.folder / "microscope"
        self._arguments = {
            "layout": layout,
            "exposures": exposures,
            "interval": interval,
            "width": size,
            "height": size,
            "frames": frames,
        }
        self._simulator: subprocess.Popen[bytes] | None = None
        self._pictured = False

    def run(self, *, inline: bool, monitor: bool, svg: Path | None, as_json: bool) -> int:
        """Simulate and process; tell how the results compare with the truth, and return the exit code."""
        with Database.open(self.site) as database, Bell(self.site, database) as bell:
            self._begin(database)
            try:
                look = run_session(
                    self.site,
                    database,
                    SESSION,
                    inline=inline,
                    monitor=monitor,
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
        """Make the session, with all that a scientist needs to type: the folder and the diameter."""
        self.microscope.mkdir()
        common = {"folders": [str(self.microscope)], "diameter": DIAMETER}
        registry = Registry(self.site.protocols_folder)
        workflow = fill_in(find_workflow("single-particle"), registry, common, {})
        begin_session(self.site, database, SESSION, workflow, user())

    def _start_simulator(self) -> None:
        command = [sys.executable, "-m", "eucentric.cli", "simulate", str(self.microscope)]
        for name, value in self._arguments.items():
            command += [f"--{name}", str(value)]
        for grid in GRIDS:
            command += ["--grid", grid]
        if self.exposures >= _FEWEST_WITH_FAULTS:
            command += ["--no-metadata", str(_WITHOUT_METADATA)]
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
        report = look.folder / "report" / "index.html"
        if report.exists():
            console.print(f"Report: {report}", soft_wrap=True)
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
