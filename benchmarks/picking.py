"""Picking: what is found on hard micrographs, beside RELION and Topaz, and how long it takes.

`python benchmarks/picking.py [--seeds N] [--first SEED] [--pictures FOLDER]` prints a Markdown table for each
of the two specimens of the hard set (see `hard_micrographs.py`). Every program sees the same images in the
same run, and one thread.

- `pick-particles` is told the diameter.
- `pick-by-templates` gets the classes of what `pick-particles` picked on five other micrographs, made by the
  protocols themselves; or projections of the structure.
- `pick-by-network` is trained on five other micrographs: on four fifths of their particles, as a person may
  pick them; or on what `pick-particles` picked there.
- RELION's Laplacian of Gaussian has its defaults and a range of diameters of ±10 %.
- Topaz has its pretrained network and pixels of 8 Å, for which it was trained. Its picks are those above the
  one threshold that makes its mean F1 the highest, which only the truth tells; the average precision is that
  of all picks down to its own default.
"""

import argparse
import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from eucentric.engine.protocol import Task
from eucentric.formats import open_frames, read_coordinates_star, write_mrc
from eucentric.imaging import CTFOptics
from eucentric.imaging.picking import pick_particles
from eucentric.imaging.picking_ground import Picks, prepare
from eucentric.imaging.picking_network import (
    PickedMicrograph,
    PickingNetwork,
    pick_by_network,
    train_network,
)
from eucentric.imaging.picking_templates import MicrographOptics, pick_by_templates
from eucentric.imaging.specimen import molecule_volume
from eucentric.imaging.template_images import map_projections
from eucentric.metadata import CTF, Micrograph
from eucentric.techniques.single_particle.choose_templates import ChooseTemplates
from eucentric.techniques.single_particle.classify_particles import ClassifyParticles
from eucentric.techniques.single_particle.extract_particles import ExtractParticles
from eucentric.techniques.single_particle.pick_particles import PickParticles
from hard_micrographs import (
    GROEL,
    OPTICS,
    PIXEL_SIZE,
    SPECIMENS,
    TOLERANCE,
    HardMicrograph,
    Specimen,
    hard_micrograph,
    molecule_of,
    score,
)
from peers import peer_python

FloatArray = NDArray[np.float32]
Found = list[tuple[FloatArray, FloatArray]]
Templates = tuple[torch.Tensor, float]

LEARNT_FROM = (40, 41, 42, 43, 44)  # seeds of the micrographs that templates and networks are made from
BY_HAND = 0.8  # part of the particles that somebody picks
INEXACT = 0.05  # diameters by which they are off
TOPAZ = [
    "--no-deps", "topaz-em==0.3.20", "torch==2.13.0", "numpy", "scipy", "pandas", "pillow", "tqdm", "h5py",
    "psutil", "scikit-learn", "future", "typing-extensions", "sympy", "mpmath", "networkx", "jinja2",
    "markupsafe", "filelock", "fsspec", "python-dateutil", "six", "joblib", "threadpoolctl", "setuptools<81",
]  # fmt: skip
"""It asks for torchvision too, which only training needs, and which breaks beside the CPU build of torch."""
TOPAZ_BINNING = 5


class Method(NamedTuple):
    """A way to pick.

    Attributes:
        name: What the table calls it.
        pick: Picks all micrographs.
        spoilt: Its threshold is chosen by the truth.
    """

    name: str
    pick: Callable[[list[HardMicrograph]], Found]
    spoilt: bool = False


def each_of(pick: Callable[[torch.Tensor, HardMicrograph], Picks]) -> Callable[[list[HardMicrograph]], Found]:
    """Return what picks all micrographs with a picker of one."""

    def pick_all(micrographs: list[HardMicrograph]) -> Found:
        found = []
        for each in micrographs:
            picks = pick(torch.from_numpy(each.image), each)
            found.append((picks.positions.numpy().astype(np.float32), picks.scores.numpy()))
        return found

    return pick_all


# ---------------------------------------------------------------- templates and networks


def imaging_of(micrograph: HardMicrograph) -> MicrographOptics:
    """Return the true CTF."""
    return MicrographOptics(CTFOptics(**OPTICS), *micrograph.defocus)


