"""Exposures that are bad on purpose are bad in the way that is said."""

from functools import cache

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage

from eucentric.microscope.simulate import (
    Exposure,
    SimulatedGrid,
    SimulationSettings,
    draw_exposure,
    make_camera,
    record_movie,
)
from eucentric.microscope.simulate.exposure import particles_in_frame

BASE = SimulationSettings(
    width=384, height=384, frames=5, particles=4, dose=40, pixel_size=1.1, hot_pixels=0, dead_columns=0,
    exposures=6, defocus_error=100,
)  # fmt: skip


def _settings(*faults: str, **values: object) -> SimulationSettings:
    return BASE.model_copy(update={"faults": dict(enumerate(faults, 1)), **values})


@cache
def _recorded(fault: str) -> tuple[Exposure, np.ndarray]:
    """Return the first exposure with a fault, or none, and its gain-corrected frames."""
    settings = _settings(*([fault] if fault else []))
    camera = make_camera(settings)
    exposure = draw_exposure(settings, 1)
    frames = np.array(list(record_movie(settings, exposure, camera)), np.float32)
    return exposure, frames * camera.gain


def _ring(image: np.ndarray) -> float:
    """Return the power at 3.67 Å over that beside it."""
    power = np.abs(scipy.fft.fft2(image - image.mean())) ** 2
    axis = np.fft.fftfreq(len(image), BASE.pixel_size)
    frequency = np.hypot(axis[:, None], axis[None, :])
    on = (frequency > 1 / 3.72) & (frequency < 1 / 3.62)
    beside = (np.abs(frequency - 1 / 4.1) < 0.005) | (np.abs(frequency - 1 / 3.3) < 0.005)
    return float(power[on].mean() / power[beside].mean())


def test_crystalline_ice_has_a_ring_where_vitreous_ice_has_none() -> None:
    assert _ring(_recorded("")[1].sum(axis=0)) < 1.3
    assert _ring(_recorded("crystalline-ice")[1].sum(axis=0)) > 3


def test_thick_ice_takes_electrons_away() -> None:
    exposure, frames = _recorded("thick-ice")
    assert exposure.flaws.ice_thickness == 2000
    expected = np.exp(-(2000 - BASE.ice_thickness) / 3950)
    assert frames.mean() / _recorded("")[1].mean() == pytest.approx(expected, rel=0.03)


def test_carbon_is_darker_and_rougher_than_the_hole() -> None:
    exposure, frames = _recorded("carbon")
    assert exposure.flaws.hole is not None
    x, y, radius = exposure.flaws.hole
    rows, columns = np.mgrid[:384, :384]
    from_edge = np.hypot(columns - x, rows - y) - radius
    image = scipy.ndimage.gaussian_filter(frames.sum(axis=0), 1.5)
    carbon, hole = image[from_edge > 60], image[from_edge < -60]
    assert min(carbon.size, hole.size) > 0
    assert carbon.mean() < 0.93 * hole.mean()
    assert carbon.std() / carbon.mean() > 1.1 * hole.std() / hole.mean()


def test_particles_on_carbon_count_as_hidden() -> None:
    exposure, _ = _recorded("carbon")
    settings = _settings("carbon")
    x, y, radius = exposure.flaws.hole
    seen, hidden = (particles_in_frame(settings, exposure, hidden=which) for which in (False, True))
    assert len(seen) + len(hidden) == len(particles_in_frame(_settings(), draw_exposure(_settings(), 1)))
    assert all(np.hypot(px - x, py - y) <= radius for px, py in seen)
    assert all(np.hypot(px - x, py - y) > radius for px, py in hidden)
    assert len(hidden)


def test_lumps_are_dark() -> None:
    exposure, frames = _recorded("contaminated")
    image = frames.sum(axis=0)
    rows, columns = np.mgrid[:384, :384]
    largest = max(
        (lump for lump in exposure.flaws.lumps if (lump[:2] > 30).all() and (lump[:2] < 354).all()),
        key=lambda lump: lump[2],
    )
    inside = np.hypot(columns - largest[0], rows - largest[1]) < 0.5 * largest[2]
    assert image[inside].mean() < 0.9 * np.median(image)


def test_optics_go_wrong_as_said() -> None:
    settings = _settings("astigmatic", "off-target", "off-target", "off-target", exposures=6)
    optics = [draw_exposure(settings, number).optics for number in range(1, 7)]
    targets = [draw_exposure(settings, number).target_defocus for number in range(1, 7)]
    assert optics[0].defocus_u - optics[0].defocus_v > 2000
    for number in (1, 2, 3):
        mean = (optics[number].defocus_u + optics[number].defocus_v) / 2
        assert abs(mean - targets[number]) > 5000
        assert optics[number].defocus_v > 0
    plain = draw_exposure(_settings(), 1)
    assert draw_exposure(_settings("astigmatic"), 1).target_defocus == plain.target_defocus
    assert draw_exposure(_settings(), 5).optics == optics[4]  # a fault leaves the others alone


def test_a_dying_beam_falls_from_one_exposure_to_the_next() -> None:
    settings = _settings("dim", "dim", "dim")
    camera = make_camera(settings)
    means = [
        np.mean([frame.mean() for frame in record_movie(settings, draw_exposure(settings, number), camera)])
        for number in (1, 2, 3, 4)
    ]
    expected = np.array([0.75, 0.75**2, 0.75**3, 1]) * settings.dose_per_frame * settings.pixel_size**2
    np.testing.assert_allclose(means, expected, rtol=0.03)


def test_dropped_frames_are_missing_and_the_others_are_where_they_would_be() -> None:
    exposure, frames = _recorded("dropped-frames")
    assert len(exposure.flaws.dropped) == 1
    assert 0 not in exposure.flaws.dropped
    assert len(frames) == BASE.frames - 1
    assert exposure.recorded_frames == [n for n in range(BASE.frames) if n not in exposure.flaws.dropped]
    np.testing.assert_array_equal(exposure.motion.shifts, draw_exposure(_settings(), 1).motion.shifts)


def test_grids_differ_as_said_and_share_the_rest() -> None:
    grids = (
        SimulatedGrid(name="one", pixel_size=1.5, particles=2),
        SimulatedGrid(name="two", min_defocus=30_000, max_defocus=31_000),
    )
    settings = BASE.model_copy(update={"grids": grids, "exposures": 5})
    names = [settings.grid_of(number).name for number in range(1, 6)]
    assert names == ["one", "one", "one", "two", "two"]
    first, last = (draw_exposure(settings, number) for number in (1, 5))
    assert (first.optics.pixel_size, last.optics.pixel_size) == (1.5, 1.1)
    assert first.target_defocus < 23_000 < last.target_defocus
    assert next(iter(record_movie(settings, first, make_camera(settings)))).mean() == pytest.approx(
        settings.dose_per_frame * 1.5**2, rel=0.03
    )
