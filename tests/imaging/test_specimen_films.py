"""Carbon, crystalline ice and lumps of ice: their spectra and outlines are what they should be."""

import numpy as np
import pytest
import scipy.fft

from eucentric.imaging.specimen import isolated_potential
from eucentric.imaging.specimen_films import (
    CUBIC_ICE_SPACING,
    carbon_potential,
    crystal_potential,
    crystal_thickness,
    outside_circle,
    transmission,
)


def _power(image: np.ndarray, pixel_size: float) -> tuple[np.ndarray, np.ndarray]:
    power = np.abs(scipy.fft.fft2(image - image.mean())) ** 2 / image.size * pixel_size**2
    axes = [np.fft.fftfreq(length, pixel_size) for length in image.shape]
    return power, np.hypot(axes[0][:, None], axes[1][None, :])


def test_carbon_scatters_as_so_many_atoms_anywhere() -> None:
    film = carbon_potential((512, 512), 1.0, 200.0, np.random.default_rng(1))
    power, frequency = _power(film, 1.0)
    for low, high in ((0.05, 0.1), (0.2, 0.25)):
        band = (frequency > low) & (frequency < high)
        atom = isolated_potential("C", frequency[band].astype(np.float32) ** 2)
        expected = 0.100 * 200.0 * np.mean(atom**2)  # independent atoms: their powers add up
        assert power[band].mean() == pytest.approx(expected, rel=0.05)
    # The mean inner potential of such carbon is some 10 V.
    assert film.mean() / 200 == pytest.approx(10, abs=3)


def test_crystals_make_a_ring_at_the_spacing_of_cubic_ice_and_nowhere_else() -> None:
    image = crystal_potential((512, 512), 1.1, 0.5, 300.0, np.random.default_rng(2))
    power, frequency = _power(image, 1.1)
    assert pytest.approx(3.67, abs=0.01) == CUBIC_ICE_SPACING
    ring = np.abs(frequency - 1 / CUBIC_ICE_SPACING) < 0.02
    assert power[ring].sum() > 0.999 * power.sum()
    brightest = frequency.reshape(-1)[power.argmax()]
    assert 1 / brightest == pytest.approx(CUBIC_ICE_SPACING, abs=0.05)


def test_pixels_too_large_for_the_ring_show_none() -> None:
    assert not crystal_potential((64, 64), 2.0, 0.5, 300.0, np.random.default_rng(1)).any()


def test_a_hole_has_no_film_and_a_soft_edge() -> None:
    cover = outside_circle((200, 300), 2.0, (150.0, 100.0), 60.0)
    y, x = np.mgrid[:200, :300]
    distance = np.hypot(x - 150, y - 100)
    assert (cover[distance < 44] == 0).all()
    assert (cover[distance > 76] == 1).all()
    assert cover[100, 210] == pytest.approx(0.5, abs=0.02)


def test_lumps_lie_within_their_circles() -> None:
    lumps = np.array([[60.0, 50.0, 20.0], [140.0, 40.0, 10.0]])
    thickness = crystal_thickness((100, 200), 3.0, lumps, np.random.default_rng(3))
    y, x = np.mgrid[:100, :200]
    within = np.zeros((100, 200), bool)
    for lump_x, lump_y, radius in lumps:
        inside = np.hypot(x - lump_x, y - lump_y) <= radius
        within |= inside
        assert (thickness[inside] > 0).mean() > 0.6
        assert thickness[inside].max() == pytest.approx(3 * 3 * radius, rel=0.05)
    assert not thickness[~within].any()


def test_thicker_ice_lets_less_through() -> None:
    assert transmission(0.0, "ice") == 1
    assert transmission(3950.0, "ice") == pytest.approx(np.exp(-1))
    assert transmission(200.0, "carbon") < transmission(200.0, "ice")
