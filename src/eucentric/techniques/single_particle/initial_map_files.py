"""The particles of a first map: read from their stacks, made small, and kept with what is known of them."""

import io
import zipfile
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from eucentric.engine.protocol import Task
from eucentric.formats import ParticleOptics, open_frames
from eucentric.imaging import CTFOptics, fourier
from eucentric.imaging.initial_map import InitialMapState
from eucentric.imaging.initial_map_particles import (
    ParticleSet,
    independent_part,
    particle_mask,
    particle_transfer,
    points_to,
)
from eucentric.imaging.initial_map_search import Poses
from eucentric.imaging.projection import disc, take_points
from eucentric.imaging.reconstruction import Reconstruction

STATE = "state.npz"
SMALLEST, LARGEST = 48, 96
"""Pixels to which images are made smaller, unless they are smaller already."""
_PER_DETAIL = 2.5
_CTF = ["defocus_u", "defocus_v", "defocus_angle"]
_TOO_LARGE = 6e4  # half precision ends at 65,504


class Geometry(NamedTuple):
    """What all particles of a map have in common, made smaller.

    Attributes:
        box: Rows and columns of an image.
        pixel_size: Å/px.
        diameter: Of the mask, Å.
        finest: Finest detail that is compared, Å.
        phase_flipped: Whether the signs of the CTF are corrected in the images.
    """

    box: int
    pixel_size: float
    diameter: float
    finest: float
    phase_flipped: bool


def map_box(box: int, pixel_size: float, finest: float) -> int:
    """Return the even number of pixels to which images of `box` px are made smaller."""
    wanted = 2 * round(box * pixel_size / (finest / _PER_DETAIL) / 2)
    return min(box - box % 2, max(SMALLEST, min(LARGEST, wanted)))


def draw_rows(rows: pd.DataFrame, most: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return at most so many particles, the same ones from version to version as far as can be.

    Every particle has a number of its own, made from its name: those with the smallest ones are drawn.

    Returns:
        The rows, and the half (0 or 1) to which each belongs for good.
    """
    own = pd.util.hash_pandas_object(rows["image"], index=False).to_numpy(np.uint64)
    chosen = np.sort(np.argsort(own, kind="stable")[:most])
    return rows.iloc[chosen].reset_index(drop=True), (own[chosen] % 2).astype(np.int64)


def load_particles(
    rows: pd.DataFrame, half: np.ndarray, optics: list[ParticleOptics], geometry: Geometry, task: Task
) -> tuple[ParticleSet | None, list[str]]:
    """Read the images of some rows, made smaller, as they are compared with projections.

    Args:
        rows: A table of particles.
        half: The half of each, [particle].
        optics: The table's optics groups.
        geometry: What the images become.
        task: Where the stacks lie.

    Returns:
        The particles, and their names; those of stacks that are there no more are left out.

    Raises:
        ValueError: An image holds numbers that are not finite, or far too large.
    """
    lenses = {group.number: group for group in optics}
    stacks = rows["image"].str.partition("@")
    points = points_to(geometry.finest, geometry.box, geometry.pixel_size, task.device)
    mask = particle_mask(geometry.box, geometry.pixel_size, geometry.diameter, task.device)
    images, transfers, halves, names = [], [], [], []
    for keys, members in rows.groupby([stacks[2], "optics_group", "phase_shift"], sort=False):
        stack, group, phase_shift = cast(tuple[str, int, float], keys)
        file, lens = task.locate(stack), lenses[group]
        if not file.exists():
            task.log.info("%s is there no more: its particles are left out.", stack)
            continue
        with open_frames(file) as frames:
            numbers = stacks[0].loc[members.index].astype(int)
            whole = np.stack([frames.read(number - 1, number)[0] for number in numbers])
        small = _smaller(torch.from_numpy(whole.astype(np.float32)), geometry.box).to(task.device)
        images.append(_checked(take_points(small * mask, points), stack))
        ctf = CTFOptics(lens.voltage, lens.spherical_aberration, lens.amplitude_contrast, phase_shift)
        defocus = members[_CTF].to_numpy(float)
        transfers.append(
            particle_transfer(points, geometry.pixel_size, ctf, defocus, phase_flipped=geometry.phase_flipped)
        )
        halves.append(torch.from_numpy(half[members.index]).to(task.device))
        names += members["image"].tolist()
    if not names:
        return None, []
    independent = independent_part(mask)
    return ParticleSet(points, torch.cat(images), torch.cat(transfers), torch.cat(halves), independent), names


def _smaller(images: Tensor, box: int) -> Tensor:
    if images.shape[-1] == box:
        return images
    return torch.stack([fourier.resize(image, (box, box)) for image in images])


def _checked(transforms: Tensor, stack: str) -> Tensor:
    # False for what is no number, too.
    if not bool((torch.view_as_real(transforms).abs() < _TOO_LARGE).all()):
        raise ValueError(
            f"The images in {stack} are not normalised, or hold numbers that are not finite; extract the"
            " particles again."
        )
    return transforms


def write_state(path: Path, state: InitialMapState, names: list[str]) -> None:
    """Write everything that the next version begins with, with the same bytes for the same numbers.

    Of images and contrast transfer in half precision, which is finer than their noise.
    """
    points = state.particles.points
    arrays = {
        "names": np.array(names),
        "box": np.array(points.box),
        "radius": np.array(float(torch.hypot(points.x[-1], points.y[-1]))),
        "independent": np.array(state.particles.independent),
        "symmetry_fit": np.array(state.symmetry_fit),
        "images": _host(torch.view_as_real(state.particles.images)).astype(np.float16),
        "transfer": _host(state.particles.transfer).astype(np.float16),
        "half": _host(state.particles.half),
        "classes": _host(state.classes),
    }
    for number, (poses, found) in enumerate(zip(state.poses, state.maps, strict=True)):
        for field, values in (poses._asdict() | found._asdict()).items():
            arrays[f"{field}_{number}"] = _host(values)
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())


def read_state(path: Path, device: str) -> tuple[InitialMapState, list[str]]:
    """Read what `write_state` has written, and the names of the particles."""
    with np.load(path, allow_pickle=False) as arrays:

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(arrays[name]).to(device)

        particles = ParticleSet(
            disc(int(arrays["box"]), float(arrays["radius"]), device),
            torch.view_as_complex(tensor("images").float()),
            tensor("transfer").float(),
            tensor("half"),
            float(arrays["independent"]),
        )
        fits = tuple(float(each) for each in arrays["symmetry_fit"])
        each = range(len(fits))
        poses = tuple(Poses(*(tensor(f"{field}_{n}") for field in Poses._fields)) for n in each)
        maps = tuple(
            Reconstruction(*(tensor(f"{field}_{n}") for field in Reconstruction._fields)) for n in each
        )
        names = arrays["names"].tolist()
        return InitialMapState(particles, poses, tensor("classes"), maps, fits), names


def _host(values: Tensor) -> np.ndarray:
    array: np.ndarray = values.cpu().numpy()
    return array
