"""A RELION project made of a session's results, which RELION 3.1 and later open and continue from.

The project looks as if RELION had imported, aligned, fitted, picked and extracted itself: five jobs with the
tables that RELION writes. Images are links to the session's files; tables are written anew with the names by
which files are found from the project's folder.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from eucentric.engine.protocol import Task
from eucentric.formats import (
    ParticleOptics,
    StarMicrograph,
    StarMovie,
    StarOptics,
    open_frames,
    read_info,
    read_particles_star,
    read_shifts_star,
    write_micrographs_star,
    write_movies_star,
    write_mrc,
    write_particles_star,
    write_shifts_star,
)
from eucentric.metadata import Gain, Movie, Particles
from eucentric.techniques.single_particle.gain import read_correction
from eucentric.techniques.single_particle.relion_exposures import (
    ExportedExposure,
    file_names,
    optics_kinds,
    without_gaps,
)
from eucentric.techniques.single_particle.relion_pipeline import Job, write_pipeline

IMPORT, MOTION, CTFFIND = "Import/job001/", "MotionCorr/job002/", "CtfFind/job003/"
PICK, EXTRACT = "AutoPick/job004/", "Extract/job005/"


class ProjectExists(FileExistsError):
    """The folder is there already, and replacing it was not asked for."""


def write_relion_project(
    project: Path,
    session: Path,
    exposures: Sequence[ExportedExposure],
    *,
    copy: bool = False,
    update: bool = False,
    progress: Callable[[float], None] = lambda _fraction: None,
) -> int:
    """Write a RELION project; it appears under its name only when it is whole.

    Args:
        project: Folder to make.
        session: Folder that the items' paths are relative to.
        exposures: What goes into it.
        copy: Copy images instead of linking to them. Half-precision images are always copied, as single
            precision: RELION before version 4 does not read them.
        update: Replace the five exported jobs in a project that was exported before; other jobs stay.
        progress: Called with the fraction done.

    Returns:
        The number of particles.

    Raises:
        ValueError: There are no exposures.
        ProjectExists: The folder is there and `update` is not set, or is no such project.
        OSError: A file cannot be read or written.
    """
    if not exposures:
        raise ValueError(
            "There is no accepted exposure with a fitted CTF yet, so there is nothing to export."
        )
    there = project.exists()
    if there and not (update and (project / "default_pipeline.star").is_file()):
        how = "it is no RELION project" if update else "replace what was exported before with --update"
        raise ProjectExists(f"{project} exists already; give another folder ({how}).")
    part = project.with_name(f".{project.name}.{os.getpid()}.partial")
    try:
        part.mkdir(parents=True)
        particles = _Writer(part, session, exposures, copy).write(progress)
        if there:
            _replace_jobs(project, part)
        else:
            part.rename(project)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return particles


def _replace_jobs(project: Path, part: Path) -> None:
    """Put the new jobs in the place of the old; the list of jobs may have become longer and stays."""
    for name in ("Movies", IMPORT, MOTION, CTFFIND, PICK, EXTRACT):
        new, old = part / name, project / name
        if old.exists():
            aside = part / f"old-{name.strip('/').replace('/', '-')}"
            old.rename(aside)
        if new.exists():
            old.parent.mkdir(exist_ok=True)
            new.rename(old)


class _Writer:
    """Writes one project.

    Attributes:
        names: For every exposure the name of its files, without ending, below a job's folder.
        groups: For every exposure the number of its optics group.
    """

    def __init__(
        self, project: Path, session: Path, exposures: Sequence[ExportedExposure], copy: bool
    ) -> None:
        self.project, self.session, self.exposures, self.copy = project, session, exposures, copy
        self.names = file_names(exposures)
        self.gains: dict[tuple[str, Gain, int, int], int] = {}
        kinds = optics_kinds(exposures)
        order = list(dict.fromkeys(kinds))
        self.groups = [order.index(kind) + 1 for kind in kinds]
        self.firsts = [exposures[kinds.index(kind)] for kind in order]
        self.with_movies = all(each.movie is not None for each in exposures)

    def write(self, progress: Callable[[float], None]) -> int:
        """Write files and tables; return the number of particles."""
        micrographs, tables = [], []
        for number, (exposure, name, group) in enumerate(
            zip(self.exposures, self.names, self.groups, strict=True)
        ):
            micrographs.append(self._micrograph(exposure, name, group))
            if exposure.particles is not None:
                tables.append(self._particles(exposure.particles, name, group))
            if exposure.coordinates is not None:
                self._place(exposure.coordinates.path, f"{PICK}micrographs/{name}_autopick.star")
            progress((number + 1) / len(self.exposures))
        self._write_tables(micrographs)
        if tables:
            optics = self._particle_optics()
            joined = pd.concat(tables, ignore_index=True)
            write_particles_star(self.project / EXTRACT / "particles.star", optics, joined)
        picked = any(each.coordinates is not None for each in self.exposures)
        if picked:
            suffix = self.project / PICK / "coords_suffix_autopick.star"
            suffix.write_text(f"{CTFFIND}micrographs_ctf.star\n")
        write_pipeline(self.project, self._jobs(picked, bool(tables)))
        return sum(len(table) for table in tables)

    # ---------------------------------------------------------------- files

    def _micrograph(self, exposure: ExportedExposure, name: str, group: int) -> StarMicrograph:
        """Place the files of a micrograph, and return its row of the table."""
        image, ctf = exposure.micrograph, exposure.ctf
        placed = self._place(image.path, f"{MOTION}micrographs/{name}.mrc")
        shifts = spectrum = None
        if exposure.movie is not None:
            movie = self._place(exposure.movie.path, self._movie_name(exposure, name))
            if image.shifts_path is not None:
                shifts = f"{MOTION}micrographs/{name}.star"
                motion = read_shifts_star(self.session / image.shifts_path)
                gain = self._gain(exposure.gain, exposure.movie, Path(name).parent.name)
                write_shifts_star(self.project / shifts, replace(motion, movie_path=movie, gain_path=gain))
        if image.spectrum_path is not None:
            spectrum = self._place(image.spectrum_path, f"{CTFFIND}micrographs/{name}.ctf") + ":mrc"
        return StarMicrograph(
            path=placed,
            optics_group=group,
            shifts_path=shifts,
            ctf_path=spectrum,
            defocus_u=ctf.defocus_u,
            defocus_v=ctf.defocus_v,
            astigmatism=ctf.astigmatism,
            defocus_angle=ctf.defocus_angle,
            phase_shift=ctf.phase_shift or None,
            score=ctf.score,
            resolution=ctf.resolution,
            motion_total=image.motion_total if exposure.movie is not None else None,
            motion_early=image.motion_early if exposure.movie is not None else None,
            motion_late=image.motion_late if exposure.movie is not None else None,
        )

    def _particles(self, particles: Particles, name: str, group: int) -> pd.DataFrame:
        """Place a stack, and return its rows with the names that they have in the project."""
        stack = self._place(particles.stack_path, f"{EXTRACT}micrographs/{name}.mrcs")
        _, table = read_particles_star(self.session / particles.path)
        numbers = table["image"].str.partition("@")[0]
        return table.assign(
            image=numbers + f"@{stack}",
            micrograph_path=f"{MOTION}micrographs/{name}.mrc",
            optics_group=group,
        )

    def _movie_name(self, exposure: ExportedExposure, name: str) -> str:
        assert exposure.movie is not None
        return f"Movies/{name}{Path(exposure.movie.path).suffix}"

    def _gain(self, gain: Gain | None, movie: Movie, acquisition: str) -> str | None:
        """Write the reference as RELION takes it, to be multiplied, as the movies lie; return its name."""
        if gain is None or gain.path is None:
            return None
        number = self.gains.setdefault((acquisition, gain, movie.height, movie.width), len(self.gains) + 1)
        name = f"Movies/{acquisition}/gain_{number}.mrc"
        if not (self.project / name).exists():
            task = Task(key=(acquisition,), folder=self.project, destination="", session=self.session)
            multiplier = read_correction(gain, task, (movie.height, movie.width)).multiplier
            if multiplier is None:
                return None
            write_mrc(self.project / name, multiplier, movie.pixel_size)
        return name

    def _place(self, path: str, name: str) -> str:
        """Link or copy a file of the session into the project; return its name there."""
        source, target = (self.session / path).resolve(), self.project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix in (".mrc", ".mrcs") and read_info(source).dtype == np.float16:
            with open_frames(source) as frames:
                write_mrc(target, (frame.astype(np.float32) for frame in frames), frames.info.pixel_size)
        elif self.copy or source.suffix == ".star":
            shutil.copyfile(source, target)
        else:
            target.symlink_to(source)
        return name

    # ---------------------------------------------------------------- tables

    def _write_tables(self, micrographs: list[StarMicrograph]) -> None:
        whole = without_gaps(micrographs)
        ctf = ("ctf_path", "defocus_u", "defocus_v", "astigmatism", "defocus_angle", "phase_shift")
        without = dict.fromkeys((*ctf, "score", "resolution"))
        optics = [
            StarOptics(
                number=number,
                name=f"opticsGroup{number}",
                voltage=each.micrograph.voltage,
                spherical_aberration=each.micrograph.spherical_aberration,
                amplitude_contrast=each.micrograph.amplitude_contrast,
                movie_pixel_size=(each.movie or each.micrograph).pixel_size,
                pixel_size=each.micrograph.pixel_size,
            )
            for number, each in enumerate(self.firsts, start=1)
        ]
        for folder in (IMPORT, MOTION, CTFFIND) if self.with_movies else (MOTION, CTFFIND):
            (self.project / folder).mkdir(parents=True, exist_ok=True)
        if self.with_movies:
            rows = [
                StarMovie(self._movie_name(each, name), group)
                for each, name, group in zip(self.exposures, self.names, self.groups, strict=True)
            ]
            of_movies = [replace(group, pixel_size=None) for group in optics]
            write_movies_star(self.project / IMPORT / "movies.star", of_movies, rows)
        aligned = [replace(row, **without) for row in whole]  # type: ignore[arg-type]
        write_micrographs_star(self.project / MOTION / "corrected_micrographs.star", optics, aligned)
        write_micrographs_star(self.project / CTFFIND / "micrographs_ctf.star", optics, whole)

    def _particle_optics(self) -> list[ParticleOptics]:
        optics: dict[int, ParticleOptics] = {}
        for exposure, group in zip(self.exposures, self.groups, strict=True):
            if exposure.particles is not None and group not in optics:
                found = exposure.particles
                optics[group] = ParticleOptics(
                    number=group,
                    name=f"opticsGroup{group}",
                    voltage=found.voltage,
                    spherical_aberration=found.spherical_aberration,
                    amplitude_contrast=found.amplitude_contrast,
                    pixel_size=found.pixel_size,
                    box=found.box,
                    movie_pixel_size=(exposure.movie or exposure.micrograph).pixel_size,
                )
        return [optics[group] for group in sorted(optics)]

    def _jobs(self, picked: bool, extracted: bool) -> list[Job]:
        movies = [f"{IMPORT}movies.star"] if self.with_movies else []
        fitted = f"{CTFFIND}micrographs_ctf.star"
        coordinates = "coords_suffix_autopick.star"
        corrected = f"{MOTION}corrected_micrographs.star"
        jobs = [
            Job("MotionCorr", 2, movies, "corrected_micrographs.star", "micrographs"),
            Job(
                "CtfFind",
                3,
                [corrected],
                "micrographs_ctf.star",
                "micrographs",
                {"input_star_mics": corrected},
            ),
        ]
        if movies:
            jobs.insert(0, Job("Import", 1, [], "movies.star", "movies"))
        if picked:
            options = {"fn_input_autopick": fitted}
            jobs.append(Job("AutoPick", 4, [fitted], coordinates, "coordinates", options))
        if extracted:
            options = {"star_mics": fitted, "coords_suffix": PICK + coordinates}
            inputs = [fitted, PICK + coordinates]
            jobs.append(Job("Extract", 5, inputs, "particles.star", "particles", options))
        return jobs
