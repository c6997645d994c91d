"""The load of this machine: processors, memory, disks, network, graphics cards, sampled every few seconds.

The samples are also kept in a file, so that a monitor that was started again knows what was before.
"""

import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import psutil
import pynvml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eucentric.formats.replacing import replacing

log = logging.getLogger(__name__)

KEPT = 20_000
"""Samples kept, in memory and (at most twice as many) in the file: two days and more, at one in 10 s."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class GPUSample(_Record):
    """One graphics card at one moment."""

    name: str
    use: float = Field(description="Share of the time that it computed, in %.")
    memory: int = Field(description="Memory in use, in bytes.")
    memory_total: int = Field(description="All memory it has, in bytes.")


class Sample(_Record):
    """The machine at one moment; rates are means since the sample before."""

    time: float = Field(description="Seconds since 1970, UTC.")
    cpu: float = Field(description="Use of all processors together, in %.")
    memory: int = Field(description="Memory in use, in bytes, as far as it cannot be given back.")
    memory_total: int = Field(description="All memory, in bytes.")
    read: float = Field(description="From all disks, in bytes/s.")
    written: float = Field(description="To all disks, in bytes/s.")
    received: float = Field(description="From the network, in bytes/s.")
    sent: float = Field(description="To the network, in bytes/s.")
    disk_free: dict[str, int] = Field(description="Bytes free for this user, by folder.")
    disk_total: dict[str, int] = Field(description="Size of the file system of each folder, in bytes.")
    gpus: list[GPUSample] = Field(default_factory=list, description="None is normal.")


class Sampler:
    """Takes samples of this machine."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Prepare to sample; `folders` are those of `watch`."""
        self._folders: dict[int, Path] = {}
        self.watch(folders)
        self._gpus = _graphics_cards()
        psutil.cpu_percent()  # the first call has nothing to compare with
        self._before = (time.monotonic(), _counted())

    def watch(self, folders: Iterable[Path]) -> None:
        """Look from now on at the file systems of these folders, too; at each file system once."""
        for folder in folders:
            with contextlib.suppress(OSError):  # a data folder that is not mounted now
                self._folders.setdefault(folder.stat().st_dev, folder)

    def take(self) -> Sample:
        """Look at the machine."""
        now, counted = time.monotonic(), _counted()
        (then, before), self._before = self._before, (now, counted)
        seconds = max(now - then, 1e-3)
        # Counters begin again from zero when a device comes back.
        rates = [max(0, new - old) / seconds for new, old in zip(counted, before, strict=True)]
        memory = psutil.virtual_memory()
        free, total = self._disks()
        return Sample(
            time=time.time(),
            cpu=psutil.cpu_percent(),
            memory=memory.total - memory.available,
            memory_total=memory.total,
            read=rates[0],
            written=rates[1],
            received=rates[2],
            sent=rates[3],
            disk_free=free,
            disk_total=total,
            gpus=self._sample_gpus(),
        )

    def _disks(self) -> tuple[dict[str, int], dict[str, int]]:
        free, total = {}, {}
        for folder in self._folders.values():
            with contextlib.suppress(OSError):
                if os.statvfs(folder).f_flag & os.ST_RDONLY:
                    continue  # it is never filled up, and often says that nothing is free
                usage = psutil.disk_usage(str(folder))
                free[str(folder)], total[str(folder)] = usage.free, usage.total
        return free, total

    def _sample_gpus(self) -> list[GPUSample]:
        found = []
        for number in range(self._gpus):
            try:
                card = pynvml.nvmlDeviceGetHandleByIndex(number)
                memory = pynvml.nvmlDeviceGetMemoryInfo(card)
                use = pynvml.nvmlDeviceGetUtilizationRates(card).gpu
                name = str(pynvml.nvmlDeviceGetName(card))
            except pynvml.NVMLError as error:  # it was taken away, or may not be asked
                log.debug("Graphics card %d does not answer: %s", number, error)
                continue
            found.append(
                GPUSample(name=name, use=use, memory=int(memory.used), memory_total=int(memory.total))
            )
        return found


def _graphics_cards() -> int:
    """Return the number of graphics cards; 0 where there is no driver."""
    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0


def _counted() -> tuple[int, int, int, int]:
    """Return the bytes read, written, received and sent since the machine was started."""
    disks = psutil.disk_io_counters()  # None in some containers
    networks = [found for name, found in psutil.net_io_counters(pernic=True).items() if name != "lo"]
    return (
        disks.read_bytes if disks else 0,
        disks.write_bytes if disks else 0,
        sum(each.bytes_recv for each in networks),
        sum(each.bytes_sent for each in networks),
    )


class SampleLog:
    """The newest samples, oldest first, in memory and in a file of JSON lines."""

    def __init__(self, file: Path, kept: int = KEPT) -> None:
        """Read what is there already; lines that are damaged are passed over."""
        self._file, self._kept = file, kept
        self._samples: deque[Sample] = deque(maxlen=kept)
        text = file.read_text(errors="replace") if file.exists() else ""
        lines = text.splitlines()
        for line in lines[-kept:]:
            with contextlib.suppress(ValidationError):
                self._samples.append(Sample.model_validate_json(line))
        # After half a line, which a monitor that was killed leaves, the file is written anew.
        self._lines = len(lines) if text.endswith("\n") or not text else 2 * kept

    @property
    def samples(self) -> list[Sample]:
        """The samples, oldest first."""
        return list(self._samples)

    def add(self, sample: Sample) -> None:
        """Keep a sample. Where it cannot be written (a full disk), it is kept in memory only."""
        self._samples.append(sample)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._lines >= 2 * self._kept:
                self._shorten()
            with self._file.open("a") as stream:
                stream.write(sample.model_dump_json() + "\n")
            self._lines += 1
        except OSError as error:
            log.warning("The load of the machine is not written to %s: %s", self._file, error.strerror)

    def _shorten(self) -> None:
        with replacing(self._file) as part:
            part.write_text("".join(f"{each.model_dump_json()}\n" for each in list(self._samples)[:-1]))
        self._lines = len(self._samples) - 1
