"""The finder against random histories, with its own time."""

import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eucentric.microscope.complete import SETTLE, Version
from eucentric.microscope.events import Touched
from eucentric.microscope.finder import RECHECKED, Finder, FoundFile
from eucentric.microscope.patterns import Patterns

QUIET = 10.0
POLL = 2.0


def finder_of(root: Path, known: dict[Path, Version] | None = None, **settings: Any) -> Finder:
    settings = {"on_network": True, **settings}
    return Finder(
        [root], Patterns(["**/*.tiff"]), known or {}, quiet_period=QUIET, poll_interval=POLL, **settings
    )


def look(finder: Finder, now: float) -> list[FoundFile]:
    for _ in finder.scan(now):
        pass
    return list(finder.settle(now))


def write(path: Path, size: int, modified: float) -> None:
    path.write_bytes(b"x" * size)
    os.utime(path, (modified, modified))


def test_a_growing_file_is_left_until_it_has_been_quiet(tmp_path: Path) -> None:
    finder = finder_of(tmp_path)
    file = tmp_path / "a.tiff"
    start = time.time()
    for step in range(20):
        write(file, 100 + step, start + step)
        assert look(finder, 100 + 2 * step) == []
        assert not finder.is_settled
    assert look(finder, 138 + QUIET - 0.1) == []
    (found,) = look(finder, 138 + QUIET)
    assert (found.path, found.size) == (file, 119)
    assert finder.is_settled


def test_the_backlog_comes_at_once_the_oldest_first(tmp_path: Path) -> None:
    now = time.time() - 1000
    for age in (40, 20, 30, 0):
        write(tmp_path / f"{age}.tiff", 10, now - age)
    finder = finder_of(tmp_path)
    assert [found.path.name for found in look(finder, 100)] == ["40.tiff", "30.tiff", "20.tiff"]
    assert not finder.is_settled  # nothing proves that the newest is older than its server's clock
    assert [found.path.name for found in look(finder, 100 + QUIET)] == ["0.tiff"]


def test_known_files_do_not_come_again_unless_changed(tmp_path: Path) -> None:
    old = time.time() - 1000
    for name in ("same", "longer", "later"):
        write(tmp_path / f"{name}.tiff", 10, old)
    known = {path: Version.of(path.stat()) for path in tmp_path.iterdir()}
    write(tmp_path / "longer.tiff", 11, old)
    write(tmp_path / "later.tiff", 10, old + 1)
    finder = finder_of(tmp_path, known)
    found = look(finder, 100) + look(finder, 100 + QUIET)
    assert sorted(each.path.name for each in found) == ["later.tiff", "longer.tiff"]


def test_a_whole_file_need_not_be_quiet(tmp_path: Path) -> None:
    asked: list[int] = []

    def whole(path: Path) -> bool:
        asked.append(path.stat().st_size)
        return asked[-1] == 40

    finder = finder_of(tmp_path, whole=whole)
    file = tmp_path / "a.tiff"
    write(file, 20, time.time())
    assert look(finder, 100) == look(finder, 102) == []
    write(file, 40, time.time())
    assert [found.size for found in look(finder, 104)] == [40]
    assert asked == [20, 40]  # once for every version


def test_an_empty_file_is_complete_only_when_quiet(tmp_path: Path) -> None:
    finder = finder_of(tmp_path, whole=lambda _path: True)
    look(finder, 99)
    (tmp_path / "a.tiff").touch()
    closed = Touched(tmp_path, "a.tiff", is_folder=False, finished=True, gone=False)
    list(finder.notice(closed, 100))
    assert look(finder, 101) == []
    assert [found.size for found in look(finder, 100 + QUIET)] == [0]


def test_a_copy_whose_time_is_set_just_after_closing_comes_once(tmp_path: Path) -> None:
    finder = finder_of(tmp_path)
    look(finder, 99)
    (tmp_path / "a.tiff").write_text("x")
    list(finder.notice(Touched(tmp_path, "a.tiff", is_folder=False, finished=True, gone=False), 100))
    assert list(finder.settle(100)) == []
    write(tmp_path / "a.tiff", 1, 5000)
    assert [found.modified for found in finder.settle(100 + SETTLE)] == [5000]
    list(finder.notice(Touched(tmp_path, "a.tiff", is_folder=False, finished=False, gone=False), 101))
    assert look(finder, 101 + QUIET) == []


