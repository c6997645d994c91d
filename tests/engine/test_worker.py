"""What a worker does with one task."""

import os
import shutil
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from engine import sample_protocols as sample
from eucentric.engine.registry import code_digest
from eucentric.engine.worker import BatchSpec, TaskSpec, execute, record_of, threads


@pytest.fixture
def session(tmp_path: Path) -> Path:
    (tmp_path / "protocols").mkdir()
    shutil.copy(Path(sample.__file__), tmp_path / "protocols" / "sample.py")
    (tmp_path / "session/data/moods").mkdir(parents=True)
    return tmp_path / "session"


def spec(session: Path, **changes: object) -> TaskSpec:
    values = {
        "protocol": "sample-step",
        "protocols": str(session.parent / "protocols"),
        "inputs": {"number": record_of(sample.Value(value=4))},
        "path": ("a", "e1"),
        "session": str(session),
        "work": "work/task-1.1",
        "destination": "runs/one/r1/a/e1",
        "log": "logs/one/a/e1.1.1.log",
        "seed": "5eed",
    }
    return TaskSpec.model_validate({**values, **changes})


def test_a_task_writes_in_its_folder_only(session: Path) -> None:
    result = execute(spec(session))
    assert result.status == "done"
    assert result.files
    assert result.outputs["value"]["data"] == {"value": 5, "path": "runs/one/r1/a/e1/part/noise"}
    files = {str(file.relative_to(session)) for file in session.rglob("*") if file.is_file()}
    assert files == {"work/task-1.1/part/noise"}


def test_the_seed_decides_what_is_random(session: Path) -> None:
    noise = []
    for number, seed in enumerate(("5eed", "5eed", "0ther")):
        execute(spec(session, work=f"work/{number}", seed=seed))
        noise.append((session / f"work/{number}/part/noise").read_bytes())
    assert noise[0] == noise[1] != noise[2]


@pytest.mark.parametrize(
    ("mood", "status", "reason"),
    [
        ("fail", "failed", "ValueError: told to fail"),
        ("reject", "rejected", "told to reject"),
        ("miss-file", "failed", "FileNotFoundError"),
    ],
)
def test_how_tasks_end(session: Path, mood: str, status: str, reason: str) -> None:
    (session / "data/moods/one").write_text(mood)
    result = execute(spec(session))
    assert (result.status, result.outputs) == (status, {})
    assert result.reason.startswith(reason)
    assert (session / "logs/one/a/e1.1.1.log").exists() == (status == "failed")


def test_a_log_is_made_only_when_there_is_something_to_say(session: Path) -> None:
    execute(spec(session))
    assert not (session / "logs/one/a/e1.1.1.log").exists()
    (session / "data/moods/one").write_text("say")
    execute(spec(session, work="work/again"))
    assert "told to say something" in (session / "logs/one/a/e1.1.1.log").read_text()


def test_other_code_than_recorded_is_refused(session: Path) -> None:
    assert execute(spec(session, code=code_digest(sample.Step))).status == "done"
    result = execute(spec(session, code="0" * 64, work="work/again"))
    assert result.status == "failed"
    assert "stop and continue the session" in result.reason


def test_unknown_and_broken_protocols_are_told(session: Path) -> None:
    assert "it is not installed where the task ran" in execute(spec(session, protocol="nonsense")).reason


def test_a_wrong_result_is_told(session: Path) -> None:
    file = session.parent / "protocols" / "wrong.py"
    file.write_text(
        "from eucentric.engine.protocol import Protocol, Task\n"
        "from eucentric.metadata import Movie\n"
        "class Wrong(Protocol):\n"
        "    name = 'wrong'\n    version = '1'\n"
        "    def process(self, movie: Movie | None, task: Task) -> Movie:\n        return 7\n"
    )
    result = execute(spec(session, protocol="wrong", inputs={}))
    assert result.reason == "TypeError: wrong returned int as its output movie; it declares Movie"


def test_a_batch_starts_from_the_state_before(session: Path) -> None:
    entries = [{"number": record_of(sample.Value(value=value))} for value in (3, 4)]
    first = BatchSpec(before=None, added=entries, removed=[])
    result = execute(
        spec(session, protocol="sample-sum", inputs={}, batch=first, work="state/v1", path=("a",))
    )
    assert result.outputs["total"]["data"]["total"] == 7
    assert (session / "state/v1/state.json").exists()
    second = BatchSpec(before="state/v1", added=[], removed=entries[:1])
    result = execute(
        spec(session, protocol="sample-sum", inputs={}, batch=second, work="state/v2", path=("a",))
    )
    assert (result.outputs["total"]["data"]["entries"], result.outputs["total"]["data"]["total"]) == (1, 4)


def test_a_session_that_cannot_be_written_to_fails_the_task(session: Path) -> None:
    (session / "work").write_text("not a folder")
    result = execute(spec(session))
    assert result.status == "failed"


def test_libraries_use_as_many_threads_as_the_task_has_cpus() -> None:
    import scipy.fft
    import torch

    before = torch.get_num_threads()
    try:
        with threads(1):
            assert torch.get_num_threads() == 1
            assert scipy.fft.get_workers() == 1
        with threads(2):
            assert torch.get_num_threads() == 2
            assert scipy.fft.get_workers() == min(2, os.cpu_count() or 1)
            blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
            assert blas
            assert set(blas) == {1}
    finally:
        torch.set_num_threads(before)
