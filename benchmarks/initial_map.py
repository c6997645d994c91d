"""First maps: agreement with the truth, division among several structures, and time; beside RELION's.

Run alone on an idle machine: `python benchmarks/initial_map.py`, or with `d7`, `c1`, `two`, `unlike` or
`three` for some of the cases (of the PDB entry 1MNF). Prints a Markdown row for each seed, which draws the
particles as well as the random start. `--relion N` also runs `relion_refine --sgd --denovo_3dref` on the
particles of seed 0 of each case of one structure, with N iterations in the proportions of its default of 300,
and compares its map with the truth.

5,000 particles of 64 px at 4 Å, signal to noise 0.1 (variances in the whole box; `--signal` takes others), 50
micrographs at 1 to 2.5 µm with up to 400 Å of astigmatism, particles off their middle by 1.5 px of 4 Å. With
`--box 128` the pixels are of 2 Å, with four times the noise in each; as half of what they show is finer than
8 Å, the signal to noise in what takes part is half as high. All are made smaller as the protocol does, which
counts. `d7`: all chains, orientations even. `c1`: five of the fourteen chains, of which 70 % are seen along
one axis, within about 25°. The others are mixtures, 3,000 particles in all, orientations even: `two`, all
chains and one ring of seven; `unlike`, four times as many of all chains as of one ring; `three`, all chains,
one ring, and the five chains.
"""

import argparse
import gzip
import itertools
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import gemmi
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from eucentric.formats import ParticleOptics, open_frames, write_mrc, write_particles_star, write_png
from eucentric.imaging import CTFOptics, contrast_transfer, fourier
from eucentric.imaging.extraction import resample_boxes
from eucentric.imaging.initial_map import InitialMapSettings, InitialMapState, update_initial_map
from eucentric.imaging.initial_map_particles import prepare_particles
from eucentric.imaging.initial_map_picture import sections_and_projections
from eucentric.imaging.orientations import from_euler
from eucentric.imaging.reconstruction import fourier_shell_correlation, resolution_at
from eucentric.imaging.specimen import (
    Molecule,
    make_molecule,
    molecule_volume,
    project_molecules,
    random_orientations,
)
from eucentric.imaging.volume_alignment import Placement, align, place
from eucentric.techniques.single_particle.initial_map_files import map_box

LENGTH, DIAMETER, MICROGRAPHS, FINEST = 256.0, 170.0, 50, 12.0
OPTICS = CTFOptics(voltage=300, spherical_aberration=2.7, amplitude_contrast=0.1)
STRUCTURE = Path(__file__).parents[1] / "src" / "eucentric" / "microscope" / "data" / "1MNF.pdb.gz"
WHOLE, RING, FIVE = "ABCDEFGHIJKLMN", "ABCDEFG", "ABCHI"


class Case(NamedTuple):
    """What the particles are.

    Attributes:
        chains: Of each structure.
        shares: Of the particles, for each structure.
        symmetry: That is asked for.
        preferred: Part of the particles that are seen along one axis.
        particles: How many.
    """

    chains: tuple[str, ...]
    shares: tuple[float, ...] = (1.0,)
    symmetry: str = "C1"
    preferred: float = 0.0
    particles: int = 5_000


CASES = {
    "d7": Case((WHOLE,), symmetry="D7"),
    "c1": Case((FIVE,), preferred=0.7),
    "two": Case((WHOLE, RING), (0.5, 0.5), particles=3_000),
    "unlike": Case((WHOLE, RING), (0.8, 0.2), particles=3_000),
    "three": Case((WHOLE, RING, FIVE), (1 / 3, 1 / 3, 1 / 3), particles=3_000),
}


class Simulated(NamedTuple):
    """Particles, and what is true of them.

    Attributes:
        images: [particle, y, x].
        defocus: U, V (Å) and the angle (degrees), [particle, 3].
        kinds: Which structure each shows.
    """

    images: NDArray[np.float32]
    defocus: NDArray[np.float64]
    kinds: NDArray[np.int64]


def read_molecule(chains: str) -> Molecule:
    """Return some chains of the structure."""
    positions, elements = [], []
    for chain in gemmi.read_pdb_string(gzip.decompress(STRUCTURE.read_bytes()).decode())[0]:
        for residue in chain if chain.name in chains else ():
            for atom in residue:
                if atom.element.name in ("C", "N", "O", "S"):
                    positions.append(atom.pos.tolist())
                    elements.append(atom.element.name)
    return make_molecule(np.array(positions), elements)


