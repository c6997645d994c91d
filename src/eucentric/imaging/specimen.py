"""What lies in the beam: the electrostatic potential of molecules and of the ice around them.

Everything here is NumPy on the CPU, in float32 and with a seeded generator, so that a simulated specimen is
the same, bit by bit, wherever and however often it is made.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

FloatArray = NDArray[np.float32]

# Volume integral of the potential (V·Å³) of an atom whose electron scattering factor at zero angle is 1 Å:
# h² / (2π m e).
_VOLT_CUBIC_ANGSTROM = 47.878

# Electron scattering factors of neutral atoms, f(k) = Σ aᵢ exp(−bᵢ k²/4), aᵢ in Å and bᵢ in Å²:
# International Tables for Crystallography C, table 4.3.2.2; Peng et al. (1996), Acta Cryst. A52:257.
_SCATTERING = {
    "H": ((0.0349, 0.1201, 0.1970, 0.0573, 0.1195), (0.5347, 3.5867, 12.3471, 18.9525, 38.6269)),
    "C": ((0.0893, 0.2563, 0.7570, 1.0487, 0.3575), (0.2465, 1.7100, 6.4094, 18.6113, 50.2523)),
    "N": ((0.1022, 0.3219, 0.7982, 0.8197, 0.1715), (0.2451, 1.7481, 6.1925, 17.3894, 48.1431)),
    "O": ((0.0974, 0.2921, 0.6910, 0.6990, 0.2039), (0.2067, 1.3815, 4.6943, 12.7105, 32.4726)),
    "P": ((0.2548, 0.6106, 1.4541, 2.3204, 0.8477), (0.2908, 1.8740, 8.5176, 24.3434, 63.2996)),
    "S": ((0.2497, 0.5628, 1.3899, 2.1865, 0.7715), (0.2681, 1.6711, 7.0267, 19.5377, 50.3888)),
}

# Volume of solvent that an atom displaces, Å³: Fraser, MacRae & Suzuki (1978), J. Appl. Cryst. 11:693.
_DISPLACED = {"H": 5.15, "C": 16.44, "N": 2.49, "O": 9.13, "P": 5.73, "S": 19.86}

# Vitreous ice of 0.94 g/cm³: molecules per Å³.
_ICE_DENSITY = 0.0314

# Mean squared displacement of water in ice, Å² in three dimensions for each e⁻/Å²:
# McMullan, Vinothkumar & Henderson (2015), Ultramicroscopy 158:26.
_ICE_DIFFUSION = 1.1


class Molecule(NamedTuple):
    """Atoms around the origin.

    Attributes:
        positions: For every element, the coordinates (x, y, z) in Å of its atoms, [atom, 3].
        radius: Largest distance of an atom from the origin, Å.
    """

    positions: dict[str, FloatArray]
    radius: float


def make_molecule(coordinates: NDArray[Any], elements: Sequence[str]) -> Molecule:
    """Sort atoms by element and move their centre to the origin.

    Args:
        coordinates: Positions (x, y, z) of the atoms without hydrogens in Å, [atom, 3].
        elements: Chemical symbol of every atom: C, N, O, P or S.

    Raises:
        ValueError: There are no atoms, hydrogens among them, or an element without a scattering factor.
    """
    symbols = np.array([element.upper() for element in elements])
    present = set(symbols.tolist())
    if unknown := present - set(_SCATTERING) | present & {"H"}:
        raise ValueError(f"cannot simulate atoms of {', '.join(sorted(unknown))}; leave them out")
    if not present:
        raise ValueError("a molecule needs at least one atom; none was given")
    centred = coordinates - coordinates.mean(axis=0)
    radius = float(np.sqrt((centred**2).sum(axis=1).max()))
    positions = {symbol: centred[symbols == symbol].astype(np.float32) for symbol in sorted(present)}
    return Molecule(positions, radius)


def random_orientations(count: int, rng: np.random.Generator) -> FloatArray:
    """Draw rotation matrices [count, 3, 3] evenly from all orientations; `matrix @ (x, y, z)` rotates."""
    quaternions = rng.standard_normal((count, 4))  # even on the sphere once they are normalised
    return Rotation.from_quat(quaternions).as_matrix().astype(np.float32)


def project_molecules(
    molecule: Molecule,
    orientations: FloatArray,
    centres: NDArray[Any],
    shape: tuple[int, int],
    pixel_size: float,
) -> FloatArray:
    """Project copies of a molecule in ice along z.

    The atoms are spread over the nearest pixels and blurred in Fourier space by their scattering factors,
    so a projection needs no volume in between. The image wraps around at its edges.

    Args:
        molecule: The molecule.
        orientations: Rotation matrices, [copy, 3, 3].
        centres: Where the copies' origins come to lie, (x, y) in pixels, [copy, 2].
        shape: Height and width of the image.
        pixel_size: Å/px.

    Returns:
        Projected potential [y, x] in V·Å, relative to the ice that the molecules displace.
    """
    turned = np.asarray(orientations, np.float32)[:, :2]
    origins = np.asarray(centres, np.float32)
    squared = squared_frequency(shape, pixel_size)
    spectrum = np.zeros(squared.shape, np.complex64)
    for element, positions in molecule.positions.items():
        image = np.zeros(shape, np.float32)
        for matrix, origin in zip(turned, origins, strict=True):
            _add_points(image, positions @ matrix.T / np.float32(pixel_size) + origin)
        blur = _atom_potential(element, squared) / np.float32(pixel_size**2)
        spectrum += scipy.fft.rfft2(image, workers=torch.get_num_threads()) * blur
    spectrum *= _pixel_spread(shape)
    projection: FloatArray = scipy.fft.irfft2(
        spectrum, s=shape, workers=torch.get_num_threads(), overwrite_x=True
    )
    return projection


def molecule_volume(molecule: Molecule, size: int, pixel_size: float) -> FloatArray:
    """Compute the potential of a molecule in ice as a volume, the truth for reconstructions.

    Args:
        molecule: The molecule; its origin comes to lie at the voxel `size // 2` of every axis.
        size: Edge of the volume in voxels.
        pixel_size: Å per voxel.

    Returns:
        Potential [z, y, x] in V, relative to ice. Its sum along z times the pixel size is the projection.
    """
    shape = (size, size, size)
    squared = squared_frequency(shape, pixel_size)
    spectrum = np.zeros(squared.shape, np.complex64)
    for element, positions in molecule.positions.items():
        grid = np.zeros(shape, np.float32)
        _add_points(grid, positions / np.float32(pixel_size) + np.float32(size // 2))
        blur = _atom_potential(element, squared) / np.float32(pixel_size**3)
        spectrum += scipy.fft.rfftn(grid, workers=torch.get_num_threads()) * blur
    spectrum *= _pixel_spread(shape)
    volume: FloatArray = scipy.fft.irfftn(
        spectrum, s=shape, workers=torch.get_num_threads(), overwrite_x=True
    )
    return volume


def ice_potential(
    shape: tuple[int, int], pixel_size: float, thickness: float, dose: float, rng: np.random.Generator
) -> FloatArray:
    """Draw the granular structure of vitreous ice as a Gaussian random field.

    Its spectrum is that of water molecules whose mutual distances follow the structure factor of amorphous
    ice (as Parkhurst et al. (2024), Ultramicroscopy 256:113882, do), averaged over an exposure in which the
    molecules diffuse: what moves on within the dose has faded from the sum (McMullan et al. (2015)).

    Args:
        shape: Height and width of the image.
        pixel_size: Å/px.
        thickness: Thickness of the ice, Å.
        dose: Dose of the exposure, e⁻/Å².
        rng: Source of randomness.

    Returns:
        Projected potential [y, x] in V·Å without its mean.
    """
    squared = squared_frequency(shape, pixel_size)
    water = isolated_potential("O", squared) + 2 * isolated_potential("H", squared)
    power = _ICE_DENSITY * thickness * water**2 * _ice_structure(np.sqrt(squared))
    power *= _remaining_power(squared, dose)
    noise = rng.standard_normal(shape, dtype=np.float32)
    spectrum = scipy.fft.rfft2(noise, workers=torch.get_num_threads()) * (
        np.sqrt(power) / np.float32(pixel_size)
    )
    spectrum[0, 0] = 0
    ice: FloatArray = scipy.fft.irfft2(spectrum, s=shape, workers=torch.get_num_threads(), overwrite_x=True)
    return ice


def squared_frequency(shape: tuple[int, ...], pixel_size: float) -> FloatArray:
    """Return k² in 1/Å² on the half spectrum of a real array of this shape and pixel size (Å/px)."""
    axes = [scipy.fft.fftfreq(length, pixel_size) for length in shape[:-1]]
    axes.append(scipy.fft.rfftfreq(shape[-1], pixel_size))
    grids = np.meshgrid(*axes, indexing="ij", sparse=True)
    return np.asarray(sum(grid**2 for grid in grids), np.float32)


def _pixel_spread(shape: tuple[int, ...]) -> FloatArray:
    """Return what undoes the blur of spreading points linearly over neighbouring pixels, sinc² per axis."""
    axes = [scipy.fft.fftfreq(length) for length in shape[:-1]]
    axes.append(scipy.fft.rfftfreq(shape[-1]))
    spread = np.ones((), np.float32)
    for axis in np.meshgrid(*axes, indexing="ij", sparse=True):
        spread = spread / np.sinc(axis).astype(np.float32) ** 2
    return np.asarray(spread, np.float32)


def isolated_potential(element: str, squared: FloatArray) -> FloatArray:
    """Return the Fourier transform in V·Å³ of the potential of an atom alone, at k² in 1/Å²."""
    heights, widths = _SCATTERING[element]
    total = np.zeros_like(squared)
    for height, width in zip(heights, widths, strict=True):
        total += np.float32(height * _VOLT_CUBIC_ANGSTROM) * np.exp(np.float32(-width / 4) * squared)
    return total


def _atom_potential(element: str, squared: FloatArray) -> FloatArray:
    """Return the transform in V·Å³ of an atom with its hydrogen, less that of the ice in its place.

    In protein and nucleic acid there is about one hydrogen for every heavier atom, and a structure seldom
    has their coordinates, so each atom carries one. The displaced ice is the Gaussian dummy atom of
    Fraser et al. (1978).
    """
    zero = np.zeros(1, np.float32)
    ice = _ICE_DENSITY * float((isolated_potential("O", zero) + 2 * isolated_potential("H", zero))[0])
    displaced = _DISPLACED[element] + _DISPLACED["H"]
    dummy = np.float32(ice * displaced) * np.exp(np.float32(-np.pi * displaced ** (2 / 3)) * squared)
    potential = isolated_potential(element, squared) + isolated_potential("H", squared)
    potential -= dummy
    return potential


def _ice_structure(frequency: FloatArray) -> FloatArray:
    """Return the structure factor of amorphous ice: nearly incompressible, its first ring at 3.7 Å."""
    repulsion = 0.94 * np.exp(-((frequency / 0.25) ** 4))
    ring = 1.2 * np.exp(-((frequency - 0.27) ** 2) / (2 * 0.025**2))
    return np.asarray(1 - repulsion + ring, np.float32)


def _remaining_power(squared: FloatArray, dose: float) -> FloatArray:
    """Return how much of the ice's power is left in the mean over an exposure with diffusion.

    The correlation of a Fourier component with itself decays as exp(−D/τ) with the dose D, where
    τ = 1 / (2π² k² s²) and s² is the displacement along one axis for each e⁻/Å².
    """
    memory = np.maximum(2 * np.pi**2 * squared.astype(np.float64) * (_ICE_DIFFUSION / 3) * dose, 1e-2)
    return np.asarray(2 / memory - 2 / memory**2 * -np.expm1(-memory), np.float32)


def _add_points(grid: FloatArray, points: NDArray[np.float32]) -> None:
    """Add points (x, y[, z]) in pixels to a periodic grid, each spread linearly over its neighbours."""
    along_axes = points[:, : grid.ndim][:, ::-1].T  # in the order of the grid's axes
    below = np.floor(along_axes)
    fraction = along_axes - below
    first = below.astype(np.int64)
    flat = grid.reshape(-1)
    for corner in np.ndindex(*(2,) * grid.ndim):
        index = np.zeros(len(points), np.int64)
        weight = np.ones(len(points), np.float32)
        for axis, step in enumerate(corner):
            index = index * grid.shape[axis] + (first[axis] + step) % grid.shape[axis]
            weight *= fraction[axis] if step else 1 - fraction[axis]
        np.add.at(flat, index, weight)
