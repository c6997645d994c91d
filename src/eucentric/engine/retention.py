"""Retention: which files of a session's results go after a while, by the site's rules, and their removal.

Only results are ever removed, never raw data, and only what a rule names. Rows of the database stay as they
are, so that every result keeps its provenance; `recompute` brings a file back. What was removed is written
down in `state/retention.jsonl` before it goes: a removal that is killed at any instant is gone on with.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select

from eucentric.engine.places import task_destination, version_folder
from eucentric.engine.recollect import first_revisions, path_of, read_runs
from eucentric.engine.scheduler import Path
from eucentric.store.retention_settings import RetentionSettings
from eucentric.store.tables import batch, item, run, task

JOURNAL = "state/retention.jsonl"
_AT_ONCE = 500  # files that are written down together before they go
_IMAGES = (".mrc", ".mrcs")
_MENTIONED = ("movie_path", "micrograph_path")
_KEPT_VERSIONS = 2  # of an accumulator: the newest, and the one it was made from
_FIELDS = {"unweighted": "unweighted_path", "spectra": "spectrum_path", "halves": "halves_paths"}


class Leaving(NamedTuple):
    """A file that a rule lets go.

    Attributes:
        path: Relative to the session's folder.
        rule: The rule, as it is called in the settings.
        bytes: Its size.
    """

    path: str
    rule: str
    bytes: int


def leaving(
    connection: Connection, session_id: int, folder: FilePath, rules: RetentionSettings, *, now: float
) -> Iterator[Leaving]:
    """Find the files of a session that the rules let go by now.

    Args:
        connection: The database, which is only read.
        session_id: The session.
        folder: The session's folder.
        rules: The site's rules; one that is None lets nothing go.
        now: The time, in seconds since 1970.
    """
    session = _Session(connection, session_id)
    found: dict[str, Callable[[float], Iterator[str]]] = {
        "superseded": lambda before: session.superseded(before, folder),
        "rejected": session.rejected,
        **{rule: partial(session.of_field, field) for rule, field in _FIELDS.items()},
    }
    seen: set[str] = set()
    for rule, paths in found.items():
        age: timedelta | None = getattr(rules, rule)
        for path in paths(now - age.total_seconds()) if age is not None else ():
            size = _size(folder, path)
            if size is not None and path not in seen:
                seen.add(path)
                yield Leaving(path, rule, size)


def remove(folder: FilePath, files: Iterable[Leaving], progress: Callable[[Leaving], None]) -> int:
    """Remove files that `leaving` found, and return how many bytes that freed.

    Args:
        folder: The session's folder.
        files: The files.
        progress: Called after each file.

    Raises:
        OSError: A file cannot be removed; those before it are.
    """
    journal = folder / JOURNAL
    journal.parent.mkdir(parents=True, exist_ok=True)
    freed = 0
    remaining = iter(files)
    while some := list(islice(remaining, _AT_ONCE)):
        with journal.open("a", encoding="utf-8") as stream:
            for each in some:
                stream.write(json.dumps({**each._asdict(), "time": round(time.time(), 3)}) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        for each in some:
            (folder / each.path).unlink(missing_ok=True)
            _remove_empty_folders(folder, (folder / each.path).parent)
            freed += each.bytes
            progress(each)
    return freed


def removed_by(folder: FilePath, path: str) -> str | None:
    """Return the rule by which a file (relative to the session's folder) was removed, or None."""
    rule = None
    with contextlib.suppress(FileNotFoundError), (folder / JOURNAL).open(encoding="utf-8") as stream:
        for line in stream:
            with contextlib.suppress(ValueError):  # a last line that a crash cut short
                record = json.loads(line)
                if record["path"] == path:
                    rule = str(record["rule"])
    return rule


class _Session:
    """What the rules ask of the database about one session."""

    def __init__(self, connection: Connection, session_id: int) -> None:
        self._connection = connection
        self._session_id = session_id
        self._runs = {row.id: row for row in read_runs(connection, session_id).values()}
        self._firsts = first_revisions(connection, session_id)

    def superseded(self, before: float, folder: FilePath) -> Iterator[str]:
        """Yield the files of results that others have replaced, and of versions long gone by."""
        newer = task.alias()
        # Until the task that came after is done, the old result is in use.
        same = [newer.c[name] == task.c[name] for name in ("run_id", "acquisition", "key")]
        old = select(task).join(newer, and_(*same)).where(task.c.session_id == self._session_id)
        replaced = old.where(~task.c.current, task.c.state == "done", newer.c.current)
        done = newer.c.state.in_(("done", "rejected"))
        for row in self._connection.execute(replaced.where(done, newer.c.finished < before)):
            path = path_of(row.acquisition, row.key)
            name = self._runs[row.run_id].name
            yield from _files(folder, task_destination(name, row.revision, path, row.generation))
        made = select(batch).where(batch.c.session_id == self._session_id, batch.c.state == "done")
        newest, standing = self._newest_versions(), self._standing()
        for row in self._connection.execute(made.where(batch.c.finished < before)):
            if (row.run_id, row.acquisition, row.revision, row.version) in standing:
                continue
            last = newest.get((row.run_id, row.acquisition))
            # Those of an earlier state stay until the present one has its first version.
            first = self._firsts[row.run_id, row.revision]
            if last is not None and (last[0] > first or row.version <= last[1] - _KEPT_VERSIONS):
                name = self._runs[row.run_id].name
                yield from _files(folder, version_folder(name, row.revision, row.acquisition, row.version))

    def _standing(self) -> set[tuple[int, str, int, int]]:
        """Return the versions whose output no later one has replaced, and those they were made from."""
        place = (batch.c.run_id, batch.c.acquisition, batch.c.revision, batch.c.version)
        query = select(*place).join(item, item.c.batch_id == batch.c.id)
        here = (item.c.session_id == self._session_id, item.c.state != "superseded")
        rows = self._connection.execute(query.where(*here)).all()
        return {
            (run_id, acquisition, revision, number)
            for run_id, acquisition, revision, version in rows
            for number in (version - 1, version)
        }

    def _newest_versions(self) -> dict[tuple[int, str], tuple[int, int]]:
        """Return the newest state of each accumulator and acquisition, by the first revision that has it,
        and its newest version.
        """
        place = (batch.c.run_id, batch.c.acquisition, batch.c.revision)
        query = select(*place, func.max(batch.c.version)).group_by(*place)
        made = query.where(batch.c.session_id == self._session_id, batch.c.state == "done")
        newest: dict[tuple[int, str], tuple[int, int]] = {}
        for run_id, acquisition, revision, version in self._connection.execute(made):
            here = (run_id, acquisition)
            newest[here] = max(newest.get(here, (0, 0)), (self._firsts[run_id, revision], version))
        return newest

    def rejected(self, before: float) -> Iterator[str]:
        """Yield the images of exposures that a run has rejected, unless another run passes them on."""
        query = select(task.c.acquisition, task.c.key).where(
            task.c.session_id == self._session_id, task.c.current, task.c.state == "rejected"
        )
        rejected = {path_of(*row) for row in self._connection.execute(query.where(task.c.finished < before))}
        named: dict[str, set[int]] = {}
        for path, run_id, data in self._results(item.c.state == "current"):  # not what the rejection hides
            if path in rejected:
                for file in _images(data):
                    named.setdefault(file, set()).add(run_id)
        yield from (file for file, runs in named.items() if len(runs) == 1)

    def of_field(self, field: str, before: float) -> Iterator[str]:
        """Yield the files that micrographs name in a field and that nobody waits for."""
        consumers = self._consumers()
        answered = self._answered()
        wanted: dict[str, bool] = {}  # a run that passes micrographs on names the same files again
        for path, run_id, data in self._results(item.c.kind == "micrograph", item.c.created < before):
            waiting = any((consumer, path) not in answered for consumer in consumers.get(run_id, ()))
            named = data.get(field)
            for file in [named] if isinstance(named, str) else named or []:
                wanted[file] = waiting or wanted.get(file, False)
        yield from (file for file, waiting in wanted.items() if not waiting)

    def _results(self, *conditions: ColumnElement[bool]) -> Iterator[tuple[Path, int, dict[str, Any]]]:
        query = select(item.c.acquisition, item.c.key, item.c.run_id, item.c.data).where(
            item.c.session_id == self._session_id, item.c.state != "superseded", item.c.task_id.is_not(None)
        )
        for row in self._connection.execute(query.where(*conditions)):
            yield path_of(row.acquisition, row.key), row.run_id, row.data

    def _consumers(self) -> dict[int, list[int]]:
        """Return, for every run, those that take what it makes, but for accumulators, which read no file."""
        numbers = {row.name: number for number, row in self._runs.items()}
        folding = set(
            self._connection.execute(
                select(batch.c.run_id).where(batch.c.session_id == self._session_id).distinct()
            ).scalars()
        )
        found: dict[int, list[int]] = {}
        for number, row in self._runs.items():
            for streams in row.inputs.values():
                for stream in [streams] if isinstance(streams, str) else streams:
                    if number not in folding:
                        found.setdefault(numbers[stream.split(".")[0]], []).append(number)
        return found

    def _answered(self) -> set[tuple[int, Path]]:
        """Return runs and paths that are done, rejected or failed under the current revision."""
        query = (
            select(task.c.run_id, task.c.acquisition, task.c.key)
            .join(run, (run.c.id == task.c.run_id) & (run.c.revision == task.c.revision))
            .where(task.c.session_id == self._session_id, task.c.current)
            .where(task.c.state.in_(("done", "rejected", "failed")))
        )
        rows = self._connection.execute(query)
        return {(row.run_id, path_of(row.acquisition, row.key)) for row in rows}


def _files(folder: FilePath, destination: str) -> Iterator[str]:
    for file in sorted((folder / destination).rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix()


def _images(data: dict[str, Any]) -> Iterator[str]:
    """Yield the images that an item hands on; what it was made from it only mentions."""
    for name, value in data.items():
        if name.endswith(("path", "paths")) and name not in _MENTIONED:
            for each in [value] if isinstance(value, str) else value or []:
                if each.endswith(_IMAGES):
                    yield each


def _size(folder: FilePath, path: str) -> int | None:
    """Return the size of a result's file; None of what is not there, or does not lie among the results."""
    file = folder / path
    inside = file.resolve().is_relative_to(folder.resolve())
    if path.split("/")[0] not in ("runs", "state") or not inside or file.is_symlink():
        return None
    with contextlib.suppress(OSError):
        return file.stat().st_size
    return None


def _remove_empty_folders(session: FilePath, folder: FilePath) -> None:
    with contextlib.suppress(OSError):  # it holds something yet
        while folder.parent not in (session, session.parent):
            folder.rmdir()
            folder = folder.parent
