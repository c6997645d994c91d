"""Both protocols as their users run them, on one simulated movie of full size: accuracy, time and memory.

Run alone on an idle machine: `python benchmarks/protocols.py`. Simulates the movie first (about a minute),
then runs `eucentric do` as processes of their own, so that reading, decoding, importing and writing count.
Prints a Markdown table.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eucentric.formats import read_shifts_star
from eucentric.microscope.simulate import ExposureTruth, SimulationSettings, read_truth, simulate_session


class Run(NamedTuple):
    """One process: what it printed, and what it took."""

    output: dict[str, Any]
    wall: float
    cpu: float
    memory: int


def run(*arguments: str) -> Run:
    """Run `eucentric` with these arguments, and measure it by the operating system's account."""
    command = [str(Path(sys.executable).with_name("eucentric")), *arguments, "--json"]
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        output.seek(0)
        printed = json.load(output)
    wall = time.perf_counter() - begin
    return Run(printed, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def align(folder: Path, out: Path, settings: SimulationSettings, truth: ExposureTruth) -> tuple[Run, str]:
    """Align the movie; return the run and how far off its shifts are."""
    done = run(
        *("do", "align-movies", str(folder / "movies" / truth.name)),
        *("--gain", str(folder / "gain.mrc"), "--out", str(out)),
        *("--pixel-size", str(settings.pixel_size), "--dose-per-frame", str(settings.dose_per_frame)),
    )
    found = read_shifts_star(out / done.output["micrograph"]["shifts_path"]).shifts
    true = np.array(truth.shifts_angstrom)
    error = np.sqrt((((found - found.mean(0)) - (true - true.mean(0))) ** 2).sum(1).mean())
    return done, f"shifts {error:.2f} Å RMS ({error / settings.pixel_size:.2f} px)"


def fit(out: Path, truth: ExposureTruth) -> tuple[Run, str]:
    """Fit the CTF of the aligned movie; return the run and how far off it is."""
    (micrograph,) = out.glob("*.align-movies.json")
    done = run("do", "estimate-ctf", str(micrograph), "--out", str(out))
    ctf = done.output["ctf"]
    u, v = ctf["defocus_u"] - truth.defocus_u, ctf["defocus_v"] - truth.defocus_v
    return done, f"U {u:+.0f} Å, V {v:+.0f} Å; rings to {ctf['resolution']:.1f} Å"


def main() -> None:
    """Simulate, run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=40)
    chosen = parser.parse_args()
    settings = SimulationSettings(
        exposures=1,
        width=chosen.size,
        height=chosen.size,
        frames=chosen.frames,
        pixel_size=0.85,
        dose=chosen.frames,
        particles=300,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary, "microscope"), Path(temporary, "out")
        # In a process of its own: the peak memory of a process counts that of the one that started it.
        simulation = multiprocessing.get_context("spawn").Process(
            target=simulate_session, args=(folder, settings)
        )
        simulation.start()
        simulation.join()
        (truth,) = read_truth(folder).exposures
        aligned, motion = align(folder, out, settings, truth)
        fitted, defocus = fit(out, truth)
    what = f"{chosen.size}² × {chosen.frames}, TIFF LZW, {settings.pixel_size} Å/px, 1 e⁻/Å² a frame"
    print(f"| {what} | against the truth | wall | CPU | peak memory |\n| --- | --- | --- | --- | --- |")
    for name, done, accuracy in (("align-movies", aligned, motion), ("estimate-ctf", fitted, defocus)):
        print(
            f"| `{name}` | {accuracy} | {done.wall:.1f} s | {done.cpu:.1f} s | {done.memory / 1e9:.2f} GB |"
        )


if __name__ == "__main__":
    main()
