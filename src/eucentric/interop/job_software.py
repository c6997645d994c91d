"""Which program a job really ran, and of which version."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from eucentric.interop.project_folder import ProjectFolder
from eucentric.interop.relion_jobs import Job

_RELION = re.compile(r"RELION\b[^\n]{0,60}?version:? *v?(\d[\w.+-]*)", re.IGNORECASE)
_OWN = re.compile(r"Done by Eucentric(?: (\d[\w.+-]*))?")
_LOGS = 3
"""Logs of micrographs in which a version is looked for."""


@dataclass(frozen=True)
class _Outside:
    """A program that RELION starts.

    Attributes:
        kinds: Parts of the names of jobs.
        used: Says from a job whether it was that program.
        name: What it is called.
        logs: Where its own logs lie, below the job's folder.
        version: Where its version stands in them.
    """

    kinds: tuple[str, ...]
    used: Callable[[Job], bool]
    name: str
    logs: str
    version: re.Pattern[str]


def _flag(*names: str) -> Callable[[Job], bool]:
    return lambda job: any(name in job.flags for name in names)


def _labelled(word: str) -> Callable[[Job], bool]:
    return lambda job: word in job.type.lower() or word in job.command.lower()


_OUTSIDE = (
    _Outside(
        ("motion correction",),
        lambda job: "use_motioncor2" in job.flags or job.options.get("do_own_motioncor") == "No",
        "MotionCor2",
        "**/*.out",
        re.compile(r"MotionCor2?\s+version\s+(\d[\w.]*)", re.IGNORECASE),
    ),
    _Outside(
        ("CTF estimation",),
        lambda job: "use_gctf" in job.flags or job.options.get("use_gctf") == "Yes",
        "Gctf",
        "**/*_gctf.log",
        re.compile(r"Gctf[^\n]{0,40}?v(\d[\w.]*)"),
    ),
    _Outside(
        ("CTF estimation",),
        lambda job: bool(job.command or job.options),
        "CTFFIND",
        "**/*_ctffind*.log",
        re.compile(r"Version\s*:\s*(\d[\w.]*)", re.IGNORECASE),
    ),
    _Outside(
        ("particle picking",),
        _flag("topaz_extract", "topaz_train", "topaz_denoise"),
        "Topaz",
        "run.out",
        re.compile(r"topaz[^\n]{0,40}?(\d+\.\d+[\w.]*)", re.IGNORECASE),
    ),
    _Outside(("tilt series alignment",), _labelled("aretomo"), "AreTomo", "run.out", re.compile(r"$^")),
    _Outside(("tilt series alignment",), _labelled("imod"), "IMOD", "run.out", re.compile(r"$^")),
    _Outside(("denoising",), _labelled("cryocare"), "cryoCARE", "run.out", re.compile(r"$^")),
    _Outside(
        ("local resolution",),
        _labelled("resmap"),
        "ResMap",
        "run.out",
        re.compile(r"ResMap[^\n]*?v(\d[\w.-]*)"),
    ),
)


def software(folder: ProjectFolder, job: Job) -> tuple[str, str | None]:
    """Return the program that did a job's work, and its version, None where no file tells it.

    A job that Eucentric exported looks like RELION's own, but for its note.
    """
    if match := _OWN.match(folder.head(f"{job.name}/note.txt", 200)):
        return "Eucentric", match[1]
    if job.name.startswith("External/") or job.type.startswith("relion.external"):
        return PurePosixPath(
            job.options.get("fn_exe", "") or job.command.split(" ")[0]
        ).name or "unknown", None
    if job.software != "RELION":
        return job.software, None
    for each in _OUTSIDE:
        if job.kind in each.kinds and each.used(job):
            return each.name, _version(folder, job, each)
    return "RELION", relion_version(folder, job)


def _version(folder: ProjectFolder, job: Job, program: _Outside) -> str | None:
    for name in islice(folder.files(job.name, program.logs), _LOGS):
        if match := program.version.search(folder.head(name)):
            return match[1].rstrip(".")
    return None


def relion_version(folder: ProjectFolder, job: Job) -> str | None:
    """Return the version of RELION that wrote a job's files, None where none of them tells it."""
    names = (
        folder.newest(job.name, "_optimiser.star"),
        f"{job.name}/postprocess.star",
        f"{job.name}/run.out",
    )
    for name in names:
        if name and (match := _RELION.search(folder.head(name, 4096))):
            return match[1]
    return None
