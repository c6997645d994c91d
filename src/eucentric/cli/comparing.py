"""Comparing the results of a simulated session with what is true of it."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Group, RenderableType
from rich.table import Table

from eucentric.cli.looking import latency_of
from eucentric.engine.follower import SessionFollower
from eucentric.engine.overview import ExposureOverview, Failure
from eucentric.engine.sessions import session_id_of
from eucentric.formats import read_shifts_star
from eucentric.metadata.units import Angstrom, Degree, Second
from eucentric.microscope.simulate.truth import ExposureTruth, read_truth
from eucentric.store import Database, Site

CLEAR_ASTIGMATISM = 100.0
"""Å; below it the direction of astigmatism means little."""


class ComparedExposure(BaseModel):
    """How far the results of one exposure are from the truth; None where there is no result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    fault: str | None = Field(description="What was wrong with it on purpose.")
    outcome: str = Field(description="What became of it.")
    defocus_error: Angstrom | None = Field(default=None, description="Mean defocus, found minus true.")
    astigmatism_error: Angstrom | None = Field(default=None, description="Astigmatism, found minus true.")
    angle_error: Degree | None = Field(
        default=None, description="Its direction, found minus true, where astigmatism is clear."
    )
    shift_error: Angstrom | None = Field(
        default=None, description="Root mean square error of the position over all frames."
    )
    latency: Second | None = Field(default=None, description="From the movie's last byte to its CTF.")


class Comparison(BaseModel):
    """A whole session against its truth; the numbers are of exposures with no fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exposures: list[ComparedExposure]

    @property
    def good(self) -> list[ComparedExposure]:
        """Those with no fault."""
        return [each for each in self.exposures if each.fault is None]


def compare(site: Site, database: Database, session: str, truth: Path) -> Comparison:
    """Compare a session's results with the `truth.json` in the folder `truth`."""
    with database.read() as connection:
        follower = SessionFollower(session_id_of(connection, session))
        follower.update(connection)
        found = follower.exposures(connection, follower.found())
        failures = follower.failures(connection, 1000)
    by_key = {each.path[-1]: each for each in found}
    why = {each.path.rpartition("/")[2]: each for each in failures}
    folder = site.session_folder(session)
    return Comparison(
        exposures=[
            _compare(each, by_key.get(Path(each.name).stem), why.get(Path(each.name).stem), folder)
            for each in read_truth(truth).exposures
        ]
    )


def _compare(
    truth: ExposureTruth, found: ExposureOverview | None, failure: Failure | None, folder: Path
) -> ComparedExposure:
    known = {"name": Path(truth.name).stem, "fault": truth.fault}
    if failure is not None:
        return ComparedExposure(**known, outcome=f"{failure.state} at {failure.run}: {failure.reason}")
    if found is None or "ctf" not in found.items:
        return ComparedExposure(**known, outcome="no result")
    ctf = found.items["ctf"].data
    micrograph = found.items["micrograph"].data
    true_astigmatism = truth.defocus_u - truth.defocus_v
    turned = (ctf["defocus_angle"] - truth.defocus_angle + 90) % 180 - 90
    return ComparedExposure(
        **known,
        outcome=f"moved {micrograph['motion_total']:.0f} Å, rings to {ctf['resolution']:.1f} Å,"
        f" score {ctf['score']:.2f}",
        defocus_error=(ctf["defocus_u"] + ctf["defocus_v"] - truth.defocus_u - truth.defocus_v) / 2,
        astigmatism_error=ctf["defocus_u"] - ctf["defocus_v"] - true_astigmatism,
        angle_error=turned if true_astigmatism >= CLEAR_ASTIGMATISM else None,
        shift_error=_shift_error(folder / micrograph["shifts_path"], truth),
        latency=latency_of(found),
    )


def _shift_error(star: Path, truth: ExposureTruth) -> float:
    """Return the root mean square error of the position in Å; a constant offset means nothing."""
    difference = read_shifts_star(star).shifts - np.array(truth.shifts_angstrom)
    difference -= difference.mean(axis=0)
    return float(math.sqrt((difference**2).sum(axis=1).mean()))


def comparison_table(comparison: Comparison) -> RenderableType:
    """Draw the comparison: the good exposures in numbers, the bad ones by what became of them."""
    good = comparison.good
    table = Table("", "median error", "largest", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for label, unit, name in (
        ("defocus", "Å", "defocus_error"),
        ("astigmatism", "Å", "astigmatism_error"),
        ("its direction", "°", "angle_error"),
        ("position of the specimen in a frame", "Å", "shift_error"),
    ):
        values = [abs(value) for each in good if (value := getattr(each, name)) is not None]
        table.add_row(label, *_numbers(values, unit))
    waits = [each.latency for each in good if each.latency is not None]
    done = sum(each.defocus_error is not None for each in good)
    lines = [f"Against the truth, over {done} of {len(good)} good exposures:"]
    if waits:
        lines.append(
            f"From a movie's last byte to its CTF: {statistics.median(waits):.1f} s (median),"
            f" {max(waits):.1f} s (longest)."
        )
    bad = Table("bad on purpose", "", "what became of it", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for each in comparison.exposures:
        if each.fault is not None:
            bad.add_row(each.name, each.fault, each.outcome)
    return Group(lines[0], table, *lines[1:], *([bad] if bad.row_count else []))


def _numbers(values: Sequence[float], unit: str) -> tuple[str, str]:
    if not values:
        return "·", "·"
    digits = 2 if max(values) < 2 else 0
    return f"{statistics.median(values):.{digits}f} {unit}", f"{max(values):.{digits}f} {unit}"
