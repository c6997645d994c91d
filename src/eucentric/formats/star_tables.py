"""RELION's tables of movies, micrographs and frame shifts, in Eucentric's words, units and signs.

Each class below is one row of a table; `_LABELS` translates its fields to RELION's labels. All tables
come with optics groups, as RELION writes them since version 3.1.

RELION's own motion correction writes accumulated motion in pixels of the movie, though its list of labels
says Å (seen in 3.1.3: the values do not change with the pixel size). The tables follow the program, the
classes are in Å; the optics group's `movie_pixel_size` translates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from eucentric.formats.errors import FormatError
from eucentric.formats.star import StarBlock, read_star, write_star

_CONFIG = ConfigDict(allow_inf_nan=False)


@dataclass(frozen=True, config=_CONFIG)
class StarOptics:
    """One optics group.

    Attributes:
        number: From 1; rows of the other table refer to it.
        name: Such as "opticsGroup1".
        voltage: kV.
        spherical_aberration: mm.
        amplitude_contrast: Fraction.
        movie_pixel_size: Å/px of the movies; None where unknown.
        pixel_size: Å/px of the micrographs; None in tables of movies.
    """

    number: int
    name: str
    voltage: float
    spherical_aberration: float
    amplitude_contrast: float
    movie_pixel_size: float | None = None
    pixel_size: float | None = None


@dataclass(frozen=True, config=_CONFIG)
class StarMovie:
    """One movie: path (as RELION shall find it) and number of its optics group."""

    path: str
    optics_group: int = 1


@dataclass(frozen=True, config=_CONFIG)
class StarMicrograph:
    """One micrograph and what is known of it; fields left None are not written.

    Attributes:
        path: The micrograph, as RELION shall find it.
        optics_group: Number of its optics group.
        shifts_path: STAR file with the shift of every frame.
        ctf_path: Image of spectrum and fit.
        defocus_u: Å, underfocus positive, the larger one.
        defocus_v: Å.
        astigmatism: Å, the difference of the two.
        defocus_angle: Degrees of U from the x axis.
        phase_shift: Degrees.
        score: Figure of merit of the fit.
        resolution: Å, up to which rings are fitted.
        motion_total: Å, length of the whole path of the specimen.
        motion_early: Å, over the first 4 e⁻/Å².
        motion_late: Å, after that.
    """

    path: str
    optics_group: int = 1
    shifts_path: str | None = None
    ctf_path: str | None = None
    defocus_u: float | None = None
    defocus_v: float | None = None
    astigmatism: float | None = None
    defocus_angle: float | None = None
    phase_shift: float | None = None
    score: float | None = None
    resolution: float | None = None
    motion_total: float | None = None
    motion_early: float | None = None
    motion_late: float | None = None


Row = TypeVar("Row", StarOptics, StarMovie, StarMicrograph)

_LABELS: dict[type[Any], dict[str, str]] = {
    StarOptics: {
        "name": "rlnOpticsGroupName",
        "number": "rlnOpticsGroup",
        "movie_pixel_size": "rlnMicrographOriginalPixelSize",
        "voltage": "rlnVoltage",
        "spherical_aberration": "rlnSphericalAberration",
        "amplitude_contrast": "rlnAmplitudeContrast",
        "pixel_size": "rlnMicrographPixelSize",
    },
    StarMovie: {"path": "rlnMicrographMovieName", "optics_group": "rlnOpticsGroup"},
    StarMicrograph: {
        "path": "rlnMicrographName",
        "shifts_path": "rlnMicrographMetadata",
        "optics_group": "rlnOpticsGroup",
        "ctf_path": "rlnCtfImage",
        "defocus_u": "rlnDefocusU",
        "defocus_v": "rlnDefocusV",
        "astigmatism": "rlnCtfAstigmatism",
        "defocus_angle": "rlnDefocusAngle",
        "phase_shift": "rlnPhaseShift",
        "score": "rlnCtfFigureOfMerit",
        "resolution": "rlnCtfMaxResolution",
        "motion_total": "rlnAccumMotionTotal",
        "motion_early": "rlnAccumMotionEarly",
        "motion_late": "rlnAccumMotionLate",
    },
}

OPTICS_LABELS = {**_LABELS[StarOptics], "mtf_path": "rlnMtfFileName"}
"""What RELION calls the values of an optics group, and the file of the detector's transfer function."""


def write_movies_star(path: str | Path, optics: Sequence[StarOptics], movies: Iterable[StarMovie]) -> None:
    """Write a table of movies that RELION imports (`data_optics`, `data_movies`).

    Raises:
        ValueError: A movie's optics group is missing, or only some rows have a value.
        OSError: The file cannot be written.
    """
    _write(path, optics, "movies", list(movies), StarMovie)


