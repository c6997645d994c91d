"""CTF estimation: accuracy on simulated micrographs and on a real one, beside other programs, and time.

`python benchmarks/ctf.py [--no-peers] [--real MICROGRAPH]` prints Markdown tables; alone on an idle machine
it takes half an hour, most of it the other programs', which are installed in environments of their own when
they are first needed (`benchmarks/peers.py`). The real micrograph is read at 0.66655 Å per pixel, 300 kV.

How sure a fit is, tilted specimens and phase plates are other files: `benchmarks/ctf_confidence.py`,
`ctf_tilt.py` and `ctf_phase.py`.
"""

import argparse
import tempfile
import time
from pathlib import Path

import mrcfile
import numpy as np
import torch

from ctf_peers import PEERS, Found, Job, fit_with
from ctf_rows import dose_series, ice, phase_plate, sweep, weak
from ctf_simulated import OPTICS, SPECIMENS, Truth, angle_error, fitted, simulated, table
from eucentric.engine.protocol import Task
from eucentric.engine.worker import threads
from eucentric.formats import write_mrc
from eucentric.imaging import power_spectrum
from eucentric.metadata import Micrograph
from eucentric.techniques.single_particle.estimate_ctf import EstimateCTF

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "epu2.9_example.mrc"


def write_set(folder: Path) -> list[tuple[str, Truth, Job]]:
    """Simulate micrographs of full size, one for every kind of optics and specimen."""
    random, written = np.random.default_rng(1), []
    for number, (optics, specimen) in enumerate((o, s) for s in SPECIMENS for o in OPTICS):
        mean = (6_000, 9_000, 14_000, 20_000, 28_000, 36_000)[number % 6] + 37 * number
        truth = Truth(optics, mean, random.uniform(250, 1_000), random.uniform(0, 180))
        path = folder / f"{number}.mrc"
        image = simulated(4096, 0.85, truth.axes, SPECIMENS[specimen], **truth.settings)
        write_mrc(path, image.numpy(), 0.85)
        written.append((specimen, truth, Job(str(path), 0.85, **truth.settings)))
    return written


def fit_as_a_worker(jobs: list[Job], folder: Path) -> list[Found]:
    """Run `process` of estimate-ctf on each, in this process, with the power spectrum that a movie leaves.

    Its time includes reading both and writing picture and curves.
    """
    found = []
    for number, job in enumerate(jobs):
        with mrcfile.open(job.path, permissive=True) as file:
            image = torch.from_numpy(file.data.astype(np.float32))
            spectrum, spectrum_pixel_size = power_spectrum(image, job.pixel_size, overlap=0.0)
        write_mrc(folder / "spectrum.mrc", spectrum.numpy(), spectrum_pixel_size)
        height, width = image.shape
        micrograph = Micrograph(
            path=job.path,
            spectrum_path=str(folder / "spectrum.mrc"),
            spectrum_pixel_size=spectrum_pixel_size,
            height=height,
            width=width,
            **{name: value for name, value in job._asdict().items() if name != "path"},
        )
        (work := folder / f"work{number}").mkdir()
        task = Task(key=("a", str(number)), folder=work, destination="x", session=Path("/"))
        begin = time.process_time()
        with threads(1):
            ctf = EstimateCTF().process(micrograph, None, task)
        cpu = time.process_time() - begin
        found.append(Found(ctf.defocus_u, ctf.defocus_v, ctf.defocus_angle, cpu))
    return found


def side_by_side(programs: list[str]) -> None:
    """Print what all programs find in the same micrographs of full size."""
    with tempfile.TemporaryDirectory() as name:
        written = write_set(Path(name))
        jobs = [job for _, _, job in written]
        fit_as_a_worker(jobs[:1], Path(tempfile.mkdtemp(dir=name)))  # what is needed once is not counted
        for program in ("estimate-ctf", *programs):
            if program == "estimate-ctf":
                found: list[Found | None] = [*fit_as_a_worker(jobs, Path(name))]
            else:
                found = fit_with(program, jobs)
            for specimen in SPECIMENS:
                rows = [(t, f) for (s, t, _), f in zip(written, found, strict=True) if s == specimen]
                print(compared(program, specimen, rows))


