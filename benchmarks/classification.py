"""2D classes: which particles are put together, beside RELION, and how long it takes.

Run alone on an idle machine: `python benchmarks/classification.py [--relion-iterations N] [--large]`. Prints
a Markdown table.

The stack is drawn from ten fixed views of five chains of GroEL (1MNF), 64 px of 4 Å, each turned at random,
moved by up to 3 px, with the CTF of 40 micrographs (0.8 to 2.5 µm) and white noise of ten times the signal's
variance over the box. `--large` adds 50,000 particles of 128 px in 50 classes, by ourselves alone, fed as a
stream of a thousand at a time.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from eucentric.formats import ParticleOptics, read_star, write_mrc, write_particles_star
from eucentric.imaging.classification import ParticleBatch, ring_transfer
from eucentric.imaging.classification_polar import PolarGrid, polar_grid, take_rings
from eucentric.imaging.classification_stream import ClassificationSettings, update
from eucentric.imaging.ctf import CTFOptics

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from classified_views import OPTICS, TrueParticles, adjusted_rand_index, true_particles, view_images

SEED = 1
DIAMETER = 190.0  # Å


class Outcome(NamedTuple):
    """What a program made of a stack: the class of every particle, CPU seconds, and the peak memory in GB."""

    label: Tensor
    seconds: float
    memory: float


def as_batch(particles: TrueParticles, grid: PolarGrid, chosen: slice = slice(None)) -> ParticleBatch:
    """Return particles as the kernels take them."""
    curves = [
        ring_transfer(
            grid, particles.pixel_size, CTFOptics(**OPTICS), defocus_u=u, defocus_v=v, defocus_angle=angle
        )
        for u, v, angle in particles.defocus.tolist()
    ]
    curve = particles.micrograph[chosen]
    return ParticleBatch(
        take_rings(particles.images[chosen], grid), torch.stack(curves), curve, torch.arange(len(curve)) % 2
    )


def write_for_relion(particles: TrueParticles, folder: Path) -> None:
    """Write the stack and its table."""
    defocus = particles.defocus[particles.micrograph]
    table = pd.DataFrame(
        {
            "x": 0.0,
            "y": 0.0,
            "image": [f"{number + 1:06d}@particles.mrcs" for number in range(len(defocus))],
            "micrograph_path": [f"m{int(number):03d}.mrc" for number in particles.micrograph],
            "optics_group": 1,
            "defocus_u": defocus[:, 0],
            "defocus_v": defocus[:, 1],
            "defocus_angle": defocus[:, 2],
        }
    )
    box = particles.images.shape[-1]
    optics = ParticleOptics(1, "opticsGroup1", **OPTICS, pixel_size=particles.pixel_size, box=box)
    write_mrc(folder / "particles.mrcs", particles.images.numpy(), particles.pixel_size)
    write_particles_star(folder / "particles.star", [optics], table)


def relion(particles: TrueParticles, classes: int, iterations: int) -> Outcome:
    """Classify with relion_refine on one thread, and count its CPU seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_for_relion(particles, folder)
        (folder / "out").mkdir()
        command = ["relion_refine", "--i", "particles.star", "--o", "out/run", "--ctf", "--K", str(classes)]
        command += ["--iter", str(iterations), "--tau2_fudge", "2", "--particle_diameter", str(DIAMETER)]
        command += ["--psi_step", "12", "--offset_range", "5", "--offset_step", "2", "--flatten_solvent"]
        command += [
            "--zero_mask",
            "--oversampling",
            "1",
            "--norm",
            "--scale",
            "--dont_combine_weights_via_disc",
        ]
        command += ["--pool", "100", "--j", "1", "--random_seed", str(SEED)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        table = read_star(folder / f"out/run_it{iterations:03d}_data.star")["particles"]
    assert isinstance(table, pd.DataFrame)
    order = table["rlnImageName"].str.split("@").str[0].astype(int).to_numpy() - 1
    label = torch.zeros(len(order), dtype=torch.long)
    label[torch.from_numpy(order)] = torch.from_numpy(table["rlnClassNumber"].to_numpy().astype(int) - 1)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Outcome(label, seconds, after.ru_maxrss / 1e6)


def eucentric(particles: TrueParticles, classes: int, rings: int, at_once: int) -> Outcome:
    """Classify as a stream of batches with 1,000 earlier particles each, and count CPU seconds.

    What is drawn is not counted; cutting rings out of images is.
    """
    count, box = particles.images.shape[:2]
    start = time.process_time()
    grid = polar_grid(box, rings)
    batch = as_batch(particles, grid)
    radius = min(0.55 * DIAMETER / particles.pixel_size, box / 2 - 3)
    settings = ClassificationSettings(classes, radius, 16.0 / particles.pixel_size)
    generator = torch.Generator().manual_seed(SEED)
    state, label = None, torch.zeros(count, dtype=torch.long)
    for first in range(0, count, at_once):
        fresh = torch.arange(first, min(first + at_once, count))
        again = torch.randperm(first, generator=generator)[:1000]
        chosen = torch.cat([again, fresh])
        result = update(state, batch.part(chosen), grid, settings, generator, total=first + len(fresh))
        if state is not None:
            label[:first] = result.renumbered[label[:first]]
        label[chosen] = result.poses.label
        state = result.state
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return Outcome(label, time.process_time() - start, memory)


def row(name: str, outcome: Outcome, particles: TrueParticles, classes: int) -> str:
    """Return a line of the table."""
    index = adjusted_rand_index(outcome.label, particles.view)
    used = torch.bincount(outcome.label, minlength=classes)
    line = f"| {name} | {index:.3f} | {int((used < 5).sum())} | {outcome.seconds:.0f} s |"
    return f"{line} {outcome.memory:.1f} GB |"


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--relion-iterations", type=int, default=25, help="0 leaves RELION out")
    options.add_argument("--snr", type=float, default=0.1)
    options.add_argument("--seeds", type=int, default=1, help="how many stacks to draw for ourselves")
    options.add_argument("--large", type=int, default=0, metavar="COUNT", help="particles of 128 px, K = 50")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    print("| program | adjusted Rand index | empty classes | CPU | peak memory |")
    print("| --- | --- | --- | --- | --- |")
    for seed in range(SEED, SEED + chosen.seeds):
        particles = true_particles(2000, view_images(10, 64, 4.0, seed), 4.0, snr=chosen.snr, seed=seed + 1)
        for at_once in (2000, 200):
            name = f"classify-particles, stack {seed}, {at_once} at once"
            print(row(name, eucentric(particles, 10, 24, at_once), particles, 10))
        if seed == SEED and chosen.relion_iterations:
            found = relion(particles, 10, chosen.relion_iterations)
            print(row(f"RELION, {chosen.relion_iterations} iterations", found, particles, 10))
    if chosen.large:
        particles = true_particles(
            chosen.large, view_images(50, 128, 2.0, SEED), 2.0, snr=0.1, seed=SEED + 1, per_micrograph=200
        )
        name = f"classify-particles, {chosen.large} of 128 px, K = 50"
        print(row(name, eucentric(particles, 50, 32, 1000), particles, 50))


if __name__ == "__main__":
    main()
