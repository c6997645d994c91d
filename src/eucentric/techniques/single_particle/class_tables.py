"""The files of a 2D classification: which particle is in which class, the classes, and their sums."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from eucentric.engine.protocol import Task
from eucentric.formats import (
    ParticleOptics,
    open_frames,
    read_particles_star,
    write_particles_star,
    write_star,
)
from eucentric.imaging import CTFOptics
from eucentric.imaging.classification import ClassificationState, ParticleBatch, Poses, ring_transfer
from eucentric.imaging.classification_polar import PolarGrid, take_rings
from eucentric.imaging.classification_quality import ClassQuality
from eucentric.metadata import Particles

SUMS = "sums.npz"
TABLE = "particles.star"
_ARRAYS = ClassificationState._fields
_CTF = ("defocus_u", "defocus_v", "defocus_angle")


class ParticleTable(NamedTuple):
    """Particles with their classes, and the optics groups that they refer to.

    Attributes:
        optics: The optics groups.
        rows: Columns of a table of particles; class_number is 0 where there is none yet.
    """

    optics: list[ParticleOptics]
    rows: pd.DataFrame

    def without(self, stacks: set[str]) -> "ParticleTable":
        """Return the table without the particles of some stacks."""
        if not stacks or self.rows.empty:
            return self
        stack = self.rows["image"].str.partition("@")[2]
        return self._replace(rows=self.rows[~stack.isin(stacks)].reset_index(drop=True))


def read_table(path: Path | None) -> ParticleTable:
    """Read the table of the version before; an empty one if there was none."""
    if path is None:
        return ParticleTable([], pd.DataFrame())
    return ParticleTable(*read_particles_star(path))


def join_particles(table: ParticleTable, added: Sequence[Particles], task: Task) -> ParticleTable:
    """Return the table with the particles of more micrographs at its end, in no class yet."""
    optics, rows = {group.number: group for group in table.optics}, [table.rows]
    for particles in added:
        groups, more = read_particles_star(task.locate(particles.path))
        optics = {group.number: group for group in groups} | optics
        rows.append(more.assign(class_number=0, psi=0.0, origin_x=0.0, origin_y=0.0))
    joined = pd.concat([part for part in rows if len(part)] or [pd.DataFrame()], ignore_index=True)
    return ParticleTable([optics[number] for number in sorted(optics)], joined)


def load_batch(
    table: ParticleTable, chosen: np.ndarray, grid: PolarGrid, task: Task, *, phase_flipped: bool
) -> tuple[ParticleBatch | None, np.ndarray]:
    """Read the images of some rows.

    Args:
        table: All particles.
        chosen: Numbers of the rows [particle].
        grid: The grid of rings.
        task: Where their stacks lie.
        phase_flipped: Whether the signs of the CTF are corrected in the images.

    Returns:
        The particles, and the numbers of their rows; those of stacks that are there no more are left out.
    """
    rows = table.rows.iloc[np.sort(chosen)]
    rows = rows.assign(
        number=rows["image"].str.partition("@")[0].astype(int), stack=rows["image"].str.partition("@")[2]
    )
    rings, kept = [], []
    for stack, members in rows.groupby("stack", sort=False):
        file = task.locate(str(stack))
        if not file.exists():
            task.log.info("%s is there no more: its particles keep their classes.", stack)
            continue
        with open_frames(file) as frames:
            images = [frames.read(number - 1, number)[0] for number in members["number"]]
        stacked = torch.from_numpy(np.stack(images).astype(np.float32)).to(task.device)
        rings.append(take_rings(stacked, grid))
        kept.append(members)
    if not kept:
        return None, np.empty(0, np.int64)
    there = pd.concat(kept)
    curves, curve = _curves(there, table.optics, grid, phase_flipped)
    # A half for good: from the particle's number in its stack, whatever else is in the batch.
    half = torch.tensor((there["number"] % 2).tolist(), device=task.device)
    batch = ParticleBatch(torch.cat(rings), curves, torch.tensor(curve, device=task.device), half)
    return batch, there.index.to_numpy()


def _curves(
    rows: pd.DataFrame, optics: list[ParticleOptics], grid: PolarGrid, phase_flipped: bool
) -> tuple[torch.Tensor, list[int]]:
    """Return the different CTFs on the rings [curve, ring, angle], and which is whose [particle]."""
    lenses = {group.number: group for group in optics}
    groups = rows.groupby(["optics_group", "phase_shift", *_CTF], sort=False)
    curves = []
    for (group, phase_shift), defocus in zip(
        groups[["optics_group", "phase_shift"]].first().to_numpy(),
        groups[list(_CTF)].first().to_numpy(),
        strict=True,
    ):
        lens = lenses[int(group)]
        transfer = ring_transfer(
            grid,
            lens.pixel_size,
            CTFOptics(lens.voltage, lens.spherical_aberration, lens.amplitude_contrast, float(phase_shift)),
            **dict(zip(_CTF, defocus.tolist(), strict=True)),
            phase_flipped=phase_flipped,
        )
        curves.append(transfer)
    return torch.stack(curves), groups.ngroup().tolist()


def note_poses(
    rows: pd.DataFrame, order: np.ndarray, poses: Poses, numbers: list[int], pixel_size: float
) -> None:
    """Write classes and poses into a table in place, in RELION's terms.

    RELION moves an image by its origin and then finds the reference turned by −psi.
    """
    rows.loc[order, "class_number"] = np.array(numbers)[poses.label.cpu().numpy()]
    rows.loc[order, "psi"] = -np.degrees(poses.angle.cpu().double().numpy())
    shift = poses.shift.cpu().double().numpy() * pixel_size
    rows.loc[order, "origin_x"] = -shift[:, 0]
    rows.loc[order, "origin_y"] = -shift[:, 1]


def write_sums(path: Path, state: ClassificationState) -> None:
    """Write the sums as plain arrays, with the same bytes for the same numbers."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, values in zip(_ARRAYS, state, strict=True):
            buffer = io.BytesIO()
            np.save(buffer, values.cpu().numpy(), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())


