"""The jobs of a RELION project, or of CCP-EM's pipeliner, which keeps its projects in the same files.

`default_pipeline.star` lists jobs, files and what was made from what; each job's folder has its settings
(`job.star`, before RELION 3.1 `run.job`) and the commands that were run (`note.txt`). Since version 4 kinds
of jobs are labels, before that numbers.
"""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

import pandas as pd

from eucentric.formats import FormatError, StarBlock, read_star
from eucentric.interop.job_kinds import NUMBERS, STATUSES, kind_of, software_of
from eucentric.interop.pipeliner_results import commands
from eucentric.interop.project_folder import MAX_TEXT, ProjectFolder
from eucentric.metadata.vocabulary.processing import StepKind

PIPELINE = "default_pipeline.star"
JOB_FILES = ("job.star", "run.job")

_JOB = re.compile(r"[^/]+/job\d{3,}")
_SUCCEEDED = ("RELION_JOB_EXIT_SUCCESS", "PIPELINER_JOB_EXIT_SUCCESS")
_COMMANDS = re.compile(r"with the following commands?(?:\(s\))?: *\n(.*?)\n *\+{4}", re.DOTALL)
_MAX_COMMAND = 1 << 16


@dataclass(frozen=True)
class Job:
    """A job, as its program knows it.

    Attributes:
        name: Its folder, `Refine3D/job019`.
        alias: What people call it; "" where nobody named it.
        type: What its program calls this kind: `relion.refine3d`, or before version 4 `Refine3D`.
        kind: The same in our words.
        software: The program that the kind belongs to.
        status: `succeeded`, `failed`, `running`, `scheduled` or `aborted`; "" where that is not known.
        inputs: Files that it took, relative to the project.
        outputs: Files that it made.
        options: Its settings as its program names them.
        command: The last command that it ran; "" where that is not known.
    """

    name: str
    alias: str
    type: str
    kind: StepKind
    software: str
    status: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, str]
    command: str

    @property
    def number(self) -> int:
        """Its number in the project."""
        digits = re.search(r"(\d+)$", self.name)
        return int(digits[1]) if digits else 0

    @property
    def flags(self) -> dict[str, str]:
        """Options of its command, without the dashes; one that takes no value has "" here."""
        words, found = [*_split(self.command), ""], dict[str, str]()
        for word, after in pairwise(words):
            if word.startswith("--"):
                found[word[2:]] = "" if after.startswith("--") else after
        return found


def is_project(folder: ProjectFolder) -> bool:
    """Say whether a folder is a project of RELION or of the pipeliner, or what is left of one."""
    return bool(folder.locate(PIPELINE)) or bool(_job_folders(folder))


def read_jobs(folder: ProjectFolder) -> tuple[list[Job], list[str]]:
    """Read all jobs of a project, in their order; those whose folders are gone, too.

    Where the list of jobs is missing it is put together from what each job's folder keeps of it.

    Returns:
        The jobs, and sentences about what could not be read.

    Raises:
        FormatError: The list of jobs is damaged.
        OSError: A file cannot be read.
    """
    refused: list[str] = []
    if folder.locate(PIPELINE):
        lists = [_blocks(folder, PIPELINE)]
    else:
        lists = [
            found
            for name in _job_folders(folder)
            if (found := _told(folder, f"{name}/job_pipeline.star", refused))
        ]
    rows: dict[str, tuple[str, str, str]] = {}
    edges: dict[bool, dict[str, list[str]]] = {True: defaultdict(list), False: defaultdict(list)}
    for blocks in lists:
        for each in _rows(blocks.get("pipeline_processes")):
            rows.setdefault(_folder(each.get("ProcessName", "")), _process(each))
        for is_input, block in ((True, "pipeline_input_edges"), (False, "pipeline_output_edges")):
            for each in _rows(blocks.get(block)):
                file = each.get("EdgeFromNode" if is_input else "EdgeToNode", "")
                edges[is_input][_folder(each.get("EdgeProcess", ""))].append(file)
    for name in _job_folders(folder):
        rows.setdefault(name, ("", "", ""))
    jobs = [
        _job(folder, name, row, edges[True][name], edges[False][name], refused)
        for name, row in rows.items()
        if name
    ]
    return jobs, refused


def _folder(name: str) -> str:
    return name.strip().strip("/")


