"""What a first map leaves for people and other programs: maps, tables and a picture."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.engine.protocol import Task
from eucentric.formats import ParticleOptics, write_mrc, write_particles_star, write_star
from eucentric.imaging.initial_map import InitialMapState
from eucentric.imaging.initial_map_picture import (
    sampling_efficiency,
    sections_and_projections,
    view_histogram,
)
from eucentric.imaging.orientations import to_euler
from eucentric.imaging.reconstruction import Reconstruction, resolution_at
from eucentric.metadata import ClassMap
from eucentric.techniques.single_particle.drawing import draw

TABLE, PICTURE = "particles.star", "maps.png"
_CELLS = 18
_TEMPLATE = "initial_map.typ"
_SCALES = (10, 20, 50, 100, 200, 500, 1000)
_MARKS = (200, 100, 60, 40, 30, 20, 15, 12, 10, 8, 7, 6, 5, 4, 3)
"""Resolutions in Å that are marked along an axis, as far as there is room."""


class Shown(NamedTuple):
    """One map with what is said of it.

    Attributes:
        found: The map and its halves.
        orientations: Of its particles, also in their symmetric places, [particle, 3, 3].
        item: What the item says.
    """

    found: Reconstruction
    orientations: Tensor
    item: ClassMap


def write_maps(task: Task, state: InitialMapState, pixel_size: float, group: Tensor) -> list[Shown]:
    """Write each map, its halves, their correlation and its views; return the best first."""
    shown = []
    for number, (found, poses) in enumerate(zip(state.maps, state.poses, strict=True), start=1):
        mine = poses.orientations[state.classes == number - 1, 0]
        name = f"map-{number}"
        write_mrc(task.folder / f"{name}.mrc", found.volume.cpu().numpy(), pixel_size, volume=True)
        for half, volume in enumerate(found.halves, start=1):
            path = task.folder / f"{name}-half-{half}.mrc"
            write_mrc(path, volume.cpu().numpy(), pixel_size, volume=True)
        _write_fsc(task.folder / f"{name}-fsc.star", found, pixel_size)
        every = torch.cat([mine @ operator for operator in group])
        _write_views(task.folder / f"{name}-views.star", view_histogram(every, _CELLS), len(group))
        item = ClassMap(
            number=number,
            path=task.keep(f"{name}.mrc"),
            half_paths=(task.keep(f"{name}-half-1.mrc"), task.keep(f"{name}-half-2.mrc")),
            fsc_path=task.keep(f"{name}-fsc.star"),
            views_path=task.keep(f"{name}-views.star"),
            particles=len(mine),
            resolution=_reached(found, pixel_size, 0.143),
            resolution_half=_reached(found, pixel_size, 0.5),
            efficiency=sampling_efficiency(mine, group),
            symmetry_fit=state.symmetry_fit[number - 1] if len(group) > 1 else None,
        )
        shown.append(Shown(found, every, item))
    return sorted(shown, key=lambda each: (each.item.resolution or np.inf, -each.item.particles))


def write_placed(
    task: Task,
    optics: list[ParticleOptics],
    rows: pd.DataFrame,
    names: list[str],
    state: InitialMapState,
    pixel_size: float,
) -> None:
    """Write the particles with their orientations, in RELION's terms: it moves an image by its origin."""
    row = torch.arange(len(names), device=state.classes.device)
    orientations = torch.stack([each.orientations[:, 0] for each in state.poses])[state.classes, row]
    shifts = torch.stack([each.shifts[:, 0] for each in state.poses])[state.classes, row]
    angles = to_euler(orientations.cpu().double().numpy())
    origins = -shifts.cpu().double().numpy() * pixel_size
    placed = rows.set_index("image").loc[names].reset_index()
    placed = placed.assign(
        class_number=state.classes.cpu().numpy() + 1,
        half=state.particles.half.cpu().numpy() + 1,
        rot=angles[:, 0],
        tilt=angles[:, 1],
        psi=angles[:, 2],
        origin_x=origins[:, 0],
        origin_y=origins[:, 1],
    )
    write_particles_star(task.folder / TABLE, optics, placed)


