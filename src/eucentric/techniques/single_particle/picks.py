"""What all protocols that pick have in common: their parameters, and how picks are written."""

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from torch import Tensor

from eucentric.engine.protocol import ProtocolParams, Task
from eucentric.formats import read_image, write_coordinates_star
from eucentric.imaging.picking import pick_particles
from eucentric.imaging.picking_ground import Picks
from eucentric.metadata import Angstrom, Coordinates, Micrograph


class PickingParams(ProtocolParams):
    """How boldly particles are picked."""

    false_picks: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="Part of the picks that may be noise: more finds fainter particles, and more noise.",
    )
    max_per_micrograph: int | None = Field(
        default=None, gt=0, description="Most particles of a micrograph; the best are kept."
    )
    avoid: bool = Field(default=True, description="Leave out carbon, ice crystals, dirt and gold.")


class LearntParams(PickingParams):
    """How boldly, and what is done before there is anything to pick by."""

    diameter: Angstrom | None = Field(
        default=None,
        gt=0,
        description="Longest diameter of the particles; by default that of what they are picked by.",
    )


def load(micrograph: Micrograph, task: Task) -> Tensor:
    """Return the image of a micrograph [y, x] on the task's device."""
    image = read_image(task.locate(micrograph.path)).astype(np.float32)
    return torch.from_numpy(image).to(task.device)


def pick_by_diameter(
    params: PickingParams, micrograph: Micrograph, diameter: float, task: Task
) -> Coordinates:
    """Pick without templates and write what was found."""
    picks = pick_particles(
        load(micrograph, task),
        micrograph.pixel_size,
        diameter,
        false_picks=params.false_picks,
        most=params.max_per_micrograph,
        avoid=params.avoid,
    )
    return write_picks(picks, micrograph, diameter, task)


def pick_meanwhile(
    params: LearntParams, micrograph: Micrograph, coordinates: Coordinates | None, task: Task, lacking: str
) -> Coordinates:
    """Return the best there is until something to pick by comes: what another picker found, or picks by
    the diameter alone.

    Raises:
        ValueError: There is neither.
    """
    if coordinates is not None:
        task.log.info("There are no %s yet: the picks of another picker are passed on.", lacking)
        return coordinates
    if params.diameter is None:
        raise ValueError(
            f"There are no {lacking}, and there is nothing to do meanwhile; wire `coordinates` to another"
            " picker, or give the diameter of the particles."
        )
    task.log.info("There are no %s yet: picked by the diameter alone.", lacking)
    return pick_by_diameter(params, micrograph, params.diameter, task)


def write_picks(picks: Picks, micrograph: Micrograph, diameter: float, task: Task) -> Coordinates:
    """Write picks as `coordinates.star`, as RELION's coordinate files, and return them as an item."""
    # Whole pixels, which every program's extraction takes for the same; picks are not more exact.
    table = pd.DataFrame(np.floor(picks.positions.numpy() + 0.5), columns=["x", "y"])
    scored = table.assign(score=picks.scores.numpy().astype(np.float64))
    write_coordinates_star(task.folder / "coordinates.star", scored)
    task.log.info("%d particles; %.0f %% of the micrograph left out", len(table), 100 * picks.excluded)
    return Coordinates(
        path=task.keep("coordinates.star"),
        micrograph_path=micrograph.path,
        count=len(table),
        diameter=diameter,
        height=micrograph.height,
        width=micrograph.width,
        pixel_size=micrograph.pixel_size,
        excluded=picks.excluded,
    )
