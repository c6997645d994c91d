"""The watcher on real folders: a local disk with events, and the same disk polled as if it were remote."""

import errno
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from inotify_simple import INotify

from eucentric.microscope import Quiet, has_frames, watch
from eucentric.microscope.events import Events, Touched

Start = Callable[..., Any]
"""Starts a `watch` in a thread; see conftest.py."""
NEVER = 1000.0
"""A quiet period that no test outlives: what comes in spite of it came by its events."""

both_ways = pytest.mark.parametrize("use_events", [None, False], ids=["events", "polling"])


def make_old(path: Path, seconds: float = 5000) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


@both_ways
def test_what_is_there_and_what_comes(tmp_path: Path, watching: Start, use_events: bool | None) -> None:
    (tmp_path / "old.tiff").write_text("x")
    make_old(tmp_path / "old.tiff")
    (tmp_path / "notes.txt").write_text("x")
    run = watching(tmp_path, use_events=use_events)
    run.until_names("old.tiff")
    (tmp_path / "new.tiff").write_text("xy")
    (tmp_path / ".hidden.tiff").write_text("xy")
    (tmp_path / "copy.tiff.part").write_text("xy")
    run.until_names("old.tiff", "new.tiff")
    found = run.files[-1]
    assert found.size == 2
    assert found.modified == pytest.approx((tmp_path / "new.tiff").stat().st_mtime, abs=1e-6)


def test_an_empty_folder_is_quiet_at_once(tmp_path: Path, watching: Start) -> None:
    run = watching(tmp_path, quiet_period=NEVER, poll_interval=NEVER)
    run.until_quiet()
    assert run.came == [Quiet()]


def test_a_closed_file_comes_without_a_wait(tmp_path: Path, watching: Start) -> None:
    run = watching(tmp_path, quiet_period=NEVER)
    run.until_quiet()
    with (tmp_path / "slow.tiff").open("wb") as file:
        for _ in range(5):
            file.write(b"page")
            file.flush()
            time.sleep(0.1)
            assert run.names == []
    run.until_names("slow.tiff")
    assert run.files[0].size == 20


def test_a_file_renamed_in_comes_without_a_wait(tmp_path: Path, watching: Start) -> None:
    (tmp_path / "watched").mkdir()
    run = watching(tmp_path / "watched", quiet_period=NEVER)
    run.until_quiet()
    (tmp_path / "made.tiff").write_text("x")
    (tmp_path / "made.tiff").rename(tmp_path / "watched/a.tiff")
    run.until_names("a.tiff")
    (tmp_path / "watched/a.tiff").rename(tmp_path / "watched/b.tiff")
    run.until_names("a.tiff", "b.tiff")


def test_a_growing_file_is_held_while_polling(tmp_path: Path, watching: Start) -> None:
    run = watching(tmp_path, use_events=False, quiet_period=4.0)
    run.until_quiet()
    with (tmp_path / "slow.tiff").open("wb") as file:
        for _ in range(10):
            file.write(b"page")
            file.flush()
            time.sleep(0.15)
            assert run.names == []
    run.until_names("slow.tiff")
    assert run.files[0].size == 40


@both_ways
def test_the_expected_number_of_frames_is_enough(
    tmp_path: Path, watching: Start, use_events: bool | None
) -> None:
    run = watching(tmp_path, use_events=use_events, quiet_period=NEVER, whole=has_frames(3))
    with tifffile.TiffWriter(tmp_path / "m.tiff") as file:
        for _ in range(3):
            file.write(np.ones((8, 8), np.uint8), contiguous=False)
            file._fh.flush()
        run.until_names("m.tiff")  # it is still open


@both_ways
def test_a_fresh_nest_of_folders(tmp_path: Path, watching: Start, use_events: bool | None) -> None:
    """Folders within folders, filled faster than they can be followed."""
    run = watching(tmp_path, "**/Data/*.tiff", use_events=use_events)
    run.until_quiet()
    expected = []
    for square in range(20):
        folder = tmp_path / f"Images-Disc1/GridSquare_{square}/Data"
        folder.mkdir(parents=True)
        for number in range(3):
            expected.append(f"{square}_{number}.tiff")
            (folder / expected[-1]).write_text("x")
    run.until_names(*expected)


