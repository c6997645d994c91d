"""What goes into a RELION project: exposures, the names of their files, and their optics groups."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from eucentric.formats import StarMicrograph
from eucentric.metadata import CTF, Coordinates, Gain, Micrograph, Movie, Particles


@dataclass(frozen=True)
class ExportedExposure:
    """The results of one exposure; movie, coordinates and particles may be missing.

    Attributes:
        path: Acquisition and key.
        micrograph: Its aligned sum.
        ctf: The fit.
        movie: The movie.
        coordinates: The picks.
        particles: The extracted particles.
        gain: The acquisition's gain reference.
    """

    path: tuple[str, ...]
    micrograph: Micrograph
    ctf: CTF
    movie: Movie | None = None
    coordinates: Coordinates | None = None
    particles: Particles | None = None
    gain: Gain | None = None


def optics_kinds(exposures: Sequence[ExportedExposure]) -> list[tuple[object, ...]]:
    """Return for every exposure all that its images must share with the others of its optics group.

    An exposure without particles goes with those that have some.
    """
    kinds, sizes = [], dict[tuple[object, ...], tuple[float, int]]()
    for each in exposures:
        image, particles = each.micrograph, each.particles
        movie = each.movie.pixel_size if each.movie is not None else None
        lens = (image.voltage, image.spherical_aberration, image.amplitude_contrast)
        kind = (each.path[0], image.optics_group, image.pixel_size, movie, *lens)
        kinds.append(kind)
        if particles is not None:
            sizes.setdefault(kind, (particles.pixel_size, particles.box))
    return [
        (*kind, *((each.particles.pixel_size, each.particles.box) if each.particles else sizes.get(kind, ())))
        for kind, each in zip(kinds, exposures, strict=True)
    ]


def file_names(exposures: Sequence[ExportedExposure]) -> list[str]:
    """Return a name for the files of each exposure that RELION can read: no spaces, no two alike."""
    names: dict[str, None] = {}
    for exposure in exposures:
        folder, stem = (
            re.sub(r"[^\w.+-]+", "_", part).lstrip(".") or "_"
            for part in (exposure.path[0], "_".join(exposure.path[1:]) or exposure.path[0])
        )
        name, number = f"{folder}/{stem}", 1
        while name in names:
            number += 1
            name = f"{folder}/{stem}_{number}"
        names[name] = None
    return list(names)


def without_gaps(rows: list[StarMicrograph]) -> list[StarMicrograph]:
    """Leave out what is not known of all rows, since RELION's tables have no gaps.

    A phase shift that some have is 0 in the others.
    """
    if any(row.phase_shift is not None for row in rows):
        rows = [replace(row, phase_shift=row.phase_shift or 0.0) for row in rows]
    gaps = {
        each.name: None
        for each in fields(StarMicrograph)
        if any(getattr(row, each.name) is None for row in rows)
    }
    return [replace(row, **gaps) for row in rows]  # type: ignore[arg-type]