def _job_folders(folder: ProjectFolder) -> list[str]:
    """Return the folders of jobs that are there, by number; aliases, which are links, left out."""
    found = {
        str(PurePosixPath(file).parent) for each in JOB_FILES for file in folder.files(".", f"*/*/{each}")
    }
    jobs = [name for name in found if _JOB.fullmatch(name) and not (folder.root / name).is_symlink()]
    return sorted(jobs, key=lambda name: int(name.rpartition("job")[2]))


def _blocks(folder: ProjectFolder, name: str) -> dict[str, StarBlock]:
    path = folder.locate(name)
    if path is None:
        return {}
    if path.stat().st_size > MAX_TEXT:
        raise FormatError(path, f"it is larger than {MAX_TEXT} bytes", "give the file of a real project")
    return read_star(path)


def _told(folder: ProjectFolder, name: str, refused: list[str]) -> dict[str, StarBlock]:
    """Return a small file's blocks; none, and why, where it cannot be read."""
    try:
        return _blocks(folder, name)
    except FormatError as error:
        refused.append(f"{name}: {error.what}; its settings are left out.")
        return {}


def _rows(block: StarBlock | None) -> list[dict[str, str]]:
    """Return a table's rows as texts, the labels without what they all begin with."""
    if block is None:
        return []
    table = block if isinstance(block, pd.DataFrame) else pd.DataFrame([block])
    labels = [str(label).removeprefix("rlnPipeLine") for label in table.columns]
    columns = [[str(value) for value in table[column].tolist()] for column in table.columns]
    return [dict(zip(labels, values, strict=True)) for values in zip(*columns, strict=True)]


def _process(row: Mapping[str, str]) -> tuple[str, str, str]:
    """Return alias, type and status of a job in the list."""
    alias = row.get("ProcessAlias", "")
    type_ = row.get("ProcessTypeLabel") or row.get("ProcessType", "")
    status = row.get("ProcessStatusLabel") or STATUSES.get(row.get("ProcessStatus", ""), "")
    return "" if alias == "None" else _folder(alias), type_, status.lower()


def _job(
    folder: ProjectFolder,
    name: str,
    row: tuple[str, str, str],
    inputs: Iterable[str],
    outputs: Iterable[str],
    refused: list[str],
) -> Job:
    alias, type_, status = row
    labelled, options = _settings(folder, name, refused)
    type_ = labelled if "." in labelled or not type_ else type_
    if status != "succeeded" and any(folder.locate(f"{name}/{each}") for each in _SUCCEEDED):
        status = "succeeded"  # the list is brought up to date only when somebody looks at it
    return Job(
        name=name,
        alias=alias,
        type=NUMBERS.get(int(type_), name.partition("/")[0]) if type_.isdecimal() else type_,
        kind=kind_of(name, type_),
        software=software_of(type_),
        status=status,
        inputs=tuple(dict.fromkeys(inputs)),
        outputs=tuple(dict.fromkeys(outputs)),
        options=options,
        command=_command(folder, name),
    )


def _settings(folder: ProjectFolder, name: str, refused: list[str]) -> tuple[str, dict[str, str]]:
    """Return what a job's settings call its kind, and the settings."""
    blocks = _told(folder, f"{name}/job.star", refused)
    if not blocks:
        return _settings_before_3_1(folder.text(f"{name}/run.job"))
    (general, *_) = [*_rows(blocks.get("job")), {}]
    type_ = general.get("rlnJobTypeLabel") or general.get("rlnJobType", "")
    options = {
        each.get("rlnJobOptionVariable", ""): each.get("rlnJobOptionValue", "")
        for each in _rows(blocks.get("joboptions_values"))
    }
    return type_, options


def _settings_before_3_1(text: str) -> tuple[str, dict[str, str]]:
    """Return the same from `run.job`: lines of a question, two equals signs and the answer."""
    pairs = [line.partition("==") for line in text.splitlines() if "==" in line]
    options = {question.strip().rstrip(":"): answer.strip() for question, _, answer in pairs}
    type_ = options.pop("job_type", "")
    return type_, {key: value for key, value in options.items() if key != "is_continue"}


def _command(folder: ProjectFolder, name: str) -> str:
    """Return the command that did a job's work: the first of its last run that names the job's folder.

    Before it, the pipeliner asks programs for their versions.
    """
    notes = _COMMANDS.findall(folder.text(f"{name}/note.txt"))
    ran = [line.strip() for line in notes[-1].splitlines()] if notes else commands(folder, name)
    found = next((each for each in ran if name in each), ran[0] if ran else "")
    return str(re.sub(r"`which ([^`]+)`", r"\1", found))[:_MAX_COMMAND]


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()
