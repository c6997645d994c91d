"""The trend of a phase plate against simulated series: drift, jumps, wrong fits, the circle of 180°."""

import numpy as np
import pytest

from eucentric.imaging.phase_trend import phase_trend


def series(
    exposures: int, plate: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    """True phases that saturate on each position of the plate, fits with errors, and these errors."""
    random = np.random.default_rng(seed)
    number = np.arange(exposures)
    start = random.uniform(10, 120, exposures // plate + 1)[number // plate]
    true = start + 60 * (1 - np.exp(-(number % plate) / 40))
    error = random.uniform(2, 12, exposures)
    return true, true + error * random.normal(size=exposures), error, random


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one - other + 90) % 180 - 90


@pytest.mark.parametrize("seed", range(3))
def test_a_trend_is_better_than_single_fits_and_knows_how_good_it_is(seed: int) -> None:
    true, fitted, error, random = series(240, 80, seed)
    wrong = random.random(240) < 0.06
    fitted[wrong] = random.uniform(0, 180, int(wrong.sum()))
    trend = phase_trend(fitted % 180, error, np.ones(240))
    assert distance(trend.phase, true).std() < 0.45 * distance(fitted, true)[~wrong].std()
    assert np.abs(distance(trend.expected, true)[wrong]).max() < 15
    settled = np.arange(240) % 80 > 2
    assert 0.5 < (distance(trend.expected, true) / trend.expected_error)[settled].std() < 1.3


def test_jumps_are_told_from_wrong_fits() -> None:
    true = np.repeat([30.0, 110.0, 60.0], 40)
    fitted = true + np.random.default_rng(1).normal(0, 3, 120)
    fitted[[20, 70]] = 160
    trend = phase_trend(fitted, np.full(120, 3.0), np.ones(120))
    assert np.flatnonzero(trend.jump > 0.5).tolist() == [40, 80]
    assert np.abs(distance(trend.phase, true)).max() < 4


def test_the_phase_goes_on_over_180_degrees() -> None:
    true = 150 + 0.8 * np.arange(80)
    fitted = (true + np.random.default_rng(2).normal(0, 4, 80)) % 180
    trend = phase_trend(fitted, np.full(80, 4.0), np.ones(80))
    assert np.abs(distance(trend.phase, true)).max() < 6
    assert (trend.jump < 0.5).all()


def test_after_a_jump_nothing_is_expected_until_it_is_seen_again() -> None:
    fitted = np.array([30.0] * 20 + [120.0])
    trend = phase_trend(fitted, np.full(21, 3.0), np.ones(21))
    alone = phase_trend(fitted[20:], np.array([3.0]), np.ones(1))
    assert alone.expected_error[0] > 50
    assert alone.phase[0] == pytest.approx(120, abs=1)
    # The last may be a wrong fit as well as a jump: the others expect what they had.
    assert trend.expected[20] == pytest.approx(30, abs=3)


def test_a_long_pause_leaves_more_open() -> None:
    fitted, error = 60 + np.cumsum(np.random.default_rng(3).normal(0, 2, 40)), np.full(40, 2.0)
    errors = []
    for pause in (1.0, 5.0, 1e6):
        pauses = np.ones(40)
        pauses[39] = pause
        errors.append(float(phase_trend(fitted, error, pauses).expected_error[39]))
    assert errors == sorted(errors)
    assert 1.5 * errors[0] < errors[2] < 20


def test_nothing_has_no_trend() -> None:
    with pytest.raises(ValueError, match="give one or more"):
        phase_trend(np.empty(0), np.empty(0), np.empty(0))
