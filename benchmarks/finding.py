"""How soon a file is found, and what watching costs.

Run as `python benchmarks/finding.py [folder]`; it prints a Markdown table. Name a folder on a network
mount to measure there; the default is a temporary folder on the local disk.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from eucentric.microscope import FoundFile, Quiet, watch
from eucentric.microscope.finder import Finder
from eucentric.microscope.patterns import Patterns

MANY = 20_000
PATTERN = "**/*.tiff"


def latency(folder: Path, *, rename: bool, count: int = 200) -> list[float]:
    """Return the milliseconds from each close, or rename, to the file's coming out of `watch`."""
    stop = threading.Event()
    files = watch([folder], [PATTERN], stop=stop)
    while not isinstance(next(files), Quiet):
        pass
    done: dict[Path, float] = {}

    def write() -> None:
        for number in range(count):
            path = folder / f"{'renamed' if rename else 'closed'}_{number}.tiff"
            first = folder / f".{path.name}" if rename else path
            handle = first.open("wb")
            handle.write(os.urandom(10_000))
            if rename:
                handle.close()
                done[path] = time.perf_counter()
                first.rename(path)
            else:
                done[path] = time.perf_counter()
                handle.close()
            time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    taken = []
    for found in files:
        if isinstance(found, FoundFile):
            taken.append((time.perf_counter() - done[found.path]) * 1000)
        if len(taken) == count:
            break
    writer.join()
    stop.set()
    return taken


def fill(folder: Path, count: int) -> None:
    """Make `count` small files that are old enough to be complete."""
    old = time.time() - 3600
    for number in range(count):
        path = folder / f"FoilHole_{number:08}_Data_fractions.tiff"
        path.write_bytes(b"x")
        os.utime(path, (old, old))


def polls(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield what rounds of polling cost (CPU ms) with `MANY` files in `folder`."""
    finder = Finder([folder], Patterns([PATTERN]), {}, quiet_period=10, poll_interval=2, on_network=True)

    def round_(now: float) -> float:
        before = time.process_time()
        for _ in finder.scan(now):
            pass
        list(finder.settle(now))
        return (time.process_time() - before) * 1000

    yield f"first round, {MANY} new files, CPU", round_(100)
    round_(200)
    unchanged = [round_(300 + 10 * number) for number in range(20)]
    yield f"a round, {MANY} known files, nothing new, CPU", statistics.median(unchanged)
    listed = []
    for number in range(20):
        (folder / f"one_more_{number}.tiff").write_bytes(b"x")
        listed.append(round_(600 + 10 * number))
    yield f"a round, {MANY} known files and one new, CPU", statistics.median(listed)


def notice(folder: Path, count: int = 5, poll_interval: float = 1.5) -> list[float]:
    """Return the seconds after which polling sees each new file among `MANY` (it is then held: it grows)."""
    seen: dict[Path, float] = {}

    def whole(path: Path) -> bool:
        seen.setdefault(path, time.perf_counter())
        return True

    stop = threading.Event()
    known = {path: (path.stat().st_size, path.stat().st_mtime) for path in folder.iterdir()}
    files = watch(
        [folder],
        [PATTERN],
        stop=stop,
        known=known,
        poll_interval=poll_interval,
        quiet_period=1000,
        whole=whole,
        use_events=False,
    )
    while not isinstance(next(files), Quiet):
        pass
    made: dict[Path, float] = {}

    def write() -> None:
        for number in range(count):
            time.sleep(1.7)
            path = folder / f"late_{number}.tiff"
            made[path] = time.perf_counter()
            path.write_bytes(b"x")

    writer = threading.Thread(target=write)
    writer.start()
    for _ in files:
        if len(seen) == count:
            break
    writer.join()
    stop.set()
    return [seen[path] - made[path] for path in made]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How soon a file is found, and what watching costs.")
    parser.add_argument("folder", nargs="?", type=Path, help="where to make the files")
    base = parser.parse_args().folder
    print("| what | result |\n| --- | --- |")
    with tempfile.TemporaryDirectory(dir=base) as name:
        small, large = Path(name, "small"), Path(name, "large")
        small.mkdir()
        large.mkdir()
        for rename in (False, True):
            taken = latency(small, rename=rename)
            how = "rename-in" if rename else "close"
            print(f"| {how} to report | median {statistics.median(taken):.1f} ms, max {max(taken):.1f} ms |")
        fill(large, MANY)
        for what, milliseconds in polls(large):
            print(f"| {what} | {milliseconds:.1f} ms |")
        taken = notice(large)
        result = f"median {statistics.median(taken):.2f} s, max {max(taken):.2f} s"
        print(f"| new file among {MANY} seen by polling every 1.5 s | {result} |")


if __name__ == "__main__":
    main()
