"""A project of RELION, or of CCP-EM's pipeliner: all its steps, and what came of those behind the map."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from eucentric.interop.final_steps import called, last, leading_to, record_of
from eucentric.interop.job_reader import JobReader
from eucentric.interop.job_results import results_of
from eucentric.interop.job_software import relion_version, software
from eucentric.interop.pipeliner_results import shown
from eucentric.interop.project_folder import ProjectFolder
from eucentric.interop.relion_jobs import PIPELINE, Job, read_jobs
from eucentric.metadata.readings import Origin, Reading
from eucentric.metadata.records import HarvestRecord
from eucentric.metadata.vocabulary import ProcessingStep

_PIPELINER = re.compile(r"CCP-?EM[ _]Pipeliner version (\d[\w.]*)", re.IGNORECASE)
_TILTED = re.compile(r"tomo|tilt|Tomograms|Denoise", re.IGNORECASE)


def harvest_jobs(folder: ProjectFolder, final: str | None = None) -> HarvestRecord:
    """Read a project.

    Args:
        folder: The project's.
        final: Name or alias of the job whose result is the final one; by default the last that succeeded in
            post-processing, or else in refinement, 3D classification or making a first map.

    Returns:
        The harvest; its `final` is None where there is no such job.

    Raises:
        FormatError: The list of jobs is damaged.
        OSError: A file cannot be read.
    """
    jobs, refused = read_jobs(folder)
    jobs.sort(key=lambda job: job.number)
    parents = _parents(jobs)
    results = {job.name: results_of(folder, job) for job in jobs}
    steps = [_step(folder, job, results[job.name], parents[job.name]) for job in jobs]
    chosen = called(steps, final) if final else last(steps)
    way = leading_to(steps, chosen)
    readings = [each for step in way for each in results[str(step.name)].readings]
    if readings:
        readings.append(_technique(jobs))
    told = chain(refused, _helical(way), *(each.refused for each in results.values()))
    program, version = _program(folder, jobs)
    return HarvestRecord(
        program=program,
        program_version=version,
        project=str(folder.root),
        final=chosen.name if chosen else None,
        record=record_of(readings, steps),
        refused=tuple(dict.fromkeys(told)),
    )


def _technique(jobs: Sequence[Job]) -> Reading:
    """Return what the exposures were for, by the kinds of jobs."""
    is_tilted = any(_TILTED.search(f"{job.name} {job.type}") for job in jobs)
    technique = "tomography" if is_tilted else "single particle"
    return Reading("acquisition.technique", technique, Origin("derived", PIPELINE, "kinds of jobs"))


def _helical(steps: Sequence[ProcessingStep]) -> Iterator[str]:
    """Yield what to say of helical refinements, for which the vocabulary has no words."""
    for step in steps:
        is_helical = step.parameters.get("do_helix") is True or "helical" in (step.type or "")
        if step.kind == "3D refinement" and is_helical:
            yield f"{step.name} was helical, which is not told further: give its rise and twist yourself."


def _parents(jobs: Sequence[Job]) -> dict[str, tuple[str, ...]]:
    """Return for each job those that made its inputs, by name.

    A file lies in the folder of the job that made it, which may also be named by the job's alias.
    """
    names = {job.name: job.name for job in jobs} | {job.alias: job.name for job in jobs if job.alias}
    made = {file: job.name for job in jobs for file in job.outputs}
    found = {}
    for job in jobs:
        makers = (made.get(file) or names.get("/".join(file.split("/")[:2])) for file in job.inputs)
        found[job.name] = tuple(dict.fromkeys(each for each in makers if each and each != job.name))
    return found


def _step(folder: ProjectFolder, job: Job, results: JobReader, parents: tuple[str, ...]) -> ProcessingStep:
    name, version = software(folder, job)
    parameters = {key: _typed(value) for key, value in job.options.items() if key and value}
    if job.command:
        parameters["command"] = job.command
    if job.alias:
        parameters["alias"] = job.alias
    told: dict[str, str | int | float | bool] = {**shown(folder, job.name), **results.counts}
    for each in results.readings:
        if each.term.startswith("processing.") and isinstance(each.value, str | int | float | bool):
            told[each.term] = each.value
    return ProcessingStep(
        name=job.name,
        kind=job.kind,
        type=job.type or None,
        software=name,
        software_version=version,
        status=job.status or None,
        parameters=parameters,
        inputs=parents,
        results=told,
    )


def _typed(text: str) -> str | int | float | bool:
    """Return a setting as a number or a truth value where it is one."""
    if text in ("Yes", "No"):
        return text == "Yes"
    if re.fullmatch(r"[-+]?\d{1,15}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[-+]?\d*\.\d+(?:[eE][-+]?\d{1,2})?", text) else text


def _program(folder: ProjectFolder, jobs: Sequence[Job]) -> tuple[str, str | None]:
    if match := _PIPELINER.search(folder.head(PIPELINE, 4096)):
        return "CCP-EM Pipeliner", match[1]
    versions = [found for job in jobs if (found := relion_version(folder, job))]
    return "RELION", versions[-1] if versions else None
