"""What a session's own processing gives to a deposition: its numbers, its steps, its files."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from eucentric.formats import read_info
from eucentric.metadata.vocabulary import Processing, ProcessingStep
from eucentric.metadata.vocabulary.processing import StepKind
from eucentric.monitors.exposures import Exposure, SessionRecord
from eucentric.publish.document import file_name
from eucentric.publish.empiar import Category, ImageSet, Voxel

KINDS: dict[str, StepKind] = {
    "import-movies": "import",
    "estimate-gain": "gain estimation",
    "align-movies": "motion correction",
    "estimate-ctf": "CTF estimation",
    "select-exposures": "selection",
    "pick-particles": "particle picking",
    "picking-consensus": "particle picking",
    "extract-particles": "particle extraction",
    "classify-particles": "2D classification",
    "select-classes": "selection",
    "initial-map": "initial model",
}
"""What the built-in protocols do, in the words of the vocabulary; others are kept by their names."""

SETS: dict[str, Category] = {
    "movies": "movies",
    "micrographs": "micrographs",
    "particles": "particles",
}
"""What files there are of every exposure."""

_ITEMS = {
    "movies": ("movie", "path"),
    "micrographs": ("micrograph", "path"),
    "particles": ("particles", "stack_path"),
}
_CONDITIONS = ("voltage", "spherical_aberration", "amplitude_contrast")
_VOXELS: dict[str, Voxel] = {
    "uint8": "u1",
    "int8": "i1",
    "uint16": "u2",
    "int16": "i2",
    "uint32": "u4",
    "int32": "i4",
    "float32": "f4",
    "float16": "f2",
}


@dataclass(frozen=True)
class FileSet:
    """Files of one kind, and what they are.

    Attributes:
        kind: Which of `SETS`.
        files: The files, as they lie in the session.
        images: The same for a repository.
        groups: Number of the optics group of each file, within the acquisition.
        conditions: With what they were processed: `voltage` (kV), `spherical_aberration` (mm) and
            `amplitude_contrast`.
    """

    kind: str
    files: tuple[Path, ...]
    images: ImageSet
    groups: tuple[int, ...]
    conditions: dict[str, float]


def accepted(exposures: Iterable[Exposure]) -> list[Exposure]:
    """Return the exposures that nothing has rejected and that did not fail."""
    return [each for each in exposures if each.state not in ("rejected", "failed")]


def processing_of(exposures: Sequence[Exposure], shared: dict[str, dict[str, Any]]) -> Processing:
    """Return what came of the processing of an acquisition.

    Args:
        exposures: All its exposures; those that were rejected count only as micrographs.
        shared: The items of the whole acquisition, by kind.
    """
    good = accepted(exposures)
    movies = [each.items["movie"] for each in good if "movie" in each.items]
    aligned = [each.items["micrograph"] for each in exposures if "micrograph" in each.items]
    fits = [each.items["ctf"] for each in good if "ctf" in each.items]
    picked = [each.items["coordinates"]["count"] for each in good if "coordinates" in each.items]
    classes, found = shared.get("class_averages", {}), shared.get("initial_map", {})
    defoci = [(fit["defocus_u"] + fit["defocus_v"]) / 2 for fit in fits]
    resolutions = [fit["resolution"] for fit in fits]
    motion = [each["motion_total"] for each in aligned if each.get("motion_total") is not None]
    return Processing(
        dose_per_frame=_mean([each["dose_per_frame"] for each in movies if each["dose_per_frame"] > 0]),
        total_dose=_mean([each["dose"] for each in aligned if each.get("dose")]),
        first_frame=1 if movies else None,
        last_frame=max((each["frames"] for each in movies), default=None),
        motion_total=_mean(motion),
        micrographs=len(aligned) or None,
        micrographs_selected=len(good) or None,
        amplitude_contrast=fits[0]["amplitude_contrast"] if fits else None,
        defocus_minimal=min(defoci, default=None),
        defocus_maximal=max(defoci, default=None),
        defocus_mean=_mean(defoci),
        astigmatism_mean=_mean([fit["defocus_u"] - fit["defocus_v"] for fit in fits]),
        ctf_resolution_best=min(resolutions, default=None),
        ctf_resolution_worst=max(resolutions, default=None),
        ctf_resolution_mean=_mean(resolutions),
        particles_picked=sum(picked) or None,
        particles_per_micrograph=_mean(picked),
        classes_2d=classes.get("classes") or None,
        resolution_2d=classes.get("resolution"),
        particles_used=found.get("particles") or None,
        symmetry=found.get("symmetry"),
        resolution=found.get("resolution"),
        map_pixel_size=found.get("pixel_size"),
        map_box=found.get("box"),
        map_path=found.get("path"),
    )


def steps_of(record: SessionRecord) -> tuple[ProcessingStep, ...]:
    """Return the runs of a session as steps of processing; one that is not known by kind is "other"."""
    own = version("eucentric")
    return tuple(
        ProcessingStep(
            name=name,
            kind=KINDS.get(row.protocol, "other"),
            type=row.protocol,
            software="Eucentric",
            software_version=own,
            parameters={
                key: value if isinstance(value, str | int | float | bool) else str(value)
                for key, value in row.params.items()
                if value is not None
            },
            inputs=tuple(dict.fromkeys(stream.split(".")[0] for stream in _streams(row.inputs))),
        )
        for name, row in record.runs.items()
    )


def _streams(inputs: dict[str, Any]) -> list[str]:
    return [
        each for streams in inputs.values() for each in ([streams] if isinstance(streams, str) else streams)
    ]


def file_sets(
    acquisition: str, exposures: Sequence[Exposure], session: Path, chosen: Iterable[str]
) -> list[FileSet]:
    """Return the files of an acquisition's good exposures, as far as they are there.

    Args:
        acquisition: Its name.
        exposures: Its exposures.
        session: The session's folder.
        chosen: Which of `SETS`.

    Raises:
        FormatError: The first file of a kind cannot be read.
        OSError: It cannot be opened.
    """
    found = []
    for name in chosen:
        kind, field = _ITEMS[name]
        items = [each.items[kind] for each in accepted(exposures) if kind in each.items]
        there = [(item, session / item[field]) for item in items if (session / item[field]).exists()]
        if there:
            files = tuple(file for _, file in there)
            first = there[0][0]
            images = image_set(name, acquisition, files, first["pixel_size"] * first.get("upsampling", 1))
            groups = tuple(int(item.get("optics_group", 1)) for item, _ in there)
            conditions = {key: float(first[key]) for key in _CONDITIONS if first.get(key) is not None}
            found.append(FileSet(name, files, images, groups, conditions))
    return found


def image_set(name: str, acquisition: str, files: Sequence[Path], pixel_size: float | None) -> ImageSet:
    """Return what files are for a repository, by the first of them.

    Args:
        name: Which of `SETS`.
        acquisition: What they are of.
        files: The files; there is at least one.
        pixel_size: Å/px of the files' own pixels; headers of movies are often wrong.

    Raises:
        FormatError: The first file cannot be read.
        OSError: It cannot be opened.
    """
    info = read_info(files[0])
    format_ = "MRCS" if name == "particles" else info.format
    assert format_ in ("MRC", "MRCS", "TIFF", "DM", "EER")  # `read_info` gives no other
    return ImageSet(
        name=f"{name.capitalize()} of {acquisition}",
        directory=f"/data/{file_name(acquisition)}/{name}",
        category=SETS[name],
        format="DM4" if format_ == "DM" else format_,
        voxel=_VOXELS.get(info.dtype.name, "f4"),
        images=len(files),
        frames=info.frames if name == "movies" else 1,
        width=info.width,
        height=info.height,
        pixel_size=pixel_size,
        first_frame=1 if name == "movies" else None,
        last_frame=info.frames if name == "movies" else None,
    )


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None
