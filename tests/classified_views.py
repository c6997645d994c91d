"""Stacks of particle images whose true views, turns and shifts are known."""

import math
from importlib.resources import as_file, files
from typing import NamedTuple

import gemmi
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from eucentric.imaging import fourier
from eucentric.imaging.ctf import contrast_transfer
from eucentric.imaging.specimen import Molecule, make_molecule, project_molecules, random_orientations

OPTICS = {"voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


class TrueParticles(NamedTuple):
    """Images as a camera would give them, white particles, and what is true of them.

    Attributes:
        images: [particle, y, x]; noise of variance 1.
        view: Number of the view [particle].
        turn: Radians by which it is turned, from x towards y [particle].
        shift: Pixels (x, y) by which it was moved after that [particle, 2].
        micrograph: Number of the micrograph, all particles of which have the same defocus [particle].
        defocus: Å, of every micrograph [micrograph, 3]: U, V and the angle in degrees.
        pixel_size: Å/px.
    """

    images: Tensor
    view: Tensor
    turn: Tensor
    shift: Tensor
    micrograph: Tensor
    defocus: Tensor
    pixel_size: float


def five_chains() -> Molecule:
    """Return five of the 14 chains of GroEL (1MNF): a structure without symmetry."""
    with as_file(files("eucentric.microscope") / "data" / "1MNF.pdb.gz") as path:
        structure = gemmi.read_structure(str(path))
    structure.setup_entities()
    structure.remove_ligands_and_waters()
    chains = [chain for chain in structure[0] if chain.name in "ABDHI"]
    atoms = [atom for chain in chains for residue in chain for atom in residue]
    return make_molecule(
        np.array([atom.pos.tolist() for atom in atoms]), [atom.element.name for atom in atoms]
    )


def view_images(count: int, box: int, pixel_size: float, seed: int) -> Tensor:
    """Return views [view, y, x] from random directions, at half the pixel size and without aliasing."""
    rng = np.random.default_rng(seed)
    molecule, fine = five_chains(), 2 * box
    middle = np.array([[fine // 2, fine // 2]])
    views = []
    for orientation in random_orientations(count, rng):
        image = project_molecules(molecule, orientation[None], middle, (fine, fine), pixel_size / 2)
        coarse = fourier.resize(torch.from_numpy(image), (box, box))
        views.append(fourier.resize(coarse - coarse.mean(), (fine, fine)))
    return torch.stack(views)


def true_particles(
    count: int,
    views: Tensor,
    pixel_size: float,
    *,
    snr: float,
    seed: int,
    largest_shift: float = 3.0,
    per_micrograph: int = 50,
) -> TrueParticles:
    """Draw particles: a view, a turn and a shift at random, a CTF, and white noise.

    Args:
        count: Number of particles.
        views: As of `view_images`.
        pixel_size: Å/px of the particles.
        snr: Variance of the signal after the CTF over that of the noise, over the box.
        seed: Same seed, same particles.
        largest_shift: Pixels along each axis.
        per_micrograph: Particles that share a defocus, of 0.8 to 2.5 µm.
    """
    generator = torch.Generator().manual_seed(seed)
    box = views.shape[-1] // 2
    view = torch.randint(len(views), (count,), generator=generator)
    turn = 2 * math.pi * torch.rand(count, generator=generator)
    shift = (2 * torch.rand(count, 2, generator=generator) - 1) * largest_shift
    micrograph = torch.arange(count) // per_micrograph
    mean = 8_000 + 17_000 * torch.rand(int(micrograph.max()) + 1, 1, generator=generator)
    angle = 180 * torch.rand(len(mean), 1, generator=generator)
    defocus = torch.cat([mean + 150, mean - 150, angle], dim=1)
    images = []
    for number in range(len(defocus)):
        chosen = torch.nonzero(micrograph == number)[:, 0]
        posed = _posed(views[view[chosen]], turn[chosen], shift[chosen], box)
        u, v, axis = defocus[number].tolist()
        x, y = fourier.frequencies((box, box), pixel_size)
        transfer = contrast_transfer(x, y, defocus_u=u, defocus_v=v, defocus_angle=axis, **OPTICS)
        images.append(fourier.irfft2(fourier.rfft2(posed) * -transfer, (box, box)))
    signal = torch.cat(images)
    signal *= math.sqrt(snr) / signal.std()
    noise = torch.randn(signal.shape, generator=generator)
    return TrueParticles(signal + noise, view, turn, shift, micrograph, defocus, pixel_size)


def _posed(views: Tensor, turn: Tensor, shift: Tensor, box: int) -> Tensor:
    """Return views turned, then moved, at the particles' pixel size [particle, y, x]."""
    axis = torch.arange(box) - box // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    away_x, away_y = x - shift[:, 0, None, None], y - shift[:, 1, None, None]
    cosine, sine = turn.cos()[:, None, None], turn.sin()[:, None, None]
    source = torch.stack([cosine * away_x + sine * away_y, cosine * away_y - sine * away_x], dim=-1)
    fine = views.shape[-1]
    place = (2 * source + fine // 2) * 2 / (fine - 1) - 1
    sampled = functional.grid_sample(
        views[:, None], place.float(), mode="bicubic", align_corners=True, padding_mode="zeros"
    )
    return sampled[:, 0]


def adjusted_rand_index(one: Tensor, other: Tensor) -> float:
    """Return the adjusted Rand index of two partitions (Hubert & Arabie (1985), J. Classif. 2, 193)."""
    table = torch.zeros(int(one.max()) + 1, int(other.max()) + 1, dtype=torch.float64)
    table.index_put_((one.long(), other.long()), torch.ones(len(one), dtype=torch.float64), accumulate=True)

    def pairs(numbers: Tensor) -> float:
        return float((numbers * (numbers - 1) / 2).sum())

    both, rows, columns = pairs(table.flatten()), pairs(table.sum(1)), pairs(table.sum(0))
    expected = rows * columns / (len(one) * (len(one) - 1) / 2)
    return (both - expected) / ((rows + columns) / 2 - expected)