def draw_maps(task: Task, shown: list[Shown], pixel_size: float, symmetry: str) -> None:
    """Draw what all maps look like, how well their halves agree, and from where particles were seen."""
    images: dict[str, NDArray[np.float32]] = {}
    for each in shown:
        images |= _images(each)
    data = {
        "maps": [_panel(each, pixel_size) for each in shown],
        "particles": sum(each.item.particles for each in shown),
        "symmetry": symmetry,
    }
    draw(task.folder / PICTURE, _TEMPLATE, data, images)


def _images(shown: Shown) -> dict[str, NDArray[np.float32]]:
    """Return sections and projections, each by the name that the template has for it."""
    panels = sections_and_projections(shown.found.volume.cpu()).numpy()
    white = max(float(panels.max()) * 0.9, 1e-6)
    return {
        f"{shown.item.number}-{kind}-{axis}.png": (image + 0.5) / (white + 0.5)
        for kind, three in zip(("section", "projection"), panels, strict=True)
        for axis, image in zip("zyx", three, strict=True)
    }


def _panel(shown: Shown, pixel_size: float) -> dict[str, Any]:
    """Return what the template has to say of a map."""
    item, length = shown.item, shown.found.volume.shape[-1] * pixel_size
    last = int(torch.nonzero(shown.found.fsc)[-1]) + 1 if bool(shown.found.fsc.any()) else 1
    curve = [[1.0 if n == 0 else float(shown.found.fsc[n])] for n in range(last + 1)]
    counts = view_histogram(shown.orientations.cpu(), _CELLS).float()
    return {
        "number": item.number,
        "particles": item.particles,
        "resolution": item.resolution and round(item.resolution, 1),
        "resolution_half": item.resolution_half and round(item.resolution_half, 1),
        "efficiency": round(item.efficiency, 2),
        "symmetry_fit": None if item.symmetry_fit is None else round(item.symmetry_fit, 2),
        "scale": _scale(length) / length,
        "scale_label": f"{_scale(length)} Å",
        "curve": [[n / last, min(1.0, max(0.0, value[0]))] for n, value in enumerate(curve)],
        "marks": _marks(length, last),
        "views": (counts / counts.mean().clamp(min=1e-9)).tolist(),
    }


def _scale(length: float) -> int:
    """Return a round number of Å, about a quarter of the length of an image."""
    return max((each for each in _SCALES if each <= length / 3), default=_SCALES[0])


def _marks(length: float, last: int) -> list[dict[str, Any]]:
    """Return marks along the axis of spatial frequency, each with its resolution, not too close."""
    marks: list[dict[str, Any]] = []
    for resolution in _MARKS:
        at = length / resolution / last
        if at <= 1 and (not marks or at - marks[-1]["at"] > 0.12):
            marks.append({"at": at, "label": str(resolution)})
    return marks


def _write_fsc(path: Path, found: Reconstruction, pixel_size: float) -> None:
    length, shells = found.volume.shape[-1] * pixel_size, np.arange(len(found.fsc))
    resolution = np.divide(length, shells, out=np.full(len(shells), 999.0), where=shells > 0)
    table = {
        "rlnSpectralIndex": shells,
        "rlnResolution": shells / length,
        "rlnAngstromResolution": resolution,
        "rlnFourierShellCorrelationUnmaskedMaps": found.fsc.cpu().double().numpy(),
    }
    write_star(path, {"fsc": pd.DataFrame(table)})


def _write_views(path: Path, counts: Tensor, copies: int) -> None:
    """Write the middle of each cell, and how many particles are seen from there, symmetric copies shared."""
    rows, columns = counts.shape
    height = (np.arange(rows) + 0.5) / rows * 2 - 1
    azimuth = ((np.arange(columns) + 0.5) / columns - 0.5) * 360
    table = {
        "rlnAngleRot": np.tile(azimuth, rows),
        "rlnAngleTilt": np.degrees(np.arccos(height)).repeat(columns),
        "rlnGroupNrParticles": counts.flatten().cpu().double().numpy() / copies,
    }
    write_star(path, {"views": pd.DataFrame(table)})


def _reached(found: Reconstruction, pixel_size: float, threshold: float) -> float | None:
    if bool(found.fsc[1] < threshold):
        return None
    return resolution_at(found.fsc, found.volume.shape[-1], pixel_size, threshold)
