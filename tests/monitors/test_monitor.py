"""The monitor: it follows a session, writes while things change, and ends with its engine."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eucentric.monitors import monitor as monitoring
from eucentric.monitors.monitor import AlreadyMonitored, Monitor, data_folders, locked, write_report
from eucentric.store import Bell, Database, Site, StoreError, tables
from monitors.written_session import WrittenSession

COMMAND = [sys.executable, "-m", "eucentric.cli"]


def shown(report: Path) -> dict[str, Any]:
    """The data in a report."""
    text = report.read_text()
    data: dict[str, Any] = json.loads(text.split('id="data">')[1].split("</script>")[0])
    return data


def exposures_in(report: Path) -> int:
    return sum(len(each["rows"]) for each in shown(report)["acquisitions"]) if report.exists() else 0


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not done():
            await asyncio.sleep(0.05)


@pytest.fixture
def written(site: Site, database: Database) -> WrittenSession:
    (site.session_folder("night") / "logs").mkdir(parents=True)
    return WrittenSession(database)


async def test_it_writes_what_comes_and_all_of_it_at_the_end(
    site: Site, database: Database, written: WrittenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "SHORTEST", 0.2)
    monkeypatch.setattr(monitoring, "TICK", 0.5)
    monitor, stop, bell = Monitor(site, database, "night"), asyncio.Event(), Bell(site, database)
    running = asyncio.create_task(monitor.run(stop))
    written.night(30)
    bell.ring("changes:night")
    await until(lambda: exposures_in(monitor.report) == 30)
    await until(lambda: len(monitor.samples.samples) >= 2)
    written.night(10, acquisition="grid-2")
    stop.set()
    await running
    assert exposures_in(monitor.report) == 40
    assert shown(monitor.report)["load"]["cpu"]
    assert "night" in (site.reports_folder / "index.html").read_text()
    bell.close()


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
async def test_a_database_that_is_away_does_not_end_it(
    site: Site, database: Database, written: WrittenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = Monitor(site, database, "night")
    written.night(5)

    def away(_connection: object) -> bool:
        raise StoreError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(monitor.record, "update", away)
        monitor.look()
    assert not monitor.report.exists() or exposures_in(monitor.report) == 0
    monitor.end()
    assert exposures_in(monitor.report) == 5


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
async def test_one_monitor_at_a_time(site: Site, database: Database, written: WrittenSession) -> None:
    monitor = Monitor(site, database, "night")
    with locked(monitor.folder / "monitor"), pytest.raises(AlreadyMonitored, match="night is followed"):
        await monitor.run(asyncio.Event())


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
async def test_what_was_reported_in_an_earlier_life_is_kept(
    site: Site, database: Database, written: WrittenSession
) -> None:
    written.night(5)
    first = write_report(site, database, "night")
    os.utime(first, (1.7e9, 1.7e9))
    written.night(5, acquisition="grid-2")
    stop = asyncio.Event()
    stop.set()
    await Monitor(site, database, "night").run(stop)
    (kept,) = first.parent.glob("2023-11-1*.html")
    assert (exposures_in(kept), exposures_in(first)) == (5, 10)


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_report_of_a_session_that_does_not_run(
    site: Site, database: Database, written: WrittenSession, tmp_path: Path
) -> None:
    written.night(5)
    ended = subprocess.run(
        [*COMMAND, "report", "night", "--html", str(tmp_path / "x.html"), "--site", str(site.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"{tmp_path / 'x.html'}\n"
    assert exposures_in(tmp_path / "x.html") == 5


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_raw_data_are_where_the_links_lead(site: Site, tmp_path: Path) -> None:
    folder = site.session_folder("night")
    assert data_folders(folder) == []
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "raw").symlink_to(tmp_path)
    assert data_folders(folder) == [tmp_path]


# ------------------------------------------------------------------ beside a real engine

SAMPLE = Path(__file__).parents[1] / "cli" / "text_protocols.py"
WORKFLOW = {
    "name": "sample",
    "runs": {
        "files": {"protocol": "list-files"},
        "read": {"protocol": "read-file", "inputs": {"file": "files.file"}},
    },
}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A site with protocols that read text, beside a folder `raw` of three files."""
    site = Site.create(tmp_path / "site")
    shutil.copy(SAMPLE, site.protocols_folder / "sample.py")
    (tmp_path / "sample.json").write_text(json.dumps(WORKFLOW))
    (tmp_path / "raw").mkdir()
    for name in "abc":
        (tmp_path / "raw" / f"{name}.txt").write_text(name)
    return tmp_path


