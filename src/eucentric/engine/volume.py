"""How much room a session's results take, by run and file, and how much they will."""

import os
from collections import Counter
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, func, select

from eucentric.engine.places import task_destination
from eucentric.engine.recollect import path_of
from eucentric.store.tables import item, run, task

SAMPLE = 200
"""Of each run so many of the newest results are looked at; 20,000 exposures have several hundred thousand."""
_HOUR = 3600.0


class FileVolume(BaseModel):
    """The files of one name in the results of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    name: str = Field(description="File name within the results of an exposure.")
    per_exposure: float = Field(description="Bytes for each exposure of this run, on average.")
    exposures: int = Field(description="Exposures that this run has done.")
    share: float = Field(description="Exposures that this run does for each movie that is found.")

    @property
    def bytes(self) -> float:
        """Bytes of all of them, as estimated from the newest."""
        return self.per_exposure * self.exposures


class Volume(BaseModel):
    """What a session's results take now, and what they will."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    found: int = Field(description="Movies found.")
    raw: int = Field(description="Bytes of the movies.")
    files: list[FileVolume]
    per_hour: float = Field(description="Movies found within the last hour.")
    free: int = Field(description="Bytes that are free on the disk of the results.")

    @property
    def bytes(self) -> float:
        """Bytes of all results."""
        return sum(each.bytes for each in self.files)

    def forecast(self, exposures: int) -> float:
        """Return the bytes of the results when so many movies have been found in all."""
        return sum(each.per_exposure * each.share * exposures for each in self.files)

    @property
    def hours_left(self) -> float | None:
        """Hours until the disk is full at the rate of the last hour; None where nothing came or is kept."""
        grows = self.forecast(1) * self.per_hour
        return self.free / grows if grows > 0 else None


def measure_volume(connection: Connection, session_id: int, folder: FilePath, *, now: float) -> Volume:
    """Measure what a session's results take, from the newest results of each run.

    Args:
        connection: The database, which is only read.
        session_id: The session.
        folder: The session's folder.
        now: The time, in seconds since 1970.
    """
    movies = select(func.count(), func.sum(item.c.data["bytes"].as_float())).where(
        item.c.session_id == session_id, item.c.kind == "movie", item.c.state != "superseded"
    )
    found, raw = connection.execute(movies).one()
    lately = connection.execute(movies.where(item.c.created > now - _HOUR)).one()[0]
    files: list[FileVolume] = []
    for row in connection.execute(select(run).where(run.c.session_id == session_id).order_by(run.c.id)):
        files += _of_run(connection, row, folder, found)
    space = os.statvfs(folder)
    return Volume(
        found=found,
        raw=int(raw or 0),
        files=files,
        per_hour=lately,
        free=space.f_bavail * space.f_frsize,
    )


def _of_run(connection: Connection, row: Row[Any], folder: FilePath, found: int) -> list[FileVolume]:
    done = (task.c.run_id == row.id, task.c.current, task.c.state == "done")
    exposures = connection.execute(select(func.count()).where(*done)).scalar_one()
    newest = select(task.c.revision, task.c.acquisition, task.c.key, task.c.generation).where(*done)
    sizes: Counter[str] = Counter()
    seen = 0
    for each in connection.execute(newest.order_by(task.c.id.desc()).limit(SAMPLE)):
        path = path_of(each.acquisition, each.key)
        seen += 1
        sizes.update(_sizes(folder / task_destination(row.name, each.revision, path, each.generation)))
    return [
        FileVolume(
            run=row.name,
            name=name,
            per_exposure=sizes[name] / seen,
            exposures=exposures,
            share=exposures / found if found else 1.0,
        )
        for name in sorted(sizes, key=lambda name: -sizes[name])
    ]


def _sizes(folder: FilePath) -> dict[str, int]:
    return {
        str(file.relative_to(folder)): file.stat().st_size for file in folder.rglob("*") if file.is_file()
    }
