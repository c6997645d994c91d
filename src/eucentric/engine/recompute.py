"""Computing a recorded result again, from what is recorded about it, and comparing.

The task runs in a scratch folder with the recorded inputs, parameters and seed; nothing of the session
changes. What differs then is due to other code, other software, another device or another number of threads,
or to a protocol that is no pure function.
"""

import filecmp
import shutil
import tempfile
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, func, select

from eucentric.engine.places import task_destination, version_folder
from eucentric.engine.provenance import software
from eucentric.engine.records import Records
from eucentric.engine.registry import Registry, code_digest
from eucentric.engine.scheduler import Path
from eucentric.engine.sessions import session_id_of
from eucentric.engine.worker import BatchSpec, ItemRecord, TaskSpec, execute
from eucentric.store import Database, Site
from eucentric.store.tables import batch, environment, item, run, run_revision, task


class NoSuchResult(LookupError):
    """There is no result of this run for this path."""


class Recomputed(BaseModel):
    """How a result that was computed again compares with the recorded one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    path: Path
    revision: int
    outcome: str = Field(description='"done", or why it could not be computed again.')
    same_items: bool = Field(description="All items are equal, field by field.")
    same_files: list[str] = Field(description="Files that are equal, byte by byte.")
    other_files: list[str] = Field(description="Files that differ, or are on one side only.")
    restored_files: list[str] = Field(default=[], description="Files that were missing and are back.")
    same_code: bool = Field(description="The protocol's file is the recorded one.")
    other_software: list[str] = Field(description="Packages of other versions: 'name old → new'.")

    @property
    def identical(self) -> bool:
        """The items and all files are bit-identical."""
        return self.outcome == "done" and self.same_items and not self.other_files


def recompute(
    site: Site, database: Database, session: str, run_name: str, path: Path, *, restore: bool = False
) -> Recomputed:
    """Compute the current result of a run for a path again, in this process, and compare.

    Args:
        site: The site.
        database: The site's database, which is only read.
        session: The session's name.
        run_name: The run.
        path: The acquisition and the key of the task; of an accumulator, the acquisition alone.
        restore: Put files that are missing from the recorded result (a rule of retention removed them) back
            into their place, if the items are equal.

    Raises:
        NoSuchSession: There is no such session.
        NoSuchResult: There is nothing to compare with, or the protocol is not known here.
    """
    registry = Registry(site.protocols_folder)
    folder = site.session_folder(session)
    with database.read() as connection:
        number = session_id_of(connection, session)
        made = _made(connection, number, run_name, path)
        revision, packages = _revision(connection, made)
        if revision.protocol not in registry:
            why = registry.broken.get(revision.protocol, "it is not installed")
            raise NoSuchResult(f"The protocol {revision.protocol} cannot be used here: {why}.")
        spec = _spec(connection, site, folder, revision, made, path)
        recorded = _recorded(connection, made)
    protocol = registry[revision.protocol]
    with tempfile.TemporaryDirectory(prefix="eucentric-recompute-") as scratch:
        # Absolute paths, so that they do not lie in the session's folder.
        own = {"work": f"{scratch}/work", "log": f"{scratch}/log"}
        result = execute(spec.model_copy(update={**own, "cpus": protocol.resources.cpus}))
        same_items = result.outputs == recorded
        restored = []
        if restore and result.status == "done" and same_items:
            restored = _restore(FilePath(own["work"]), folder / spec.destination)
        same, other = _compare_files(FilePath(own["work"]), folder / spec.destination)
    return Recomputed(
        run=run_name,
        path=path,
        revision=made.revision,
        outcome="done" if result.status == "done" else f"{result.status}: {result.reason}",
        same_items=same_items,
        same_files=same,
        other_files=other,
        restored_files=restored,
        same_code=code_digest(protocol) == revision.code,
        other_software=_other_packages(packages),
    )


def _made(connection: Connection, session_id: int, run_name: str, path: Path) -> Row[Any]:
    """Return the row of the task, or of the newest batch, that made the current result."""
    for table in (task, batch):
        query = (
            select(table, run.c.protocol, run.c.name.label("run_name"))
            .join(item, (item.c.task_id if table is task else item.c.batch_id) == table.c.id)
            .join(run, run.c.id == table.c.run_id)
            .where(table.c.session_id == session_id, run.c.name == run_name, item.c.state != "superseded")
            .where(item.c.acquisition == path[0], item.c.key == "/".join(path[1:]))
        )
        if (found := connection.execute(query).first()) is not None:
            return found
    raise NoSuchResult(f"The run {run_name} has no result for {'/'.join(path)}.")


def _revision(connection: Connection, made: Row[Any]) -> tuple[Row[Any], dict[str, Any]]:
    query = (
        select(run_revision, run.c.protocol, environment.c.data)
        .join(run, run.c.id == run_revision.c.run_id)
        .join(environment, environment.c.id == run_revision.c.environment_id)
        .where(run_revision.c.run_id == made.run_id, run_revision.c.number == made.revision)
    )
    found = connection.execute(query).one()
    return found, found.data


def _spec(
    connection: Connection, site: Site, folder: FilePath, revision: Row[Any], made: Row[Any], path: Path
) -> TaskSpec:
    common = {
        "protocol": revision.protocol,
        "protocols": str(site.protocols_folder),
        "params": revision.params,
        "path": path,
        "session": str(folder),
        "work": "",
        "log": "",
        "seed": made.seed,
    }
    records = Records()
    if "version" not in made._fields:
        destination = task_destination(made.run_name, made.revision, path, made.generation)
        inputs = records.of([made.inputs], connection)[0]
        return TaskSpec(**common, destination=destination, inputs=inputs)
    place = (made.run_name, made.revision, made.acquisition)
    before = _before(connection, made)
    added, removed = ([inputs for _, inputs in entries] for entries in (made.added, made.removed))
    return TaskSpec(
        **common,
        destination=version_folder(*place, made.version),
        batch=BatchSpec(
            before=before and version_folder(made.run_name, before, made.acquisition, made.version - 1),
            added=records.of(added, connection),
            removed=records.of(removed, connection),
        ),
    )


def _before(connection: Connection, made: Row[Any]) -> int | None:
    """Return the revision that made the version before that of a batch; None for the first version."""
    query = select(func.max(batch.c.revision)).where(
        batch.c.run_id == made.run_id,
        batch.c.acquisition == made.acquisition,
        batch.c.version == made.version - 1,
        batch.c.revision <= made.revision,
        batch.c.state == "done",
    )
    before: int | None = connection.execute(query).scalar_one()
    return before


def _recorded(connection: Connection, made: Row[Any]) -> dict[str, ItemRecord]:
    maker = item.c.batch_id if "version" in made._fields else item.c.task_id
    query = select(item.c.output, item.c.kind, item.c.data).where(maker == made.id)
    return {row.output: ItemRecord(kind=row.kind, data=row.data) for row in connection.execute(query)}


def _restore(new: FilePath, old: FilePath) -> list[str]:
    """Move the files that are missing in `old` there, each whole at once; return their names."""
    restored = []
    for file in sorted(new.rglob("*")):
        place = old / file.relative_to(new)
        if file.is_file() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            hidden = place.with_name(f".{place.name}.restored")
            shutil.copyfile(file, hidden)
            hidden.replace(place)
            restored.append(str(file.relative_to(new)))
    return restored


def _compare_files(new: FilePath, old: FilePath) -> tuple[list[str], list[str]]:
    """Return the names of the files that are equal, and of those that differ or are on one side only."""
    names = {
        str(file.relative_to(folder)) for folder in (new, old) for file in folder.rglob("*") if file.is_file()
    }
    same, _, _ = filecmp.cmpfiles(new, old, names, shallow=False)
    return sorted(same), sorted(names - set(same))


def _other_packages(recorded: dict[str, Any]) -> list[str]:
    """Return what has another version now."""
    before = {**recorded["packages"], "python": recorded["python"]}
    now = {**software()["packages"], "python": software()["python"]}
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return [f"{name} {before.get(name, 'none')} → {now.get(name, 'none')}" for name in names]
