"""Refinement of a map by RELION, the two halves of the particles apart."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from pydantic import ByteSize, Field

from eucentric.engine.programs import Workplace
from eucentric.engine.protocol import Accumulator, Resources, Task
from eucentric.metadata import Angstrom, ClassAverages, Item
from eucentric.techniques.single_particle.class_tables import read_table
from eucentric_relion.growth import Growth
from eucentric_relion.images import keep_image, link_image
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
from eucentric_relion.programs import IMAGES, MPI, REFINE_MPI, Arguments, seed
from eucentric_relion.progress import iterations
from eucentric_relion.tables import INPUT, read_output, write_input, write_output

PROCESSES = 3  # one that leads, and one for each half
REFERENCE = "reference.mrc"
MAPS = {
    "class001.mrc": "map.mrc",
    "half1_class001_unfil.mrc": "half1.mrc",
    "half2_class001_unfil.mrc": "half2.mrc",
}
_USUAL_ITERATIONS = 25


class RelionRefine3D(Accumulator[RelionMapState]):
    """Refine a first map with all particles in selected classes, two halves apart, with RELION.

    Any item that names a map as its `path`, with its `box` and `pixel_size`, will do as the reference.
    """

    name = "relion-refine3d"
    version = "1"
    resources = Resources(cpus=16, memory=ByteSize(32 * 10**9))

    class Params(Growth):
        """Symmetry, and how the search begins."""

        symmetry: str | None = Field(
            default=None, pattern=SYMMETRY, description="Point group; by default that of the reference."
        )
        lowpass: Angstrom = Field(
            default=60, gt=0, description="Finest detail of the reference at the start."
        )
        sampling: int = Field(
            default=2,
            ge=0,
            le=5,
            description="Orientations are at first 30° apart with 0, 15° with 1, 7.5° with 2, ...",
        )
        local_sampling: int = Field(
            default=4, ge=1, le=8, description="The same, from which only nearby orientations are searched."
        )
        largest_shift: float = Field(
            default=5, gt=0, description="How many pixels off the middle particles are sought."
        )
        mask: float = Field(default=1.1, gt=0, description="Diameter of the mask, in particle diameters.")
        most_iterations: int = Field(
            default=100, ge=2, description="Iterations after which it stops, converged or not."
        )

    class Entry(NamedTuple):
        """The classes whose selected particles are used, and the map to begin with."""

        classes: ClassAverages
        reference: Item

    def update(
        self,
        state: RelionMapState | None,
        added: Sequence[Entry],
        removed: Sequence[Entry],
        task: Task,
    ) -> tuple[RelionMapState, RelionMap]:
        """Take the newest classes and reference, and refine if it is time."""
        if not added:
            gone = removed[-1]
            return RelionMapState(), no_map(gone.classes, self._symmetry(gone.reference))
        classes, reference = added[-1]
        symmetry = self._symmetry(reference)
        make = partial(self._make, classes, reference, symmetry, task)
        there = getattr(reference, "path", None) is not None
        return renewed(state, classes, self.params, symmetry, make, task, can_run=there)

    def _symmetry(self, reference: Item) -> str:
        return self.params.symmetry or str(getattr(reference, "symmetry", "C1"))

    def _make(self, classes: ClassAverages, reference: Item, symmetry: str, task: Task) -> RelionMap:
        assert classes.selected_path is not None
        with Workplace.of(task) as place:
            names, count = write_input(read_table(task.locate(classes.selected_path)), place, task)
            _place_reference(reference, classes, place, task)
            place.path("run").mkdir()
            REFINE_MPI.run(
                self._arguments(classes, symmetry, task),
                task,
                folder=place.folder,
                expects=[f"run/run_{what}" for what in (*MAPS, "model.star", "data.star")],
                launcher=("mpirun", "-n", str(PROCESSES)),
                environment=MPI,
                watch=iterations(task, _USUAL_ITERATIONS),
            )
            fsc_path, resolution = write_spectrum(place, "run/run_model.star", task)
            write_output(task.folder / "particles.star", read_output(place.path("run/run_data.star"), names))
            path, first, second = (
                keep_image(place, f"run/run_{name}", kept_as) for name, kept_as in MAPS.items()
            )
        return no_map(classes, symmetry).model_copy(
            update={
                "path": path,
                "half_paths": (first, second),
                "fsc_path": fsc_path,
                "particles_path": task.keep("particles.star"),
                "picture_path": write_picture(read_volume(task.folder / "map.mrc"), task),
                "particles": count,
                "resolution": resolution,
            }
        )

    def _arguments(self, classes: ClassAverages, symmetry: str, task: Task) -> Arguments:
        params = self.params
        arguments: Arguments = ["--i", INPUT, "--o", "run/run", "--auto_refine", "--split_random_halves"]
        # What others made is not in RELION's units of grey, so that the first comparison is by correlation.
        arguments += ["--ref", REFERENCE, "--firstiter_cc", "--ini_high", params.lowpass, "--sym", symmetry]
        arguments += ["--ctf", "--particle_diameter", mask_diameter(classes, params.mask)]
        arguments += ["--flatten_solvent", "--zero_mask", "--norm", "--scale", "--oversampling", 1]
        arguments += ["--healpix_order", params.sampling, "--auto_local_healpix_order", params.local_sampling]
        arguments += ["--offset_range", params.largest_shift, "--offset_step", 2]
        arguments += ["--low_resol_join_halves", 40, "--auto_iter_max", params.most_iterations]
        arguments += ["--pad", 2, "--pool", 3, "--dont_combine_weights_via_disc"]
        arguments += ["--j", max(1, task.cpus // (PROCESSES - 1))]
        return [*arguments, "--random_seed", seed(task)]


def _place_reference(reference: Any, classes: ClassAverages, place: Workplace, task: Task) -> None:
    """Give RELION the reference, in the voxels and the box of the particles."""
    same = reference.box == classes.box and abs(reference.pixel_size / classes.pixel_size - 1) < 1e-3
    link_image(place, REFERENCE if same else "given.mrc", reference.path, task)
    if not same:
        arguments: Arguments = ["--i", "given.mrc", "--o", REFERENCE, "--angpix", reference.pixel_size]
        arguments += ["--rescale_angpix", classes.pixel_size, "--new_box", classes.box]
        IMAGES.run(arguments, task, folder=place.folder, expects=[REFERENCE])
