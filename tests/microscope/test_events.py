import errno
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from eucentric.microscope import events as events_module
from eucentric.microscope.events import Events, Touched, open_events


@pytest.fixture
def events() -> Iterator[Events]:
    each = Events()
    yield each
    each.close()


def test_what_is_told(tmp_path: Path, events: Events) -> None:
    events.follow(tmp_path)
    with (tmp_path / "a").open("w") as file:
        file.write("x")
        file.flush()
        assert events.read() == ([Touched(tmp_path, "a", False, False, False)], False)
    assert events.read() == ([Touched(tmp_path, "a", False, True, False)], False)
    (tmp_path / "a").rename(tmp_path / "b")
    gone, come = events.read()[0]
    assert gone == Touched(tmp_path, "a", False, False, True)
    assert come == Touched(tmp_path, "b", False, True, False)
    (tmp_path / "c").mkdir()
    assert events.read() == ([Touched(tmp_path, "c", True, False, False)], False)
    (tmp_path / "b").read_text()
    (tmp_path / "b").unlink()
    assert events.read() == ([], False)


def test_a_followed_folder_may_be_followed_again_move_and_go(tmp_path: Path, events: Events) -> None:
    folder, moved = tmp_path / "f", tmp_path / "g"
    folder.mkdir()
    events.follow(folder)
    events.follow(folder)
    folder.rename(moved)
    events.follow(moved)
    (moved / "a").touch()
    assert {touched.folder for touched in events.read()[0] if touched.name} == {moved}
    (moved / "a").unlink()
    events.read()
    moved.rmdir()
    assert events.read() == ([Touched(moved, "", True, False, True)], False)
    events.follow(moved)
    assert events.complete


def test_a_full_queue_says_that_events_were_lost(tmp_path: Path, events: Events) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 50_000:
        pytest.skip(f"the queue of this system is too long to be filled in a test ({most} events)")
    events.follow(tmp_path)
    for number in range(most // 3 + 100):  # created, closed and renamed: more than three events each
        (tmp_path / f"{number % 100}.tmp").touch()
        (tmp_path / f"{number % 100}.tmp").rename(tmp_path / f"{number % 100}")
    touched, lost = events.read()
    assert lost
    assert len(touched) <= most
    (tmp_path / "after").touch()
    touched, lost = events.read()
    assert not lost
    assert {each.name for each in touched} == {"after"}


def test_no_more_watches(
    tmp_path: Path, events: Events, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, mask: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(events._inotify, "add_watch", full)
    events.follow(tmp_path)
    events.follow(tmp_path)
    assert not events.complete
    assert caplog.text.count("fs.inotify.max_user_watches") == 1


def test_no_more_instances(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def none_left() -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(events_module, "INotify", none_left)
    assert open_events() is None
    assert "fs.inotify.max_user_instances" in caplog.text
