"""A session as its engine would have written it, as long as you like, without computing anything."""

import json
import math
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import insert

from eucentric.engine.journal import Journal
from eucentric.engine.lease import take_lease
from eucentric.engine.provenance import environment_id
from eucentric.engine.worker import ItemRecord
from eucentric.formats import FrameShifts, write_png, write_shifts_star
from eucentric.formats.star_particles import write_coordinates_star
from eucentric.formats.star_shifts import PatchShifts
from eucentric.metadata import (
    CTF,
    ClassAverages,
    Coordinates,
    ExposureMetadata,
    Gain,
    Item,
    Micrograph,
    Movie,
    Particles,
    SessionStatistics,
)
from eucentric.store import Database, tables

INPUTS: dict[str, dict[str, Any]] = {
    "movies": {},
    "align": {"movie": "movies.movie", "gain": "movies.gain"},
    "ctf": {"micrograph": "align.micrograph"},
    "select": {"micrograph": "align.micrograph", "ctf": "ctf.ctf", "metadata": "movies.metadata"},
    "pick": {"micrograph": "select.micrograph"},
    "extract": {
        "micrograph": "select.micrograph",
        "ctf": "select.ctf",
        "coordinates": "pick.coordinates",
    },
    "statistics": {"micrograph": "align.micrograph", "ctf": "ctf.ctf"},
    "classify": {"particles": "extract.particles"},
    "choose": {"classes": "classify.class_averages"},
}
PROTOCOLS = {
    "movies": "import-movies",
    "align": "align-movies",
    "ctf": "estimate-ctf",
    "select": "select-exposures",
    "pick": "pick-particles",
    "extract": "extract-particles",
    "statistics": "session-statistics",
    "classify": "classify-particles",
    "choose": "select-classes",
}
OPTICS: dict[str, Any] = {
    "pixel_size": 0.83,
    "voltage": 300,
    "spherical_aberration": 2.7,
    "amplitude_contrast": 0.1,
}


