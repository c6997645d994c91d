"""From another program's project to the words of the vocabulary: what was done, and what came of it."""

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from eucentric.formats import FormatError
from eucentric.interop.project_folder import MAX_TEXT, ProjectFolder, parsed_json
from eucentric.interop.relion import harvest_jobs
from eucentric.interop.relion_jobs import PIPELINE, is_project
from eucentric.interop.scipion import harvest_workflow, is_workflow
from eucentric.metadata.records import HarvestRecord


class NotHarvested(ValueError):
    """There is nothing to harvest, or not the step that was asked for; the message says why."""


def harvest(path: Path, final: str | None = None) -> HarvestRecord:
    """Read what another program's project tells of the processing.

    Args:
        path: The folder of a project of RELION or CCP-EM's pipeliner, or a file in its top folder; the JSON
            file of a workflow that Scipion exported; or a harvest that was written before.
        final: Name, or alias, of the step whose result is the final one; by default the last
            post-processing, or else the last refinement, 3D classification or first map.

    Raises:
        NotHarvested: It is none of these, or has no such step.
        FormatError: A file is damaged.
        OSError: A file cannot be read.
    """
    if path.is_file() and path.suffix.lower() == ".json":
        return _of_json(path, final)
    folder = ProjectFolder(path if path.is_dir() else path.parent)
    if not path.exists() or not is_project(folder):
        raise NotHarvested(
            f"{path} is no project of RELION or of CCP-EM's pipeliner, and no workflow of Scipion; give the"
            " folder with default_pipeline.star, or the JSON file that Scipion exported."
        )
    above = folder.root.parent.parent
    if re.fullmatch(r"job\d{3,}", folder.root.name) and (above / PIPELINE).is_file():
        # RELION keeps a copy of the list of jobs in each of them.
        name = f"{folder.root.parent.name}/{folder.root.name}"
        raise NotHarvested(f"{path} is a job of the project {above}: give that, with --final {name}.")
    return _checked(harvest_jobs(folder, final), final)


def _of_json(path: Path, final: str | None) -> HarvestRecord:
    content = _json(path)
    if is_workflow(content):
        return _checked(harvest_workflow(path, content, final), final)
    if final is not None:
        raise NotHarvested(
            f"{path} was written for one final step; to choose another, harvest the project again."
        )
    try:
        return HarvestRecord.model_validate(content)
    except ValidationError as error:
        raise NotHarvested(
            f"{path} is no workflow that Scipion exported, and no harvest that was written before; export it"
            " again."
        ) from error


def _json(path: Path) -> Any:
    if path.stat().st_size > MAX_TEXT:
        raise FormatError(path, f"it is larger than {MAX_TEXT} bytes", "give the JSON file of a workflow")
    try:
        return parsed_json(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise FormatError(path, f"it is not valid JSON ({error})", "export it again") from error


def _checked(found: HarvestRecord, final: str | None) -> HarvestRecord:
    if final is not None and found.final is None:
        there = ", ".join(str(step.name) for step in found.record.steps) or "none"
        raise NotHarvested(f"There is no step {final} in {found.project}; there are: {there}.")
    return found
