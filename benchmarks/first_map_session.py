"""A whole session, from the movie to the first map, live: what comes out, against the truth.

Run alone: `python benchmarks/first_map_session.py` (200 exposures, about half an hour on two cores). A
simulated microscope records movies of GroEL, some of them bad on purpose, and `eucentric run first-map`
processes them as they come, with the monitor beside it; when the last has come the session is stopped once
and continued until nothing is left. Prints a Markdown table: CTFs, consensus picks, 2D classes and the map
against the truth.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.cli.comparing import compare
from eucentric.engine.sessions import session_id_of
from eucentric.formats import open_frames, read_star
from eucentric.imaging.orientations import orientation_grid
from eucentric.imaging.projection import disc, project, shift_factors, take_points, volume_transform
from eucentric.imaging.reconstruction import fourier_shell_correlation, resolution_at
from eucentric.imaging.specimen import molecule_volume
from eucentric.imaging.symmetry import symmetry_matrices
from eucentric.imaging.volume_alignment import align, place
from eucentric.microscope.simulate import SimulationSettings, simulate_session
from eucentric.microscope.simulate.structure import groel
from eucentric.monitors.exposures import SessionRecord
from eucentric.store import Database, Site

SESSION, DIAMETER = "first-map", 150.0
FAULTS = ("empty", "drifting", "thick-ice", "carbon", "contaminated", "astigmatic", "crystalline-ice")


def settings_of(chosen: argparse.Namespace) -> SimulationSettings:
    """Return the microscope's settings: one exposure in twenty is bad on purpose."""
    bad = range(13, chosen.exposures + 1, 20)
    return SimulationSettings(
        exposures=chosen.exposures,
        interval=chosen.interval,
        width=chosen.size,
        height=chosen.size,
        frames=16,
        pixel_size=1.6,
        particles=40,
        layout="epu",
        faults={number: FAULTS[place % len(FAULTS)] for place, number in enumerate(bad)},
    )


def process(folder: Path, settings: SimulationSettings) -> tuple[Site, float]:
    """Record and process; return the site, and the time in s until nothing was left."""
    movies, site = folder / "movies", folder / "site"
    movies.mkdir()
    program = str(Path(sys.executable).with_name("eucentric"))
    command = [program, "run", "first-map", "--input", str(movies), "--site", str(site), "--session", SESSION]
    command += ["--diameter", f"{DIAMETER:g}", "--set", "map.symmetry=D7"]
    begin = time.monotonic()
    with (folder / "log").open("wb") as log:
        engine = subprocess.Popen(command, stdout=log, stderr=log)
        simulate_session(movies, settings)
        engine.send_signal(signal.SIGINT)
        engine.wait(timeout=300)
        last = [program, "continue", SESSION, "--site", str(site), "--until-idle"]
        subprocess.run(last, stdout=log, stderr=log, check=True)
    return Site.open(site), time.monotonic() - begin


def of_session(database: Database) -> dict[str, Any]:
    """Return the items of the whole acquisition, by kind."""
    with database.read() as connection:
        record = SessionRecord(session_id_of(connection, SESSION))
        record.update(connection)
    (shared,) = record.shared.values()
    return shared


def likeness(averages: Tensor, truth: Tensor, pixel_size: float) -> list[float]:
    """Return the correlation, to 15 Å, of every average [class, y, x] with the projection most like it.

    Args:
        averages: Averages, particles white.
        truth: Volume [z, y, x] of as many voxels to the side.
        pixel_size: Of both, Å.
    """
    box = averages.shape[-1]
    radius = box * pixel_size / 15
    points = disc(box, radius)
    grid = orientation_grid(6, symmetry_matrices("D7"), np.random.default_rng(0)).reshape(-1, 3, 3)
    slices = unit(project(volume_transform(truth, radius), torch.from_numpy(grid).float(), points))
    along = torch.arange(-3.0, 3.5, 0.5)
    moves = shift_factors(points, torch.cartesian_prod(along, along))
    return [
        float((unit(taken * moves) @ slices.conj().T).real.max()) for taken in take_points(averages, points)
    ]


def unit(transforms: Tensor) -> Tensor:
    """Return transforms [..., point] of length one."""
    return transforms / transforms.abs().square().sum(-1, keepdim=True).sqrt()