class WrittenSession:
    """A session whose rows are written through the engine's journal.

    Attributes:
        number: Of the session in the database.
        journal: What writes.
        began: When the first exposure was taken, seconds since 1970.
    """

    def __init__(self, database: Database, name: str = "night", began: float | None = None) -> None:
        self.database, self.name = database, name
        self.began = time.time() - 3600 if began is None else began
        with database.write() as connection:
            values = {"name": name, "created": self.began}
            self.number = connection.execute(
                insert(tables.session).values(values).returning(tables.session.c.id)
            ).scalar_one()
            token = take_lease(connection, self.number)
            for run, inputs in INPUTS.items():
                row = {"session_id": self.number, "name": run, "protocol": PROTOCOLS[run], "revision": 1}
                of_run = connection.execute(
                    insert(tables.run).values(row).returning(tables.run.c.id)
                ).scalar_one()
                revision = {
                    "run_id": of_run,
                    "number": 1,
                    "protocol_version": "1",
                    "code": "",
                    "params": {"diameter": 150.0} if run == "pick" else {},
                    "inputs": inputs,
                    "environment_id": environment_id(connection),
                    "created": self.began,
                }
                connection.execute(insert(tables.run_revision).values(revision))
        self.journal = Journal(database, self.number, token)

    def found(self, path: tuple[str, ...], output: str, item: Item, at: float | None = None) -> None:
        """A source has found an item."""
        with self.journal.write() as writer:
            writer.time = at or writer.time
            writer.items_found("movies", 1, "movie", [(output, path, recorded(item))])

    def done(self, run: str, path: tuple[str, ...], *items: Item, at: float | None = None) -> None:
        """A task has been done from beginning to end."""
        with self.journal.write() as writer:
            writer.time = at or writer.time
            self._done(writer, run, path, items)

    def ended(self, run: str, path: tuple[str, ...], state: str, reason: str) -> None:
        """A task has failed or was rejected."""
        with self.journal.write() as writer:
            self._ended(writer, run, path, state, reason)

    def _start(self, writer: Any, run: str, path: tuple[str, ...]) -> int:
        number: int = writer.start_task(run, 1, path, generation=0, inputs={}, seed="", worker="w").id
        return number

    def _done(self, writer: Any, run: str, path: tuple[str, ...], items: Iterable[Item]) -> None:
        outputs = [(item.kind, recorded(item)) for item in items]
        writer.task_done(self._start(writer, run, path), run, 1, path, outputs)

    def _ended(self, writer: Any, run: str, path: tuple[str, ...], state: str, reason: str) -> None:
        outputs = ["micrograph", "ctf"]
        task = self._start(writer, run, path)
        writer.task_failed(task, run, path, outputs, state=state, reason=reason, log=None)

    def night(
        self, count: int, *, acquisition: str = "grid-1", interval: float = 12.0, seed: int = 1
    ) -> None:
        """Write a night of `count` exposures: most good, some rejected or failed, two waiting.

        Args:
            count: Number of exposures.
            acquisition: Its name.
            interval: s from one exposure to the next.
            seed: Of the random numbers.
        """
        chance = random.Random(seed)
        with self.journal.write() as writer:
            gain = Gain(path="data/0/gain.tif", detector="Gatan K3")
            writer.items_found("movies", 1, "movie", [("gain", (acquisition,), recorded(gain))])
            self.gathered(writer, "statistics", acquisition, SessionStatistics(exposures=0, fitted=0))
            self.gathered(writer, "classify", acquisition, classes_of(acquisition))
        for first in range(0, count, 500):
            with self.journal.write() as writer:
                for number in range(first, min(count, first + 500)):
                    at = self.began + number * interval
                    self._exposure(writer, acquisition, number, at, chance, waiting=number >= count - 2)

    def gathered(self, writer: Any, run: str, acquisition: str, item: Item) -> None:
        """An accumulator has made the first version of an acquisition's item."""
        batch = writer.journal_batch(run, 1, acquisition, 1, [], [], seed="")
        writer.batch_done(batch.id, run, 1, acquisition, [(item.kind, recorded(item))])

    def _exposure(
        self, writer: Any, acquisition: str, number: int, at: float, chance: random.Random, *, waiting: bool
    ) -> None:
        path = (acquisition, f"FoilHole_{31_000_000 + number}_Data_{number:05d}")
        target = (8_000.0, 12_000.0, 16_000.0, 20_000.0)[number % 4]
        writer.time = at + 3
        movie, metadata = movie_of(path, at), metadata_of(path, at, target)
        found = [("movie", path, recorded(movie)), ("metadata", path, recorded(metadata))]
        writer.items_found("movies", 1, "movie", found)
        if waiting:
            return None
        writer.time = at + 9
        if number % 50 == 17:
            return self._ended(writer, "align", path, "failed", "frame 12 of the movie cannot be decoded")
        ice = number % 11 == 5
        micrograph = micrograph_of(path, chance, drifting=number % 23 == 7, number=number)
        self._done(writer, "align", path, [micrograph])
        writer.time = at + 12 + chance.random() * 4
        ctf = ctf_of(path, chance, target, bad=ice, number=number)
        self._done(writer, "ctf", path, [ctf])
        reasons = [f"resolution {ctf.resolution:.1f} Å is worse than 8.0 Å"] if ctf.resolution > 8 else []
        total = micrograph.motion_total or 0
        reasons += [f"motion {total:.0f} Å exceeds 50 Å"] if total > 50 else []
        if reasons:
            return self._ended(writer, "select", path, "rejected", "; ".join(reasons))
        self._done(writer, "select", path, [micrograph, ctf])
        count = chance.randint(180, 420)
        self._done(writer, "pick", path, [coordinates_of(path, count)])
        self._done(writer, "extract", path, [particles_of(path, count - 12)])
        return None


def recorded(item: Item) -> ItemRecord:
    """Return an item as it is written."""
    return {"kind": item.kind, "data": item.model_dump(mode="json", exclude_none=True)}


