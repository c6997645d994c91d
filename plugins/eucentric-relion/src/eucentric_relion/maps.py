"""What the protocols that make maps of all particles have in common."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from eucentric.engine.programs import Workplace
from eucentric.engine.protocol import Task
from eucentric.formats import StarBlock, open_frames, read_star, write_png, write_star
from eucentric.imaging.initial_map_picture import sections_and_projections
from eucentric.metadata import ClassAverages
from eucentric_relion.growth import Growth, carried
from eucentric_relion.items import RelionMap, RelionMapState
from eucentric_relion.tables import as_table

SYMMETRY = r"^([CD][1-9][0-9]?|T|O|I[1-4]?)$"
SPECTRUM = ("rlnSpectralIndex", "rlnResolution", "rlnAngstromResolution", "rlnSsnrMap", "rlnGoldStandardFsc")


def renewed(
    state: RelionMapState | None,
    classes: ClassAverages,
    params: Growth,
    symmetry: str,
    make: Callable[[], RelionMap],
    task: Task,
    *,
    can_run: bool = True,
) -> tuple[RelionMapState, RelionMap]:
    """Return the next version: what `make` gives if it is time, else the last result, or none yet."""
    state = state or RelionMapState()
    if (
        can_run
        and classes.selected_path is not None
        and params.is_due(classes.selected_particles, state.used)
    ):
        result = make()
        return RelionMapState(used=classes.selected_particles, result=result), result
    task.log.info("%d particles, %d when RELION last ran", classes.selected_particles, state.used)
    if state.result is None:
        return state, no_map(classes, symmetry)
    result = carried(state.result, task)
    return state.model_copy(update={"result": result}), result


def no_map(classes: ClassAverages, symmetry: str) -> RelionMap:
    """Return what there is while there is no map."""
    return RelionMap(
        symmetry=symmetry,
        particles=0,
        box=classes.box,
        pixel_size=classes.pixel_size,
        diameter=classes.diameter,
    )


def mask_diameter(classes: ClassAverages, factor: float) -> float:
    """Return the diameter (Å) of the mask around particles, which must fit into their box."""
    return round(min(factor * classes.diameter, (classes.box - 4) * classes.pixel_size), 1)


def read_volume(file: Path) -> NDArray[np.float32]:
    """Read a map [z, y, x]."""
    with open_frames(file) as sections:
        return np.stack(list(sections)).astype(np.float32)


def write_spectrum(place: Workplace, model: str, task: Task) -> tuple[str, float | None]:
    """Keep what RELION says of every shell; return its path and the resolution (Å)."""
    blocks = read_star(place.path(model))
    table = as_table(blocks["model_class_1"])
    kept: dict[str, StarBlock] = {"fsc": table[[label for label in SPECTRUM if label in table]]}
    write_star(task.folder / "fsc.star", kept)
    told = float(as_table(blocks["model_general"])["rlnCurrentResolution"].iloc[0])
    return task.keep("fsc.star"), told if 0 < told < 900 else None


def write_picture(volume: NDArray[np.float32], task: Task) -> str:
    """Write sections through a map [z, y, x] and projections of it; return the path."""
    panels = sections_and_projections(torch.from_numpy(volume))
    picture = torch.cat(list(panels.flatten(0, 1)), dim=1)  # all six beside each other
    write_png(task.folder / "picture.png", picture.numpy())
    return task.keep("picture.png")