def run(folder: Path, *more: str) -> "subprocess.Popen[str]":
    command = [
        *COMMAND,
        "run",
        "sample.json",
        "--input",
        "raw",
        "--site",
        "site",
        "--session",
        "s",
        "--inline",
    ]
    return subprocess.Popen(
        [*command, "--inline", *more],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EUCENTRIC_MONITOR": "1"},
    )


def test_the_engine_brings_its_monitor_and_its_last_report(sample: Path) -> None:
    process = run(sample, "--until-idle")
    _, said = process.communicate(timeout=100)
    report = sample / "site" / "sessions" / "s" / "report" / "index.html"
    assert process.returncode == 0
    assert f"Report: {report}" in said
    assert shown(report)["engine"] == "stopped"
    assert exposures_in(report) == 3
    assert "fault" not in (report.parents[1] / "logs" / "monitor.log").read_text()


def test_when_the_engine_is_killed_its_monitor_says_so_and_ends(sample: Path) -> None:
    process = run(sample)
    session = sample / "site" / "sessions" / "s"
    report = session / "report" / "index.html"
    deadline = time.monotonic() + 200
    while exposures_in(report) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while shown(report)["engine"] != "interrupted" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert shown(report)["engine"] == "interrupted"
    while time.monotonic() < deadline:
        try:
            with locked(session / "monitor"):
                return
        except AlreadyMonitored:
            time.sleep(0.2)
    raise AssertionError("the monitor goes on without its engine")


def test_no_monitor_where_none_is_wanted(sample: Path) -> None:
    process = run(sample, "--until-idle", "--no-monitor")
    process.communicate(timeout=100)
    assert process.returncode == 0
    assert not (sample / "site" / "sessions" / "s" / "report").exists()


async def test_reports_that_cannot_be_published_are_an_alarm_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "SHORTEST", 0.0)
    monkeypatch.setattr(monitoring, "TICK", 0.0)
    site = Site.create(tmp_path / "site", '[report]\ncommand = ["sh", "-c", "echo no room >&2; exit 1"]\n')
    (site.session_folder("night") / "logs").mkdir(parents=True)
    with Database.open(site) as database:
        WrittenSession(database).night(5)
        monitor = Monitor(site, database, "night")

        def alarmed() -> bool:
            monitor._changed = True
            monitor._cost = 0.0
            monitor.look()
            return any(each["rule"] == "publishing" for each in shown(monitor.report)["alarms"])

        await until(alarmed)
        (alarm,) = [each for each in shown(monitor.report)["alarms"] if each["rule"] == "publishing"]
        assert "no room" in alarm["message"]
        monitor.end()


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_rules_of_retention_are_applied_when_they_are_automatic(
    site: Site, database: Database, written: WrittenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.night(30)
    (rejected, *_) = [row for row in _tasks(database) if row.state == "rejected"]
    data = _micrograph(database, rejected)
    image = site.session_folder("night") / data["path"]
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(b"image")
    settings = (site.folder / "eucentric.toml").read_text()
    for automatic, left in (("false", True), ("true", False)):
        rules = f'[retention]\nrejected = "0 s"\nautomatic = {automatic}\n'
        (site.folder / "eucentric.toml").write_text(settings + rules)
        monitor = Monitor(Site.open(site.folder), database, "night")
        monkeypatch.setattr(monitoring, "TIDY", 0.0)
        monitor.look()
        monitor.end()
        assert image.exists() == left


def _tasks(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(tables.task.select().where(tables.task.c.current)))


def _micrograph(database: Database, row: Any) -> dict[str, Any]:
    item = tables.item
    with database.read() as connection:
        query = item.select().where(item.c.key == row.key, item.c.kind == "micrograph")
        return dict(connection.execute(query.where(item.c.state == "current")).first().data)
