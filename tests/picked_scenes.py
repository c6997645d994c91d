"""Simulated micrographs of GroEL with their true centres, for all that picks."""

from typing import NamedTuple

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from eucentric.imaging.image_formation import ImagingConditions, contrast_spectrum
from eucentric.imaging.specimen import ice_potential, project_molecules, random_orientations
from eucentric.microscope.simulate import groel

SIZE, PIXEL, DIAMETER = 768, 3.0, 150.0


class Scene(NamedTuple):
    image: torch.Tensor
    centres: NDArray[np.float64]  # (x, y) in px


def scene(*, particles=40, contrast=0.6, carbon=False, crystal=False, seed=0, defocus=18_000) -> Scene:
    """A micrograph of GroEL at 40 e⁻/Å²; carbon over the left third, an ice crystal in the middle."""
    rng = np.random.default_rng(seed)
    centres = np.empty((0, 2))
    for candidate in rng.uniform(40, SIZE - 40, (2_000, 2)):
        far = np.hypot(*(centres - candidate).T) > 1.1 * DIAMETER / PIXEL
        if len(centres) < particles and far.all():
            centres = np.vstack([centres, candidate])
    shape = (SIZE, SIZE)
    potential = ice_potential(shape, PIXEL, 300, 40, rng)
    if particles:
        orientations = random_orientations(len(centres), rng)
        potential += contrast * project_molecules(groel(), orientations, centres, shape, PIXEL)
    y, x = np.mgrid[:SIZE, :SIZE]
    film = 1 / (1 + np.exp((x - SIZE / 3) / 2.0)) * carbon
    potential += film * (1350 + 47 * rng.standard_normal(shape))
    lump = np.clip(1 - np.hypot(x - 500, y - 400) / 90, 0, None) * crystal
    potential += lump * 2_000
    transmission = (1 - 0.07 * film) * np.exp(-0.3 * lump)
    optics = ImagingConditions(PIXEL, 300, 2.7, 0.1, defocus, defocus, 0, 80)
    image = 1 + scipy.fft.irfft2(contrast_spectrum(potential.astype(np.float32), optics), s=shape)
    expected = np.maximum(40 * PIXEL**2 * transmission * image, 0)
    return Scene(torch.from_numpy(rng.poisson(expected).astype(np.float32)), centres)


def distances(picks, centres):
    """Distance of every centre from the nearest pick, in diameters."""
    away = picks.positions.numpy()[None] - centres[:, None]
    return np.hypot(away[..., 0], away[..., 1]).min(axis=1) * PIXEL / DIAMETER
