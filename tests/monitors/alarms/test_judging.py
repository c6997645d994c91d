"""However values jump: no flapping, no repeats, nothing missed that lasts."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eucentric.monitors.alarms.judging import ALL_RULES, Alarm, Key, Kind, judge
from eucentric.monitors.alarms.situation import Reading
from eucentric.store.alarm_settings import AlarmSettings, Threshold

HIGH = Threshold.model_validate({"raise": 10, "clear": 6})
LOW = Threshold.model_validate({"raise": 6, "clear": 10})
SETTINGS = AlarmSettings()
REMIND, CALM = SETTINGS.remind.total_seconds(), SETTINGS.calm.total_seconds()

Steps = list[tuple[float, float | None]]
"""Seconds since the step before, and the value then; None where it cannot be told."""
steps = st.lists(
    st.tuples(
        st.floats(1, 1500), st.one_of(st.none(), st.sampled_from([0, 6, 7, 9.9, 10, 50]), st.floats(0, 20))
    ),
    max_size=60,
)


class Life:
    """One rule, judged again and again."""

    def __init__(self, limits: Threshold = HIGH) -> None:
        self.limits, self.now = limits, 0.0
        self.alarms: dict[Key, Alarm] = {}
        self.before: dict[Key, float] = {}
        self.muted: dict[str, float] = {}
        self.told: list[tuple[float, Kind]] = []

    def step(self, seconds: float, value: float | None) -> list[Kind]:
        self.now += seconds
        readings = [] if value is None else [Reading("motion", "grid", value, self.limits, f"It is {value}.")]
        judged = judge(readings, self.alarms, self.now, SETTINGS, told_before=self.before, muted=self.muted)
        for alarm in judged.alarms:
            self.alarms[alarm.key] = alarm
            if alarm.cleared is not None:
                del self.alarms[alarm.key]
                if alarm.told is not None:
                    self.before[alarm.key] = alarm.told
        kinds = [kind for kind, _ in judged.news]
        self.told += [(self.now, kind) for kind in kinds]
        return kinds

    @property
    def alarm(self) -> Alarm | None:
        return self.alarms.get(("motion", "grid"))


@settings(deadline=None, max_examples=300)
@given(steps, st.sampled_from([HIGH, LOW]))
def test_whatever_happens(walk: Steps, limits: Threshold) -> None:
    life, well_since = Life(limits), None
    small = limits.small_is_bad
    for seconds, value in walk:
        open_before = life.alarm
        life.step(seconds, value)
        if value is not None:
            bad = value <= limits.raise_ if small else value >= limits.raise_
            well = value >= limits.clear if small else value <= limits.clear
            well_since = (life.now if well_since is None else well_since) if well else None
            # Raised by nothing but bad values, at once.
            assert (life.alarm is not None) == (
                bad
                if open_before is None
                else not (well_since is not None and life.now - max(well_since, open_before.raised) >= CALM)
            )
        else:
            assert (life.alarm is None) == (open_before is None)
    kinds = "".join({"raised": "R", "reminded": "m", "cleared": "c"}[kind] for _, kind in life.told)
    assert all(part.strip("m") == "R" for part in kinds.split("c") if part)
    # However it jumps, there are no more than two notices of it in the time of a reminder.
    calls = [at for at, kind in life.told if kind != "cleared"]
    assert all(b - a >= REMIND for a, b in itertools.pairwise(calls))
    assert kinds.count("c") <= kinds.count("R")


@settings(deadline=None)
@given(steps)
def test_what_lasts_is_told(walk: Steps) -> None:
    life = Life()
    for seconds, value in walk:
        life.step(seconds, value)
    told = len([kind for _, kind in life.told if kind != "cleared"])
    for _ in range(4):
        life.step(REMIND / 3, 30)
    assert len([kind for _, kind in life.told if kind != "cleared"]) > told
    for _ in range(3):
        life.step(CALM, 0)
    assert life.alarm is None
    assert life.told[-1][1] == "cleared"


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1, 600), st.floats(0, 9.99)), max_size=50))
def test_between_the_thresholds_nothing_is_raised(walk: list[tuple[float, float]]) -> None:
    life = Life()
    for seconds, value in walk:
        assert life.step(seconds, value) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1, 600), st.floats(6.01, 100)), min_size=1, max_size=50))
def test_above_the_second_threshold_nothing_is_cleared(walk: list[tuple[float, float]]) -> None:
    life = Life()
    life.step(1, 10)
    for seconds, value in walk:
        assert life.step(seconds, value) in ([], ["reminded"])
    assert life.alarm is not None


def test_who_acknowledged_is_reminded_no_more_but_hears_of_the_end() -> None:
    life = Life()
    assert life.step(10, 20) == ["raised"]
    assert life.step(REMIND, 25) == ["reminded"]
    assert life.alarm is not None
    assert life.alarm.message == "It is 25."
    life.alarms[life.alarm.key] = replace(life.alarm, acknowledged=life.now)
    for _ in range(5):
        assert life.step(REMIND, 30) == []
    assert life.step(10, 5) == []
    assert life.step(CALM, 5) == ["cleared"]


@pytest.mark.parametrize("rule", ["motion", ALL_RULES])
def test_what_is_muted_is_told_when_that_is_over_if_it_is_still_there(rule: str) -> None:
    life = Life()
    life.muted = {rule: 7200}
    assert life.step(10, 20) == []
    assert life.alarm is not None
    assert life.step(7000, 20) == []
    assert life.step(300, 20) == ["raised"]
    other = Life()
    other.muted = {"defocus": 7200}
    assert other.step(10, 20) == ["raised"]


def test_what_came_and_went_while_muted_is_never_told() -> None:
    life = Life()
    life.muted = {"motion": 3600}
    for value in (20, 20, 0, 0, 0):
        assert life.step(CALM, value) == []
    life.muted = {}
    assert life.step(7200, 0) == []


def test_one_that_comes_back_soon_is_told_later_if_it_is_still_there() -> None:
    life = Life()
    assert life.step(1, 20) == ["raised"]
    life.step(10, 0)
    assert life.step(CALM, 0) == ["cleared"]
    assert life.step(10, 20) == []
    assert life.alarm is not None
    assert life.step(REMIND, 20) == ["raised"]
