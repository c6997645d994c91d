"""Molecules and ice: their potentials, against sums over atoms done by hand."""

import numpy as np
import pytest

from eucentric.imaging.specimen import (
    Molecule,
    ice_potential,
    make_molecule,
    molecule_volume,
    project_molecules,
    random_orientations,
)

UPRIGHT = np.eye(3, dtype=np.float32)[None]


@pytest.fixture(scope="module")
def molecule() -> Molecule:
    rng = np.random.default_rng(1)
    elements = rng.choice(["C", "N", "O", "S"], 60).tolist()
    return make_molecule(rng.uniform(-12, 12, (60, 3)), elements)


def test_a_molecule_lies_around_the_origin() -> None:
    molecule = make_molecule(np.array([[10.0, 0, 0], [14.0, 0, 0]]), ["C", "c"])
    assert molecule.radius == pytest.approx(2)
    np.testing.assert_allclose(molecule.positions["C"], [[-2, 0, 0], [2, 0, 0]])


@pytest.mark.parametrize(("elements", "named"), [(["C", "XE"], "XE"), (["C", "H"], "H"), ([], "none")])
def test_atoms_that_cannot_be_simulated_are_refused(elements: list[str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        make_molecule(np.zeros((len(elements), 3)), elements)


def test_the_integral_over_a_projection_is_that_of_its_atoms() -> None:
    carbon = make_molecule(np.zeros((1, 3)), ["C"])
    image = project_molecules(carbon, UPRIGHT, np.array([[20.3, 17.8]]), (40, 48), 1.5)
    # f(0) of carbon and hydrogen (Peng et al. 1996), less the ice in 16.44 + 5.15 Å³.
    ice = 0.0314 * (1.9834 + 2 * 0.5288)
    expected = 47.878 * (2.5088 + 0.5288 - ice * (16.44 + 5.15))
    assert image.sum() * 1.5**2 == pytest.approx(expected, rel=1e-4)


def test_protein_is_denser_than_ice_and_by_how_much() -> None:
    """About 3 V in a volume of 1.2 Å³/Da: Vulović et al. (2013), J. Struct. Biol. 183:19."""
    atoms = {"C": 0.63, "N": 0.17, "O": 0.19, "S": 0.01}
    positions = np.zeros((1000, 3))
    protein = make_molecule(positions, [e for e, part in atoms.items() for _ in range(int(part * 1000))])
    volume = 1000 * 14.3 * 1.21
    total = project_molecules(protein, UPRIGHT, np.array([[32, 32]]), (64, 64), 1.0).sum()
    assert 2.5 < total / volume < 4


def test_a_copy_lies_where_it_was_put() -> None:
    atom = make_molecule(np.zeros((1, 3)), ["S"])
    image = project_molecules(atom, UPRIGHT, np.array([[20.25, 11.5]]), (32, 40), 0.8)
    # The phase of the lowest frequency along an axis tells the centre to a fraction of a pixel.
    spectrum = np.fft.fft2(image)
    assert -np.angle(spectrum[0, 1]) % (2 * np.pi) / (2 * np.pi) * 40 == pytest.approx(20.25, abs=0.01)
    assert -np.angle(spectrum[1, 0]) % (2 * np.pi) / (2 * np.pi) * 32 == pytest.approx(11.5, abs=0.01)


def test_a_quarter_turn_turns_the_projection(molecule: Molecule) -> None:
    turn = np.array([[[0, -1, 0], [1, 0, 0], [0, 0, 1]]], np.float32)  # x to y, y to -x
    centre = np.array([[32.0, 32.0]])
    upright = project_molecules(molecule, UPRIGHT, centre, (65, 65), 1.0)
    turned = project_molecules(molecule, turn, centre, (65, 65), 1.0)
    np.testing.assert_allclose(turned, upright.T[:, ::-1], atol=1e-3 * np.abs(upright).max())


def test_a_projection_is_the_sum_of_the_volume(molecule: Molecule) -> None:
    volume = molecule_volume(molecule, 48, 1.0)
    image = project_molecules(molecule, UPRIGHT, np.array([[24.0, 24.0]]), (48, 48), 1.0)
    # Atoms between two sections are spread over both and sharpened again, which is exact only in the sum.
    np.testing.assert_allclose(volume.sum(axis=0), image, atol=1e-3 * np.abs(image).max())


def test_many_copies_are_the_sum_of_each(molecule: Molecule) -> None:
    orientations = random_orientations(3, np.random.default_rng(2))
    centres = np.array([[10.0, 20.0], [40.5, 30.0], [63.0, 2.0]])
    together = project_molecules(molecule, orientations, centres, (48, 64), 1.0)
    one_by_one = sum(
        project_molecules(molecule, orientations[i : i + 1], centres[i : i + 1], (48, 64), 1.0)
        for i in range(3)
    )
    np.testing.assert_allclose(together, one_by_one, atol=1e-3)


def test_orientations_are_rotations_spread_evenly() -> None:
    matrices = random_orientations(4000, np.random.default_rng(3))
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-5)
    heights = matrices[:, 2, 2]  # cosine of the tilt: even between -1 and 1
    np.testing.assert_allclose(np.quantile(heights, [0.25, 0.5, 0.75]), [-0.5, 0, 0.5], atol=0.06)


def test_ice_is_incompressible_and_has_its_ring() -> None:
    pixel_size, size = 1.0, 512
    ice = ice_potential((size, size), pixel_size, 300, 0.01, np.random.default_rng(4))
    power = np.abs(np.fft.fft2(ice)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    low, below, ring = (
        power[(frequency > f - 0.01) & (frequency < f + 0.01)].mean() for f in (0.03, 0.2, 0.27)
    )
    assert abs(ice.mean()) < 1e-3
    assert ring > 1.5 * below
    # Without mutual distances the power at low frequency would be many times that at the ring.
    assert low < ring


def test_ice_fades_with_dose_at_high_frequency() -> None:
    first, faded = (
        np.abs(np.fft.fft2(ice_potential((256, 256), 1.0, 300, dose, np.random.default_rng(5)))) ** 2
        for dose in (0.01, 40)
    )
    frequency = np.abs(np.fft.fftfreq(256))
    row = faded[0, 1:] / first[0, 1:]
    assert row[frequency[1:] < 0.02].min() > 0.9
    assert row[frequency[1:] > 0.2].max() < 0.2


def test_thicker_ice_has_more_power() -> None:
    thin, thick = (ice_potential((128, 128), 1.0, t, 40, np.random.default_rng(6)).var() for t in (200, 800))
    assert thick / thin == pytest.approx(4, rel=1e-3)