def read_sums(path: Path, device: str) -> ClassificationState:
    """Read what `write_sums` has written."""
    with np.load(path, allow_pickle=False) as arrays:
        return ClassificationState(*(torch.from_numpy(arrays[name]).to(device) for name in _ARRAYS))


def write_classes(
    task: Task,
    rows: pd.DataFrame,
    numbers: list[int],
    quality: ClassQuality,
    selected: list[bool],
    box: float,
) -> pd.DataFrame:
    """Write the table of classes, which is returned, and their signal-to-noise ratios.

    `box` is the edge of an image in Å.
    """
    count = [int((rows["class_number"] == number).sum()) for number in numbers]
    table = pd.DataFrame(
        {
            "rlnReferenceImage": [
                f"{n:06d}@{task.keep('averages.mrcs')}" for n in range(1, len(numbers) + 1)
            ],
            "rlnClassNumber": numbers,
            "rlnClassDistribution": [part / max(1, len(rows)) for part in count],
            "rlnGroupNrParticles": count,
            "rlnEstimatedResolution": quality.resolution.tolist(),
            "rlnClassScore": quality.score.tolist(),
            "rlnSelected": [int(chosen) for chosen in selected],
        }
    )
    rings = np.arange(1, quality.snr.shape[1] + 1)
    blocks = {"model_classes": table}
    for number, snr, correlation in zip(numbers, quality.snr, quality.correlation, strict=True):
        blocks[f"model_class_{number}"] = pd.DataFrame(
            {
                "rlnSpectralIndex": rings,
                "rlnResolution": rings / box,
                "rlnSsnrMap": snr.tolist(),
                "rlnFourierShellCorrelation": correlation.tolist(),
            }
        )
    write_star(task.folder / "classes.star", blocks)
    return table


def write_particles(task: Task, table: ParticleTable, selected: set[int]) -> int:
    """Write all particles, and those in selected classes; return how many these are."""
    write_particles_star(task.folder / TABLE, table.optics, table.rows)
    chosen = table.rows[table.rows["class_number"].isin(selected)]
    if len(chosen):
        write_particles_star(task.folder / "selected.star", table.optics, chosen)
    return len(chosen)
