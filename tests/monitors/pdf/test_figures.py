"""Axes, histograms and time courses of the printed report."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eucentric.monitors.pdf.figures import clock_marks, course, histogram, reach, ticks

finite = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(finite, st.floats(1e-3, 1e6))
def test_marks_are_few_round_and_within(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 6
    margin = 1e-6 * (abs(low) + span)
    assert all(low - margin <= value <= low + span + margin for value in found)
    steps = np.diff(found)
    assert np.allclose(steps, steps[:1].mean() if len(steps) else 0, rtol=1e-3)


def test_marks_of_an_axis() -> None:
    assert ticks(0.3, 2.1) == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert ticks(5, 5) == [5]


@given(st.lists(finite, min_size=2, max_size=200))
def test_a_histogram_of_anything_stays_in_its_frame(values: list[float]) -> None:
    drawn = histogram("x", "Å", values)
    assert max(drawn["bars"]) == 1
    assert min(drawn["bars"]) >= 0
    assert 0 <= drawn["median"] <= 1
    assert 0 <= drawn["beyond"] < len(values)
    assert all(math.isfinite(mark["at"]) for mark in drawn["marks"])


def test_a_far_outlier_does_not_hide_all_others() -> None:
    values = [*np.random.default_rng(1).normal(4, 0.3, 500).tolist(), 900.0]
    low, high = reach(values)
    assert low > 2.5
    assert high < 7
    assert histogram("x", "", values)["beyond"] == 1


def test_a_course_has_not_more_points_than_can_be_drawn() -> None:
    times = np.linspace(0, 3600 * 40, 20_000)
    drawn = course("Motion", "Å", times.tolist(), (10 + times / 36_000).tolist(), (0, times[-1]))
    assert len(drawn["points"]) <= 800
    assert drawn["every"] == 25
    along = np.array(drawn["median"])
    assert len(along) == 24
    assert np.all(np.diff(along[:, 1]) > 0)
    assert 0 <= along.min() <= along.max() <= 1


def test_what_was_intended_is_drawn_beside_what_is() -> None:
    drawn = course("Defocus", "µm", [0, 5, 10], [1.0, 2.0, 1.0], (0, 10), [(0, 1.0), (5, 4.0), (10, 1.0)])
    assert drawn["median"] == []
    assert [x for x, _ in drawn["targets"]] == [0, 0.5, 1]
    assert drawn["targets"][1][1] > drawn["points"][1][1] > drawn["points"][0][1]


@pytest.mark.parametrize("hours", [0.1, 1, 8, 30, 200])
def test_a_clock(hours: float, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = 1_700_000_123.0
    marks = clock_marks(begin, begin + hours * 3600)
    assert 1 <= len(marks) <= 10
    assert all(0 <= mark["at"] <= 1 for mark in marks)
    assert all(":" in mark["label"] for mark in marks) == (hours < 100)
