"""The load of the machine: what is sampled here is what this machine does, and survives in a file."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from eucentric.monitors.system import Sample, SampleLog, Sampler


def sample_at(moment: float) -> Sample:
    return Sample(
        time=moment,
        cpu=10,
        memory=1,
        memory_total=2,
        read=0,
        written=0,
        received=0,
        sent=0,
        disk_free={"/": 5},
        disk_total={"/": 9},
    )


def test_a_sample_tells_of_this_machine(tmp_path: Path) -> None:
    sampler = Sampler([tmp_path, tmp_path, tmp_path / "not mounted"])
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        sum(range(10_000))
    sample = sampler.take()
    assert 100 / (2 * os.cpu_count()) <= sample.cpu <= 100  # type: ignore[operator]
    assert sample.memory_total == psutil.virtual_memory().total
    assert 0 < sample.memory < sample.memory_total
    assert list(sample.disk_free) == [str(tmp_path)]
    assert 0 < sample.disk_free[str(tmp_path)] <= sample.disk_total[str(tmp_path)]
    assert min(sample.read, sample.written, sample.received, sample.sent) >= 0
    for gpu in sample.gpus:
        assert 0 <= gpu.use <= 100
        assert 0 <= gpu.memory <= gpu.memory_total


def test_what_cannot_be_written_to_is_no_disk_that_fills_up(tmp_path: Path) -> None:
    places = [
        Path(each.mountpoint) for each in psutil.disk_partitions(all=True) if "ro" in each.opts.split(",")
    ]
    if not places:
        pytest.skip("nothing is mounted read-only here")
    assert list(Sampler([places[0], tmp_path]).take().disk_free) == [str(tmp_path)]


def test_samples_outlive_the_monitor(tmp_path: Path) -> None:
    file = tmp_path / "monitor" / "load.jsonl"
    first = SampleLog(file)
    for moment in range(3):
        first.add(sample_at(moment))
    with file.open("a") as stream:
        stream.write('{"time": 3, "cp')  # killed while it wrote
    second = SampleLog(file)
    assert second.samples == [sample_at(moment) for moment in range(3)]
    second.add(sample_at(4))
    assert [each.time for each in SampleLog(file).samples] == [0, 1, 2, 4]


def test_neither_memory_nor_file_grows_without_end(tmp_path: Path) -> None:
    file = tmp_path / "load.jsonl"
    kept = SampleLog(file, kept=10)
    for moment in range(95):
        kept.add(sample_at(moment))
        assert len(file.read_text().splitlines()) <= 20
    assert [each.time for each in kept.samples] == list(range(85, 95))
    assert SampleLog(file, kept=10).samples == kept.samples


def test_what_cannot_be_written_is_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = SampleLog(tmp_path / "file" / "load.jsonl")
    kept.add(sample_at(1))
    assert kept.samples == [sample_at(1)]


def test_graphics_cards_are_sampled_and_may_vanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the driver answers; the machines that run the tests need not have a card."""
    memory = SimpleNamespace(used=30_000_000_000, total=150_000_000_000)
    answers: dict[str, object] = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda number: number,
        "nvmlDeviceGetMemoryInfo": lambda card: memory,
        "nvmlDeviceGetUtilizationRates": lambda card: SimpleNamespace(gpu=40 + card, memory=7),
        "nvmlDeviceGetName": lambda card: "NVIDIA H200",
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)
    sampler = Sampler([tmp_path])
    assert [gpu.use for gpu in sampler.take().gpus] == [40, 41]
    assert Sample.model_validate_json(sampler.take().model_dump_json()).gpus[0].memory == memory.used

    def lost(card: int) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lost)
    assert sampler.take().gpus == []
