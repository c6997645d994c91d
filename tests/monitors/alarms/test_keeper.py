"""Alarms in the database: written with their notices, kept over restarts and kills, told to real servers."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from eucentric.monitors.alarms import (
    RULES,
    AlarmKeeper,
    NoSuchAlarm,
    acknowledge,
    mute_rule,
    mutes,
    open_alarms,
    recent_alarms,
    session_settings,
    unmute_rule,
)
from eucentric.monitors.exposures import SessionRecord
from eucentric.monitors.notify import sender
from eucentric.store import Database, Site
from eucentric.store.alarm_settings import AlarmSettings
from eucentric.store.tables import alarm, notice
from monitors.alarms.looker import look_on
from monitors.notify.servers import Hook, webhook_server
from monitors.written_session import WrittenSession

spawn = multiprocessing.get_context("spawn")
STRICT = "[alarms.no-movie]\noff = true\n[alarms.motion]\nraise = 2\nclear = 1\nseverity = 'critical'\n"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook_server(None) as hook:
        yield hook


class Watch:
    """A written session with a keeper that looks at it."""

    def __init__(self, site: Site, database: Database, settings: str) -> None:
        file = site.folder / "eucentric.toml"
        file.write_text(file.read_text() + settings)
        self.site, self.database = Site.open(site.folder), database
        self.session = WrittenSession(database)
        self.folder = self.site.session_folder("night")
        self.folder.mkdir(parents=True)
        self.record = SessionRecord(self.session.number)
        self.keepers: list[AlarmKeeper] = []
        self.restart()

    def restart(self) -> None:
        """Begin anew, as a monitor that was started again; there is never more than one of a session."""
        for keeper in self.keepers:
            keeper.close(60)
        self.keepers.append(AlarmKeeper(self.site, self.database, "night"))

    def look(self, later: float = 0.0) -> list[tuple[str, str]]:
        with self.database.read() as connection:
            self.record.update(connection)
        events = self.keepers[-1].look(self.record, [], time.time() + later)
        return [(event.kind, event.alarm.rule) for event in events]

    def ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        with self.database.write() as connection:
            return question(connection, self.session.number, *arguments)

    def notices(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(notice).order_by(notice.c.id)))


@pytest.fixture
def watch(site: Site, database: Database, hook: Hook) -> Iterator[Watch]:
    more = f'[notices.webhooks.chat]\nurl = "{hook.url}"\n'
    watch = Watch(site, database, STRICT + more)
    yield watch
    for keeper in watch.keepers:
        keeper.close(60)


def test_an_alarm_is_raised_told_and_cleared_once(watch: Watch, hook: Hook) -> None:
    assert watch.look() == []
    watch.session.night(16)
    assert watch.look() == [("raised", "motion")]
    for later in (1, 60, 300):
        assert watch.look(later) == []
    watch.restart()
    assert watch.look(600) == []
    assert watch.look(1900) == [("reminded", "motion")]
    (shown,) = watch.ask(open_alarms)
    assert (shown.rule, shown.subject, shown.severity) == ("motion", "grid-1", "critical")
    assert shown.title == "Strong motion"
    assert "in the last 10 exposures of grid-1" in shown.message
    # The thresholds are changed while the session runs.
    (watch.folder / "alarms.toml").write_text("[motion]\nraise = 500\n")
    assert watch.look(2000) == []
    assert watch.look(2400) == [("cleared", "motion")]
    assert watch.ask(open_alarms) == []
    assert [each.cleared is not None for each in watch.ask(recent_alarms)] == [True]
    rows = watch.notices()
    assert [row.kind for row in rows] == ["raised", "reminded", "cleared"]
    # The later two are due in the future in which they were written.
    watch.keepers[-1].close(60)
    assert [each["key"] for each in hook.notices] == [f"night.{rows[0].id}"]


def test_who_takes_notice_is_kept(watch: Watch) -> None:
    watch.session.night(16)
    watch.look()
    (shown,) = watch.ask(open_alarms)
    assert watch.ask(acknowledge, [shown.number], "anna", 5.0) == [shown.number]
    assert watch.ask(acknowledge, None, "ben", 6.0) == []
    (shown,) = watch.ask(open_alarms)
    assert (shown.acknowledged, shown.acknowledged_by) == (5.0, "anna")
    watch.restart()
    assert watch.look(4000) == []
    with pytest.raises(NoSuchAlarm, match=rf"no open alarm 77; open are {shown.number}"):
        watch.ask(acknowledge, [77], "anna", 5.0)


def test_muting(watch: Watch) -> None:
    watch.session.night(16)
    now = time.time()
    watch.ask(mute_rule, "", now + 3600, "anna", now)
    assert watch.look() == []
    (shown,) = watch.ask(open_alarms)
    assert shown.muted
    assert [mute.author for mute in watch.ask(mutes, now)] == ["anna"]
    assert watch.ask(mutes, now + 3601) == []
    assert watch.ask(unmute_rule, "")
    assert not watch.ask(unmute_rule, "motion")
    assert watch.look() == [("raised", "motion")]
    with pytest.raises(NoSuchAlarm, match="no rule motoin; there are no-movie, counts"):
        watch.ask(mute_rule, "motoin", now, "anna", now)


def test_an_acquisition_that_is_over(watch: Watch) -> None:
    watch.session.night(16)
    watch.look()
    watch.session.began += 3 * 3600
    watch.session.night(3, acquisition="grid-2")
    assert ("cleared", "motion") in watch.look()
    (gone,) = (each for each in watch.ask(recent_alarms) if each.subject == "grid-1")
    assert gone.message == "The acquisition grid-1 is over."


def test_notices_wait_while_nobody_takes_them(
    watch: Watch, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "FIRST_WAIT", 0.01)
    hook.answers = [500, 503]
    watch.session.night(16)
    watch.look()
    for _ in range(3):
        assert hook.taken.acquire(timeout=60)
    watch.keepers[-1].close(60)
    (row,) = watch.notices()
    assert (row.attempts, row.error, row.due) == (3, None, None)
    assert row.sent is not None
    assert len(hook.notices) == 1


def test_reminders_do_not_pile_up(watch: Watch, hook: Hook) -> None:
    hook.answers = [500] * 100
    watch.session.night(16)
    watch.look()
    for hours in range(1, 5):
        watch.look(3600.0 * hours)
    assert [row.kind for row in watch.notices()] == ["raised"]


def test_what_is_too_old_is_given_up(watch: Watch, hook: Hook) -> None:
    hook.answers = [500] * 10
    watch.session.night(16)
    watch.look(-25 * 3600)
    assert hook.taken.acquire(timeout=60)
    watch.keepers[-1].close(60)
    (row,) = watch.notices()
    assert row.due is None
    assert row.sent is None
    assert row.error == "The webhook answered 500 Internal Server Error."


def test_what_an_earlier_monitor_left_is_sent(watch: Watch, hook: Hook) -> None:
    watch.keepers[-1].close(60)
    watch.session.night(16)
    watch.look()  # its thread has ended, as if it had been killed before it could send
    assert hook.notices == []
    watch.restart()
    assert hook.taken.acquire(timeout=60)
    assert [each["kind"] for each in hook.notices] == ["raised"]


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_channel_that_is_gone_and_one_for_the_worst_only(
    site: Site, database: Database, hook: Hook
) -> None:
    file = f'[notices.webhooks.worst]\nurl = "{hook.url}"\nseverity = "critical"\n'
    watch = Watch(site, database, STRICT.replace("critical", "warning") + file)
    watch.session.night(16)
    assert watch.look() == [("raised", "motion")]
    assert watch.notices() == []
    watch.keepers[-1].close(60)
    with database.write() as connection:
        number = connection.execute(select(alarm.c.id)).scalar_one()
        values = {
            "alarm_id": number,
            "channel": "pager",
            "kind": "raised",
            "message": "x",
            "created": 0,
            "due": 0,
        }
        connection.execute(notice.insert().values(**values))
    watch.restart()
    watch.keepers[-1].close(60)
    (row,) = watch.notices()
    assert (row.due, row.error) == (None, "The site has no such channel any more.")


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_wrong_thresholds_of_a_session_are_not_used(
    site: Site, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch(site, database, "")
    file = watch.folder / "alarms.toml"
    for text, problem in (
        ("[motoin]\nraise = 3", "motoin: Extra inputs"),
        ("[motion]\nraise = 3\nclear = 4", "must be less than raise"),
        ("[motion", "Expected"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=problem):
            session_settings(AlarmSettings(), file)
        watch.look()
        assert "is not used" in caplog.text
        assert watch.keepers[-1].settings == AlarmSettings()
    watch.keepers[-1].close(60)


def test_a_monitor_that_is_killed_at_any_moment(site: Site, database: Database, hook: Hook) -> None:
    """Every alarm is raised once, and every notice arrives: perhaps twice, but then with the same key."""
    rules = ["motion", "resolution", "astigmatism"]
    # All but those that are asked for below: how long ago the last movie came is the machine's affair.
    off = "".join(f"[alarms.{rule}]\noff = true\n" for rule in RULES)
    watch = Watch(site, database, f'{off}[notices.webhooks.chat]\nurl = "{hook.url}"\n')
    watch.keepers[-1].close(60)
    watch.session.night(60)
    chance = random.Random(5)
    for number in range(len(rules)):
        here, there = spawn.Pipe()
        process = spawn.Process(target=look_on, args=(site.folder, watch.session.number, there), daemon=True)
        process.start()
        assert here.recv() == "looking"
        strict = "".join(
            f"[{rule}]\noff = false\nraise = 1e-3\nclear = 1e-4\n" for rule in rules[: number + 1]
        )
        part = watch.folder / "part"
        part.write_text(strict)
        part.replace(watch.folder / "alarms.toml")
        time.sleep(chance.uniform(0.0, 0.25))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    watch.restart()
    watch.look()
    watch.keepers[-1].close(60)
    shown = watch.ask(open_alarms)
    assert Counter(each.rule for each in shown) == Counter(rules)
    rows = watch.notices()
    assert len(rows) == len(rules)
    assert all(row.sent for row in rows)
    assert {each["key"] for each in hook.notices} == {f"night.{row.id}" for row in rows}
    assert len(hook.notices) <= 2 * len(rules)
