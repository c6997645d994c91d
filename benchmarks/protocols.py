"""All protocols as their users run them, on one simulated movie of full size: accuracy, time and memory.

Run alone on an idle machine: `python benchmarks/protocols.py`. Simulates the movie first (about a minute),
then runs `eucentric do`, and `relion_run_motioncorr` where it is installed, as processes of their own, so
that reading, decoding, importing and writing count. Prints Markdown tables.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from eucentric.cli.comparing_picks import score_picks
from eucentric.formats import (
    StarMovie,
    StarOptics,
    read_coordinates_star,
    read_image,
    read_shifts_star,
    write_movies_star,
)
from eucentric.microscope.simulate import (
    ExposureTruth,
    SimulationSettings,
    clean_micrograph,
    read_truth,
    simulate_session,
)

DIAMETER = 150.0
"""Å, of GroEL."""
SHELLS = ((20, 10), (10, 5), (5, 3.5), (3.5, 2.8))
"""Å; the likeness to the clean image is told for each of these bands."""


class Run(NamedTuple):
    """One process: what it printed, and what it took."""

    output: str
    wall: float
    cpu: float
    memory: int


def measured(*command: str, folder: Path | None = None) -> Run:
    """Run a program, and measure it by the operating system's account."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        output.seek(0)
        printed = output.read()
    wall = time.perf_counter() - begin
    return Run(printed, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def run(*arguments: str) -> Run:
    """Run `eucentric` with these arguments."""
    return measured(str(Path(sys.executable).with_name("eucentric")), *arguments, "--json")


def align(folder: Path, out: Path, settings: SimulationSettings, truth: ExposureTruth) -> tuple[Run, str]:
    """Align the movie; return the run and how far off its motion is."""
    done = run(
        *("do", "align-movies", str(folder / truth.path)),
        *("--gain", str(folder / "gain.mrc"), "--out", str(out)),
        *("--pixel-size", str(settings.pixel_size), "--dose-per-frame", str(settings.dose_per_frame)),
    )
    return done, error_of_motion(out / micrograph_of(done)["shifts_path"], truth)


def align_with_relion(
    folder: Path, out: Path, settings: SimulationSettings, truth: ExposureTruth
) -> tuple[Run, str]:
    """Do the same with RELION's own program: 5 × 5 patches, weighted and unweighted sums."""
    optics = StarOptics(1, "opticsGroup1", 300.0, 2.7, 0.1, movie_pixel_size=settings.pixel_size)
    write_movies_star(folder / "movies.star", [optics], [StarMovie(truth.path)])
    size = str(settings.pixel_size)
    done = measured(
        *("relion_run_motioncorr", "--i", "movies.star", "--o", f"{out}/", "--use_own", "--j", "1"),
        *("--patch_x", "5", "--patch_y", "5", "--bin_factor", "1", "--bfactor", "150"),
        *("--first_frame_sum", "1", "--last_frame_sum", "0", "--dose_per_frame"),
        *(str(settings.dose_per_frame), "--preexposure", "0", "--voltage", "300", "--angpix", size),
        *("--gainref", "gain.mrc", "--dose_weighting", "--save_noDW"),
        folder=folder,
    )
    return done, error_of_motion(out / Path(truth.path).with_suffix(".star"), truth)


def pick(out: Path, truth: ExposureTruth, settings: SimulationSettings) -> tuple[Run, str]:
    """Pick the particles of the aligned movie; return the run and how right the picks are."""
    (micrograph,) = out.glob("*.align-movies.json")
    done = run("do", "pick-particles", str(micrograph), "--diameter", str(DIAMETER), "--out", str(out))
    table = read_coordinates_star(out / json.loads(done.output)["coordinates"]["path"])
    score = score_picks(
        table[["x", "y"]].to_numpy(),
        np.array(truth.particles).reshape(-1, 2),
        np.array(truth.hidden_particles).reshape(-1, 2),
        (settings.height, settings.width),
        DIAMETER / settings.pixel_size,
    )
    return done, f"precision {score.precision:.2f}, recall {score.recall:.2f} of {score.particles}"


def extract(out: Path) -> tuple[Run, str]:
    """Cut the particles out."""
    (micrograph,) = out.glob("*.align-movies.json")
    (ctf,) = out.glob("*.estimate-ctf.json")
    (coordinates,) = out.glob("*.pick-particles.json")
    items = ("--ctf", str(ctf), "--coordinates", str(coordinates))
    done = run("do", "extract-particles", str(micrograph), *items, "--out", str(out))
    particles = json.loads(done.output)["particles"]
    return done, f"{particles['count']} boxes of {particles['box']} px"


def idle() -> Run:
    """Measure what a process costs that imports all that a protocol needs, and does nothing."""
    names = ("align_movies", "estimate_ctf", "pick_particles", "extract_particles")
    imports = "; ".join(f"import eucentric.techniques.single_particle.{name}" for name in names)
    return measured(sys.executable, "-c", imports)


def micrograph_of(done: Run) -> dict[str, Any]:
    """Return the micrograph that a run of align-movies printed."""
    micrograph: dict[str, Any] = json.loads(done.output)["micrograph"]
    return micrograph


def error_of_motion(star: Path, truth: ExposureTruth) -> str:
    """Return the error of the motion in a STAR file at 5 × 5 points of the field, over all frames."""
    kept = read_shifts_star(star)
    axis = np.linspace(-0.4, 0.4, 5)
    u, v = (grid.ravel() for grid in np.meshgrid(axis, axis))
    local = truth.local_motion
    terms = np.stack([u, v, u**2 - 1 / 12, u * v, v**2 - 1 / 12], axis=1)
    field = terms @ np.array([local.x, local.y]).T
    true = np.array(truth.shifts_angstrom)[:, None] + np.array(local.course)[:, None, None] * field
    found = np.repeat(kept.shifts[:, None], len(u), axis=1)
    if kept.model is not None:
        time_ = np.arange(len(found))[:, None] ** np.array([1, 2, 3])
        columns = np.stack([np.ones_like(u), u, u**2, v, v**2, u * v], axis=1)
        found = found + np.einsum("fz,asz,ns->fna", time_, kept.model, columns)
    error = found - true
    rms = np.sqrt(((error - error.mean(axis=0)) ** 2).mean())
    return f"{rms:.2f} Å RMS over 5 × 5 places ({rms / kept.pixel_size:.3f} px)"


def likeness(path: Path, clean: NDArray[np.float32], pixel_size: float) -> list[float]:
    """Return the correlation of a micrograph with the clean image, in each of the bands."""
    margin = len(clean) // 16
    inner = (slice(margin, -margin), slice(margin, -margin))
    one, other = (
        scipy.fft.rfft2(image[inner] - image[inner].mean())
        for image in (read_image(path).astype("f4"), clean)
    )
    x, y = (
        axis(n, pixel_size)
        for axis, n in zip((scipy.fft.rfftfreq, scipy.fft.fftfreq), clean[inner].shape[::-1], strict=True)
    )
    frequency = np.hypot(y[:, None], x[None, :])
    found = []
    for low, high in SHELLS:
        band = (frequency > 1 / low) & (frequency < 1 / high)
        a, b = one[band], other[band]
        cross = (a * b.conj()).real.sum()
        found.append(float(cross / np.sqrt((abs(a) ** 2).sum() * (abs(b) ** 2).sum())))
    return found


def fit(out: Path, truth: ExposureTruth) -> tuple[Run, str]:
    """Fit the CTF of the aligned movie; return the run and how far off it is."""
    (micrograph,) = out.glob("*.align-movies.json")
    done = run("do", "estimate-ctf", str(micrograph), "--out", str(out))
    ctf = json.loads(done.output)["ctf"]
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
        picked, picks = pick(out, truth, settings)
        cut, boxes = extract(out)
        rows = [
            ("`align-movies`", aligned, motion),
            ("`estimate-ctf`", fitted, defocus),
            ("`pick-particles`", picked, picks),
            ("`extract-particles`", cut, boxes),
        ]
        item = micrograph_of(aligned)
        sums = {"`align-movies`": [out / item["path"], out / item["unweighted_path"]]}
        if shutil.which("relion_run_motioncorr"):
            theirs = Path(temporary, "relion")
            rows.insert(1, ("`relion_run_motioncorr`", *align_with_relion(folder, theirs, settings, truth)))
            image = theirs / Path(truth.path).with_suffix(".mrc")
            sums["`relion_run_motioncorr`"] = [image, image.with_name(f"{image.stem}_noDW.mrc")]
        clean = clean_micrograph(settings, truth.number).image
        alike = {
            name: [likeness(path, clean, settings.pixel_size) for path in paths]
            for name, paths in sums.items()
        }
    what = f"{chosen.size}² × {chosen.frames}, TIFF LZW, {settings.pixel_size} Å/px, 1 e⁻/Å² a frame"
    print(f"Load of the machine: {os.getloadavg()[0]:.1f}\n")
    print(f"| {what} | against the truth | wall | CPU | peak memory |\n| --- | --- | --- | --- | --- |")
    for name, done, accuracy in rows:
        print(f"| {name} | {accuracy} | {done.wall:.1f} s | {done.cpu:.1f} s | {done.memory / 1e9:.2f} GB |")
    begun = idle()
    ours = [done for name, done, _ in rows if "relion" not in name]
    cpu = sum(done.cpu - begun.cpu for done in ours)
    print(
        f"\nA process that only begins takes {begun.cpu:.1f} CPU s, which a worker spends once. Without it an"
        f" exposure takes {cpu:.1f} CPU s: one core sustains {3600 / cpu:.0f} exposures an hour (computed)."
    )
    bands = " | ".join(f"{low}–{high} Å" for low, high in SHELLS)
    print(f"\n| correlation with the clean image | {bands} |\n| --- |{' --- |' * len(SHELLS)}")
    for name, (weighted, unweighted) in alike.items():
        for kind, values in (("weighted", weighted), ("unweighted", unweighted)):
            print(f"| {name}, {kind} | {' | '.join(f'{value:.3f}' for value in values)} |")


if __name__ == "__main__":
    main()