def compared(program: str, specimen: str, rows: list[tuple[Truth, Found | None]]) -> str:
    """Return one row: errors of a program on the micrographs of a specimen.

    Programs count the angle from different axes and in different senses: the sense that fits best counts.
    """
    there = [(truth, found) for truth, found in rows if found is not None]
    off = [abs((found.defocus_u + found.defocus_v) / 2 - truth.mean) for truth, found in there]
    senses = [(sign, start) for sign in (1, -1) for start in (0, 90)]
    turned = min(
        ([angle_error(sign * f.angle + start, t.angle) for t, f in there] for sign, start in senses),
        key=np.median,
    )
    right = sum(error < 50 for error in off)
    return (
        f"| {program} | {specimen} | {right} of {len(rows)} | {np.median(off):.0f} / {max(off):.0f} Å"
        f" | {np.median(turned):.1f} / {max(turned):.1f}° | {np.mean([f.cpu for _, f in there]):.2f} s |"
    )


def real(micrograph: Path, programs: list[str]) -> None:
    """Print what all programs find in a real micrograph."""
    job = Job(str(micrograph.resolve()), 0.66655, 300.0, 2.7, 0.07)
    with mrcfile.mmap(micrograph, permissive=True) as file:
        image = torch.from_numpy(file.data.astype(np.float32))
    options = {name: value for name, value in job._asdict().items() if name not in ("path", "pixel_size")}
    for tilt in (False, True):
        fit, cpu = fitted(image, job.pixel_size, fit_tilt=tilt, **options)
        name = "estimate-ctf" if tilt else "estimate-ctf, taken for flat"
        more = f"rings to {fit.resolution:.2f} Å, score {fit.score:.3f}, confidence {fit.confidence:.3f}"
        if fit.tilt is not None:
            more += f", tilted {fit.tilt.angle:.1f}° at {fit.tilt.axis:.0f}° ({fit.tilt.gain:.0f} nats)"
        print(
            f"| {name} | {fit.defocus_u:.0f} / {fit.defocus_v:.0f} Å | {fit.defocus_angle:.0f}° | {more}"
            f" | {cpu:.2f} s |"
        )
    for program in programs:
        for found in fit_with(program, [job]):
            if found is not None:
                u, v = max(found[:2]), min(found[:2])
                print(f"| {program} | {u:.0f} / {v:.0f} Å | {found.angle:.0f}° | | {found.cpu:.2f} s |")


def main() -> None:
    """Print accuracy on simulated images, and the fit of a real one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-peers", action="store_true", help="without the other programs")
    parser.add_argument("--real", type=Path, default=REAL, help="a real micrograph")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    programs = [] if arguments.no_peers else list(PEERS)
    columns = ("mean defocus, median / worst", "angle, median / worst", "CPU")
    table("4096², 0.85 Å/px", "specimen", "within 50 Å", *columns)
    side_by_side(programs)
    if arguments.real.exists():
        table(arguments.real.name, "U / V", "angle", "", "CPU")
        real(arguments.real, programs)
    columns = ("mean defocus, median / worst", "worst angle", "resolution", "least confidence", "CPU")
    table("2048², 1.1 Å/px, 0.3–4 µm", *columns)
    for specimen in SPECIMENS:
        for optics in OPTICS:
            print(sweep(optics, specimen), flush=True)
    columns = ("images", "within 50 Å", "within 3°", "median error", "error / told error")
    table("768², 1.2 Å/px, weak", *columns)
    print(weak(160))
    table("phase shift fitted, 20–160°", "its error (RMS)", "defocus", "together", "correlation", "CPU")
    for mean in (5_000.0, 10_000.0, 20_000.0):
        print(phase_plate(mean))
    table("dose of one specimen", "mean defocus", "astigmatism (400 Å)", "resolution", "score", "confidence")
    print(dose_series())
    table("crystalline ice", "ice ring, mean of 5", "deviation")
    for crystalline in (0.0, 0.3, 1.0, 3.0):
        print(ice(crystalline))


if __name__ == "__main__":
    main()
