"""`eucentric alarms`, and alarms where people look anyway."""

import io
import json
import time
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import insert, select

from cli.command_line import Cli
from eucentric.cli.looking import Looker
from eucentric.cli.picture import picture
from eucentric.cli.showing import shown_on
from eucentric.store import Database, Site
from eucentric.store.tables import alarm, notice
from monitors.notify.servers import webhook_server
from monitors.written_session import WrittenSession


@pytest.fixture
def place(tmp_path: Path) -> Site:
    """A site in the working folder with a session, and two alarms of it."""
    site = Site.create(tmp_path)
    with Database.open(site) as database:
        session = WrittenSession(database)
        said = {"session_id": session.number, "subject": "grid-1", "value": 1.0}
        rows = (
            {"rule": "motion", "severity": "warning", "message": "It moves by 66 Å.", "raised": 1e9},
            {
                "rule": "no-movie",
                "severity": "critical",
                "message": "No new movie for 12 min.",
                "raised": 1.1e9,
            },
            {"rule": "ice", "severity": "warning", "message": "Ice.", "raised": 9e8, "cleared": 9.1e8},
        )
        with database.write() as connection:
            for row in rows:
                connection.execute(insert(alarm).values(**said, **row))
    return site


def test_alarms_are_listed_with_what_to_do(place: Site, cli: Cli) -> None:
    text = cli("alarms", "night").output
    assert text.index("2  no-movie: No new movie (critical, since 2004-11-09") < text.index(
        "1  motion: Strong"
    )
    assert "   No new movie for 12 min.\n   Look whether the microscope still records" in text
    assert "ice" not in text
    assert "cleared 1998-11-02" in cli("alarms", "night", "--history", "9").output
    found = json.loads(cli("alarms", "night", "--json").output)
    assert [each["rule"] for each in found["alarms"]] == ["no-movie", "motion"]


def test_taking_notice(place: Site, cli: Cli) -> None:
    assert cli("alarms", "night", "--acknowledge", "1").output == "Acknowledged: 1.\n"
    assert "acknowledged by" in cli("alarms", "night").output
    assert cli("alarms", "night", "--acknowledge", "all").output == "Acknowledged: 2.\n"
    refused = cli("alarms", "night", "--acknowledge", "3")
    assert refused.exit_code == 1
    assert "There is no open alarm 3; open are 1, 2." in refused.output
    assert "no number of an alarm" in cli("alarms", "night", "--acknowledge", "one").output


def test_muting(place: Site, cli: Cli) -> None:
    assert (
        "Nothing is told of motion until"
        in cli("alarms", "night", "--mute", "motion", "--for", "30min").output
    )
    assert "Muted: motion, by " in cli("alarms", "night").output
    assert "muted)" in cli("alarms", "night").output
    assert cli("alarms", "night", "--unmute", "motion").output == "motion is told again.\n"
    cli("alarms", "night", "--mute", "all")
    (mute,) = json.loads(cli("alarms", "night", "--json").output)["mutes"]
    assert mute["rule"] == ""
    assert 7100 < mute["until"] - time.time() <= 7200
    assert "--for soon: write a number" in cli("alarms", "night", "--mute", "motion", "--for", "soon").output
    assert "There is no rule moton" in cli("alarms", "night", "--mute", "moton").output


def test_trying_the_channels(place: Site, cli: Cli) -> None:
    assert "has no channel for notices" in cli("alarms", "night", "--test").output
    with webhook_server(None) as hook:
        file = place.folder / "eucentric.toml"
        file.write_text(f'[notices.webhooks.chat]\nurl = "{hook.url}"\nstyle = "text"\n')
        hook.answers = [200, 503]
        assert cli("alarms", "night", "--test").output == "webhook chat: sent\n"
        failed = cli("alarms", "night", "--test")
    assert failed.exit_code == 1
    assert failed.output == "webhook chat: The webhook answered 503 Service Unavailable.\n"
    assert "Notices arrive" in hook.notices[0]["text"]
    with Database(place) as database, database.read() as connection:
        assert connection.execute(select(notice)).all() == []


def test_a_site_without_alarms(tmp_path: Path, cli: Cli) -> None:
    with Database.open(Site.create(tmp_path)) as database:
        WrittenSession(database)
    assert cli("alarms", "night").output == "No alarm is open.\n"
    assert cli("alarms", "night", "--history", "5").output == "There has been no alarm.\n"
    assert "no session day" in cli("alarms", "day").output


def test_alarms_are_in_status(place: Site, cli: Cli) -> None:
    text = cli("status", "night").output
    assert "Alarm 2: No new movie: No new movie for 12 min." in text
    assert [each["number"] for each in json.loads(cli("status", "night", "--json").output)["alarms"]] == [
        2,
        1,
    ]


def test_alarms_are_in_the_live_view(place: Site) -> None:
    with Database(place) as database:
        look = Looker(place, database, "night").look()
    console = Console(width=100, height=40, file=io.StringIO())
    console.print(picture(look, 100, 40))
    assert isinstance(console.file, io.StringIO)
    assert "No new movie for 12 min." in console.file.getvalue()
    lines = Console(width=100, file=io.StringIO())
    with shown_on(lines) as view:
        view.show(look)
        view.show(look)
    assert isinstance(lines.file, io.StringIO)
    assert lines.file.getvalue().count("Alarm 2, No new movie (critical): No new movie for 12 min.") == 1


def test_a_new_alarm_rings(place: Site) -> None:
    with Database(place) as database:
        look = Looker(place, database, "night").look()
    terminal = Console(width=100, height=40, file=io.StringIO(), force_terminal=True)
    with shown_on(terminal) as view:
        view.show(look)
        view.show(look)
    assert isinstance(terminal.file, io.StringIO)
    assert terminal.file.getvalue().count("\a") == 1


def test_the_printed_report(place: Site, cli: Cli, tmp_path: Path) -> None:
    assert cli("report", "night", "--pdf", tmp_path / "night.pdf").exit_code == 0
    assert (tmp_path / "night.pdf").read_bytes().startswith(b"%PDF")
    both = cli("report", "night", "--pdf", tmp_path / "a.pdf", "--html", tmp_path / "a.html")
    assert "give one of them" in both.output
