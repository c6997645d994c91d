"""What else lies in the beam, mostly unwanted: carbon film, crystalline ice, ice crystals on the specimen.

As in `specimen`: NumPy on the CPU, float32, with a seeded generator. Potentials are projected, in V·Å;
positions are (x, y) in px.
"""

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from eucentric.imaging.specimen import FloatArray, isolated_potential, squared_frequency

# Evaporated carbon of 2.0 g/cm³: atoms per Å³.
_CARBON_DENSITY = 0.100

# Molecules per Å³ of crystalline ice, and the edge in Å of the unit cell of the cubic form, in which oxygen
# lies as carbon does in diamond: Dowell & Rinfret (1960), Nature 188:1144.
_CRYSTAL_DENSITY = 0.0307
_CUBIC_CELL = 6.36

# Thickness in Å that all but 1/e of the electrons of 300 kV pass without being lost to an energy filter or
# an aperture: Rice et al. (2018), J. Struct. Biol. 204:38 for ice; half of that for carbon, which is twice
# as dense.
_MEAN_FREE_PATH = {"ice": 3950.0, "carbon": 1900.0}

_EDGE = 60.0  # Å over which a film thins out towards a hole
CUBIC_ICE_SPACING = _CUBIC_CELL / 3**0.5
"""Å; distance of the lattice planes of cubic ice that make its first ring, 3.67 Å."""


def transmission(thickness: FloatArray | float, material: str) -> FloatArray:
    """Return the part of the beam that is left behind `thickness` Å of "ice" or "carbon"."""
    left: FloatArray = np.exp(np.asarray(thickness, np.float32) / np.float32(-_MEAN_FREE_PATH[material]))
    return left


def outside_circle(
    shape: tuple[int, int], pixel_size: float, centre: tuple[float, float], radius: float
) -> FloatArray:
    """Return 1 outside a hole with this centre and radius in px, 0 in it, with a soft edge, [y, x]."""
    y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(centre[1])
    x = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(centre[0])
    distance = (np.hypot(x, y) - np.float32(radius)) * np.float32(pixel_size / _EDGE)
    outside: FloatArray = np.clip(distance + np.float32(0.5), 0, 1)
    return outside


def carbon_potential(
    shape: tuple[int, int], pixel_size: float, thickness: float, rng: np.random.Generator
) -> FloatArray:
    """Draw amorphous carbon: atoms anywhere, so a Gaussian random field with their scattering as spectrum.

    Args:
        shape: Height and width of the image.
        pixel_size: Å/px.
        thickness: Thickness of the film, Å.
        rng: Source of randomness.

    Returns:
        Projected potential [y, x] in V·Å, with its mean.
    """
    carbon = isolated_potential("C", squared_frequency(shape, pixel_size))
    noise = rng.standard_normal(shape, dtype=np.float32)
    spectrum = scipy.fft.rfft2(noise, workers=torch.get_num_threads())
    spectrum *= carbon * np.float32(np.sqrt(_CARBON_DENSITY * thickness) / pixel_size)
    spectrum[0, 0] = carbon[0, 0] * _CARBON_DENSITY * thickness * noise.size
    film: FloatArray = scipy.fft.irfft2(spectrum, s=shape, workers=torch.get_num_threads(), overwrite_x=True)
    return film


