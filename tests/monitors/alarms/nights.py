"""Synthetic nights: a record of a session without a database, on which rules are replayed."""

from types import SimpleNamespace
from typing import Any

from eucentric.monitors.alarms.judging import Alarm, Key, Kind, judge
from eucentric.monitors.alarms.rules import measure
from eucentric.monitors.alarms.situation import Situation
from eucentric.monitors.exposures import Exposure
from eucentric.monitors.system import Sample
from eucentric.store.alarm_settings import AlarmSettings

BEGAN = 1_700_000_000.0
TERABYTE = 10**12


def exposure(number: int, at: float, *, acquisition: str = "grid-1", **changed: Any) -> Exposure:
    """A good exposure that was written at a time and found 4 s later; `changed` are fields by name."""
    items: dict[str, dict[str, Any]] = {
        "movie": {"modified": at, "frames": 40, "dropped_frames": 0},
        "metadata": {"target_defocus": 12_000.0},
        "micrograph": {
            "mean_counts": 0.85,
            "expected_counts": 0.86,
            "gain_residual": 0.001,
            "motion_total": 8.0,
        },
        "ctf": {
            "defocus_u": 12_100.0,
            "defocus_v": 11_950.0,
            "resolution": 3.9,
            "ice_ring": 0.1,
            "pixel_size": 0.83,
        },
    }
    state, reason, found = (
        changed.pop("state", "done"),
        changed.pop("reason", ""),
        changed.pop("found", at + 4),
    )
    for name in changed.pop("without", ()):
        del items[name]
    for name, value in changed.items():
        kind = next(kind for kind, fields in items.items() if name in fields)
        items[kind][name] = value
    return Exposure((acquisition, f"exposure_{number:05d}"), found, at, items, state=state, reason=reason)


def sample(at: float, free: float, folder: str = "/data") -> Sample:
    """The machine, with so many bytes free on a disk of 10 TB."""
    rates = dict.fromkeys(("cpu", "read", "written", "received", "sent"), 0.0)
    disk = {"disk_free": {folder: int(free)}, "disk_total": {folder: 10 * TERABYTE}}
    return Sample(time=at, memory=0, memory_total=1, **rates, **disk)


class Night:
    """A session that is looked at every 10 s, as the monitor does, with what was told.

    Attributes:
        exposures: What has been found; add to it as time goes on.
        told: Everything that was told: when, what, of which rule and subject.
    """

    def __init__(self, settings: AlarmSettings | None = None) -> None:
        self.settings = settings or AlarmSettings()
        self.now = BEGAN
        self.started: float | None = BEGAN
        self.exposures: list[Exposure] = []
        self.samples: list[Sample] = []
        self.engine, self.held, self.closed = "running", None, False
        self.troubles: dict[str, str] = {}
        self.shared: dict[str, dict[str, dict[str, Any]]] = {}
        self.alarms: dict[Key, Alarm] = {}
        self.told_before: dict[Key, float] = {}
        self.told: list[tuple[float, Kind, str, str]] = []
        self.messages: list[str] = []

    def situation(self) -> Situation:
        acquisitions: dict[str, list[Exposure]] = {}
        for each in self.exposures:
            acquisitions.setdefault(each.path[0], []).append(each)
        source = SimpleNamespace(inputs={}, closed=self.closed, protocol="import-movies")
        fits = SimpleNamespace(
            inputs={"micrograph": "align.micrograph"}, closed=False, protocol="estimate-ctf"
        )
        record: Any = SimpleNamespace(
            acquisitions=acquisitions,
            created=BEGAN,
            engine=self.engine,
            held=self.held,
            shared=self.shared,
            runs={"movies": source, "ctf": fits},
        )
        return Situation(record, self.now, self.started, self.samples, self.troubles)

    def look(self) -> None:
        """Judge the session as it is now."""
        judged = judge(
            measure(self.situation(), self.settings),
            self.alarms,
            self.now,
            self.settings,
            told_before=self.told_before,
        )
        for alarm in judged.alarms:
            self.alarms[alarm.key] = alarm
            if alarm.cleared is not None:
                del self.alarms[alarm.key]
                if alarm.told is not None:
                    self.told_before[alarm.key] = alarm.told
        for kind, alarm in judged.news:
            self.told.append((self.now - BEGAN, kind, *alarm.key))
            self.messages.append(alarm.message)

    def collect(self, number: int, interval: float = 60.0, **changed: Any) -> None:
        """Take exposures one after another, and look after each."""
        for _ in range(number):
            self.wait(interval)
            self.exposures.append(exposure(len(self.exposures), self.now - 4, **changed))
            self.look()

    def wait(self, seconds: float, step: float = 10.0) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + step)
            self.look()

    def of(self, rule: str) -> list[tuple[float, Kind]]:
        """When what was told of a rule, in s since the session began."""
        return [(at, kind) for at, kind, name, _ in self.told if name == rule]

    @property
    def rules(self) -> set[str]:
        """The rules of which anything was told."""
        return {rule for _, _, rule, _ in self.told}
