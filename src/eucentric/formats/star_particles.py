"""RELION's tables of picked coordinates and of particles, in Eucentric's words.

Both are tables with a row for each particle, a thousand rows for a micrograph and a million for a session,
so they are held as columns (pandas). `COORDINATES` and `PARTICLES` translate the columns to RELION's labels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from eucentric.formats.errors import FormatError
from eucentric.formats.star import StarBlock, read_star, write_star

COORDINATES = {
    "x": "rlnCoordinateX",
    "y": "rlnCoordinateY",
    "score": "rlnAutopickFigureOfMerit",
}
"""Columns of a coordinate file: position in px of the micrograph, and figure of merit (may be missing)."""

PARTICLES = {
    "x": "rlnCoordinateX",
    "y": "rlnCoordinateY",
    "score": "rlnAutopickFigureOfMerit",
    "image": "rlnImageName",
    "micrograph_path": "rlnMicrographName",
    "optics_group": "rlnOpticsGroup",
    "defocus_u": "rlnDefocusU",
    "defocus_v": "rlnDefocusV",
    "defocus_angle": "rlnDefocusAngle",
    "phase_shift": "rlnPhaseShift",
    "ctf_resolution": "rlnCtfMaxResolution",
    "ctf_score": "rlnCtfFigureOfMerit",
    "class_number": "rlnClassNumber",
    "half": "rlnRandomSubset",
    "rot": "rlnAngleRot",
    "tilt": "rlnAngleTilt",
    "psi": "rlnAnglePsi",
    "origin_x": "rlnOriginXAngst",
    "origin_y": "rlnOriginYAngst",
}
"""Columns of a table of particles: Å and degrees; `image` is NUMBER@STACK, counted from 1."""

_OPTICS = {
    "name": "rlnOpticsGroupName",
    "number": "rlnOpticsGroup",
    "movie_pixel_size": "rlnMicrographOriginalPixelSize",
    "micrograph_pixel_size": "rlnMicrographPixelSize",
    "voltage": "rlnVoltage",
    "spherical_aberration": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
    "pixel_size": "rlnImagePixelSize",
    "box": "rlnImageSize",
    "dimensions": "rlnImageDimensionality",
}
_OPTIONAL = ("movie_pixel_size", "micrograph_pixel_size")
_NEEDED = ("x", "y", "image", "micrograph_path", "optics_group")


@dataclass(frozen=True)
class ParticleOptics:
    """One optics group of a table of particles.

    Attributes:
        number: From 1; rows of the particles refer to it.
        name: Such as "opticsGroup1".
        voltage: kV.
        spherical_aberration: mm.
        amplitude_contrast: Fraction.
        pixel_size: Å/px of the particles' images.
        box: Rows and columns of an image.
        dimensions: 2 for images.
        movie_pixel_size: Å/px of the movies; None where unknown.
        micrograph_pixel_size: Å/px of the micrographs, in which coordinates count; RELION leaves it out.
    """

    number: int
    name: str
    voltage: float
    spherical_aberration: float
    amplitude_contrast: float
    pixel_size: float
    box: int
    dimensions: int = 2
    movie_pixel_size: float | None = None
    micrograph_pixel_size: float | None = None


def write_coordinates_star(path: str | Path, coordinates: pd.DataFrame) -> None:
    """Write picked positions as RELION's automatic picking does.

    Args:
        path: The file.
        coordinates: Columns x, y (px of the micrograph, (0, 0) the centre of its first pixel) and score.

    Raises:
        ValueError: A column is missing or unknown, or a number is not finite.
        OSError: The file cannot be written.
    """
    write_star(path, {"": _to_relion(coordinates, COORDINATES, tuple(COORDINATES), path)})


def read_coordinates_star(path: str | Path) -> pd.DataFrame:
    """Read picked positions, of RELION's picking or of any program that writes its coordinate files.

    Returns:
        Columns x, y (px of the micrograph), and score where the file has it.

    Raises:
        FormatError: The file is damaged, or holds no table of coordinates.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    for block in read_star(path).values():
        if {"rlnCoordinateX", "rlnCoordinateY"} <= set(block):
            return _from_relion(block, COORDINATES)
    what = "it has no table with rlnCoordinateX and rlnCoordinateY"
    raise FormatError(path, what, "give a coordinate file of RELION's picking")


def write_particles_star(path: str | Path, optics: Sequence[ParticleOptics], particles: pd.DataFrame) -> None:
    """Write a table of particles with its optics groups, as RELION 3.1 and later read it.

    Args:
        path: The file.
        optics: The optics groups.
        particles: Columns of `PARTICLES`; x, y, image, micrograph_path and optics_group must be there.

    Raises:
        ValueError: A column is missing or unknown, an optics group is not described, or a number is not
            finite.
        OSError: The file cannot be written.
    """
    table = _to_relion(particles, PARTICLES, _NEEDED, path)
    if missing := set(particles["optics_group"]) - {group.number for group in optics}:
        raise ValueError(f"optics groups {sorted(missing)} are used but not described ({path})")
    groups = pd.DataFrame(
        {label: [getattr(group, name) for group in optics] for name, label in _OPTICS.items()}, dtype=object
    ).dropna(axis="columns", how="all")
    write_star(path, {"optics": groups, "particles": table})


def read_particles_star(path: str | Path) -> tuple[list[ParticleOptics], pd.DataFrame]:
    """Read a table of particles as RELION 3.1 and later write it.

    Returns:
        The optics groups, and a table with those columns of `PARTICLES` that the file has.

    Raises:
        FormatError: The file is damaged, of RELION 3.0 or earlier, or not a table of particles.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    blocks = read_star(path)
    needed = [label for name, label in _OPTICS.items() if name not in _OPTIONAL]
    optics = _from_relion(_block(path, blocks, "optics", needed), _OPTICS)
    needed = [PARTICLES[name] for name in _NEEDED]
    particles = _from_relion(_block(path, blocks, "particles", needed), PARTICLES)
    rows = optics.to_dict(orient="records")
    return [ParticleOptics(**{str(name): value for name, value in row.items()}) for row in rows], particles


def _to_relion(
    table: pd.DataFrame, labels: Mapping[str, str], needed: Sequence[str], path: str | Path
) -> pd.DataFrame:
    if unknown := set(table.columns) - set(labels):
        raise ValueError(f"RELION has no label for the columns {sorted(unknown)} ({path})")
    if missing := set(needed) - set(table.columns):
        raise ValueError(f"the columns {sorted(missing)} are missing ({path})")
    return table[[name for name in labels if name in table.columns]].rename(columns=dict(labels))


def _block(path: Path, blocks: Mapping[str, StarBlock], name: str, needed: Iterable[str]) -> StarBlock:
    if name not in blocks:
        what = f"it has no table data_{name}: it is no table of particles of RELION 3.1 or later"
        raise FormatError(path, what, "convert it with relion_convert_star, or give another file")
    if missing := [label for label in needed if label not in blocks[name]]:
        what = f"its table data_{name} lacks {', '.join(missing)}"
        raise FormatError(path, what, "write it again with these columns")
    return blocks[name]


def _from_relion(block: StarBlock, labels: Mapping[str, str]) -> pd.DataFrame:
    table = pd.DataFrame([block]) if isinstance(block, dict) else block  # one row may be written as pairs
    names = {label: name for name, label in labels.items() if label in table.columns}
    return table[list(names)].rename(columns=names)