@both_ways
def test_a_whole_tree_moved_in(tmp_path: Path, watching: Start, use_events: bool | None) -> None:
    (tmp_path / "made/a/b").mkdir(parents=True)
    (tmp_path / "made/a/b/1.tiff").write_text("x")
    (tmp_path / "watched").mkdir()
    run = watching(tmp_path / "watched", use_events=use_events)
    run.until_quiet()
    (tmp_path / "made").rename(tmp_path / "watched/here")
    run.until_names("1.tiff")
    (tmp_path / "watched/here").rename(tmp_path / "watched/there")
    run.until_names("1.tiff", "1.tiff")
    (tmp_path / "watched/there/a/b/2.tiff").write_text("x")
    run.until_names("1.tiff", "1.tiff", "2.tiff")
    assert run.files[-1].path == tmp_path / "watched/there/a/b/2.tiff"


@both_ways
def test_a_changed_file_comes_again_and_a_replaced_one(
    tmp_path: Path, watching: Start, use_events: bool | None
) -> None:
    run = watching(tmp_path, use_events=use_events)
    (tmp_path / "a.tiff").write_text("1")
    run.until_names("a.tiff")
    with (tmp_path / "a.tiff").open("a") as file:
        file.write("2")
    run.until_names("a.tiff", "a.tiff")
    (tmp_path / ".new").write_text("123")
    (tmp_path / ".new").rename(tmp_path / "a.tiff")
    run.until_names(*["a.tiff"] * 3)
    make_old(tmp_path / "a.tiff")
    run.until_names(*["a.tiff"] * 4)
    assert [found.size for found in run.files] == [1, 2, 3, 3]


@both_ways
def test_a_file_deleted_before_it_is_complete(
    tmp_path: Path, watching: Start, use_events: bool | None
) -> None:
    run = watching(tmp_path, use_events=use_events, quiet_period=1.0)
    run.until_quiet()
    with (tmp_path / "gone.tiff").open("w") as file:
        file.write("x")
        file.flush()
        time.sleep(0.2)
        (tmp_path / "gone.tiff").unlink()
    (tmp_path / "stays.tiff").write_text("x")
    run.until_names("stays.tiff")


@both_ways
def test_a_restart_reports_only_what_is_new(tmp_path: Path, watching: Start, use_events: bool | None) -> None:
    for number in range(5):
        (tmp_path / f"{number}.tiff").write_text("x")
    first = watching(tmp_path, use_events=use_events)
    first.until_names(*(f"{number}.tiff" for number in range(5)))
    first.end()
    (tmp_path / "1.tiff").write_text("changed")
    (tmp_path / "5.tiff").write_text("x")
    known = {found.path: (found.size, found.modified) for found in first.files}
    status = (tmp_path / "2.tiff").stat()
    known[tmp_path / "2.tiff"] = (status.st_size, status.st_mtime)  # with all its digits
    watching(tmp_path, use_events=use_events, known=known).until_names("1.tiff", "5.tiff")


