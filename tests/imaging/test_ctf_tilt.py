"""The tilt of simulated specimens is found, and flat ones stay flat."""

import numpy as np
import pytest

from eucentric.imaging import CTFFit, estimate_ctf
from eucentric.imaging.ctf_tilt import Plane, is_believed
from imaging_truth import OPTICS, tilted_noise, transferred_noise

SIZE, PIXEL = 1536, 1.8
AXES = (15_200.0, 14_800.0, 20.0)


def fit_tilted(tilt: float, axis: float, signal: float, **options: float) -> CTFFit:
    image = tilted_noise(
        SIZE, PIXEL, defocus=AXES, tilt=tilt, axis=axis, signal=signal, seed=int(tilt + axis), **options
    )
    return estimate_ctf(image, PIXEL, fit_tilt=True, **(OPTICS | options))


@pytest.mark.parametrize(
    ("tilt", "axis", "signal", "optics"),
    [
        (15, 30, 0.6, {}),
        (30, 200, 0.5, {}),
        (40, 100, 0.6, {}),
        (30, 315, 0.6, {"voltage": 200, "spherical_aberration": 0.01}),
    ],
)
def test_a_tilt_is_found_with_its_axis(
    tilt: float, axis: float, signal: float, optics: dict[str, float]
) -> None:
    fit = fit_tilted(tilt, axis, signal, **optics)
    assert fit.tilt is not None
    assert fit.tilt.angle == pytest.approx(tilt, abs=2)
    assert abs((fit.tilt.axis - axis + 180) % 360 - 180) < 4
    assert (fit.defocus_u + fit.defocus_v) / 2 == pytest.approx(15_000, abs=30)
    assert fit.defocus_u - fit.defocus_v == pytest.approx(400, abs=80)
    assert abs((fit.defocus_angle - 20 + 90) % 180 - 90) < 6


def test_the_rings_of_a_tilted_specimen_reach_as_far_as_those_of_a_flat_one() -> None:
    flat = transferred_noise(SIZE, PIXEL, defocus=AXES, signal=0.6, seed=7)
    tilted = tilted_noise(SIZE, PIXEL, defocus=AXES, tilt=40, axis=70, signal=0.6, seed=7)
    reached = estimate_ctf(flat, PIXEL, **OPTICS).resolution
    assert estimate_ctf(tilted, PIXEL, fit_tilt=True, **OPTICS).resolution < 1.15 * reached
    assert estimate_ctf(tilted, PIXEL, **OPTICS).resolution > 1.3 * reached


@pytest.mark.parametrize("signal", [0.0, 0.2, 0.5, 1.5])
def test_a_flat_specimen_stays_flat(signal: float) -> None:
    for seed in range(3):
        axes = (9_000.0 + 4_000 * seed, 8_900.0 + 4_000 * seed, 50.0)
        image = transferred_noise(1024, 2.0, defocus=axes, signal=signal, seed=seed)
        assert estimate_ctf(image, 2.0, fit_tilt=True, **OPTICS).tilt is None


def test_a_part_on_carbon_is_no_tilt() -> None:
    ice, carbon = (
        transferred_noise(1024, 2.0, defocus=AXES, signal=s, seed=3, b_factor=b)
        for s, b in ((0.4, 40), (1.2, 150))
    )
    ice[:, 600:] = carbon[:, 600:] + 4
    assert estimate_ctf(ice, 2.0, fit_tilt=True, **OPTICS).tilt is None


def test_a_field_of_few_tiles_is_taken_for_flat() -> None:
    image = tilted_noise(300, PIXEL, defocus=AXES, tilt=30, axis=0, signal=1, seed=1)
    assert estimate_ctf(image, PIXEL, fit_tilt=True, **OPTICS).tilt is None


def test_what_the_stage_says_decides_where_the_evidence_is_weak() -> None:
    slope = float(np.tan(np.radians(30)))
    weak, strong = (Plane((slope, 0.0), 0.0, gain) for gain in (7.0, 40.0))
    assert weak.tilt.axis == 270
    assert weak.tilt.angle == pytest.approx(30)
    assert [is_believed(weak, stage) for stage in (None, 0, -30, 32, 60)] == [False, False, True, True, False]
    assert all(is_believed(strong, stage) for stage in (None, 0, 30, 60))
