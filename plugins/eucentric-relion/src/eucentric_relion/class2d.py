"""Two-dimensional classification with RELION."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import ByteSize, Field

from eucentric.engine.programs import ProgramFailed, Workplace
from eucentric.engine.protocol import Accumulator, Resources, Task
from eucentric.formats import (
    StarBlock,
    open_frames,
    read_star,
    write_mrc,
    write_particles_star,
    write_star,
)
from eucentric.metadata import Angstrom, ClassAverages, Degree, Particles
from eucentric.techniques.single_particle.class_picture import CLASS_PICTURE, draw_classes
from eucentric.techniques.single_particle.class_tables import (
    ParticleTable,
    join_particles,
    read_table,
)
from eucentric.techniques.single_particle.particle_set import ParticleSet
from eucentric_relion.growth import Growth, carried
from eucentric_relion.programs import REFINE, Arguments, seed
from eucentric_relion.progress import iterations
from eucentric_relion.tables import (
    INPUT,
    as_table,
    read_output,
    without_stacks,
    write_input,
    write_output,
)

GATHERED = "gathered.star"
SPECTRUM = ["rlnSpectralIndex", "rlnResolution", "rlnSsnrMap"]


class GatheredParticles(ParticleSet):
    """The particles so far, and what RELION last made of them.

    Attributes:
        table_path: All particles (STAR); none before there are any.
        classified: With how many RELION last ran.
        result: What it gave then.
    """

    table_path: str | None = None
    classified: int = 0
    result: ClassAverages | None = None


class RelionClass2D(Accumulator[GatheredParticles]):
    """Sort particles into classes with RELION, once there are enough of them and as their number grows."""

    name = "relion-class2d"
    version = "1"
    resources = Resources(cpus=8, memory=ByteSize(8 * 10**9))
    most = 1000

    class Params(Growth):
        """How many classes, how finely, and which are selected."""

        classes: int = Field(default=50, ge=1, le=500, description="Number of classes.")
        iterations: int = Field(default=25, ge=1, le=200, description="Iterations.")
        tau: float = Field(default=2, gt=0, description="Weight of the data against the prior (tau2_fudge).")
        angle: Degree = Field(default=6, gt=0, le=90, description="Step of the rotation that is searched.")
        largest_shift: Angstrom | None = Field(
            default=None, gt=0, description="How far off the middle particles are sought; 5 px by default."
        )
        resolution: Angstrom | None = Field(
            default=None, gt=0, description="Finest detail that is compared; none for all there is."
        )
        mask: float = Field(default=1.1, gt=0, description="Diameter of the mask, in particle diameters.")
        worst: Angstrom = Field(
            default=30, gt=0, description="A class is selected when RELION's resolution of it is better."
        )
        smallest: float = Field(
            default=0.25,
            ge=0,
            description="A class is selected when it has this many times its fair share of particles.",
        )
        selected: list[int] | None = Field(
            default=None, description="Numbers of the classes to select, whatever they are like."
        )

    class Entry(NamedTuple):
        """The particles of one micrograph."""

        particles: Particles

    def update(
        self,
        state: GatheredParticles | None,
        added: Sequence[Entry],
        removed: Sequence[Entry],
        task: Task,
    ) -> tuple[GatheredParticles, ClassAverages]:
        """Take in more particles, and classify all of them if it is time."""
        state = state or GatheredParticles.beginning(added[0].particles)
        for entry in added:
            state.require_alike(entry.particles)
        gone = {entry.particles.stack_path for entry in removed}
        table = read_table(task.locate(state.table_path) if state.table_path else None).without(gone)
        table = join_particles(table, [entry.particles for entry in added], task)
        if table.rows.empty:
            nothing = {"table_path": None, "result": None, "classified": 0}
            return state.model_copy(update=nothing), state.without_classes()
        write_particles_star(task.folder / GATHERED, table.optics, table.rows)
        classified = state.classified
        if self.params.is_due(len(table.rows), classified):
            classified = len(table.rows)
            result: ClassAverages | None = self._classify(state, table, task)
        else:
            result = _carried(state, gone, task)
            task.log.info("%d particles, %d when RELION last ran", len(table.rows), classified)
        kept = {"table_path": task.keep(GATHERED), "classified": classified, "result": result}
        return state.model_copy(update=kept), result or state.without_classes()

    def _classify(self, state: GatheredParticles, table: ParticleTable, task: Task) -> ClassAverages:
        with Workplace.of(task) as place:
            names, count = write_input(table, place, task)
            place.path("run").mkdir()
            root = f"run/run_it{self.params.iterations:03d}"
            files = [f"{root}_{what}" for what in ("classes.mrcs", "model.star", "data.star")]
            REFINE.run(
                self._arguments(state, task),
                task,
                folder=place.folder,
                expects=files,
                watch=iterations(task, self.params.iterations),
            )
            task.log.info("%d particles classified", count)
            model = read_star(place.path(files[1]))
            particles = read_output(place.path(files[2]), names)
            with open_frames(place.path(files[0])) as frames:
                images = np.stack(list(frames)).astype(np.float32)
        return self._result(state, images, model, particles, task)

    def _arguments(self, state: GatheredParticles, task: Task) -> Arguments:
        params = self.params
        pixels = 5 if params.largest_shift is None else params.largest_shift / state.pixel_size
        mask = min(params.mask * state.diameter, (state.box - 4) * state.pixel_size)
        arguments: Arguments = [
            "--i",
            INPUT,
            "--o",
            "run/run",
            "--K",
            params.classes,
            "--iter",
            params.iterations,
        ]
        arguments += ["--tau2_fudge", params.tau, "--particle_diameter", round(mask, 1)]
        arguments += ["--ctf", "--flatten_solvent", "--zero_mask", "--norm", "--scale", "--oversampling", 1]
        arguments += ["--psi_step", 2 * params.angle, "--offset_range", pixels, "--offset_step", 2]
        arguments += ["--strict_highres_exp", params.resolution] if params.resolution else []
        arguments += ["--ctf_phase_flipped"] if state.phase_flipped else []
        arguments += ["--pool", 3, "--pad", 2, "--dont_combine_weights_via_disc", "--j", task.cpus]
        return [*arguments, "--random_seed", seed(task)]

    def _result(
        self,
        state: GatheredParticles,
        images: np.ndarray,
        model: dict[str, StarBlock],
        particles: dict[str, StarBlock],
        task: Task,
    ) -> ClassAverages:
        classes = class_table(model, particles, task)
        fair = self.params.smallest / self.params.classes
        selected = (classes["rlnEstimatedResolution"] < self.params.worst) & (
            classes["rlnClassDistribution"] >= fair
        )
        if self.params.selected is not None:
            selected = classes["rlnClassNumber"].isin(self.params.selected)
        classes["rlnSelected"] = selected.astype(int)
        images = images[classes["rlnClassNumber"].to_numpy() - 1]
        blocks: dict[str, StarBlock] = {"model_classes": classes}
        for number in classes["rlnClassNumber"]:
            blocks[f"model_class_{number}"] = as_table(model[f"model_class_{number}"])[SPECTRUM]
        write_star(task.folder / "classes.star", blocks)
        write_mrc(task.folder / "averages.mrcs", images, state.pixel_size)
        draw_classes(task.folder, images, classes)
        best = classes["rlnEstimatedResolution"][selected].min()
        output = ClassAverages(
            path=task.keep("averages.mrcs"),
            table_path=task.keep("classes.star"),
            picture_path=task.keep(CLASS_PICTURE),
            particles_path=None,
            classes=len(classes),
            selected_classes=int(selected.sum()),
            particles=0,
            selected_particles=0,
            box=state.box,
            pixel_size=state.pixel_size,
            diameter=state.diameter,
            resolution=float(best) if selected.any() else None,
        )
        return _with_particles(output, particles, set(classes["rlnClassNumber"][selected]), task)


def class_table(model: dict[str, StarBlock], particles: dict[str, StarBlock], task: Task) -> pd.DataFrame:
    """Return what RELION says of the classes that have particles, in the order of the averages."""
    rows = as_table(particles["particles"])
    if "model_classes" not in model or "rlnClassNumber" not in rows:
        raise ProgramFailed("RELION told neither the classes nor which particle is in which.")
    table = as_table(model["model_classes"])
    sizes = rows["rlnClassNumber"].value_counts()
    found = pd.DataFrame(
        {
            "rlnReferenceImage": "",
            "rlnClassNumber": np.arange(1, len(table) + 1),
            "rlnClassDistribution": table["rlnClassDistribution"].astype(float),
            "rlnGroupNrParticles": [int(sizes.get(n, 0)) for n in range(1, len(table) + 1)],
            "rlnEstimatedResolution": table["rlnEstimatedResolution"].astype(float),
        }
    )
    found = found[found["rlnGroupNrParticles"] > 0].reset_index(drop=True)
    names = [f"{n:06d}@{task.keep('averages.mrcs')}" for n in range(1, len(found) + 1)]
    finite = found["rlnEstimatedResolution"].replace(np.inf, 999.0)
    return found.assign(rlnReferenceImage=names, rlnEstimatedResolution=finite)


def _with_particles(
    output: ClassAverages, blocks: dict[str, StarBlock], numbers: set[int], task: Task
) -> ClassAverages:
    """Write the particles, and those of selected classes, and count them."""
    rows = as_table(blocks["particles"])
    chosen = rows[rows["rlnClassNumber"].isin(numbers)]
    count = write_output(task.folder / "particles.star", blocks)
    if len(chosen):
        write_output(task.folder / "selected.star", {**blocks, "particles": chosen})
    return output.model_copy(
        update={
            "particles_path": task.keep("particles.star"),
            "selected_path": task.keep("selected.star") if len(chosen) else None,
            "particles": count,
            "selected_particles": len(chosen),
        }
    )


def _carried(state: GatheredParticles, gone: set[str], task: Task) -> ClassAverages | None:
    """Return the last result again, without particles that have been withdrawn since."""
    if state.result is None:
        return None
    tables = {"particles_path": None, "selected_path": None}
    result = carried(state.result.model_copy(update=tables), task)
    assert state.result.particles_path is not None
    blocks = without_stacks(read_star(task.locate(state.result.particles_path)), gone)
    assert state.result.table_path is not None
    table = as_table(read_star(task.locate(state.result.table_path))["model_classes"])
    return _with_particles(result, blocks, set(table["rlnClassNumber"][table["rlnSelected"] == 1]), task)