def simulate(case: Case, count: int, box: int, seed: int, signal: float) -> Simulated:
    """Draw particles; every particle is projected from the atoms."""
    rng, pixel_size = np.random.default_rng(seed), LENGTH / box
    orientations = random_orientations(count, rng)
    preferred = rng.random(count) < case.preferred
    angles = rng.uniform(0, 360, (count, 3))
    angles[:, 1] = np.abs(rng.normal(0, 25, count))
    orientations[preferred] = from_euler(angles[preferred])
    centres = box // 2 + rng.normal(0, 1.5, (count, 2)).clip(-4, 4) * (4 / pixel_size)
    kinds = rng.choice(len(case.chains), count, p=case.shares)
    images = np.empty((count, box, box), np.float32)
    for number, chains in enumerate(case.chains):
        mine = kinds == number
        images[mine] = _project(read_molecule(chains), orientations[mine], centres[mine], box)
    mean, half = rng.uniform(10_000, 25_000, MICROGRAPHS), rng.uniform(0, 200, MICROGRAPHS)
    optics = np.stack([mean + half, mean - half, rng.uniform(0, 180, MICROGRAPHS)], axis=1)
    which = np.arange(count) % MICROGRAPHS
    x, y = fourier.frequencies((box, box), pixel_size)
    for number, (u, v, angle) in enumerate(optics.tolist()):
        transfer = -contrast_transfer(x, y, defocus_u=u, defocus_v=v, defocus_angle=angle, **OPTICS._asdict())
        mine = torch.from_numpy(images[which == number])
        images[which == number] = fourier.irfft2(fourier.rfft2(mine) * transfer, (box, box)).numpy()
    # Of smaller pixels each is noisier. The variance of the signal is that of all that the pixels show.
    images *= np.float32((signal * (64 / box) ** 2) ** 0.5 / images.std())
    images += rng.standard_normal(images.shape, dtype=np.float32)
    return Simulated(images, optics[which], kinds)