def movie_of(path: tuple[str, ...], at: float) -> Movie:
    return Movie(
        **OPTICS,
        path=f"data/0/{path[-1]}_Fractions.tiff",
        bytes=700_000_000,
        modified=at,
        frames=40,
        height=4092,
        width=5760,
        dose_per_frame=1.25,
    )


def metadata_of(path: tuple[str, ...], at: float, target: float) -> ExposureMetadata:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))
    return ExposureMetadata.model_validate(
        {
            "path": f"data/0/{path[-1]}.xml",
            "bytes": 4000,
            "modified": at,
            "recorded": stamp,
            "target_defocus": target,
            "exposure_time": 2.4,
            "dose": 50.0,
            "magnification": 105_000,
            "detector": "K3",
            "software": "EPU 3.4",
        }
    )


def micrograph_of(path: tuple[str, ...], chance: random.Random, *, drifting: bool, number: int) -> Micrograph:
    early = chance.lognormvariate(1.2, 0.3)
    late = 80.0 if drifting else chance.lognormvariate(1.8, 0.4)
    expected = 1.25 * 0.83**2
    return Micrograph(
        **OPTICS,
        path=f"runs/align/r1/{path[0]}/{path[-1]}/weighted.mrc",
        thumbnail_path=f"runs/align/r1/{path[0]}/{path[-1]}/thumbnail.png",
        shifts_path=f"runs/align/r1/{path[0]}/{path[-1]}/shifts.star",
        height=4092,
        width=5760,
        frames=40,
        dose=50.0,
        motion_total=early + late,
        motion_early=early,
        motion_late=late,
        motion_local=chance.lognormvariate(0.2, 0.3),
        mean_counts=expected * (0.97 - 0.00002 * number + chance.gauss(0, 0.01)),
        expected_counts=expected,
        gain_residual=chance.gauss(0, 0.002),
        bad_pixels=112,
    )


def ctf_of(path: tuple[str, ...], chance: random.Random, target: float, *, bad: bool, number: int) -> CTF:
    mean = target + chance.gauss(300 * math.sin(number / 80), 250)
    half = abs(chance.gauss(60, 40))
    resolution = chance.uniform(8.5, 14) if bad else 3.1 + chance.lognormvariate(-0.4, 0.5)
    return CTF(
        **OPTICS,
        micrograph_path=f"runs/align/r1/{path[0]}/{path[-1]}/weighted.mrc",
        diagnostic_path=f"runs/ctf/r1/{path[0]}/{path[-1]}/ctf.png",
        profile_path=f"runs/ctf/r1/{path[0]}/{path[-1]}/ctf.json",
        defocus_u=mean + half,
        defocus_v=mean - half,
        defocus_angle=chance.uniform(0, 180),
        resolution=resolution,
        score=max(0.02, min(0.99, chance.gauss(0.05 if bad else 0.2, 0.03))),
        confidence=chance.uniform(0.2, 0.5) if bad else chance.uniform(0.9, 1.0),
        ice_ring=chance.uniform(0.8, 2.0) if bad else abs(chance.gauss(0.08, 0.05)),
    )


def coordinates_of(path: tuple[str, ...], count: int) -> Coordinates:
    return Coordinates(
        path=f"runs/pick/r1/{path[0]}/{path[-1]}/picks.star",
        micrograph_path=f"runs/align/r1/{path[0]}/{path[-1]}/weighted.mrc",
        count=count,
        diameter=150,
        height=4092,
        width=5760,
        pixel_size=0.83,
        excluded=0.06,
    )


def particles_of(path: tuple[str, ...], count: int) -> Particles:
    return Particles(
        **OPTICS,
        path=f"runs/extract/r1/{path[0]}/{path[-1]}/particles.star",
        stack_path=f"runs/extract/r1/{path[0]}/{path[-1]}/particles.mrcs",
        micrograph_path=f"runs/align/r1/{path[0]}/{path[-1]}/weighted.mrc",
        count=count,
        box=288,
        diameter=150,
        phase_flipped=False,
    )


