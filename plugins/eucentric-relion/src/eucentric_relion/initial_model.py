"""A first map by RELION 3.1's stochastic gradient descent."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from pydantic import ByteSize, Field

from eucentric.engine.programs import Workplace
from eucentric.engine.protocol import Accumulator, Resources, Task
from eucentric.metadata import Angstrom, ClassAverages
from eucentric.techniques.single_particle.class_tables import read_table
from eucentric_relion.growth import Growth
from eucentric_relion.images import keep_image
from eucentric_relion.items import RelionMap, RelionMapState
from eucentric_relion.maps import (
    SYMMETRY,
    mask_diameter,
    no_map,
    read_volume,
    renewed,
    write_picture,
    write_spectrum,
)
from eucentric_relion.programs import REFINE, Arguments, seed
from eucentric_relion.progress import iterations
from eucentric_relion.tables import INPUT, read_output, write_input, write_output


class RelionInitialModel(Accumulator[RelionMapState]):
    """Make a first map of the particles in selected classes, from nothing, with RELION."""

    name = "relion-initial-model"
    version = "1"
    resources = Resources(cpus=8, memory=ByteSize(8 * 10**9))

    class Params(Growth):
        """Symmetry, and how long and how finely is searched."""

        symmetry: str = Field(default="C1", pattern=SYMMETRY, description="Point group: C1, D7, O, I1, ...")
        iterations: int = Field(
            default=300, ge=6, description="Iterations; a sixth at the start, and at the end."
        )
        coarse: Angstrom = Field(default=35, gt=0, description="Finest detail at the start.")
        fine: Angstrom = Field(default=15, gt=0, description="Finest detail at the end.")
        few: int = Field(default=100, ge=1, description="Particles of an iteration at the start.")
        many: int = Field(default=500, ge=1, description="Particles of an iteration at the end.")
        sampling: int = Field(
            default=1,
            ge=0,
            le=4,
            description="Orientations are 30° apart with 0, 15° with 1, 7.5° with 2, ...",
        )
        largest_shift: float = Field(
            default=6, gt=0, description="How many pixels off the middle particles are sought."
        )
        mask: float = Field(default=1.1, gt=0, description="Diameter of the mask, in particle diameters.")

    class Entry(NamedTuple):
        """The classes whose selected particles are used."""

        classes: ClassAverages

    def update(
        self,
        state: RelionMapState | None,
        added: Sequence[Entry],
        removed: Sequence[Entry],
        task: Task,
    ) -> tuple[RelionMapState, RelionMap]:
        """Take the newest classes, and make a map if it is time."""
        if not added:
            return RelionMapState(), no_map(removed[-1].classes, self.params.symmetry)
        classes = added[-1].classes
        make = partial(self._make, classes, task)
        return renewed(state, classes, self.params, self.params.symmetry, make, task)

    def _make(self, classes: ClassAverages, task: Task) -> RelionMap:
        assert classes.selected_path is not None
        with Workplace.of(task) as place:
            names, count = write_input(read_table(task.locate(classes.selected_path)), place, task)
            place.path("run").mkdir()
            root = f"run/run_it{sum(self._stages()):03d}"
            files = [f"{root}_{what}" for what in ("class001.mrc", "model.star", "data.star")]
            REFINE.run(
                self._arguments(classes, count, task),
                task,
                folder=place.folder,
                expects=files,
                watch=iterations(task, sum(self._stages())),
            )
            fsc_path, resolution = write_spectrum(place, files[1], task)
            write_output(task.folder / "particles.star", read_output(place.path(files[2]), names))
            path = keep_image(place, files[0], "map.mrc")
        return no_map(classes, self.params.symmetry).model_copy(
            update={
                "path": path,
                "fsc_path": fsc_path,
                "particles_path": task.keep("particles.star"),
                "picture_path": write_picture(read_volume(task.folder / "map.mrc"), task),
                "particles": count,
                "resolution": resolution,
            }
        )

    def _stages(self) -> tuple[int, int, int]:
        """Return the iterations at the start, between, and at the end."""
        edge = max(1, self.params.iterations // 6)
        return edge, self.params.iterations - 2 * edge, edge

    def _arguments(self, classes: ClassAverages, count: int, task: Task) -> Arguments:
        params, (start, between, end) = self.params, self._stages()
        arguments: Arguments = ["--i", INPUT, "--o", "run/run", "--sgd", "--denovo_3dref", "--K", 1]
        arguments += ["--sgd_ini_iter", start, "--sgd_inbetween_iter", between, "--sgd_fin_iter", end]
        arguments += ["--sgd_ini_resol", params.coarse, "--sgd_fin_resol", params.fine]
        arguments += ["--sgd_ini_subset", min(params.few, count), "--sgd_fin_subset", min(params.many, count)]
        arguments += ["--sgd_write_iter", start + between + end, "--sym", params.symmetry, "--ctf"]
        arguments += ["--particle_diameter", mask_diameter(classes, params.mask), "--flatten_solvent"]
        arguments += ["--zero_mask", "--oversampling", 1, "--healpix_order", params.sampling]
        arguments += ["--offset_range", params.largest_shift, "--offset_step", 2, "--pad", 1]
        arguments += ["--skip_gridding", "--pool", 3, "--dont_combine_weights_via_disc", "--j", task.cpus]
        return [*arguments, "--random_seed", seed(task)]