def table_of_exposures(site: Site, database: Database, movies: Path) -> Iterator[str]:
    """Yield what the exposures gave: CTFs and consensus picks."""
    compared = compare(site, database, SESSION, movies)
    good = compared.good
    bad = [each for each in compared.exposures if each.fault is not None]
    defocus = [abs(each.defocus_error) for each in good if each.defocus_error is not None]
    angles = [abs(each.angle_error) for each in good if each.angle_error is not None]
    waits = [each.latency for each in good if each.latency is not None]
    out = [sum(each.state in ("rejected", "failed") for each in some) for some in (bad, good)]
    yield f"| exposures kept out | {out[0]} of {len(bad)} bad ones, {out[1]} of {len(good)} good ones |"
    median, most = np.percentile(defocus, (50, 95))
    yield f"| defocus, error | {median:.0f} Å (median), {most:.0f} Å (95 %) |"
    yield f"| direction of astigmatism above 100 Å, error | {np.median(angles):.1f}° (median) |"
    yield f"| last byte to CTF | {np.median(waits):.1f} s (median), {np.percentile(waits, 95):.1f} s (95 %) |"
    if (picks := compared.picking) is not None:
        yield (
            f"| consensus picks | precision {picks.precision:.3f}, recall {picks.recall:.3f} of"
            f" {picks.particles} particles |"
        )


def table_of_particles(site: Site, shared: dict[str, Any], folder: Path) -> Iterator[str]:
    """Yield what the particles gave: classes and map. Copies their pictures into `folder`."""
    session = site.session_folder(SESSION)
    classes, found = shared["class_averages"], shared["initial_map"]
    box, pixel_size = classes["box"], classes["pixel_size"]
    truth = torch.from_numpy(molecule_volume(groel(), box, pixel_size))
    chosen = read_star(session / classes["table_path"])["model_classes"]["rlnSelected"].to_numpy(bool)
    averages = torch.from_numpy(read_sections(session / classes["path"]))
    alike = np.array(likeness(averages, truth, pixel_size))
    yield (
        f"| 2D classes | {classes['selected_classes']} of {classes['classes']} selected, with"
        f" {classes['selected_particles']:,} of {classes['particles']:,} particles |"
    )
    for word, these in (("selected", chosen), ("other", ~chosen)):
        if these.any():
            yield (
                f"| {word} averages, correlation with the projection most like them, to 15 Å |"
                f" {np.median(alike[these]):.2f} (median), {alike[these].min():.2f} (least) |"
            )
    box, pixel_size = found["box"], found["pixel_size"]
    truth = torch.from_numpy(molecule_volume(groel(), box, pixel_size))
    volume = torch.from_numpy(read_sections(session / found["path"]))
    placement = align(volume, truth, box * pixel_size / 20)
    agreement = fourier_shell_correlation(place(volume, placement), truth)
    hand = "the other hand" if placement.mirrored else "the right hand"
    yield (
        f"| map of {found['particles']:,} particles, {found['symmetry']}, {hand} | 0.5-FSC with the truth"
        f" {resolution_at(agreement, box, pixel_size):.1f} Å; halves {found['resolution']:.1f} Å |"
    )
    for name, item in (("classes", classes), ("map", found)):
        shutil.copyfile(session / item["picture_path"], folder / f"{name}.png")


def read_sections(path: Path) -> NDArray[np.float32]:
    """Return all images [image, y, x] of a stack, or a volume [z, y, x]."""
    with open_frames(path, threads=1) as frames:
        return np.array(frames.read(0, len(frames)), np.float32)


def main() -> None:
    """Run the session, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exposures", type=int, default=200)
    parser.add_argument("--interval", type=float, default=6.0, help="s from one exposure to the next")
    parser.add_argument("--size", type=int, default=1024, help="columns and rows of a movie")
    parser.add_argument("--keep", type=Path, help="folder to keep everything in; a temporary one by default")
    chosen = parser.parse_args()
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="first-map-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        site, wall = process(folder, settings_of(chosen))
        with Database.open(site) as database:
            rows = [*table_of_exposures(site, database, folder / "movies")]
            rows += table_of_particles(site, of_session(database), folder)
        print(f"| {chosen.exposures} exposures of {chosen.size}² × 16 | against the truth |\n| --- | --- |")
        print("\n".join(rows))
        print(f"| time until nothing was left | {wall / 60:.1f} min |")
    finally:
        if chosen.keep is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