@both_ways
@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_a_root_that_comes_later_goes_and_comes_back(
    tmp_path: Path, watching: Start, use_events: bool | None, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    def wait_for_lines(count: int) -> None:
        while caplog.text.count("Waiting for the folder") < count:
            time.sleep(0.01)
        assert caplog.text.count("Waiting for the folder") == count

    root = tmp_path / "not/yet"
    run = watching(root, use_events=use_events)
    wait_for_lines(1)
    (tmp_path / "made").mkdir()
    (tmp_path / "made/a.tiff").write_text("x")
    root.parent.mkdir()
    (tmp_path / "made").rename(root)
    run.until_names("a.tiff")
    if how == "deleted":
        shutil.rmtree(root)
    else:
        root.rename(tmp_path / "made")
    wait_for_lines(2)
    root.mkdir()
    (root / "b.tiff").write_text("x")
    run.until_names("a.tiff", "b.tiff")


def test_stop_ends_the_longest_wait_at_once(tmp_path: Path) -> None:
    stop = threading.Event()
    files = watch([tmp_path], ["*.tiff"], stop=stop, quiet_period=NEVER, poll_interval=NEVER)
    assert next(files) == Quiet()
    threading.Timer(0.1, stop.set).start()
    assert list(files) == []


def test_stop_before_the_beginning(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert list(watch([tmp_path], ["*.tiff"], stop=stop)) == []


def test_nothing_is_left_open(tmp_path: Path) -> None:
    def inotify_handles() -> int:
        handles = Path("/proc/self/fd").iterdir()
        return sum("inotify" in str(handle.readlink()) for handle in handles if handle.is_symlink())

    before = inotify_handles()
    stop = threading.Event()
    files = watch([tmp_path], ["*.tiff"], stop=stop)
    next(files)
    assert inotify_handles() == before + 1
    files.close()  # type: ignore[attr-defined]
    stop.set()
    assert inotify_handles() == before


def test_lost_events_are_made_good(tmp_path: Path, watching: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event is dropped, and the kernel says so."""
    original = Events.read

    def lossy(self: Events) -> tuple[list[Touched], bool]:
        touched, lost = original(self)
        return [], lost or bool(touched)

    monkeypatch.setattr(Events, "read", lossy)
    run = watching(tmp_path)
    run.until_quiet()
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/1.tiff").write_text("x")
    (tmp_path / "2.tiff").write_text("x")
    run.until_names("1.tiff", "2.tiff")


def test_too_many_folders_to_follow_are_polled(
    tmp_path: Path, watching: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: INotify, path: Path, mask: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(INotify, "add_watch", full)
    run = watching(tmp_path)
    run.until_quiet()
    (tmp_path / "a.tiff").write_text("x")
    run.until_names("a.tiff")


@both_ways
def test_many_writers_at_once(tmp_path: Path, watching: Start, use_events: bool | None) -> None:
    run = watching(tmp_path, use_events=use_events)

    def write(writer: int) -> None:
        for number in range(50):
            folder = tmp_path / f"{number % 7}"
            folder.mkdir(exist_ok=True)
            (folder / f"{writer}_{number}.tiff").write_text("x" * 100)

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    run.until_names(*(f"{writer}_{number}.tiff" for writer in range(4) for number in range(50)))


@both_ways
def test_rsync(tmp_path: Path, watching: Start, use_events: bool | None) -> None:
    """rsync writes hidden temporaries and renames them; they never come, and what comes is whole."""
    rsync = shutil.which("rsync")
    if rsync is None:
        if "CI" in os.environ:
            raise RuntimeError("rsync is missing; install the package rsync.")
        pytest.skip("rsync is not installed (package rsync)")
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "movies").mkdir(parents=True)
    target.mkdir()
    for number in range(8):
        (source / f"movies/{number}.tiff").write_bytes(os.urandom(100_000))
        make_old(source / f"movies/{number}.tiff")
    run = watching(target, "**/*", use_events=use_events)
    copy = [rsync, "-a", "--bwlimit=2000", f"{source}/", f"{target}/"]
    subprocess.run(copy, check=True)
    run.until_names(*(f"{number}.tiff" for number in range(8)))
    assert {found.size for found in run.files} == {100_000}
    (source / "movies/3.tiff").write_bytes(os.urandom(120_000))
    subprocess.run(copy, check=True)
    run.until(lambda: run.names.count("3.tiff") == 2)
    run.until_quiet()
    assert len(run.files) == 9
    assert run.files[-1].size == 120_000


@pytest.mark.parametrize(
    ("roots", "patterns", "times", "message"),
    [
        ([], ["*.tiff"], {}, "no folder"),
        (["a"], [], {}, "nothing to look for"),
        (["a"], ["/a/*.tiff"], {}, "must be relative"),
        (["a", "a/b"], ["*.tiff"], {}, "lies within"),
        (["a", "a"], ["*.tiff"], {}, "lies within"),
        (["a"], ["*.tiff"], {"quiet_period": 0}, "longer than 0"),
        (["a"], ["*.tiff"], {"poll_interval": -1}, "longer than 0"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    tmp_path: Path, roots: list[str], patterns: list[str], times: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        watch([tmp_path / root for root in roots], patterns, stop=threading.Event(), **times)
