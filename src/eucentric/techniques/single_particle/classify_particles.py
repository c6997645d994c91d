"""Two-dimensional classes of the particles of an acquisition, which sharpen as particles come."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from pydantic import ByteSize, Field

from eucentric.engine.protocol import Accumulator, ProtocolParams, Resources, Task
from eucentric.formats import write_mrc
from eucentric.imaging.classification import ClassificationState, averages
from eucentric.imaging.classification_polar import PolarGrid, polar_grid
from eucentric.imaging.classification_quality import class_quality
from eucentric.imaging.classification_stream import ClassificationSettings, update
from eucentric.metadata import Angstrom, ClassAverages, Particles
from eucentric.techniques.single_particle.class_picture import CLASS_PICTURE, draw_classes
from eucentric.techniques.single_particle.class_tables import (
    SUMS,
    TABLE,
    ParticleTable,
    join_particles,
    load_batch,
    note_poses,
    read_sums,
    read_table,
    write_classes,
    write_particles,
    write_sums,
)
from eucentric.techniques.single_particle.particle_set import ParticleSet


class ClassificationFiles(ParticleSet):
    """Where the sums and the particles of a version lie, and what all particles have in common."""

    sums_path: str | None = Field(description="Sums of the classes; none before there are particles.")
    particles_path: str | None = Field(description="Class and pose of every particle.")
    numbers: list[int] = Field(description="Numbers of the classes, in the order of the sums.")
    made: int = Field(description="How many numbers have been given to classes.")


class ClassifyParticles(Accumulator[ClassificationFiles]):
    """Sort particles by what they look like, average them, and select the classes that show a particle.

    Classes keep their numbers while the session lasts.
    """

    name = "classify-particles"
    version = "1"
    resources = Resources(memory=ByteSize(3 * 10**9))
    most = 20
    carries = frozenset({"classes", "again", "largest_shift", "least_score"})

    class Params(ProtocolParams):
        """How many classes, how fine, and which are selected."""

        classes: int = Field(
            default=50,
            ge=1,
            le=500,
            description="Most classes; there are fewer while there are fewer than 20 particles for each.",
        )
        resolution: Angstrom = Field(default=8, gt=0, description="Finest detail that is compared.")
        largest_shift: Angstrom | None = Field(
            default=None,
            gt=0,
            description="How far particles may lie off the middle; by default a tenth of their diameter.",
        )
        again: int = Field(
            default=1000,
            ge=0,
            le=20_000,
            description="Earlier particles that are looked at again with every batch.",
        )
        least_score: float = Field(
            default=0.3,
            ge=0,
            le=1,
            description="Score from which a class is selected; `select-classes` can tell otherwise.",
        )

    class Entry(NamedTuple):
        """The particles of one micrograph."""

        particles: Particles

    def update(
        self,
        state: ClassificationFiles | None,
        added: Sequence[Entry],
        removed: Sequence[Entry],
        task: Task,
    ) -> tuple[ClassificationFiles, ClassAverages]:
        """Classify the particles of more micrographs, and some of the earlier ones again."""
        state = state or _fresh(added[0].particles)
        for entry in added:
            state.require_alike(entry.particles)
        path = state.particles_path and task.locate(state.particles_path)
        table = read_table(path or None).without({entry.particles.stack_path for entry in removed})
        known = len(table.rows)
        table = join_particles(table, [entry.particles for entry in added], task)
        if table.rows.empty:
            return _emptied(state)
        grid = polar_grid(state.box, self._rings(state), task.device)
        sums, numbers, made = self._classify(state, table, known, grid, task)
        if sums is None:
            raise ValueError(
                "No image of any particle is there any more, so no class can be made; bring the stacks back"
                " with `eucentric recompute --restore`, then retry."
            )
        return self._write(state, table, sums, numbers, made, grid, task)

    def _rings(self, state: ClassificationFiles) -> int:
        finest = round(state.box * state.pixel_size / float(self.params.resolution))
        return max(4, min(state.box // 2 - 1, finest))

    def _settings(self, state: ClassificationFiles) -> ClassificationSettings:
        shift = self.params.largest_shift or 0.1 * state.diameter
        radius = min(0.55 * state.diameter / state.pixel_size, state.box / 2 - 3)
        return ClassificationSettings(self.params.classes, radius, shift / state.pixel_size)

    def _classify(
        self, state: ClassificationFiles, table: ParticleTable, known: int, grid: PolarGrid, task: Task
    ) -> tuple[ClassificationState | None, list[int], int]:
        """Return the new sums, the classes' numbers and how many have been given; fill in the table."""
        before = None if state.sums_path is None else read_sums(task.locate(state.sums_path), task.device)
        if before is not None and len(before.noise) != grid.rings:
            before = None  # another resolution is asked for: begin anew with all that may be looked at
        again = task.rng.permutation(known)[: self.params.again]
        chosen = np.concatenate([again, np.arange(known, len(table.rows))])
        batch, order = load_batch(table, chosen, grid, task, phase_flipped=state.phase_flipped)
        if batch is None:
            return before, state.numbers, state.made
        generator = torch.Generator().manual_seed(int(task.rng.integers(2**62)))
        result = update(before, batch, grid, self._settings(state), generator, total=len(table.rows))
        old = state.numbers if before is not None else []
        numbers, made = _carry_numbers(old, state.made, result.renumbered, result.state.sizes.numel())
        if old:
            became = dict(zip(old, (numbers[n] for n in result.renumbered.tolist()), strict=True))
            table.rows["class_number"] = table.rows["class_number"].map(became).fillna(0).astype(int)
        note_poses(table.rows, order, result.poses, numbers, state.pixel_size)
        task.log.info("%d particles looked at, %d classes", len(order), len(numbers))
        return result.state, numbers, made

    def _write(
        self,
        state: ClassificationFiles,
        table: ParticleTable,
        sums: ClassificationState,
        numbers: list[int],
        made: int,
        grid: PolarGrid,
        task: Task,
    ) -> tuple[ClassificationFiles, ClassAverages]:
        quality = class_quality(sums, grid, state.pixel_size, state.diameter)
        selected = [score >= self.params.least_score for score in quality.score.tolist()]
        chosen = {number for number, yes in zip(numbers, selected, strict=True) if yes}
        images = averages(sums, grid, self._settings(state).radius).cpu().numpy()
        write_sums(task.folder / SUMS, sums)
        write_mrc(task.folder / "averages.mrcs", images, state.pixel_size)
        classes = write_classes(task, table.rows, numbers, quality, selected, state.box * state.pixel_size)
        draw_classes(task.folder, images, classes)
        count = write_particles(task, table, chosen)
        best = [value for value, yes in zip(quality.resolution.tolist(), selected, strict=True) if yes]
        output = ClassAverages(
            path=task.keep("averages.mrcs"),
            table_path=task.keep("classes.star"),
            particles_path=task.keep(TABLE),
            selected_path=task.keep("selected.star") if count else None,
            picture_path=task.keep(CLASS_PICTURE),
            classes=len(numbers),
            selected_classes=len(chosen),
            particles=len(table.rows),
            selected_particles=count,
            box=state.box,
            pixel_size=state.pixel_size,
            diameter=state.diameter,
            resolution=min(best, default=None),
            phase_flipped=state.phase_flipped,
        )
        files = {"sums_path": task.keep(SUMS), "particles_path": task.keep(TABLE)}
        return state.model_copy(update={**files, "numbers": numbers, "made": made}), output


def _carry_numbers(old: list[int], made: int, renumbered: torch.Tensor, count: int) -> tuple[list[int], int]:
    """Return the number of every class: that of the first class that went into it, or a new one."""
    numbers = [0] * count
    for number, now in zip(old, renumbered.tolist(), strict=False):
        numbers[now] = numbers[now] or number
    for place, number in enumerate(numbers):
        if not number:
            made += 1
            numbers[place] = made
    return numbers, made


def _fresh(particles: Particles) -> ClassificationFiles:
    return ClassificationFiles.beginning(particles, sums_path=None, particles_path=None, numbers=[], made=0)


def _emptied(state: ClassificationFiles) -> tuple[ClassificationFiles, ClassAverages]:
    """Return what is left when all particles were withdrawn."""
    emptied = state.model_copy(update={"sums_path": None, "particles_path": None, "numbers": []})
    return emptied, state.without_classes()