def _project(
    molecule: Molecule, orientations: NDArray[np.float32], centres: NDArray[np.float64], box: int
) -> NDArray[np.float32]:
    """Project in sheets of 8 by 8 boxes."""
    images = np.empty((len(orientations), box, box), np.float32)
    for start in range(0, len(images), 64):
        some = slice(start, start + 64)
        corners = np.array([(i % 8, i // 8) for i in range(len(images[some]))]) * box
        sheet = project_molecules(
            molecule, orientations[some], centres[some] + corners, (8 * box, 8 * box), LENGTH / box
        )
        for image, (x, y) in zip(images[some], corners, strict=True):
            image[:] = sheet[y : y + box, x : x + box]
    images -= images.mean(axis=(1, 2), keepdims=True)
    return images


def find_maps(simulated: Simulated, case: Case, seed: int, diameter: float = DIAMETER) -> InitialMapState:
    """Make the images smaller, and maps from them."""
    large = simulated.images.shape[-1]
    box = map_box(large, LENGTH / large, FINEST)
    images = resample_boxes(torch.from_numpy(simulated.images), box)
    particles = prepare_particles(images, LENGTH / box, diameter, OPTICS, simulated.defocus, finest=FINEST)
    settings = InitialMapSettings(
        LENGTH / box, diameter, case.symmetry, len(case.chains), finest=FINEST, reach=diameter / 10
    )
    return update_initial_map(None, particles, settings, seed)


def compare(volume: torch.Tensor, chains: str) -> tuple[float, Placement, torch.Tensor]:
    """Return the 0.5-FSC (Å) of a map with the truth, how it was placed on it, and the truth."""
    box = len(volume)
    truth = torch.from_numpy(molecule_volume(read_molecule(chains), box, LENGTH / box))
    placement = align(volume, truth, LENGTH / 25)
    curve = fourier_shell_correlation(place(volume, placement), truth)
    return resolution_at(curve, box, LENGTH / box), placement, truth


def assigned(state: InitialMapState, kinds: NDArray[np.int64], count: int) -> tuple[float, tuple[int, ...]]:
    """Return the share of particles that are in the right map, and which structure each map is."""
    found = state.classes.numpy()
    every = itertools.permutations(range(count))
    return max((float((np.array(order)[found] == kinds).mean()), order) for order in every)


def row(case: Case, seed: int, count: int, box: int, signal: float, picture: Path | None) -> str:
    """Return what one seed gives."""
    simulated = simulate(case, count, box, seed, signal)
    wall, cpu = time.perf_counter(), time.process_time()
    state = find_maps(simulated, case, seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    right, order = assigned(state, simulated.kinds, len(case.chains))
    small = len(state.maps[0].volume)
    true, halves, hands = [], [], []
    for kind, found in sorted(zip(order, state.maps, strict=True)):
        resolution, placement, truth = compare(found.volume, case.chains[kind])
        true.append(f"{resolution:.1f}")
        both = [resolution_at(found.fsc, small, LENGTH / small, each) for each in (0.5, 0.143)]
        halves.append(f"{both[0]:.1f} / {both[1]:.1f}")
        hands.append("other" if placement.mirrored else "same")
        if picture is not None:
            pairs = [sections_and_projections(each) for each in (truth, place(found.volume, placement))]
            panels = torch.cat([torch.cat(list(each.flatten(0, 1)), dim=1) for each in pairs])
            write_png(picture, panels.repeat_interleave(2, 0).repeat_interleave(2, 1).numpy(), -1, 6)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cells = [seed, ", ".join(true), ", ".join(halves), ", ".join(hands)]
    cells += [f"{100 * right:.1f} %", f"{cpu:.0f} s", f"{wall:.0f} s", f"{memory:.1f} GB"]
    return "| " + " | ".join(map(str, cells)) + " |"


def relion(case: Case, count: int, box: int, signal: float, iterations: int) -> str:
    """Run RELION's gradient descent from nothing, with two threads, as its graphical interface starts it."""
    program = shutil.which("relion_refine")
    if program is None:
        return "relion_refine is not installed."
    simulated, pixel_size = simulate(case, count, box, 0, signal), LENGTH / box
    first, last = round(iterations / 6), round(iterations / 6)
    with tempfile.TemporaryDirectory() as folder:
        place_of = Path(folder)
        write_mrc(place_of / "particles.mrcs", simulated.images, pixel_size)
        optics = ParticleOptics(1, "opticsGroup1", *OPTICS[:3], pixel_size=pixel_size, box=box)
        table = pd.DataFrame(simulated.defocus, columns=["defocus_u", "defocus_v", "defocus_angle"]).assign(
            image=[f"{number:06d}@particles.mrcs" for number in range(1, count + 1)],
            micrograph_path=[f"{number % MICROGRAPHS:03d}.mrc" for number in range(count)],
            x=0.0,
            y=0.0,
            optics_group=1,
        )
        write_particles_star(place_of / "particles.star", [optics], table)
        command = [program, "--i", "particles.star", "--o", "./run", "--sgd", "--denovo_3dref", "--ctf"]
        command += ["--sgd_ini_iter", str(first), "--sgd_inbetween_iter", str(iterations - first - last)]
        command += ["--sgd_fin_iter", str(last), "--sgd_write_iter", str(iterations)]
        command += ["--sgd_ini_resol", "35", "--sgd_fin_resol", "15", "--sgd_ini_subset", "100"]
        command += ["--sgd_fin_subset", "500", "--sym", case.symmetry, "--K", "1", "--j", "2"]
        command += ["--particle_diameter", f"{DIAMETER:g}", "--zero_mask", "--healpix_order", "1"]
        command += ["--offset_range", "6", "--offset_step", "2", "--oversampling", "1", "--pad", "1"]
        command += ["--random_seed", "1", "--dont_combine_weights_via_disc", "--flatten_solvent"]
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=place_of, check=True, capture_output=True)
        wall = time.perf_counter() - wall
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        with open_frames(place_of / f"run_it{iterations:03d}_class001.mrc") as frames:
            volume = torch.from_numpy(np.asarray(frames.read(0, len(frames)), np.float32))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    true = compare(volume, case.chains[0])[0]
    return (
        f"\nrelion_refine, {iterations} iterations: 0.5-FSC with truth {true:.1f} Å, {cpu:.0f} s of CPU,"
        f" {wall:.0f} s in all."
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="|".join(CASES))
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(10)))
    parser.add_argument("--particles", type=int, help="Instead of the number above.")
    parser.add_argument("--box", type=int, default=64)
    parser.add_argument("--signal", type=float, default=0.1, help="To noise, as above.")
    parser.add_argument(
        "--picture", type=Path, help="PNG: the truth below, the last map of the last seed above."
    )
    parser.add_argument("--relion", type=int, default=0, help="Iterations; 0 for none.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.cases:
        case, count = CASES[name], options.particles or CASES[name].particles
        print(
            f"\n| {name}, seed | 0.5-FSC with truth (Å) | halves, 0.5 / 0.143 (Å) | hand | right map", end=""
        )
        print(" | CPU | wall | memory |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
        for seed in options.seeds:
            print(row(case, seed, count, options.box, options.signal, options.picture), flush=True)
        if options.relion and len(case.chains) == 1:
            print(relion(case, count, options.box, options.signal, options.relion), flush=True)


if __name__ == "__main__":
    main()