def read_movies_star(path: str | Path) -> tuple[list[StarOptics], list[StarMovie]]:
    """Read a table of movies as RELION 3.1 and later write it.

    Raises:
        FormatError: The file is damaged, of RELION 3.0 or earlier, or not a table of movies.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    blocks = read_star(path)
    return _rows(path, blocks, "optics", StarOptics), _rows(path, blocks, "movies", StarMovie)


def write_micrographs_star(
    path: str | Path, optics: Sequence[StarOptics], micrographs: Iterable[StarMicrograph]
) -> None:
    """Write a table of micrographs that RELION reads (`data_optics`, `data_micrographs`).

    A column is written where the micrographs have a value. RELION's tables have no gaps: either all
    micrographs have it or none.

    Raises:
        ValueError: A micrograph's optics group is missing, only some micrographs have a value, or motion is
            given without `movie_pixel_size`.
        OSError: The file cannot be written.
    """
    sizes = {group.number: group.movie_pixel_size for group in optics}
    rows = []
    for row in micrographs:
        size = sizes.get(row.optics_group)
        if size is None and (row.motion_total, row.motion_early, row.motion_late) != (None, None, None):
            raise ValueError(f"motion is written in pixels of the movie, whose size is missing ({path})")
        rows.append(_scaled(row, 1 / size) if size else row)
    _write(path, optics, "micrographs", rows, StarMicrograph)


def read_micrographs_star(path: str | Path) -> tuple[list[StarOptics], list[StarMicrograph]]:
    """Read a table of micrographs as RELION 3.1 and later write it; other columns are passed over.

    Motion is left None where the optics group does not tell the pixel size of the movies.

    Raises:
        FormatError: The file is damaged, of RELION 3.0 or earlier, or not a table of micrographs.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    blocks = read_star(path)
    optics = _rows(path, blocks, "optics", StarOptics)
    sizes = {group.number: group.movie_pixel_size for group in optics}
    rows = _rows(path, blocks, "micrographs", StarMicrograph)
    return optics, [_scaled(row, sizes.get(row.optics_group)) for row in rows]


def _scaled(row: StarMicrograph, factor: float | None) -> StarMicrograph:
    """Return `row` with its motion multiplied by `factor`, or without it where there is no factor."""
    total, early, late = (
        value * factor if value is not None and factor else None
        for value in (row.motion_total, row.motion_early, row.motion_late)
    )
    return replace(row, motion_total=total, motion_early=early, motion_late=late)


def _write(path: str | Path, optics: Sequence[StarOptics], name: str, rows: list[Any], kind: type) -> None:
    missing = {row.optics_group for row in rows} - {group.number for group in optics}
    if missing:
        raise ValueError(f"optics groups {sorted(missing)} are used but not described ({path})")
    write_star(path, {"optics": _table(optics, StarOptics, path), name: _table(rows, kind, path)})


def _table(rows: Sequence[Any], kind: type, path: str | Path) -> pd.DataFrame:
    columns = {}
    for field, label in _LABELS[kind].items():
        values = [getattr(row, field) for row in rows]
        known = sum(value is not None for value in values)
        if known not in (0, len(values)):
            raise ValueError(
                f"only {known} of {len(values)} rows have {field}; leave the others out ({path})"
            )
        if known:
            columns[label] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def _rows(path: Path, blocks: dict[str, StarBlock], name: str, kind: type[Row]) -> list[Row]:
    block = blocks.get(name)
    if block is None:
        if "optics" not in blocks:
            what = "it has no optics groups: RELION 3.0 or an earlier version wrote it"
            raise FormatError(path, what, "convert it with relion_convert_star")
        raise FormatError(path, f"it has no table data_{name}", f"give a table of {name}")
    table = pd.DataFrame([block]) if isinstance(block, dict) else block  # one row may be written as pairs
    labels = {field: label for field, label in _LABELS[kind].items() if label in table.columns}
    needed = {field.name for field in fields(kind)} - labels.keys() - _optional(kind)
    if needed:
        missing = ", ".join(sorted(_LABELS[kind][field] for field in needed))
        raise FormatError(path, f"its table data_{name} lacks {missing}", "write it again with these columns")
    columns = [table[label].tolist() for label in labels.values()]
    try:
        return [kind(**dict(zip(labels, values, strict=True))) for values in zip(*columns, strict=True)]
    except ValidationError as error:
        first = error.errors()[0]
        what = f"its table data_{name} has a {first['loc'][0]} of {first['input']!r} ({first['msg']})"
        raise FormatError(path, what, "correct or write it again") from error


def _optional(kind: type[Any]) -> set[str]:
    # A table without optics groups per row would be guesswork, so that column is needed in any case.
    return {field.name for field in fields(kind) if field.default is None}