def crystal_potential(
    shape: tuple[int, int], pixel_size: float, coverage: float, thickness: float, rng: np.random.Generator
) -> FloatArray:
    """Draw ice that has crystallised: small crystals of cubic ice, all seen along ⟨110⟩, turned anyhow.

    Each shows two sets of lattice planes 3.67 Å apart, at 70.5° to each other, within a Gaussian outline of
    80 to 250 Å. Their amplitude is that of the structure factor (111), 4√2 times that of a molecule.

    Args:
        shape: Height and width of the image.
        pixel_size: Å/px; nothing is drawn where it cannot show 3.67 Å.
        coverage: Part of the area that the outlines cover, all together; may exceed 1.
        thickness: Thickness of the ice, Å; no crystal is thicker.
        rng: Source of randomness.

    Returns:
        Projected potential [y, x] in V·Å. The image wraps around at its edges.
    """
    image = np.zeros(shape, np.float32)
    wave = pixel_size / CUBIC_ICE_SPACING  # in 1/px
    if wave >= 0.5:
        return image
    squared = np.full(1, CUBIC_ICE_SPACING**-2, np.float32)
    molecule = float((isolated_potential("O", squared) + 2 * isolated_potential("H", squared))[0])
    amplitude = 2 * 4 * 2**0.5 * molecule / _CUBIC_CELL**3  # V
    area = 0.0
    while area < coverage * image.size:
        sigma = rng.uniform(80, 250) / 2 / pixel_size
        area += 2 * np.pi * sigma**2
        centre = rng.uniform(0, (shape[1], shape[0]))
        first = rng.uniform(0, np.pi)
        height = amplitude * min(2 * sigma * pixel_size, thickness)
        for direction in (first, first + np.radians(70.53)):
            _add_wave(image, centre, sigma, wave, direction, rng.uniform(0, 2 * np.pi), height)
    return image


def crystal_thickness(
    shape: tuple[int, int], pixel_size: float, crystals: NDArray[np.float64], rng: np.random.Generator
) -> FloatArray:
    """Draw lumps of ice that have settled on the specimen, each of a few ellipsoids that overlap.

    Args:
        shape: Height and width of the image.
        pixel_size: Å/px.
        crystals: (x, y, radius) in px of each lump, [lump, 3]; its height is three times its radius, at
            most 1,000 Å.
        rng: Source of randomness.

    Returns:
        Thickness [y, x] in Å.
    """
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    x = np.arange(shape[1], dtype=np.float32)[None, :]
    thickness = np.zeros(shape, np.float32)
    for centre_x, centre_y, radius in crystals:
        height = np.float32(min(3 * radius * pixel_size, 1000.0))
        for _ in range(4):
            part = radius * rng.uniform(0.55, 0.8)
            away, angle = (radius - part) * rng.uniform(0.5, 1), rng.uniform(0, 2 * np.pi)
            squared = (x - np.float32(centre_x + away * np.cos(angle))) ** 2
            squared = squared + (y - np.float32(centre_y + away * np.sin(angle))) ** 2
            np.maximum(
                thickness, height * np.sqrt(np.maximum(1 - squared / np.float32(part**2), 0)), out=thickness
            )
    return thickness


def crystal_mean_potential() -> float:
    """Return the mean inner potential of ice in V."""
    zero = np.zeros(1, np.float32)
    molecule = isolated_potential("O", zero) + 2 * isolated_potential("H", zero)
    return _CRYSTAL_DENSITY * float(molecule[0])


def _add_wave(
    image: FloatArray,
    centre: NDArray[np.float64],
    sigma: float,
    wave: float,
    direction: float,
    phase: float,
    height: float,
) -> None:
    """Add a plane wave (cycles per px) within a Gaussian around (x, y), as far as three deviations reach."""
    reach = int(np.ceil(3 * sigma))
    x, y = (np.arange(round(c) - reach, round(c) + reach + 1) for c in centre)
    along_x, along_y = 2 * np.pi * wave * np.cos(direction), 2 * np.pi * wave * np.sin(direction)
    envelope_x = np.exp(1j * along_x * x - ((x - centre[0]) / sigma) ** 2 / 2).astype(np.complex64)
    envelope_y = np.exp(1j * along_y * y + 1j * phase - ((y - centre[1]) / sigma) ** 2 / 2)
    patch = np.float32(height) * np.outer(envelope_y.astype(np.complex64), envelope_x).real
    # A crystal may be larger than a small image: every pixel takes its waves from all the periods.
    np.add.at(image, np.ix_(y % image.shape[0], x % image.shape[1]), patch)