def classes_of(acquisition: str) -> ClassAverages:
    folder = f"runs/classify/r1/{acquisition}"
    return ClassAverages(
        path=f"{folder}/averages.mrcs",
        table_path=f"{folder}/classes.star",
        particles_path=f"{folder}/particles.star",
        picture_path=f"{folder}/averages.png",
        classes=24,
        selected_classes=9,
        particles=31_415,
        selected_particles=22_000,
        box=64,
        pixel_size=3.735,
        diameter=150,
        resolution=8.2,
    )


def draw_classes(folder: Path, acquisition: str) -> None:
    """Write the picture of an acquisition's 2D classes."""
    file = folder / (classes_of(acquisition).picture_path or "")
    file.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(1)
    tile = np.hypot(*np.mgrid[-32:32, -32:32]) < 20
    write_png(file, np.tile(tile, (4, 6)) + 0.2 * chance.normal(size=(256, 384)))


def patch_shifts(chance: np.random.Generator) -> PatchShifts:
    """Return what 3 × 4 patches showed at 5 times."""
    x, y, frames = (
        each.ravel() for each in np.meshgrid((720, 2160, 3600, 5040), (682, 2046, 3410), range(5))
    )
    bent = np.stack([(x - 2880) / 1000, (y - 2046) / 1000], axis=1) * frames[:, None] / 8
    shifts = bent + chance.normal(0, 0.05, bent.shape)
    return PatchShifts(frames=1 + 8 * frames, x=x.astype(float), y=y.astype(float), shifts=shifts)


def draw_pictures(folder: Path, path: tuple[str, ...], seed: int = 0) -> None:
    """Write the files that a report shows of an exposure: thumbnail, spectrum, motion, picks."""
    chance = np.random.default_rng(seed)
    micrograph, ctf = (folder / f"runs/{run}/r1/{path[0]}/{path[-1]}" for run in ("align", "ctf"))
    picks = folder / f"runs/pick/r1/{path[0]}/{path[-1]}"
    for each in (micrograph, ctf, picks):
        each.mkdir(parents=True, exist_ok=True)
    places = chance.uniform((150, 150), (5600, 3900), (60, 2)).astype(np.float32)
    y, x = np.mgrid[0:364, 0:512]
    image = chance.normal(size=(364, 512)).astype(np.float32)
    for px, py in places / 11.25:
        image -= 2.5 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 2 / 4.5**2)
    write_png(micrograph / "thumbnail.png", image)
    radius = np.hypot(*(np.mgrid[-256:256, -256:256]))
    rings = np.cos((radius / 14) ** 2 / 2) ** 2 * np.exp(-radius / 110)
    write_png(ctf / "ctf.png", rings + 0.15 * chance.normal(size=rings.shape), -0.3, 1)
    frequency = np.linspace(0.03, 0.4, 300)
    model = np.sin(1000 * frequency**2) ** 2
    curves = {"frequency": frequency, "spectrum": model * np.exp(-5 * frequency), "model": model}
    (ctf / "ctf.json").write_text(json.dumps({name: curve.tolist() for name, curve in curves.items()}))
    steps = np.cumsum(chance.normal([0.25, 0.1], 0.12, (40, 2)), axis=0) - 0.2
    write_shifts_star(
        micrograph / "shifts.star",
        FrameShifts(
            movie_path=f"data/0/{path[-1]}_Fractions.tiff",
            frames=40,
            height=4092,
            width=5760,
            pixel_size=0.83,
            voltage=300,
            dose_per_frame=1.25,
            pre_exposure=0,
            shifts=steps,
            patches=patch_shifts(chance),
        ),
    )
    table = pd.DataFrame({"x": places[:, 0], "y": places[:, 1], "score": 1.0})
    write_coordinates_star(picks / "picks.star", table)
