"""Comparing the results of a simulated session with what is true of it."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Group, RenderableType
from rich.table import Table

from eucentric.cli.comparing_picks import PickScore, score_picks
from eucentric.cli.looking import latency_of
from eucentric.engine.follower import SessionFollower
from eucentric.engine.overview import ExposureOverview, Failure
from eucentric.engine.sessions import session_id_of
from eucentric.formats import FrameShifts, read_shifts_star
from eucentric.formats.star_particles import read_coordinates_star
from eucentric.metadata.units import Angstrom, Degree, Second
from eucentric.microscope.simulate.truth import ExposureTruth, read_truth
from eucentric.store import Database, Site

CLEAR_ASTIGMATISM = 100.0
"""Å; below it the direction of astigmatism means little."""


class ComparedExposure(BaseModel):
    """How far the results of one exposure are from the truth; None where there is no result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the movie, without its ending.")
    number: int = Field(description="Counted from 1 through the session.")
    fault: str | None = Field(description="What was wrong with it on purpose.")
    state: Literal["done", "rejected", "failed", "no result"] = Field(description="What became of it.")
    outcome: str = Field(description="The same with its figures or reasons.")
    defocus_error: Angstrom | None = Field(default=None, description="Mean defocus, found minus true.")
    astigmatism_error: Angstrom | None = Field(default=None, description="Astigmatism, found minus true.")
    angle_error: Degree | None = Field(
        default=None, description="Its direction, found minus true, where astigmatism is clear."
    )
    shift_error: Angstrom | None = Field(
        default=None, description="Root mean square error of the field's position over all frames."
    )
    local_error: Angstrom | None = Field(
        default=None, description="The same of every point of the field, its own motion included."
    )
    picking: PickScore | None = Field(default=None, description="Picks against particles.")
    latency: Second | None = Field(default=None, description="From the movie's last byte to its CTF.")


class Comparison(BaseModel):
    """A whole session against its truth; the numbers are of exposures with no fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exposures: list[ComparedExposure]

    @property
    def good(self) -> list[ComparedExposure]:
        """Those with no fault."""
        return [each for each in self.exposures if each.fault is None]

    @property
    def picking(self) -> PickScore | None:
        """Picks against particles over all good exposures; None where nothing was picked."""
        scores = [each.picking for each in self.good if each.picking is not None]
        return PickScore(*map(sum, zip(*scores, strict=True))) if scores else None


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
    known: dict[str, Any] = {"name": Path(truth.name).stem, "number": truth.number, "fault": truth.fault}
    items = {kind: made.data for kind, made in found.items.items()} if found else {}
    if found is not None and "ctf" in items:
        known |= _imaging_errors(truth, items, folder) | {"latency": latency_of(found)}
    if failure is not None:
        outcome = f"{failure.state} at {failure.run}: {failure.reason}"
        return ComparedExposure(**known, state=failure.state, outcome=outcome)
    if "ctf" not in items:
        return ComparedExposure(**known, state="no result", outcome="no result")
    picked = f", {items['coordinates']['count']} particles" if "coordinates" in items else ""
    moved, resolution = items["micrograph"]["motion_total"], items["ctf"]["resolution"]
    outcome = f"moved {moved:.0f} Å, rings to {resolution:.1f} Å{picked}"
    return ComparedExposure(
        **known, state="done", outcome=outcome, picking=_pick_score(truth, items.get("coordinates"), folder)
    )


def _imaging_errors(truth: ExposureTruth, items: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Return by how much the CTF and the motion differ from the truth, by field of `ComparedExposure`."""
    ctf = items["ctf"]
    true_astigmatism = truth.defocus_u - truth.defocus_v
    turned = (ctf["defocus_angle"] - truth.defocus_angle + 90) % 180 - 90
    motion = read_shifts_star(folder / items["micrograph"]["shifts_path"])
    return {
        "defocus_error": (ctf["defocus_u"] + ctf["defocus_v"] - truth.defocus_u - truth.defocus_v) / 2,
        "astigmatism_error": ctf["defocus_u"] - ctf["defocus_v"] - true_astigmatism,
        "angle_error": turned if true_astigmatism >= CLEAR_ASTIGMATISM else None,
        "shift_error": _spread(motion.shifts - np.array(truth.shifts_angstrom)),
        "local_error": _local_error(motion, truth),
    }


