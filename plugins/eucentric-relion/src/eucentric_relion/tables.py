"""Particles on their way to RELION and back: one table, and stacks under names that RELION can read."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from eucentric.engine.programs import ProgramFailed, Workplace
from eucentric.engine.protocol import Task
from eucentric.formats import StarBlock, read_star, write_particles_star, write_star
from eucentric.techniques.single_particle.class_tables import ParticleTable
from eucentric_relion.images import link_image

INPUT = "particles.star"


def as_table(block: StarBlock) -> pd.DataFrame:
    """Return a block as a table; one row may be written as pairs."""
    return pd.DataFrame([block]) if isinstance(block, dict) else block


class Names(NamedTuple):
    """What stacks and micrographs are called in the session, by the names that RELION knows."""

    stacks: dict[str, str]
    micrographs: dict[str, str]


def write_input(table: ParticleTable, place: Workplace, task: Task) -> tuple[Names, int]:
    """Write the particles as RELION reads them, into the file `INPUT` of the workplace.

    Particles whose stack is there no more (a rule of retention removed it) are left out.

    Returns:
        The names, and how many particles there are.

    Raises:
        ValueError: There is none.
    """
    number, _, stack = table.rows["image"].str.partition("@").T.to_numpy()
    rows = table.rows.assign(number=number, stack=stack)
    gone = {path for path in pd.unique(rows["stack"]) if not task.locate(path).exists()}
    if gone:
        rows = rows[~rows["stack"].isin(gone)]
        task.log.warning("%d stacks are there no more; their particles are left out.", len(gone))
    if rows.empty:
        raise ValueError(
            "No image of any particle is there any more; bring the stacks back with `eucentric recompute"
            " --restore`, then retry."
        )
    stacks = {f"stacks/{n:06d}.mrcs": path for n, path in enumerate(pd.unique(rows["stack"]))}
    micrographs = {f"{n:06d}.mrc": path for n, path in enumerate(pd.unique(rows["micrograph_path"]))}
    for name, path in stacks.items():
        link_image(place, name, path, task)
    plain = {path: name for name, path in {**stacks, **micrographs}.items()}
    given = rows.assign(
        image=rows["number"] + "@" + rows["stack"].map(plain),
        micrograph_path=rows["micrograph_path"].map(plain),
    ).drop(columns=["number", "stack"])
    write_particles_star(place.path(INPUT), table.optics, given)
    return Names(stacks, micrographs), len(given)


def read_output(file: Path, names: Names) -> dict[str, StarBlock]:
    """Read RELION's table of particles, with the session's names and without columns that are not finite.

    Raises:
        ProgramFailed: It is no table of particles.
    """
    blocks = read_star(file)
    if "rlnImageName" not in blocks.get("particles", {}):
        raise ProgramFailed(f"RELION wrote no table of particles into {file.name}.")
    rows = as_table(blocks["particles"])
    number, _, stack = rows["rlnImageName"].str.partition("@").T.to_numpy()
    numbers = rows.select_dtypes("number")
    finite = [name for name in rows if name not in numbers or np.isfinite(numbers[name]).all()]
    blocks["particles"] = rows[finite].assign(
        rlnImageName=number + "@" + pd.Series(stack).map(names.stacks),
        rlnMicrographName=rows["rlnMicrographName"].map(names.micrographs),
    )
    return blocks


def without_stacks(blocks: dict[str, StarBlock], stacks: set[str]) -> dict[str, StarBlock]:
    """Return a table of particles without those of some stacks."""
    table = as_table(blocks["particles"])
    stack = table["rlnImageName"].str.partition("@")[2]
    return {**blocks, "particles": table[~stack.isin(stacks)].reset_index(drop=True)}


def write_output(file: Path, blocks: dict[str, StarBlock]) -> int:
    """Write a table of particles; return how many there are."""
    write_star(file, blocks)
    return len(blocks["particles"])
