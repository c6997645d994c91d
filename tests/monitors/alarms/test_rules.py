"""Every rule on nights whose troubles are known: raised when it should, not before, cleared, not repeated."""

import itertools

import pytest

from eucentric.metadata import HARMLESS_VERDICTS
from eucentric.monitors.alarms import RULES
from eucentric.monitors.alarms.disk import ENDLESS, hours_left
from eucentric.monitors.alarms.rules import measure
from eucentric.store.alarm_settings import AlarmSettings
from monitors.alarms.nights import BEGAN, TERABYTE, Night, exposure, sample

BAD = {
    "dose": {"mean_counts": 0.5},
    "gain": {"gain_residual": -0.3},
    "defocus": {"defocus_u": 19_000.0, "defocus_v": 18_900.0},
    "astigmatism": {"defocus_u": 13_500.0, "defocus_v": 11_500.0},
    "resolution": {"resolution": 9.5},
    "motion": {"motion_total": 66.0},
    "ice": {"ice_ring": 1.4},
    "dropped": {"dropped_frames": 4},
}
"""What makes exposures bad, by the rule that must notice."""


def test_a_good_night_is_quiet() -> None:
    night = Night()
    night.collect(300)
    assert night.told == []
    assert night.alarms == {}


@pytest.mark.parametrize("rule", BAD)
def test_a_trouble_is_told_once_and_so_is_its_end(rule: str) -> None:
    night = Night()
    last = night.settings.of(rule).last
    night.collect(15)
    # One bad exposure, or fewer than half of those looked at, are no trouble.
    night.collect((last - 1) // 2 if rule != "dropped" else 1, **BAD[rule])
    assert night.told == []
    night.collect(last, **BAD[rule])
    assert [kind for _, kind in night.of(rule)] == ["raised"]
    night.collect(25)
    assert [kind for _, kind in night.of(rule)] == ["raised", "cleared"]
    assert rule in night.rules <= {rule, "counts"}
    assert "grid-1" in night.messages[0]


def test_every_rule_of_exposures_is_tried_here() -> None:
    elsewhere = {"counts", "gain-estimate", "rejected", "failed", "metadata"}
    assert {rule.name for rule in RULES.values() if rule.of_acquisition} == BAD.keys() | elsewhere


def test_a_single_bad_exposure_alarms_nobody() -> None:
    night = Night()
    for number in range(40):
        night.collect(
            1, **(BAD["defocus"] | {"resolution": 20.0, "motion_total": 300.0} if number % 4 == 1 else {})
        )
    assert night.told == []


def test_counts_that_sink_slowly_are_noticed_against_the_beginning() -> None:
    night = Night()
    for number in range(200):
        night.collect(1, mean_counts=0.85 * (1 - 0.002 * number))
    first = night.of("counts")[0]
    # The median of the last ten is 15 % down after about 80 + 5 + 10 exposures (half the beginning's 20).
    assert first[1] == "raised"
    assert 80 * 60 < first[0] < 100 * 60
    assert "below those at its beginning" in night.messages[0]


def test_a_change_of_the_gain_is_noticed_within_five_exposures() -> None:
    night = Night()
    night.collect(20)
    night.collect(3, gain_residual=0.25)
    assert "gain" in night.rules


def test_large_pixels_excuse_poor_resolution() -> None:
    night = Night()
    night.collect(20, resolution=13.0, pixel_size=3.5)
    assert night.told == []
    night.collect(20, resolution=15.0, pixel_size=3.5)
    assert night.rules == {"resolution"}


def test_an_acquisition_that_is_over_alarms_nobody_any_more() -> None:
    night = Night()
    night.collect(20, motion_total=60.0)
    assert night.rules == {"motion"}
    night.collect(70, acquisition="grid-2")
    assert {reading.subject for reading in measure(night.situation(), night.settings) if reading.subject} == {
        "grid-2"
    }


# ------------------------------------------------------------------ what comes, and what becomes of it


def test_no_movie() -> None:
    night = Night()
    night.collect(30)
    night.wait(9.5 * 60)
    assert night.told == []
    night.wait(60)
    (raised,) = night.of("no-movie")
    assert raised[1] == "raised"
    assert "No new movie for 10 min, since exposure_00029; one came every 60 s before." in night.messages
    night.wait(3600)
    assert [kind for _, kind in night.of("no-movie")] == ["raised", "reminded", "reminded"]
    night.collect(10)
    assert [kind for _, kind in night.of("no-movie")][-1] == "cleared"
    assert night.rules == {"no-movie"}


def test_no_movie_from_the_beginning() -> None:
    night = Night()
    night.wait(11 * 60)
    assert [kind for _, kind in night.of("no-movie")] == ["raised"]
    assert "since processing began" in night.messages[0]


def test_where_movies_come_seldom_one_waits_longer() -> None:
    night = Night()
    night.collect(12, interval=6 * 60)
    night.wait(25 * 60)
    assert night.told == []
    night.wait(10 * 60)
    assert night.rules == {"no-movie"}


def test_nothing_is_expected_of_an_old_data_set_or_of_closed_sources() -> None:
    night = Night()
    old = [
        exposure(number, BEGAN - 86_400 + number, found=BEGAN + number, state="waiting")
        for number in range(50)
    ]
    for each in old:
        del each.items["micrograph"], each.items["ctf"]
    night.exposures = old
    night.wait(3 * 3600, step=60)
    assert night.told == []
    night = Night()
    night.collect(10)
    night.closed = True
    night.wait(3600, step=60)
    assert night.told == []


def test_transfer_that_falls_behind() -> None:
    night = Night()
    night.collect(20)
    for number in range(20):
        night.wait(60)
        late = 60.0 * number
        night.exposures.append(exposure(20 + number, night.now - late, found=night.now))
        night.look()
    at, kind = night.of("transfer")[0]
    assert kind == "raised"
    # The median of the last ten reaches 10 min when the lag is at about 15.
    assert 34 * 60 <= at <= 37 * 60
    assert night.rules == {"transfer"}


def test_what_came_while_no_engine_ran_is_not_late() -> None:
    night = Night()
    night.started = BEGAN + 7200
    night.now = BEGAN + 7230
    night.exposures = [
        exposure(number, BEGAN + 60 * number, found=BEGAN + 7210 + number / 10) for number in range(100)
    ]
    night.look()
    assert night.told == []


def test_processing_that_falls_behind() -> None:
    night = Night()
    night.collect(20)
    # The newest are done first; only the backlog gets older.
    waiting = [exposure(number, night.now, state="waiting", without=("ctf",)) for number in range(4)]
    night.exposures += waiting
    night.collect(60)
    assert night.told == []
    night.exposures.append(exposure(99, night.now - 31 * 60, state="waiting", without=("ctf",)))
    night.collect(20)
    assert [kind for _, kind in night.of("processing")] == ["raised"]
    assert night.messages[0].startswith("5 exposures wait to be processed, the oldest for ")
    for each in night.exposures:
        each.items.setdefault(
            "ctf", {"defocus_u": 1.2e4, "defocus_v": 1.2e4, "resolution": 4.0, "pixel_size": 0.83}
        )
        each.state = "done"
    night.collect(10)
    assert [kind for _, kind in night.of("processing")] == ["raised", "cleared"]


@pytest.mark.parametrize(("rule", "state"), [("rejected", "rejected"), ("failed", "failed")])
def test_many_rejected_or_failed(rule: str, state: str) -> None:
    night = Night()
    night.collect(20)
    night.collect(3, state=state, reason="drift")
    assert night.told == []
    night.collect(10, state=state, reason="the gain has another shape than the movie")
    assert [kind for _, kind in night.of(rule)] == ["raised"]
    assert "another shape" in night.messages[0]
    assert night.rules == {rule}


def test_what_people_withdrew_is_no_trouble() -> None:
    night = Night()
    night.collect(40, state="rejected", reason="withdrawn: the wrong grid")
    assert night.told == []


def test_metadata_that_no_longer_come() -> None:
    night = Night()
    night.collect(20)
    night.collect(40, without=("metadata",))
    assert [kind for _, kind in night.of("metadata")] == ["raised"]
    night = Night()
    night.collect(60, without=("metadata",))
    assert night.told == []  # there never were any here


def test_a_gain_reference_that_was_judged() -> None:
    night = Night()
    night.collect(3)
    found = {
        "verdict": "misoriented",
        "message": "g.mrc lies the wrong way; it fits when flipped.",
    }
    night.shared = {"grid-1": {"gain_estimate": found}}
    night.look()
    assert [kind for _, kind in night.of("gain-estimate")] == ["raised"]
    assert night.messages == [f"grid-1: {found['message']}"]
    for verdict in HARMLESS_VERDICTS:
        night.shared["grid-1"]["gain_estimate"] = {"verdict": verdict, "message": "Well."}
        night.collect(6)
    assert [kind for _, kind in night.of("gain-estimate")] == ["raised", "cleared"]


# ------------------------------------------------------------------ disk, engine, publishing


def test_a_disk_that_fills_up() -> None:
    night = Night()
    for minute in range(24 * 60):
        night.now += 60
        night.samples.append(sample(night.now, 4 * TERABYTE - minute * 60 * 46e6))  # 46 MB/s: full in 23.5 h
        night.exposures = [exposure(0, night.now)]
        night.look()
    (at, kind), *later = night.of("disk")
    assert kind == "raised"
    full = (4 * TERABYTE - 0.1 * TERABYTE) / 46e6
    assert (full - at) / 3600 == pytest.approx(12, abs=0.1)
    # It goes on being told, but no oftener than it should.
    assert {kind for _, kind in later} == {"reminded"}
    times = [at for at, _ in night.of("disk")]
    assert min(b - a for a, b in itertools.pairwise(times)) >= 30 * 60
    assert "which will last for 12.0 h at the present rate." in night.messages[0]


@pytest.mark.parametrize(("rate", "hours"), [(100e6, 2.475), (0.0, ENDLESS), (-5e6, ENDLESS), (1.0, ENDLESS)])
def test_the_forecast(rate: float, hours: float) -> None:
    times = [10.0 * number for number in range(720)]
    free = [0.991e12 - rate * (time - times[-1]) for time in times]
    assert hours_left(times, free, total=10e12) == pytest.approx(hours, rel=0.01)


def test_the_forecast_begins_anew_when_files_were_deleted() -> None:
    times = [10.0 * number for number in range(720)]
    free = [2e12 - 200e6 * time + (3e12 if time > 3600 else 0) for time in times]
    left = free[-1] - 0.1e12
    assert hours_left(times, free, total=10e12) == pytest.approx(left / 200e6 / 3600, rel=0.01)


@pytest.mark.parametrize(
    ("times", "free"), [([], []), ([0.0, 500.0], [5e12, 4e12]), ([0, 1, 2, 3, 4], [5e12] * 5)]
)
def test_too_little_is_known_for_a_forecast(times: list[float], free: list[float]) -> None:
    assert hours_left(times, free, total=10e12) is None


def test_a_full_disk_needs_no_forecast() -> None:
    assert hours_left([0.0], [0.05e12], total=10e12) == 0


def test_the_engine_that_dies_or_holds_back_work() -> None:
    night = Night()
    night.collect(5)
    night.engine, night.started = "interrupted", None
    night.look()
    assert [kind for _, kind in night.of("engine")] == ["raised"]
    night.engine, night.started = "running", night.now
    night.collect(10)
    assert [kind for _, kind in night.of("engine")] == ["raised", "cleared"]
    night.collect(40)
    night.held = "The disk of the session is full."
    night.look()
    assert [kind for _, kind in night.of("engine")] == ["raised", "cleared", "raised"]
    assert night.messages[-1] == "The engine holds back work: The disk of the session is full."


def test_trouble_that_the_caller_reports() -> None:
    night = Night()
    night.troubles["publishing"] = "rsync ended with 255: no route to host."
    night.look()
    assert night.messages == ["rsync ended with 255: no route to host."]
    night.troubles.clear()
    night.wait(400)
    assert [kind for _, kind in night.of("publishing")] == ["raised", "cleared"]


# ------------------------------------------------------------------ settings


def test_a_rule_that_is_off_is_not_looked_at() -> None:
    off = Night(AlarmSettings.model_validate({"motion": {"off": True}}))
    off.collect(30, motion_total=90.0)
    assert off.told == []


def test_other_thresholds() -> None:
    strict = Night(AlarmSettings.model_validate({"motion": {"raise": 5, "last": 3, "severity": "critical"}}))
    strict.collect(3)
    assert strict.rules == {"motion"}
    assert strict.alarms["motion", "grid-1"].severity == "critical"
    assert strict.settings.motion.clear == pytest.approx(25 * 5 / 40)
