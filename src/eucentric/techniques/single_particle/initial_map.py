"""A first map of an acquisition's particles, or several, while the microscope still records."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from pydantic import ByteSize, Field, field_validator

from eucentric.engine.protocol import Accumulator, ProtocolParams, Resources, Task
from eucentric.formats import ParticleOptics, read_particles_star
from eucentric.imaging.initial_map import (
    InitialMapSettings,
    InitialMapState,
    keep_particles,
    update_initial_map,
)
from eucentric.imaging.symmetry import symmetry_matrices
from eucentric.metadata import Angstrom, ClassAverages, InitialMap, Item
from eucentric.techniques.single_particle.initial_map_files import (
    STATE,
    Geometry,
    draw_rows,
    load_particles,
    map_box,
    read_state,
    write_state,
)
from eucentric.techniques.single_particle.initial_map_results import (
    PICTURE,
    TABLE,
    draw_maps,
    write_maps,
    write_placed,
)


class InitialMapFiles(Item):
    """What the next version begins with."""

    state_path: str | None = Field(
        default=None, description="Particles and maps; none while there are too few."
    )
    particles: int = Field(default=0, ge=0, description="Particles in the maps.")
    box: int = Field(default=0, ge=0, description="Pixels to which the particles' images were made smaller.")
    pixel_size: float = Field(default=0, ge=0, description="Å/px of these.")
    diameter: float = Field(default=0, ge=0, description="Å, of the mask.")


class MakeInitialMap(Accumulator[InitialMapFiles]):
    """Make a first map from the selected particles, and sharpen it as more of them come.

    The first is made when there are enough particles. A later one is made when enough of them are others; it
    begins with the map and the places before. Until then the map before stands.
    """

    name = "initial-map"
    version = "3"
    resources = Resources(memory=ByteSize(3 * 10**9))

    class Params(ProtocolParams):
        """How many particles, how symmetric, how fine."""

        symmetry: str = Field(default="C1", description="Point group: C1, C7, D7, T, O, I, ...")
        maps: int = Field(
            default=1, ge=1, le=6, description="Maps among which particles of several structures are divided."
        )
        first: int = Field(default=1000, ge=100, description="Particles with which the first map is made.")
        most: int = Field(
            default=10_000, ge=500, le=100_000, description="Most particles in a map, drawn by chance beyond."
        )
        growth: float = Field(
            default=0.3, gt=0, le=10, description="Part by which particles must have changed for another map."
        )
        finest: Angstrom = Field(default=12, ge=4, description="Finest detail that takes part.")
        mask_diameter: Angstrom | None = Field(
            default=None, gt=0, description="Diameter of the mask; by default that of the particles."
        )
        largest_shift: Angstrom | None = Field(
            default=None,
            gt=0,
            description="How far particles may lie off the middle; by default a tenth of their diameter.",
        )
        starts: int = Field(
            default=3, ge=1, le=20, description="Random starts of the first map, of which the best is taken."
        )

        @field_validator("symmetry")
        @classmethod
        def _is_a_group(cls, value: str) -> str:
            symmetry_matrices(value)
            return value.strip().upper()

    class Entry(NamedTuple):
        """The classes of the acquisition, of which the selected ones count."""

        classes: ClassAverages

    def update(
        self,
        state: InitialMapFiles | None,
        added: Sequence[Entry],
        removed: Sequence[Entry],
        task: Task,
    ) -> tuple[InitialMapFiles, InitialMap | None]:
        """Look at a newer selection, and make a map where it has changed enough."""
        before = state or InitialMapFiles()
        if not added or added[-1].classes.selected_path is None:
            if removed and before.state_path:
                task.log.info("No particles are selected any more; the map that was made of them stands.")
            return before, None
        classes = added[-1].classes
        assert classes.selected_path is not None
        if classes.selected_particles < self.params.first:
            text = "%d particles are selected, %d are needed."
            task.log.info(text, classes.selected_particles, self.params.first)
            return before, None
        optics, rows = read_particles_star(task.locate(classes.selected_path))
        geometry = self._geometry(optics, classes)
        rows, half = draw_rows(rows, self.params.most)
        known: InitialMapState | None = None
        names: list[str] = []
        if before.state_path is not None and self._fits(before, geometry):
            known, names = read_state(task.locate(before.state_path), task.device)
            there = set(rows["image"])
            kept = [number for number, name in enumerate(names) if name in there]
            gone, new = len(names) - len(kept), len(rows) - len(kept)
            if max(gone, new) < self.params.growth * len(names):
                task.log.info("%d particles are new and %d gone, too few for another map.", new, gone)
                return before, None
            known = keep_particles(known, torch.tensor(kept, device=known.classes.device)) if kept else None
            names = [names[number] for number in kept]
        return self._make(known, names, geometry, optics, rows, half, task) or (before, None)

    def _geometry(self, optics: list[ParticleOptics], classes: ClassAverages) -> Geometry:
        """Return what the images become; all must be of one size, as classes of them are."""
        lens = optics[0]
        for other in optics:
            if other.box != lens.box or abs(other.pixel_size / lens.pixel_size - 1) > 1e-3:
                raise ValueError(
                    f"The optics groups {lens.name} and {other.name} have particles of {lens.box} px of"
                    f" {lens.pixel_size:.4g} Å and of {other.box} px of {other.pixel_size:.4g} Å; extract"
                    " all particles with the same settings."
                )
        finest = float(self.params.finest)
        box = map_box(lens.box, lens.pixel_size, finest)
        diameter = float(self.params.mask_diameter or classes.diameter)
        return Geometry(box, lens.pixel_size * lens.box / box, diameter, finest, classes.phase_flipped)

    def _fits(self, before: InitialMapFiles, geometry: Geometry) -> bool:
        """Return whether the images are still of the size that those before had."""
        same = abs(geometry.pixel_size - before.pixel_size) < 1e-3 * before.pixel_size
        return same and geometry.box == before.box and geometry.diameter == before.diameter

    def _make(
        self,
        known: InitialMapState | None,
        names: list[str],
        geometry: Geometry,
        optics: list[ParticleOptics],
        rows: pd.DataFrame,
        half: np.ndarray,
        task: Task,
    ) -> tuple[InitialMapFiles, InitialMap] | None:
        """Return the state and the item of new maps; None where too many images are there no more."""
        new = ~rows["image"].isin(set(names)).to_numpy()
        fresh = rows[new].reset_index(drop=True)
        batch, more = load_particles(fresh, half[new], optics, geometry, task)
        names = [*names, *more]
        if len(names) < self.params.first:
            task.log.warning("Of the selected particles only %d are there; no map is made.", len(names))
            return None
        settings = InitialMapSettings(
            geometry.pixel_size,
            geometry.diameter,
            self.params.symmetry,
            self.params.maps,
            first=self.params.first,
            starts=self.params.starts,
            finest=geometry.finest,
            reach=float(self.params.largest_shift or geometry.diameter / 10),
        )
        found = update_initial_map(known, batch, settings, int(task.rng.integers(2**62)))
        group = torch.from_numpy(symmetry_matrices(self.params.symmetry)).float().to(task.device)
        shown = write_maps(task, found, geometry.pixel_size, group)
        write_state(task.folder / STATE, found, names)
        write_placed(task, optics, rows, names, found, geometry.pixel_size)
        draw_maps(task, shown, geometry.pixel_size, self.params.symmetry)
        best = shown[0].item
        task.log.info(
            "Maps of %d particles; the halves of the best agree to %s Å.", len(names), best.resolution
        )
        files = InitialMapFiles(
            state_path=task.keep(STATE),
            particles=len(names),
            box=geometry.box,
            pixel_size=geometry.pixel_size,
            diameter=geometry.diameter,
        )
        return files, InitialMap(
            **best.model_dump(include=_OF_THE_BEST),
            particles_path=task.keep(TABLE),
            picture_path=task.keep(PICTURE),
            particles=len(names),
            box=geometry.box,
            pixel_size=geometry.pixel_size,
            diameter=geometry.diameter,
            symmetry=self.params.symmetry,
            maps=tuple(each.item for each in shown),
        )


_OF_THE_BEST = {"path", "half_paths", "fsc_path", "resolution", "resolution_half", "efficiency"}
