"""Does this machine keep up with a camera, for long, and how does it recover from a stall?

Run alone: `python benchmarks/keep_up.py` (9 minutes), or `--hours 8` for a night. Movies of reduced size come
at the rate of a camera and are processed by the whole workflow `single-particle`, as `eucentric run` does it,
monitor and report included. In the middle all workers are stopped for a minute, while the camera goes on.
Prints Markdown tables: latency, backlog and memory by phase, and the recovery.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from eucentric.engine.sessions import session_id_of
from eucentric.microscope.simulate import SimulationSettings, simulate_session
from eucentric.monitors.exposures import SessionRecord
from eucentric.store import Database, Site

RATES = {
    "K2, one movie a hole, stage moves": 60,
    "K3 or Falcon 4, several shots a hole by image shift": 300,
    "Falcon 4i or K3, aberration-free image shift": 600,
    "the fastest reported": 1000,
}
"""Movies an hour that facilities report for their cameras (order of magnitude)."""
LAST = "extract"
POOL = 24
LOOK_SECONDS = 2.0


class Look(NamedTuple):
    """One look at everything.

    Attributes:
        time: Seconds since the beginning.
        came: Movies that have come.
        done: Movies that are through: particles cut out, or rejected or failed on the way.
        memory: Resident bytes by kind of process.
        cpu: CPU seconds of all processes so far.
    """

    time: float
    came: int
    done: int
    memory: dict[str, int]
    cpu: float


class Camera:
    """Lets movies come at a rate: copies of a few different ones, renamed into place."""

    def __init__(self, pool: Path, folder: Path, per_hour: float) -> None:
        self.originals = sorted((pool / "movies").glob("*.tiff"))
        self.folder = folder
        self.interval = 3600 / per_hour
        self.came = 0

    def expose(self, elapsed: float) -> None:
        """Bring the movies that are due after so many seconds."""
        while self.came * self.interval <= elapsed:
            hidden = self.folder / f".{self.came}"
            shutil.copyfile(self.originals[self.came % len(self.originals)], hidden)
            hidden.rename(self.folder / f"movie_{self.came:06d}.tiff")
            self.came += 1


class Processes:
    """All processes of one `eucentric run`: the engine, its monitor, the cluster and its workers."""

    def __init__(self, engine: int, site: Site) -> None:
        self.engine = psutil.Process(engine)
        self.site = site
        self._spent: dict[int, float] = {}

    def all(self) -> Iterator[tuple[str, psutil.Process]]:
        """Yield what each is, and the process."""
        yield "engine", self.engine
        for child in self.engine.children():
            if "monitor" in child.cmdline():
                yield "monitor", child
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            cluster = psutil.Process(json.loads((self.site.run_folder / "cluster.json").read_text())["pid"])
            yield "cluster", cluster
            for child in cluster.children(recursive=True):
                yield "workers", child

    def measure(self) -> tuple[dict[str, int], float]:
        """Return resident memory by kind, and the CPU seconds of all processes there ever were."""
        memory: dict[str, int] = {}
        for kind, process in self.all():
            with contextlib.suppress(psutil.NoSuchProcess):
                memory[kind] = memory.get(kind, 0) + process.memory_info().rss
                times = process.cpu_times()
                self._spent[process.pid] = times.user + times.system
        return memory, sum(self._spent.values())

    def signal_workers(self, number: int) -> None:
        """Send a signal to all workers."""
        for kind, process in self.all():
            if kind == "workers":
                process.send_signal(number)


def through(record: SessionRecord) -> int:
    """Return how many movies are worked on to the end."""
    return sum(
        LAST in each.made or each.state in ("done", "rejected", "failed") for each in record.exposures()
    )


def measure(folder: Path, chosen: argparse.Namespace) -> tuple[list[Look], SessionRecord, float, float]:
    """Run the session; return the looks, its record, and when the stall began and ended."""
    settings = SimulationSettings(
        exposures=POOL, width=chosen.size, height=chosen.size, frames=16, pixel_size=2.4, particles=20
    )
    print("Simulating the movies ...", file=sys.stderr)
    simulate_session(folder / "pool", settings)
    arriving = folder / "arriving"
    arriving.mkdir()
    site = Site.create(folder / "site")
    camera = Camera(folder / "pool", arriving, chosen.per_hour)
    command = [str(Path(sys.executable).with_name("eucentric")), "run", "single-particle"]
    command += ["--input", str(arriving), "--site", str(site.folder), "--session", "night"]
    command += ["--gain", str(folder / "pool" / "gain.mrc"), "--diameter", "150", "--voltage", "300"]
    command += ["--dose-per-frame", str(settings.dose_per_frame)]
    with (folder / "log").open("wb") as log:
        engine = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        return _follow(site, camera, Processes(engine.pid, site), chosen)
    finally:
        engine.send_signal(signal.SIGINT)
        engine.wait(timeout=120)


def _follow(
    site: Site, camera: Camera, processes: Processes, chosen: argparse.Namespace
) -> tuple[list[Look], SessionRecord, float, float]:
    length = chosen.hours * 3600
    stall = (length / 2, length / 2 + 60)
    stopped, looks = False, list[Look]()
    with Database.open(site) as database:
        record = _record(database)
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < length:
            camera.expose(elapsed)
            if (stall[0] <= elapsed < stall[1]) != stopped:
                stopped = not stopped
                processes.signal_workers(signal.SIGSTOP if stopped else signal.SIGCONT)
            if not looks or elapsed - looks[-1].time >= LOOK_SECONDS:
                with database.read() as connection:
                    record.update(connection)
                looks.append(Look(elapsed, camera.came, through(record), *processes.measure()))
                print(f"\r{elapsed:6.0f} s: {looks[-1].done} of {camera.came}", end="", file=sys.stderr)
            time.sleep(0.05)
    return looks, record, *stall


def _record(database: Database) -> SessionRecord:
    """Wait for the session, and return its record."""
    while True:
        with contextlib.suppress(LookupError), database.read() as connection:
            return SessionRecord(session_id_of(connection, "night"))
        time.sleep(0.1)


def tell(
    looks: list[Look], record: SessionRecord, begin: float, end: float, chosen: argparse.Namespace
) -> None:
    """Print what was measured."""
    recovered = next(
        (look.time for look in looks if look.time > end and look.came - look.done <= 3), looks[-1].time
    )
    # The first minute is that of starting up.
    phases = {"before the stall": (60, begin), "after the recovery": (recovered, looks[-1].time)}
    kinds = ("engine", "workers", "monitor")
    print(f"\n| {chosen.size}² × 16, {chosen.per_hour:.0f} movies an hour | before the stall | after it |")
    print("| --- | --- | --- |")
    parts = [[look for look in looks if low <= look.time <= high] for low, high in phases.values()]
    rows = {
        "longest backlog (movies)": [max(look.came - look.done for look in part) for part in parts],
        "CPUs used": [
            f"{(part[-1].cpu - part[0].cpu) / (part[-1].time - part[0].time):.2f}" for part in parts
        ],
    }
    for kind in kinds:
        ends = [
            f"{part[0].memory.get(kind, 0) / 1e6:.0f} → {part[-1].memory.get(kind, 0) / 1e6:.0f}"
            for part in parts
        ]
        rows[f"memory, {kind} (MB, beginning → end)"] = ends
    for name, values in rows.items():
        print(f"| {name} | {values[0]} | {values[1]} |")
    latencies = [each.latency for each in record.exposures() if each.latency is not None]
    print(
        f"\nLast byte to CTF: median {statistics.median(latencies):.1f} s over all {len(latencies)} movies."
    )
    most = max(look.came - look.done for look in looks)
    print(
        f"All workers stood still for {end - begin:.0f} s: the backlog grew to {most} movies and was gone"
        f" {recovered - end:.0f} s after they went on."
    )
    share = (looks[-1].cpu - looks[0].cpu) / looks[-1].done
    print(
        f"{looks[-1].done} of {looks[-1].came} movies are through, {share:.2f} CPU s each in all processes."
    )
    print("\n| camera | movies an hour | this machine at this image size |\n| --- | --- | --- |")
    most_per_hour = 3600 * len(os.sched_getaffinity(0)) / share
    for camera, rate in RATES.items():
        print(f"| {camera} | {rate} | {'keeps up' if rate < most_per_hour else 'falls behind'} |")
    print(f"\nComputed from the CPU time, it would sustain {most_per_hour:.0f} movies an hour.")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hours", type=float, default=0.15)
    parser.add_argument("--per-hour", type=float, default=1000)
    parser.add_argument("--size", type=int, default=512)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eucentric-keep-up-") as temporary:
        tell(*measure(Path(temporary), chosen), chosen)


if __name__ == "__main__":
    main()
