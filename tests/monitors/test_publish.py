"""Publishing with the real rsync, and with programs; what fails is told and tried again."""

import os
import sys
import threading
from pathlib import Path

import pytest

from eucentric.monitors.publish import Publisher
from eucentric.monitors.report.archive import keep_earlier, write_index
from eucentric.store import Database, Site, SiteError
from monitors.written_session import WrittenSession


def site_with(folder: Path, settings: str) -> Site:
    """A site with one session, whose report is there."""
    site = Site.create(folder / "site", f"[report]\n{settings}\n")
    with Database.open(site) as database:
        WrittenSession(database)
        report = site.session_folder("night") / "report" / "index.html"
        report.parent.mkdir(parents=True)
        report.write_text("the report")
        (report.parent / ".index.html.1.partial").write_text("half")
        with database.read() as connection:
            write_index(site, connection)
    return site


def published(site: Site) -> list[str | None]:
    """Publish once, and return what was told of it."""
    told: list[str | None] = []
    publisher = Publisher(site, "night", told.append)
    publisher.close()
    return told


def test_rsync_into_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "www"
    site = site_with(tmp_path, f'rsync = "{target}/"')
    assert published(site) == [None]
    assert (target / "night" / "index.html").read_text() == "the report"
    assert not (target / "night").is_symlink()
    assert 'href="night/index.html"' in (target / "index.html").read_text()
    assert sorted(each.name for each in (target / "night").iterdir()) == ["index.html"]


def test_rsync_over_a_remote_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell is a script that runs on this machine what it is asked to run on another."""
    (tmp_path / "bin").mkdir()
    shell = tmp_path / "bin" / "ssh"
    shell.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
        'while [ "$1" = -o ]; do shift 2; done\nif [ "$1" = -l ]; then shift 2; fi\nshift\nexec sh -c "$*"\n'
    )
    shell.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    site = site_with(tmp_path, f'rsync = "www@elsewhere:{tmp_path}/www/"')
    assert published(site) == [None]
    assert (tmp_path / "www" / "night" / "index.html").read_text() == "the report"
    assert "BatchMode=yes" in (tmp_path / "asked").read_text()
    assert "elsewhere" in (tmp_path / "asked").read_text()


def test_a_program_of_the_site(tmp_path: Path) -> None:
    script = "import sys; open(sys.argv[2], 'w').write(repr(sys.argv[1:]))"
    odd = tmp_path / "a $(touch here) b"
    command = [sys.executable, "-c", script, "{session}", str(odd), "{folder}/index.html"]
    site = site_with(tmp_path, f"command = {command!r}")
    assert published(site) == [None]
    assert odd.read_text() == repr(["night", str(odd), str(site.reports_folder / "index.html")])
    assert not Path("here").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('command = ["no-such-program"]', "no-such-program cannot be started"),
        ('command = ["sh", "-c", "echo no room >&2; exit 3"]', "ended with 3: no room"),
        ('command = ["sleep", "60"]\ntimeout = "0.3 s"', "did not end within"),
        ('rsync = "/proc/nowhere/"', "rsync ended with"),
    ],
)
def test_what_fails_is_told(tmp_path: Path, settings: str, said: str) -> None:
    (told,) = published(site_with(tmp_path, settings))
    assert told is not None
    assert said in told


def test_it_is_tried_again_until_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Publisher, "RETRY", 0.05)
    gate = tmp_path / "gate"
    site = site_with(tmp_path, f'command = ["test", "-e", "{gate}"]')
    failed, works = threading.Event(), threading.Event()
    publisher = Publisher(site, "night", lambda trouble: (works if trouble is None else failed).set())
    publisher.publish()
    assert failed.wait(20)
    gate.touch()
    assert works.wait(20)
    publisher.close()


def test_reports_that_nobody_publishes_need_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    site = site_with(tmp_path, "")
    publisher = Publisher(site, "night", lambda trouble: pytest.fail(str(trouble)))
    publisher.publish()
    assert threading.active_count() == before
    publisher.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('rsync = "--rsh=sh"', "it must be a folder, or HOST:FOLDER"),
        ('rsync = "a:b"\ncommand = ["c"]', "give rsync or command, not both"),
        ("command = []", "at least 1 item"),
        ('every = "often"', "'7 d'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, settings: str, said: str) -> None:
    with pytest.raises(SiteError, match=said):
        Site.create(tmp_path / "site", f"[report]\n{settings}\n")


# ------------------------------------------------------------------ earlier reports


def test_earlier_reports_stay_and_are_listed(tmp_path: Path) -> None:
    site = site_with(tmp_path, "")
    folder = site.session_folder("night") / "report"
    os.utime(folder / "index.html", (1.7e9, 1.7e9))
    kept = keep_earlier(folder)
    assert kept is not None
    assert keep_earlier(folder) == kept  # the same report is kept once
    (folder / "index.html").write_text("a newer one")
    assert kept.read_text() == "the report"
    with Database.open(site) as database, database.read() as connection:
        index = write_index(site, connection).read_text()
    assert f'href="night/{kept.name}"' in index
    assert (site.reports_folder / "night" / kept.name).read_text() == "the report"


def test_earlier_reports_are_thinned_out(tmp_path: Path) -> None:
    newest = tmp_path / "index.html"
    assert keep_earlier(tmp_path) is None
    hour, noon = 3600, 1_700_000_000 // 86400 * 86400 + 12 * 3600
    for time in [noon + day * 24 * hour + part * hour for day in range(30) for part in range(-3, 3)]:
        newest.write_text(str(time))
        os.utime(newest, (time, time))
        keep_earlier(tmp_path)
    kept = sorted(int(each.read_text()) for each in tmp_path.glob("2*.html"))
    days = {time // 86400 for time in kept}
    assert len(kept) <= 5 + 20
    assert len(days) == 20
    assert kept[-5:] == [noon + 29 * 24 * hour + part * hour for part in range(-2, 3)]
