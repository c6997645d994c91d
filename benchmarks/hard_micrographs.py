"""The hard set of picking: simulated micrographs on which every picker makes mistakes, and how to count them.

Two specimens: GroEL, symmetric (D7) and 150 Å wide, at a third of its contrast (as in dense buffer), and two
of its fourteen chains, without symmetry and 100 Å long, 114 kDa, at full contrast. Each lies in ice of uneven
thickness at 0.5 to 3 µm defocus and 25 counted e⁻/Å², with ice crystals, dirt of a particle's size, gold
beads, pairs that overlap, clumps, and particles that the edge of the image cuts; every other micrograph has a
carbon edge with particles on the film. Particles on carbon count as wrong when picked; clumps and what lies
within half a diameter of an edge (of the image or of the carbon) count neither way. A pick is right within
0.3 diameters.
"""

import math
from functools import cache
from importlib.resources import as_file, files
from typing import NamedTuple

import gemmi
import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from eucentric.imaging.image_formation import ImagingConditions, contrast_spectrum
from eucentric.imaging.specimen import (
    Molecule,
    ice_potential,
    make_molecule,
    project_molecules,
    random_orientations,
)

FloatArray = NDArray[np.float32]

PIXEL_SIZE = 1.6  # Å
DOSE = 25.0  # counted e⁻/Å²
TOLERANCE = 0.3  # diameters
DEFOCI = (5_000, 8_000, 12_000, 16_000, 20_000, 24_000, 27_000, 30_000)  # Å
OPTICS = {"voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


class Specimen(NamedTuple):
    """What the particles are.

    Attributes:
        name: What tables call it.
        chains: Chains of 1MNF, or "" for all.
        diameter: Å, as people would measure it.
        contrast: Relative to protein in pure ice.
    """

    name: str
    chains: str
    diameter: float
    contrast: float


GROEL = Specimen("GroEL, 150 Å", "", 150.0, 0.33)
TWO_CHAINS = Specimen("two chains, 100 Å", "AB", 100.0, 1.0)
SPECIMENS = (GROEL, TWO_CHAINS)


class HardMicrograph(NamedTuple):
    """One micrograph and what is true of it.

    Attributes:
        image: Electrons per pixel [y, x].
        wanted: Centres (x, y) in px of the particles that should be found [particle, 2].
        ignored: Pixels where a pick counts neither way [y, x].
        bad: Pixels of carbon, ice crystals, dirt and gold [y, x].
        defocus: U, V in Å and the angle of U in degrees.
    """

    image: FloatArray
    wanted: FloatArray
    ignored: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    defocus: tuple[float, float, float]


@cache
def molecule_of(specimen: Specimen) -> Molecule:
    """Return the protein atoms of some chains of 1MNF."""
    with as_file(files("eucentric.microscope") / "data" / "1MNF.pdb.gz") as path:
        structure = gemmi.read_structure(str(path))
    structure.setup_entities()
    structure.remove_ligands_and_waters()
    structure.remove_hydrogens()
    chains = [chain for chain in structure[0] if chain.name in specimen.chains or not specimen.chains]
    atoms = [atom for chain in chains for residue in chain for atom in residue]
    return make_molecule(
        np.array([atom.pos.tolist() for atom in atoms]), [atom.element.name for atom in atoms]
    )


def hard_micrograph(
    seed: int, specimen: Specimen = GROEL, size: int = 2048, pixel_size: float = PIXEL_SIZE
) -> HardMicrograph:
    """Draw a micrograph of the hard set; even seeds have carbon."""
    rng = np.random.default_rng(seed)
    shape = (size, size)
    y, x = np.mgrid[:size, :size].astype(np.float32) * pixel_size  # Å
    extent = size * pixel_size
    carbon = _carbon(x, y, extent, rng) if seed % 2 == 0 else np.zeros(shape, np.float32)
    centres, clumps = _particles(extent, specimen.diameter, rng)
    potential = project_molecules(
        molecule_of(specimen),
        random_orientations(len(centres), rng),
        centres / pixel_size,
        shape,
        pixel_size,
    )
    potential *= specimen.contrast
    potential += ice_potential(shape, pixel_size, rng.uniform(300, 800), DOSE, rng)
    potential += carbon * (1350 + 140 / pixel_size * rng.standard_normal(shape, np.float32))
    transmission = (1 - 0.07 * carbon) * (1 + rng.uniform(-0.15, 0.15) * (x / extent - 0.5))
    bad = carbon > 0.5
    for kind in ("crystal", "crystal", "crystal", "dirt", "dirt", "dirt", "dirt", "gold", "gold"):
        thickness, absorbed = _thing(kind, x, y, extent, rng)
        potential += thickness * (20 if kind == "gold" else 4.5)
        transmission *= np.exp(-thickness * absorbed)
        bad |= thickness > 10
    middle = DEFOCI[seed % len(DEFOCI)]
    defocus = (middle + 150.0, middle - 150.0, 30.0)
    optics = ImagingConditions(pixel_size, *OPTICS.values(), *defocus, 80)
    contrast = scipy.fft.irfft2(contrast_spectrum(potential, optics), s=shape)
    expected = DOSE * pixel_size**2 * transmission * (1 + contrast)
    image = rng.poisson(np.maximum(expected, 0)).astype(np.float32)
    scaled = (centres / pixel_size, clumps / pixel_size, specimen.diameter / pixel_size)
    return _with_truth(image, *scaled, carbon, bad, defocus)


def _carbon(x: FloatArray, y: FloatArray, extent: float, rng: np.random.Generator) -> FloatArray:
    """Return where there is carbon, 0 to 1: outside a round hole that the image looks into."""
    angle, radius = rng.uniform(0, 2 * math.pi), rng.uniform(6_000, 12_000)
    reach = rng.uniform(0.15, 0.35) * extent  # of the film into the image
    middle = extent / 2 + np.array([math.cos(angle), math.sin(angle)]) * (radius - extent / 2 + reach)
    distance = np.hypot(x - middle[0], y - middle[1])
    return (1 / (1 + np.exp(-(distance - radius) / 8))).astype(np.float32)


def _particles(extent: float, diameter: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return centres (x, y) in Å of all particles, and those of clumps."""
    centres = [rng.uniform(0, extent, 2)]
    for candidate in rng.uniform(0, extent, (4_000, 2)):
        if len(centres) < 110 and min(np.hypot(*(np.array(centres) - candidate).T)) > diameter:
            centres.append(candidate)
    angles = rng.uniform(0, 2 * math.pi, 12)
    offsets = rng.uniform(0.65, 0.95, 12) * diameter * np.array([np.cos(angles), np.sin(angles)])
    pairs = np.array(centres[:12]) + offsets.T
    clumps = rng.uniform(0.1, 0.9, (2, 2)) * extent
    clumped = (clumps[:, None] + rng.normal(0, diameter, (2, 9, 2))).reshape(-1, 2)
    return np.concatenate([centres, pairs, clumped]).astype(np.float32), clumps.astype(np.float32)


def _thing(
    kind: str, x: FloatArray, y: FloatArray, extent: float, rng: np.random.Generator
) -> tuple[FloatArray, float]:
    """Return the thickness in Å [y, x] of something that should not be there, and what 1 Å absorbs."""
    middle = rng.uniform(0.02, 0.98, 2) * extent
    radius = {"crystal": rng.uniform(200, 500), "dirt": rng.uniform(45, 110), "gold": 50.0}[kind]
    angle = np.arctan2(y - middle[1], x - middle[0])
    waves = sum(rng.uniform(-0.12, 0.12) * np.cos(n * angle + rng.uniform(0, 6)) for n in (2, 3, 5))
    edge = radius * (1 + (0 if kind == "gold" else waves))
    height = np.clip(1 - (np.hypot(x - middle[0], y - middle[1]) / edge) ** 2, 0, None) ** 0.5
    deep = {"crystal": rng.uniform(200, 600), "dirt": radius * 1.5, "gold": 100.0}[kind]
    return (deep * height).astype(np.float32), 1 / 150 if kind == "gold" else 1 / 3_000


def _with_truth(
    image: FloatArray,
    centres: FloatArray,
    clumps: FloatArray,
    diameter: float,
    carbon: FloatArray,
    bad: NDArray[np.bool_],
    defocus: tuple[float, float, float],
) -> HardMicrograph:
    """Say what should be found; lengths in px."""
    film = carbon > 0.5
    near = ndimage.distance_transform_edt(film) if film.any() else np.zeros(image.shape)
    off = ndimage.distance_transform_edt(~film) if film.any() else np.full(image.shape, np.inf)
    ignored = np.where(film, near, off) < diameter / 2
    rim = int(diameter / 2)
    ignored[:rim] = ignored[-rim:] = True
    ignored[:, :rim] = ignored[:, -rim:] = True
    rows, columns = np.indices(image.shape)
    for clump_x, clump_y in clumps:
        ignored |= np.hypot(columns - clump_x, rows - clump_y) < 2.2 * diameter
    column, row = np.clip(np.round(centres).astype(int), 0, image.shape[0] - 1).T
    wanted = centres[~bad[row, column] & ~ignored[row, column]]
    return HardMicrograph(image, wanted, ignored, bad, defocus)


class Score(NamedTuple):
    """How picks compare with the truth."""

    precision: float
    recall: float
    average_precision: float
    on_bad: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def score(truth: HardMicrograph, positions: FloatArray, scores: FloatArray, diameter: float) -> Score:
    """Match picks with particles, the best picks first, each particle once; lengths in px."""
    order = np.argsort(-scores, kind="stable")
    positions = positions[order]
    column, row = np.clip(np.round(positions).astype(int), 0, truth.image.shape[0] - 1).T
    counts = ~truth.ignored[row, column]
    positions, bad = positions[counts], truth.bad[row, column][counts]
    taken: set[int] = set()
    right = np.zeros(len(positions), bool)
    tree = cKDTree(truth.wanted)
    for index, position in enumerate(positions):
        near = [n for n in tree.query_ball_point(position, TOLERANCE * diameter) if n not in taken]
        if near:
            taken.add(min(near, key=lambda n: float(np.hypot(*(truth.wanted[n] - position)))))
            right[index] = True
    found = np.cumsum(right)
    precision = found / np.arange(1, len(right) + 1)
    average = float((precision * right).sum() / len(truth.wanted))
    if not len(right):
        return Score(0.0, 0.0, 0.0, 0.0)
    return Score(float(precision[-1]), len(taken) / len(truth.wanted), average, float(bad.mean()))
