"""A table of movies or micrographs with its optics groups, as RELION 3.1 and later take it.

With it a package is processed at once: `relion_run_motioncorr --i movies.star` in its folder, or an import
of the table as it is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from eucentric.formats import star_text
from eucentric.formats.star_tables import OPTICS_LABELS
from eucentric.metadata.records import AcquisitionRecord
from eucentric.publish.document import Document, file_name

_FILES = {"movies": "rlnMicrographMovieName", "micrographs": "rlnMicrographName"}
_REQUIRED = {
    "voltage": "the acceleration voltage",
    "spherical_aberration": "the spherical aberration",
    "amplitude_contrast": "the fraction of amplitude contrast",
}


@dataclass(frozen=True)
class OpticsFiles:
    """The files of an acquisition, of one kind.

    Attributes:
        acquisition: Its name.
        record: What is known of it.
        paths: The files, relative to the package.
        groups: Number of the optics group of each file, within the acquisition.
        pixel_size: Å/px of the images; None where unknown.
        conditions: With what they were processed, by the words of `OPTICS_LABELS`; counts where the record
            does not tell it.
    """

    acquisition: str
    record: AcquisitionRecord
    paths: Sequence[str]
    groups: Sequence[int]
    pixel_size: float | None
    conditions: Mapping[str, float] = field(default_factory=dict)


def relion_optics(kind: str, sets: Sequence[OpticsFiles]) -> Document:
    """Return the table of all files of a kind, with an optics group for each image shift of an acquisition.

    RELION's tables have no gaps: what is not known of every group is left out.

    Args:
        kind: `movies` or `micrographs`.
        sets: The files of each acquisition; there is at least one.
    """
    optics, rows, missing = list[Mapping[str, Any]](), list[tuple[str, int]](), list[str]()
    for each in sets:
        first = len(optics) + 1
        order = sorted(set(each.groups))
        optics += [_group(kind, each, first + place, number) for place, number in enumerate(order)]
        rows += [
            (path, first + order.index(group)) for path, group in zip(each.paths, each.groups, strict=True)
        ]
        missing += _missing(each)
    blocks = {"optics": _table(optics)}
    if any(re.search(r"\s", path) for path, _ in rows):
        missing.append(f"RELION takes no names with spaces: rename the {kind} before it reads them.")
    blocks[kind] = pd.DataFrame(rows, columns=[_FILES[kind], "rlnOpticsGroup"])
    return Document(star_text(blocks), tuple(dict.fromkeys(missing)))


def _group(kind: str, files: OpticsFiles, number: int, within: int) -> dict[str, Any]:
    """Return the values of one optics group, by the words of `OPTICS_LABELS`."""
    record = files.record
    name = file_name(files.acquisition)
    movie = files.pixel_size if kind == "movies" else record.acquisition.pixel_size
    known = {
        "voltage": record.instrument.acceleration_voltage,
        "spherical_aberration": record.instrument.cs,
        "amplitude_contrast": record.processing.amplitude_contrast,
    }
    return {
        "name": f"{name}_{within}",
        "number": number,
        "movie_pixel_size": movie or files.pixel_size,
        **{key: files.conditions.get(key) if value is None else value for key, value in known.items()},
        "pixel_size": None if kind == "movies" else files.pixel_size,
        "mtf_path": record.detector.mtf_file,
    }


def _table(groups: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    known = [key for key in OPTICS_LABELS if all(group[key] is not None for group in groups)]
    return pd.DataFrame({OPTICS_LABELS[key]: [group[key] for group in groups] for key in known}, dtype=object)


def _missing(files: OpticsFiles) -> list[str]:
    values = _group("movies", files, 1, 1)
    return [
        f"RELION requires {what} ({OPTICS_LABELS[key]}) of {files.acquisition}, which is not known."
        for key, what in _REQUIRED.items()
        if values[key] is None
    ]