def _spread(difference: NDArray[np.float64]) -> float:
    """Return the root mean square length of differences [frame, ..., 2]; a constant one means nothing."""
    difference = difference - difference.mean(axis=0)
    return float(math.sqrt((difference**2).sum(axis=-1).mean()))


def _local_error(motion: FrameShifts, truth: ExposureTruth) -> float:
    """Return the error of the position in Å over all frames and a grid of 7 × 7 points of the field."""
    v, u = (np.mgrid[:7, :7].reshape(2, -1) + 0.5) / 7 - 0.5
    polynomials = np.stack((u, v, u**2 - 1 / 12, u * v, v**2 - 1 / 12))
    local = np.array((truth.local_motion.x, truth.local_motion.y)) @ polynomials  # [axis, point]
    true = (
        np.array(truth.shifts_angstrom)[:, None]
        + np.array(truth.local_motion.course)[:, None, None] * local.T
    )
    found = np.repeat(motion.shifts[:, None], len(u), axis=1)
    if motion.model is not None:
        times = np.arange(len(motion.shifts))[:, None] ** np.arange(1, 4)  # [frame, power]
        terms = np.stack((np.ones_like(u), u, u**2, v, v**2, u * v))
        found = found + np.einsum("atp,fp,tn->fna", motion.model, times, terms)
    return _spread(found - true)


def _pick_score(truth: ExposureTruth, coordinates: dict[str, Any] | None, folder: Path) -> PickScore | None:
    if coordinates is None:
        return None
    picks = read_coordinates_star(folder / coordinates["path"])[["x", "y"]].to_numpy(float)
    scale = truth.pixel_size / coordinates["pixel_size"]  # a binned micrograph has fewer pixels
    visible, hidden = (
        np.array(each, float).reshape(-1, 2) * scale for each in (truth.particles, truth.hidden_particles)
    )
    shape = (coordinates["height"], coordinates["width"])
    return score_picks(picks, visible, hidden, shape, coordinates["diameter"] / coordinates["pixel_size"])


def comparison_table(comparison: Comparison) -> RenderableType:
    """Draw the comparison: the good exposures in numbers, the bad ones by what became of them."""
    good = comparison.good
    table = Table("", "median error", "largest", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for label, unit, name in (
        ("defocus", "Å", "defocus_error"),
        ("astigmatism", "Å", "astigmatism_error"),
        ("its direction", "°", "angle_error"),
        ("position of the field in a frame", "Å", "shift_error"),
        ("position of a point in a frame", "Å", "local_error"),
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
    if (picking := comparison.picking) is not None:
        lines.append(
            f"Particles: {picking.hits} of {picking.particles} were picked (recall {picking.recall:.2f},"
            f" precision {picking.precision:.2f}, F1 {picking.f1:.2f})."
        )
    lines.append(_selection(comparison))
    bad = Table("bad on purpose", "", "what became of it", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for each in comparison.exposures:
        if each.fault is not None or each.state != "done":
            bad.add_row(f"exposure {each.number}", each.fault or "good", each.outcome)
    return Group(lines[0], table, *lines[1:], *([bad] if bad.row_count else []))


def _selection(comparison: Comparison) -> str:
    """Say how many of the bad exposures were kept from further use, and how many of the good ones."""
    bad = [each for each in comparison.exposures if each.fault is not None]
    kept_out = [sum(each.state in ("rejected", "failed") for each in some) for some in (bad, comparison.good)]
    return (
        f"Kept out: {kept_out[0]} of {len(bad)} exposures that are bad on purpose, {kept_out[1]} of"
        f" {len(comparison.good)} good ones."
    )


def _numbers(values: Sequence[float], unit: str) -> tuple[str, str]:
    if not values:
        return "·", "·"
    digits = 2 if max(values) < 2 else 0
    return f"{statistics.median(values):.{digits}f} {unit}", f"{max(values):.{digits}f} {unit}"
