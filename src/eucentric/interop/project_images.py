"""The movies, micrographs and particles of a project, as sets of files for a repository."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from eucentric.formats import FormatError
from eucentric.formats.star_summary import BlockSummary, star_rows, summarise_star
from eucentric.interop.final_steps import called, leading_to
from eucentric.interop.project_folder import ProjectFolder
from eucentric.metadata.records import HarvestRecord
from eucentric.metadata.vocabulary import ProcessingStep
from eucentric.publish.session import FileSet, image_set

_TABLES: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "movies": ("rlnMicrographMovieName", "rlnMicrographOriginalPixelSize", ("import",), ("movies.star",)),
    "micrographs": (
        "rlnMicrographName",
        "rlnMicrographPixelSize",
        ("motion correction",),
        ("corrected_micrographs.star",),
    ),
    "particles": (
        "rlnImageName",
        "rlnImagePixelSize",
        ("particle extraction", "particle polishing", "3D refinement", "3D classification"),
        ("particles.star", "shiny.star"),
    ),
}
"""For each kind of files its label, that of its pixel size, the steps that hand it on, and their tables."""

_OPTICS = {
    "voltage": "rlnVoltage",
    "spherical_aberration": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
}


def project_images(
    harvest: HarvestRecord, name: str, kinds: Sequence[str], raw: Sequence[Path]
) -> tuple[list[FileSet], list[str]]:
    """Return the files of a project that lead to its final result, as far as they are there.

    Where none of a kind lead to it, as after an import of particles, they are those of any step.

    Args:
        harvest: What the project tells.
        name: What the sets are called after.
        kinds: `movies`, `micrographs`, `particles`.
        raw: Folders that movies may lie in, besides the project's.

    Returns:
        The sets, and sentences about what could not be taken.

    Raises:
        FormatError: The first file of a set cannot be read.
        OSError: A file cannot be read.
    """
    folder = ProjectFolder(Path(harvest.project))
    steps = harvest.record.steps
    last = called(steps, harvest.final) if harvest.final else None
    sets, told = [], []
    for kind in kinds:
        label, size, of, names = _TABLES[kind]
        tables = chain(_tables(folder, leading_to(steps, last), of, names), _tables(folder, steps, of, names))
        table = next((each for each in tables if _has(folder, each, label)), None)
        if table is None:
            continue
        try:
            files, groups, gone = _files(folder, table, label, raw)
        except FormatError as error:
            told.append(f"{table}: {error.what}; its {kind} are left out.")
            continue
        if gone:
            told.append(f"{gone} of the {kind} in {table} are gone, or outside the project and --raw.")
        if files:
            optics = _optics(folder, table)
            images = image_set(kind, name, files, optics.number(size))
            conditions = {
                key: number for key, each in _OPTICS.items() if (number := optics.number(each)) is not None
            }
            sets.append(FileSet(kind, tuple(files), images, tuple(groups), conditions))
    return sets, told


def _tables(
    folder: ProjectFolder, steps: Sequence[ProcessingStep], kinds: Sequence[str], names: Sequence[str]
) -> Iterator[str]:
    """Yield the tables that steps of some kinds have made, the last first."""
    for step in reversed(steps):
        if step.kind in kinds and step.status in ("succeeded", None):
            newest = folder.newest(str(step.name), "_data.star")
            if newest:
                yield newest
            for name in names:
                if folder.locate(f"{step.name}/{name}"):
                    yield f"{step.name}/{name}"


def _has(folder: ProjectFolder, table: str, label: str) -> bool:
    path = folder.locate(table)
    try:
        return path is not None and any(True for _ in star_rows(path, (label,)))
    except FormatError:
        return False


def _optics(folder: ProjectFolder, table: str) -> BlockSummary:
    path = folder.locate(table)
    assert path is not None
    blocks = summarise_star(path).blocks
    return blocks.get("optics") or max(blocks.values(), key=lambda block: block.rows)


def _files(
    folder: ProjectFolder, table: str, label: str, raw: Sequence[Path]
) -> tuple[list[Path], list[int], int]:
    """Return the files of a table, each once, their optics groups, and how many of them are not there."""
    path = folder.locate(table)
    assert path is not None
    grouped = "rlnOpticsGroup" in {
        column for block in summarise_star(path).blocks.values() for column in block.columns if block.rows
    }
    found = dict[str, int]()
    labels = (label, "rlnOpticsGroup") if grouped else (label,)
    for name, *group in star_rows(path, labels):
        file = name.partition("@")[2] or name  # NUMBER@STACK
        found.setdefault(file, int(group[0]) if group and group[0].isdecimal() else 1)
    located = {name: folder.locate(name, raw) for name in found}
    there = {name: file for name, file in located.items() if file is not None and file.is_file()}
    return list(there.values()), [found[name] for name in there], len(found) - len(there)
