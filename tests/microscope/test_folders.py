import os
from pathlib import Path
from typing import NoReturn

import pytest

from eucentric.microscope import folders
from eucentric.microscope.folders import COARSEST_TIME, LIST_AGAIN, Tree
from eucentric.microscope.patterns import Patterns

LATER = COARSEST_TIME + 1


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the folders that were listed, in order."""
    names: list[str] = []
    original = Tree._list

    def counted(self: Tree, folder: folders.Folder, handle: int, found: list[Path]) -> None:
        names.append(folder.path.name)
        original(self, folder, handle, found)

    monkeypatch.setattr(Tree, "_list", counted)
    return names


def tree_of(root: Path, *patterns: str) -> Tree:
    return Tree(root, Patterns(patterns or ["**/*.tiff"]), lambda _folder: None)


def names(tree: Tree, now: float, **how: bool) -> list[str]:
    return sorted(str(path.relative_to(tree.root)) for path in tree.scan(now, **how))


def test_only_what_is_new_comes(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("1.tiff", "a/2.tiff", "a/b/3.tiff", "a/notes.txt"):
        (tmp_path / name).touch()
    tree = tree_of(tmp_path)
    assert names(tree, 0) == ["1.tiff", "a/2.tiff", "a/b/3.tiff"]
    assert names(tree, 1) == []
    (tmp_path / "a/4.tiff").touch()
    (tmp_path / "c/d").mkdir(parents=True)
    (tmp_path / "c/d/5.tiff").touch()
    assert names(tree, 2) == ["a/4.tiff", "c/d/5.tiff"]
    assert names(tree, 3, every=True) == ["1.tiff", "a/2.tiff", "a/4.tiff", "a/b/3.tiff", "c/d/5.tiff"]


def test_what_cannot_have_changed_is_not_listed(tmp_path: Path, listed: list[str]) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    tree = tree_of(tmp_path)
    names(tree, 0)
    assert sorted(listed) == sorted([tmp_path.name, "old", "new"])
    listed.clear()
    names(tree, LATER)
    assert listed == []
    (tmp_path / "new/a.tiff").touch()
    assert names(tree, LATER + 1) == ["new/a.tiff"]
    assert listed == ["new"]


def test_a_change_that_the_folders_time_is_too_coarse_to_show(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    os.utime(tmp_path, (1000, 1000))
    names(tree, 0)
    (tmp_path / "a.tiff").touch()
    os.utime(tmp_path, (1000, 1000))  # the same tick
    assert names(tree, COARSEST_TIME - 0.1) == ["a.tiff"]


def test_a_server_that_does_not_keep_folders_times(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    tree.on_network = True
    os.utime(tmp_path, (1000, 1000))
    names(tree, 0)
    (tmp_path / "a.tiff").touch()
    os.utime(tmp_path, (1000, 1000))
    assert names(tree, LIST_AGAIN - 1) == []
    assert names(tree, LIST_AGAIN) == ["a.tiff"]


def test_a_file_renamed_over_another_comes_again(tmp_path: Path) -> None:
    (tmp_path / "a.tiff").write_text("one")
    tree = tree_of(tmp_path)
    names(tree, 0)
    (tmp_path / ".b").write_text("two")
    (tmp_path / ".b").rename(tmp_path / "a.tiff")
    assert names(tree, 1) == ["a.tiff"]


def test_a_file_that_went_and_came_back(tmp_path: Path) -> None:
    (tmp_path / "a.tiff").touch()
    tree = tree_of(tmp_path)
    names(tree, 0)
    (tmp_path / "a.tiff").unlink()
    assert names(tree, 1) == []
    (tmp_path / "a.tiff").touch()
    assert names(tree, 2) == ["a.tiff"]


def test_hidden_folders_and_those_off_the_patterns_are_left_alone(tmp_path: Path, listed: list[str]) -> None:
    for folder in ("movies", ".rsync-partial", "atlas"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.tiff").touch()
    assert names(tree_of(tmp_path, "movies/*.tiff"), 0) == ["movies/a.tiff"]
    assert "atlas" not in listed
    assert ".rsync-partial" not in listed


def test_links_to_folders_are_not_followed_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.tiff").touch()
    (tmp_path / "real/round").symlink_to(tmp_path)
    (tmp_path / "b.tiff").symlink_to(tmp_path / "real/a.tiff")
    (tmp_path / "self").symlink_to("self")
    tree = tree_of(tmp_path)
    assert names(tree, 0) == ["b.tiff", "real/a.tiff"]
    names(tree, 1, every=True)
    assert [record.getMessage() for record in caplog.records] == [
        f"The link {tmp_path / 'real/round'} to a folder is not followed; watch that folder itself."
    ]


def test_a_name_that_is_not_utf8_is_left_out_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.tiff")).touch()
    except OSError:
        pytest.skip("this file system takes valid UTF-8 names only")
    for name in ("odd\n name.tiff", "ångström µ.tiff", "日本.tiff"):
        (tmp_path / name).touch()
    tree = tree_of(tmp_path)
    assert names(tree, 0) == sorted(["odd\n name.tiff", "ångström µ.tiff", "日本.tiff"])
    names(tree, 1)
    assert len(caplog.records) == 1
    assert "not valid UTF-8" in caplog.text
    caplog.text.encode()  # the log itself can be written


def test_an_unreadable_folder_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    (shut / "a.tiff").touch()
    (tmp_path / "b.tiff").touch()
    original = os.open

    def refuse(path: Path, flags: int) -> int:
        if path == shut:  # permissions do not stop the superuser, who may run this test
            raise PermissionError(13, "Permission denied")
        return original(path, flags)

    tree = tree_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert names(tree, 0) == ["b.tiff"]
        assert names(tree, LATER) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"The folder {shut} cannot be read: Permission denied. It is tried again; check its permissions."
    ]
    assert names(tree, 2 * LATER) == ["shut/a.tiff"]


def test_a_listing_that_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(handle: int) -> NoReturn:
        raise OSError(5, "Input/output error")

    (tmp_path / "a.tiff").touch()
    tree = tree_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", fail)
        assert names(tree, 0) == []
    assert names(tree, LATER) == ["a.tiff"]


def test_a_root_that_comes_goes_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "mount"
    tree = tree_of(root)
    for now in range(3):
        assert names(tree, now) == []
        assert tree.missing
    assert len(caplog.records) == 1
    assert "Waiting for the folder" in caplog.text
    (root / "sub").mkdir(parents=True)
    (root / "sub/a.tiff").touch()
    assert names(tree, 3) == ["sub/a.tiff"]
    assert not tree.missing
    root.rename(tmp_path / "away")
    assert names(tree, 4) == []
    assert tree.missing
    assert len(caplog.records) == 2
    (tmp_path / "away").rename(root)
    assert names(tree, 5) == ["sub/a.tiff"]


def test_each_folder_is_announced_before_it_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()

    def just_before(folder: Path) -> None:
        (folder / "just_before.tiff").touch()

    tree = Tree(tmp_path, Patterns(["**/*.tiff"]), just_before)
    assert names(tree, 0) == ["a/just_before.tiff", "just_before.tiff"]
