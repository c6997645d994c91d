"""Where the files of a session lie."""

from pathlib import Path

from eucentric.engine import places


def test_results_of_all_revisions_generations_and_paths_lie_apart() -> None:
    made = {
        places.task_destination("run", revision, path, generation)
        for revision in (1, 2, 12)
        for generation in (0, 1, 2, 11)
        for path in (("a",), ("a", "e1"), ("a", "e1.2"), ("a", "e1", "2"), ("a.2", "e1"))
    }
    assert len(made) == 3 * 4 * 5
    assert places.task_destination("run", 1, ("a", "e1"), 0) == "runs/run/r1/a/e1"
    assert places.task_destination("run", 1, ("a", "e1"), 1) == "runs/run/r1.2/a/e1"


def test_a_folder_moves_into_place_over_what_lies_there(tmp_path: Path) -> None:
    for content in ("old", "new"):
        (tmp_path / "work/t").mkdir(parents=True)
        (tmp_path / "work/t/file").write_text(content)
        (tmp_path / "work/t" / content).touch()
        places.move_into_place(tmp_path, "work/t", "runs/run/r1/a/e1")
    assert (tmp_path / "runs/run/r1/a/e1/file").read_text() == "new"
    assert not (tmp_path / "runs/run/r1/a/e1/old").exists()
    assert not (tmp_path / "work/t").exists()


def test_a_crash_goes_into_the_log(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/t.crash").write_text("Segmentation fault")
    places.keep_crash(tmp_path, "work/t", "logs/run/a/e1.log")
    assert (tmp_path / "logs/run/a/e1.log").read_text() == "Segmentation fault"
    assert not list((tmp_path / "work").iterdir())
    places.keep_crash(tmp_path, "work/t", "logs/run/a/e2.log")
    assert not (tmp_path / "logs/run/a/e2.log").exists()


def test_sweeping_leaves_an_empty_work_folder(tmp_path: Path) -> None:
    places.sweep(tmp_path)
    (tmp_path / "work/deep/er").mkdir(parents=True)
    (tmp_path / "work/deep/er/file").touch()
    places.sweep(tmp_path)
    assert list((tmp_path / "work").iterdir()) == []
