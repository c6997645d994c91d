"""The list of jobs of a RELION project, with which RELION 3.1 and later show and continue what was done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from eucentric.formats import write_star

_PROCESSES = {"Import": 0, "MotionCorr": 1, "CtfFind": 2, "AutoPick": 4, "Extract": 5}
"""RELION's numbers of kinds of jobs (`pipeline_jobs.h` of RELION 3.1)."""
_NODES = {"movies": 0, "micrographs": 1, "coordinates": 2, "particles": 3}
"""RELION's numbers of kinds of files that jobs hand on."""
_FINISHED = 2


@dataclass(frozen=True)
class Job:
    """One job that has been done.

    Attributes:
        kind: "Import", "MotionCorr", "CtfFind", "AutoPick" or "Extract".
        number: Counted from 1.
        inputs: Files of other jobs it took, relative to the project.
        output: The file it hands on, by its name within the job's folder.
        output_kind: "movies", "micrographs", "coordinates" or "particles".
        options: Settings as RELION's window names them.
    """

    kind: str
    number: int
    inputs: Sequence[str]
    output: str
    output_kind: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The job's folder, with a slash at its end, relative to the project."""
        return f"{self.kind}/job{self.number:03d}/"


def write_pipeline(project: Path, jobs: Sequence[Job]) -> None:
    """Write the list of jobs, and in each job's folder its settings and the mark that it has succeeded.

    Args:
        project: The project's folder.
        jobs: In the order of their numbers.

    Raises:
        OSError: A file cannot be written.
    """
    for job in jobs:
        folder = project / job.folder
        folder.mkdir(parents=True, exist_ok=True)
        _write_job(folder, job)
        node = project / ".Nodes" / str(_NODES[job.output_kind]) / job.folder / job.output
        node.parent.mkdir(parents=True, exist_ok=True)
        node.touch()  # RELION offers as inputs what it finds there
    files = [(job.folder + job.output, _NODES[job.output_kind]) for job in jobs]
    taken = [(name, job.folder) for job in jobs for name in job.inputs]
    made = [(job.folder, job.folder + job.output) for job in jobs]
    processes = [(job.folder, "None", _PROCESSES[job.kind], _FINISHED) for job in jobs]
    write_star(
        project / "default_pipeline.star",
        {
            "pipeline_general": {"rlnPipeLineJobCounter": max(job.number for job in jobs) + 1},
            "pipeline_processes": _table("Process", ("Name", "Alias", "Type", "Status"), processes),
            "pipeline_nodes": _table("Node", ("Name", "Type"), files),
            "pipeline_input_edges": _table("Edge", ("FromNode", "Process"), taken),
            "pipeline_output_edges": _table("Edge", ("Process", "ToNode"), made),
        },
    )


def _table(what: str, names: Sequence[str], rows: Iterable[tuple[str | int, ...]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=[f"rlnPipeLine{what}{name}" for name in names])


def _write_job(folder: Path, job: Job) -> None:
    options = pd.DataFrame(
        {"rlnJobOptionVariable": list(job.options), "rlnJobOptionValue": list(job.options.values())}
    )
    general = {"rlnJobType": _PROCESSES[job.kind], "rlnJobIsContinue": 0}
    write_star(folder / "job.star", {"job": general, "joboptions_values": options})
    own = version("eucentric")
    (folder / "note.txt").write_text(
        f"Done by Eucentric {own}; the protocols and their parameters are told by `eucentric`.\n"
    )
    (folder / "run.out").write_text("Done by Eucentric and exported.\n")
    (folder / "run.err").touch()
    (folder / "RELION_JOB_EXIT_SUCCESS").touch()
