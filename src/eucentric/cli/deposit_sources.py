"""What a deposit is made of: a session, a project of another program that continues it, or that alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eucentric.cli.errors import CommandFailed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from eucentric.metadata.records import AcquisitionRecord, HarvestRecord
    from eucentric.monitors.exposures import SessionRecord
    from eucentric.publish.crate import ProcessedRun
    from eucentric.publish.map_file import FinalMap
    from eucentric.publish.session import FileSet
    from eucentric.store import Site


@dataclass
class Chosen:
    """One acquisition with all that is known of it: how it was recorded, and what came of it.

    Attributes:
        name: Its name.
        record: What is known.
        sets: Its files, by kind.
        map: Its final map.
    """

    name: str
    record: "AcquisitionRecord"
    sets: "list[FileSet]" = field(default_factory=list)
    map: "FinalMap | None" = None


@dataclass
class Source:
    """What a deposit is made of.

    Attributes:
        acquisitions: What was recorded.
        runs: What was done to it.
        workflow: The same as data for JSON.
        open: What people should look at, one sentence each.
        began: When processing began, if that is known.
        ended: When it ended.
    """

    acquisitions: list[Chosen]
    runs: "list[ProcessedRun]"
    workflow: Any
    open: list[str] = field(default_factory=list)
    began: datetime | None = None
    ended: datetime | None = None


def of_session(
    place: "Site", connection: "Connection", session: str, names: Sequence[str], files: Sequence[str]
) -> Source:
    """Return what a session has, with what files and registry tell of its exposures.

    Args:
        place: The site.
        connection: To its database.
        session: The session.
        names: Its acquisitions; all where none is named.
        files: Kinds of files.

    Raises:
        CommandFailed: It has no exposures, or no such acquisition.
    """
    from eucentric.engine.recollect import workflow_of
    from eucentric.engine.workflow import dump_workflow
    from eucentric.publish.crate import ProcessedRun

    recorded = _recorded(connection, session)
    made = [moment for each in recorded.exposures() for moment in each.made.values()]
    return Source(
        acquisitions=_acquisitions(place, session, recorded, names, files),
        runs=[
            ProcessedRun(name, row.protocol, row.protocol_version, row.params)
            for name, row in recorded.runs.items()
        ],
        workflow=dump_workflow(workflow_of(recorded.runs, recorded.name)),
        began=datetime.fromtimestamp(recorded.created, UTC),
        ended=datetime.fromtimestamp(max(made, default=recorded.created), UTC),
    )


def _recorded(connection: "Connection", session: str) -> "SessionRecord":
    from eucentric.engine.sessions import session_id_of
    from eucentric.monitors.exposures import SessionRecord

    record = SessionRecord(session_id_of(connection, session))
    record.update(connection)
    return record


def _acquisitions(
    place: "Site", session: str, recorded: "SessionRecord", names: Sequence[str], files: Sequence[str]
) -> list[Chosen]:
    from eucentric.metadata.records import AcquisitionRecord
    from eucentric.microscope.gather import gather
    from eucentric.publish.map_file import FinalMap
    from eucentric.publish.session import file_sets, processing_of, steps_of

    _check_names(names, list(recorded.acquisitions))
    folder = place.session_folder(session)
    found = []
    for name, exposures in recorded.acquisitions.items():
        if names and name not in names:
            continue
        own = [
            folder / each.items[kind]["path"]
            for each in exposures
            for kind in ("movie", "metadata")
            if kind in each.items
        ]
        known = gather(
            [file.resolve() for file in own if file.exists()], place.instruments, rules=place.settings.paths
        )
        record = known.acquisitions[0] if known.acquisitions else AcquisitionRecord()
        shared = recorded.shared.get(name, {})
        updated = {"processing": processing_of(exposures, shared), "steps": steps_of(recorded)}
        chosen = Chosen(name, record.model_copy(update=updated), file_sets(name, exposures, folder, files))
        item = shared.get("initial_map", {})
        if item.get("path"):
            halves = tuple(folder / each for each in item.get("half_paths") or ())
            chosen.map = FinalMap(folder / item["path"], halves)
        found.append(chosen)
    if not found:
        raise CommandFailed(f"The session {session} has no exposures yet.")
    return found


def of_project(
    place: "Site | None",
    harvest: "HarvestRecord",
    raw: Sequence[Path],
    names: Sequence[str],
    files: Sequence[str],
) -> Source:
    """Return what another program's project has, with what the microscope's files tell.

    Args:
        place: The site whose registry tells of instruments; None where there is none.
        harvest: The project.
        raw: Files and folders of the microscope.
        names: Acquisitions among them; needed where there are several.
        files: Kinds of files.

    Raises:
        CommandFailed: There is no such acquisition.
        FormatError: The first file of a kind cannot be read.
        OSError: A file cannot be read.
    """
    from eucentric.interop.project_images import project_images
    from eucentric.metadata.records import AcquisitionRecord
    from eucentric.microscope.gather import Gathering, files_in, roots_of

    rules = place.settings.paths if place else {}
    gathering = Gathering(roots_of(list(raw)), place.instruments if place else {}, rules=rules)
    for path in raw:
        path.stat()
        for file in files_in(path):
            gathering.take(file)
    known = gathering.record() if raw else None
    records = {each.acquisition.name or "": each for each in known.acquisitions} if known else {}
    _check_names(names, list(records))
    chosen = [
        Chosen(name or Path(harvest.project).name, record)
        for name, record in records.items()
        if not names or name in names
    ]
    source = Source(chosen or [Chosen(Path(harvest.project).name, AcquisitionRecord())], [], None)
    if known:
        source.open += known.refused
    if len(source.acquisitions) == 1:
        (one,) = source.acquisitions
        one.sets, told = project_images(harvest, one.name, files, raw)
        source.open += told
    return source


def _check_names(names: Sequence[str], there: Sequence[str]) -> None:
    if unknown := sorted(set(names) - set(there)):
        listed = ", ".join(there) or "none yet"
        raise CommandFailed(f"There is no acquisition {', '.join(unknown)}; there are: {listed}.")


def continue_with(source: Source, harvest: "HarvestRecord") -> None:
    """Add to a deposit what another program made of its data.

    Raises:
        CommandFailed: There are several acquisitions: one project continues one of them.
    """
    from eucentric.interop.project_folder import ProjectFolder
    from eucentric.publish.crate import ProcessedRun
    from eucentric.publish.map_file import FinalMap
    from eucentric.publish.merging import with_processing

    if len(source.acquisitions) > 1:
        names = ", ".join(each.name for each in source.acquisitions)
        raise CommandFailed(
            f"There are several acquisitions ({names}); say with --acquisition which one {harvest.project}"
            " continues."
        )
    (chosen,) = source.acquisitions
    chosen.record = with_processing(chosen.record, harvest)
    source.runs += [
        ProcessedRun(
            str(step.name), str(step.type or step.kind), step.software_version or "", step.parameters
        )
        for step in harvest.record.steps
    ]
    source.open += harvest.refused
    if source.workflow is None:
        source.workflow = {
            "program": harvest.program,
            "version": harvest.program_version,
            "steps": [step.model_dump(exclude_none=True) for step in harvest.record.steps],
        }
    known, folder = harvest.record.processing, ProjectFolder(Path(harvest.project))
    path = folder.locate(known.map_path or "")
    if path is not None:
        halves = [folder.locate(name) for name in (known.half_maps or "").split()]
        fsc = folder.locate(known.fsc_path or "")
        chosen.map = FinalMap(
            path,
            tuple(half for half in halves if half is not None),
            folder.locate(known.mask_path or ""),
            fsc if fsc is not None and fsc.suffix == ".xml" else None,
        )
    elif known.map_path:
        source.open.append(f"The map {known.map_path} is not in {folder.root} any more.")