@cache
def learnt_from(specimen: Specimen) -> dict[int, HardMicrograph]:
    """Return the micrographs, by seed, that templates and networks are made from."""
    return {seed: hard_micrograph(seed, specimen) for seed in LEARNT_FROM}


def templates_of_classes(specimen: Specimen) -> Templates:
    """Return the classes of what is picked without templates on some micrographs, as a session makes them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def task(step: str) -> Task:
            (folder / step).mkdir()
            return Task(key=("a", step), folder=folder / step, destination=step, session=folder, seed=step)

        entries = []
        for seed, truth in learnt_from(specimen).items():
            write_mrc(folder / f"{seed}.mrc", truth.image, PIXEL_SIZE)
            shape = {"height": len(truth.image), "width": len(truth.image)}
            micrograph = Micrograph(path=f"{seed}.mrc", **shape, pixel_size=PIXEL_SIZE, **OPTICS)
            defocus = dict(zip(("defocus_u", "defocus_v", "defocus_angle"), truth.defocus, strict=True))
            told = {
                "micrograph_path": micrograph.path,
                "diagnostic_path": "none",
                "resolution": 4.0,
                "score": 1,
            }
            ctf = CTF(**defocus, **told, pixel_size=PIXEL_SIZE, **OPTICS)
            picker = PickParticles(PickParticles.Params(diameter=specimen.diameter))
            picks = picker.process(micrograph, task(f"pick-{seed}"))
            extract = ExtractParticles(ExtractParticles.Params(particle_pixel_size=specimen.diameter / 30))
            particles = extract.process(micrograph, ctf, picks, task(f"extract-{seed}"))
            entries.append(ClassifyParticles.Entry(particles))
        classify = ClassifyParticles(ClassifyParticles.Params(classes=10, resolution=specimen.diameter / 8))
        _, averages = classify.update(None, entries, [], task("classify"))
        # What five such micrographs give; the defaults are for a session.
        choose = ChooseTemplates(
            ChooseTemplates.Params(least_classes=1, least_particles=50, worst_resolution=100)
        )
        _, chosen = choose.update(None, [ChooseTemplates.Entry(averages)], [], task("choose"))
        if chosen is None:
            raise SystemExit(f"No class of {specimen.name} was selected as a template.")
        with open_frames(folder / chosen.path) as frames:
            return torch.from_numpy(frames.read(0, len(frames))), chosen.pixel_size


def templates_of_map(specimen: Specimen) -> Templates:
    """Return projections of the structure."""
    size = 2 * round(specimen.diameter * 0.75 / 4.0)
    volume = torch.from_numpy(molecule_volume(molecule_of(specimen), size, 4.0))
    return map_projections(volume, 4.0, specimen.diameter, 30)


def network(specimen: Specimen, *, by_hand: bool) -> PickingNetwork:
    """Train a network on particles picked as a person may, or by `pick-particles`."""
    examples = []
    for seed, truth in learnt_from(specimen).items():
        image = torch.from_numpy(truth.image)
        if by_hand:
            rng = np.random.default_rng(seed)
            picked = truth.wanted[rng.random(len(truth.wanted)) < BY_HAND]
            picked = picked + rng.normal(0, INEXACT * specimen.diameter / PIXEL_SIZE, picked.shape)
        else:
            found = pick_particles(image, PIXEL_SIZE, specimen.diameter)
            picked = found.positions.numpy()
        examples.append(PickedMicrograph(prepare(image, PIXEL_SIZE, specimen.diameter), picked))
    return train_network(examples, completeness=BY_HAND, steps=300)


# ---------------------------------------------------------------- peers


def relion_log(micrographs: list[HardMicrograph], diameter: float) -> Found:
    """Pick with RELION's Laplacian of Gaussian, at its defaults for a range of diameters of ±10 %."""
    with _written(micrographs) as folder:
        command = ["relion_autopick", "--i", "m*.mrc", "--odir", "out/", "--pickname", "log", "--LoG"]
        command += ["--LoG_diam_min", str(0.9 * diameter), "--LoG_diam_max", str(1.1 * diameter)]
        command += ["--angpix", str(PIXEL_SIZE), "--shrink", "0", "--lowpass", "20"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        found = []
        for number in range(len(micrographs)):
            table = read_coordinates_star(folder / "out" / f"m{number}_log.star")
            found.append((table[["x", "y"]].to_numpy(np.float32), table["score"].to_numpy(np.float32)))
        return found


def topaz(micrographs: list[HardMicrograph], diameter: float, python: Path) -> Found:
    """Pick with Topaz's pretrained network."""
    with _written(micrographs) as folder:
        images = [f"m{number}.mrc" for number in range(len(micrographs))]
        binning, radius = str(TOPAZ_BINNING), str(round(diameter / 2 / PIXEL_SIZE / TOPAZ_BINNING))
        small = [f"small/{image}" for image in images]
        extract = ["-r", radius, "-x", binning, "-m", "resnet16", "-j", "1", "-o", "picks.txt"]
        commands = [
            ["preprocess", "-s", binning, "-d", "-1", "-o", "small/", *images],
            ["extract", *extract, "-d", "-1", *small],
        ]
        for command in commands:
            ran = subprocess.run(
                [str(python), "-m", f"topaz.commands.{command[0]}", *command[1:]],
                cwd=folder,
                capture_output=True,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )
            if ran.returncode:
                raise SystemExit(f"topaz {command[0]} failed: {ran.stderr[-1000:]}")
        found: list[list[tuple[float, ...]]] = [[] for _ in micrographs]
        for line in (folder / "picks.txt").read_text().splitlines()[1:]:
            name, *numbers = line.split("\t")
            found[int(name[1:])].append(tuple(float(number) for number in numbers[:3]))
        tables = [np.array(each, np.float32).reshape(-1, 3) for each in found]
        return [(table[:, :2], table[:, 2]) for table in tables]


@contextlib.contextmanager
def _written(micrographs: list[HardMicrograph]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        for number, each in enumerate(micrographs):
            write_mrc(Path(name) / f"m{number}.mrc", each.image, PIXEL_SIZE)
        yield Path(name)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of the programs that it ran."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


# ---------------------------------------------------------------- the table


def methods_for(specimen: Specimen) -> list[Method]:
    """Return all ways to pick that can be tried here; learning takes its time once, which is printed."""
    diameter = specimen.diameter
    told = (PIXEL_SIZE, diameter)
    made: dict[str, Templates | PickingNetwork] = {}
    makers: dict[str, Callable[[], Templates | PickingNetwork]] = {
        "pick-by-templates, own classes": lambda: templates_of_classes(specimen),
        "pick-by-templates, its map": lambda: templates_of_map(specimen),
        "pick-by-network, by hand": lambda: network(specimen, by_hand=True),
        "pick-by-network, by pick-particles": lambda: network(specimen, by_hand=False),
    }
    for name, make in makers.items():
        start = cpu_seconds()
        made[name] = make()
        print(f"  {name}: made in {cpu_seconds() - start:.0f} CPU s")

    def by(thing: Templates | PickingNetwork) -> Callable[[list[HardMicrograph]], Found]:
        if isinstance(thing, PickingNetwork):
            return each_of(lambda image, _: pick_by_network(image, *told, thing))
        return each_of(lambda image, truth: pick_by_templates(image, *told, *thing, imaging_of(truth)))

    methods = [Method("pick-particles", each_of(lambda image, _: pick_particles(image, *told)))]
    methods += [Method(name, by(thing)) for name, thing in made.items()]
    if shutil.which("relion_autopick") is not None:
        methods.append(Method("RELION 3.1.3 LoG", lambda all_: relion_log(all_, diameter)))
    python = peer_python("topaz", TOPAZ)
    methods.append(Method("Topaz 0.3.20, pretrained", lambda all_: topaz(all_, diameter, python), True))
    return methods


def compare(specimen: Specimen, seeds: range, pictures: Path | None) -> None:
    """Print one table."""
    diameter = specimen.diameter / PIXEL_SIZE
    learnt_from(specimen)
    methods = methods_for(specimen)
    micrographs = [hard_micrograph(seed, specimen) for seed in seeds]
    for method in methods[:5]:
        method.pick(micrographs[:1])  # what is compiled and planned once
    print(
        f"\n| {specimen.name} | precision | recall | F1 | worst | average precision | on bad ground | CPU |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for method in methods:
        start = cpu_seconds()
        found = method.pick(micrographs)
        seconds = (cpu_seconds() - start) / len(micrographs)
        kept = best_cut(micrographs, found, diameter) if method.spoilt else found
        scores = [score(each, *picks, diameter) for each, picks in zip(micrographs, kept, strict=True)]
        everything = [score(each, *picks, diameter) for each, picks in zip(micrographs, found, strict=True)]
        mean = [float(np.mean(values)) for values in zip(*scores, strict=True)]
        f1 = [each.f1 for each in scores]
        average = float(np.mean([each.average_precision for each in everything]))
        print(
            f"| {method.name} | {mean[0]:.2f} | {mean[1]:.2f} | {np.mean(f1):.2f} | {min(f1):.2f} |"
            f" {average:.2f} | {mean[3]:.0%} | {seconds:.2f} s |",
            flush=True,
        )
        if pictures is not None:
            for number, (each, picks) in enumerate(zip(micrographs, kept, strict=True)):
                name = f"{specimen.name}-{method.name}-{seeds[number]}.png".replace(" ", "_").replace(",", "")
                draw(each, picks[0], diameter, pictures / name)


def best_cut(micrographs: list[HardMicrograph], found: Found, diameter: float) -> Found:
    """Return the picks above the threshold at which the mean F1 is highest."""
    scores = np.concatenate([level for _, level in found])
    cuts = []
    for least in np.quantile(scores, np.linspace(0, 0.98, 50)):
        kept = [(places[level >= least], level[level >= least]) for places, level in found]
        f1 = [score(each, *picks, diameter).f1 for each, picks in zip(micrographs, kept, strict=True)]
        cuts.append((float(np.mean(f1)), kept))
    return max(cuts, key=lambda cut: cut[0])[1]


def draw(truth: HardMicrograph, positions: FloatArray, diameter: float, file: Path) -> None:
    """Draw picks (circles: green right, red wrong, grey neither) and misses (yellow) over the micrograph."""
    image = ndimage.gaussian_filter(truth.image, 10 / PIXEL_SIZE)[::2, ::2]
    low, high = np.percentile(image, [1, 99])
    grey = np.clip((image - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    picture = np.stack([grey] * 3, axis=-1)
    near = cKDTree(truth.wanted).query(positions)[0] < TOLERANCE * diameter
    for (x, y), right in zip(positions, near, strict=True):
        neither = truth.ignored[int(min(y, len(truth.image) - 1)), int(min(x, len(truth.image) - 1))]
        colour = (0, 255, 0) if right else (150, 150, 150) if neither else (255, 0, 0)
        _circle(picture, x / 2, y / 2, diameter / 4, colour)
    missed = np.full(len(truth.wanted), True)
    if len(positions):
        missed = cKDTree(positions).query(truth.wanted)[0] >= TOLERANCE * diameter
    for x, y in truth.wanted[missed]:
        _circle(picture, x / 2, y / 2, diameter / 4 + 3, (255, 255, 0))
    file.write_bytes(imagecodecs.png_encode(picture[::-1]))


def _circle(
    picture: NDArray[np.uint8], x: float, y: float, radius: float, colour: tuple[int, int, int]
) -> None:
    angle = np.linspace(0, 2 * np.pi, 200)
    for wide in (radius, radius + 1):
        column, row = (np.round(a).astype(int) for a in (x + wide * np.cos(angle), y + wide * np.sin(angle)))
        within = (column >= 0) & (row >= 0) & (column < picture.shape[1]) & (row < picture.shape[0])
        picture[row[within], column[within]] = colour


def main() -> None:
    """Print precision, recall, F1, average precision and CPU time for the hard set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="the first seed; 40 to 44 are learnt from")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for specimen in SPECIMENS:
        compare(specimen, range(arguments.first, arguments.first + arguments.seeds), arguments.pictures)
    large = torch.from_numpy(hard_micrograph(0, GROEL, 4096, 0.8).image)
    pick_particles(large, 0.8, GROEL.diameter)
    wall, cpu = time.perf_counter(), time.process_time()
    pick_particles(large, 0.8, GROEL.diameter)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"\n4096², pick-particles: {wall:.2f} s wall, {cpu:.2f} s CPU")


if __name__ == "__main__":
    main()