def test_a_file_changed_in_place_is_noticed_in_turn(tmp_path: Path) -> None:
    """Its folder shows nothing, so the files are looked at again a hundred at a time."""
    old = time.time() - 1000
    files = [tmp_path / f"{number:03}.tiff" for number in range(3 * RECHECKED)]
    for file in files:
        write(file, 10, old)
    write(tmp_path / "newest.tiff", 10, old + 100)
    finder = finder_of(tmp_path)
    assert len(look(finder, 100)) == len(files)
    look(finder, 200)
    write(files[-1], 20, old)
    rounds = [look(finder, 200 + POLL * turn) for turn in range(1, 6)]
    assert [found.size for found in itertools.chain(*rounds)] == [20]


def test_a_file_that_its_server_shows_to_have_grown_is_not_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's cached status looks quiet; the opened file tells that it is not."""
    finder = finder_of(tmp_path)
    file = tmp_path / "a.tiff"
    write(file, 10, time.time())
    stale = file.stat()
    look(finder, 100)
    write(file, 20, time.time())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda self, **_how: stale)
        assert look(finder, 100 + QUIET) == []
    assert look(finder, 102 + QUIET) == []
    assert [found.size for found in look(finder, 100 + 2 * QUIET)] == [20]


def test_a_vanished_file_is_dropped(tmp_path: Path) -> None:
    finder = finder_of(tmp_path)
    write(tmp_path / "a.tiff", 10, time.time())
    look(finder, 100)
    (tmp_path / "a.tiff").unlink()
    assert look(finder, 200) == []
    assert finder.is_settled


def test_a_missing_root_is_not_settled(tmp_path: Path) -> None:
    finder = finder_of(tmp_path / "mount")
    assert look(finder, 100) == []
    assert not finder.is_settled
    assert finder.due == 100 + POLL
    (tmp_path / "mount").mkdir()
    look(finder, 102)
    assert finder.is_settled


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens to the files: every version that lasts is reported, once."""

    folders = st.sampled_from(["", "a", "a/b", "c"])
    names = st.sampled_from(["1.tiff", "2.tiff", "3.tiff", "note.txt", ".hid.tiff", "4.tiff.part"])

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.now = 1000.0
        self.modified = time.time() - 5000  # no two versions have the same time
        self.reported: dict[Path, list[Version]] = {}
        self.finder = finder_of(self.root)

    def _next_time(self) -> float:
        self.modified += 0.01  # so little that no file is ever old by its time alone
        return self.modified

    @rule(folder=folders, name=names, size=st.integers(0, 5))
    def write(self, folder: str, name: str, size: int) -> None:
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        write(self.root / folder / name, size, self._next_time())

    @rule(folder=folders, name=names, to_folder=folders, to_name=names)
    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> None:
        if (source := self.root / folder / name).exists():
            (self.root / to_folder).mkdir(parents=True, exist_ok=True)
            source.replace(self.root / to_folder / to_name)

    @rule(folder=folders, name=names)
    def delete(self, folder: str, name: str) -> None:
        (self.root / folder / name).unlink(missing_ok=True)

    @rule(folder=folders.filter(bool))
    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self.root / folder, ignore_errors=True)

    @rule(folder=folders.filter(bool))
    def rename_folder(self, folder: str) -> None:
        if (self.root / folder).is_dir() and not (self.root / "moved").exists():
            (self.root / folder).rename(self.root / "moved")

    @rule(seconds=st.sampled_from([0.5, 3.0, 12.0]))
    def look(self, seconds: float) -> None:
        self.now += seconds
        for found in look(self.finder, self.now):
            self.reported.setdefault(found.path, []).append(Version(found.size, found.modified))

    @precondition(lambda self: self.reported)
    @rule()
    def restart(self) -> None:
        known = {path: versions[-1] for path, versions in self.reported.items()}
        self.finder = finder_of(self.root, known)

    @rule()
    def let_all_settle(self) -> None:
        for _ in range(4):
            self.look(QUIET)
        assert self.finder.is_settled
        there = {
            path: Version.of(path.stat())
            for path in self.root.rglob("*.tiff")
            if path.is_file() and not path.name.startswith(".")
        }
        assert {path: self.reported[path][-1] for path in there} == there

    @invariant()
    def nothing_is_reported_twice_or_by_mistake(self) -> None:
        for path, versions in self.reported.items():
            assert path.suffix == ".tiff"
            assert not path.name.startswith(".")
            assert all(one != next_ for one, next_ in itertools.pairwise(versions))

    def teardown(self) -> None:
        shutil.rmtree(self.root)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
