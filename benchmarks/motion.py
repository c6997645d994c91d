"""Motion correction of a large movie: accuracy, time and memory.

Run alone on an idle machine: `python benchmarks/motion.py --size 4096 --frames 40`. Prints a Markdown table.
Frames are made as they are read (a moving specimen, Poisson counts); the time that takes is subtracted.
"""

import argparse
import resource
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from eucentric.imaging import align_movie, contrast_transfer, fourier


class SimulatedMovie:
    """Frames of a specimen that moves fast at first, then slowly, and shakes a little throughout."""

    def __init__(self, size: int, frames: int, dose: float, pixel_size: float) -> None:
        self.size, self.dose, self.pixel_size = size, dose, pixel_size
        generator = torch.Generator().manual_seed(0)
        time_ = torch.arange(frames, dtype=torch.float64)
        path = torch.stack([20 * (1 - torch.exp(-time_ / 5)), 0.2 * time_], dim=1)
        path += 0.3 * torch.randn(frames, 2, generator=generator, dtype=torch.float64)
        self.shifts = path - path[0]
        x, y = fourier.frequencies((size, size), pixel_size)
        square = x**2 + y**2
        transfer = contrast_transfer(
            x, y, defocus_u=15_000.0, defocus_v=15_000.0, defocus_angle=0.0, voltage=300.0,
            spherical_aberration=2.7, amplitude_contrast=0.1,
        )  # fmt: skip
        envelope = torch.exp(-25 * square) * (0.15 + 1 / (1 + square * 60**2))
        noise = torch.randn(size, size, generator=generator)
        self.transform = fourier.rfft2(noise) * transfer * envelope
        self.transform *= 0.12 / float(fourier.irfft2(self.transform, (size, size)).std())
        self.seconds = 0.0
        self.cpu_seconds = 0.0

    def __len__(self) -> int:
        return len(self.shifts)

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(1)
        for shift in self.shifts:
            wall, cpu = time.perf_counter(), time.process_time()
            phase_x, phase_y = fourier.shift_phases(
                (self.size, self.size), (float(shift[0]), float(shift[1])), self.transform.device
            )
            moved = fourier.irfft2(self.transform * phase_x * phase_y, (self.size, self.size))
            expected = self.dose * self.pixel_size**2 * (1 + moved).clamp(min=0)
            frame = torch.poisson(expected, generator=generator).to(torch.uint8)
            del moved, expected
            self.seconds += time.perf_counter() - wall
            self.cpu_seconds += time.process_time() - cpu
            yield frame


def main() -> None:
    """Align one simulated movie and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--dose", type=float, default=1.0, help="e⁻/Å² per frame")
    parser.add_argument("--pixel-size", type=float, default=0.8, help="Å")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    movie = SimulatedMovie(arguments.size, arguments.frames, arguments.dose, arguments.pixel_size)
    gain = torch.ones(arguments.size, arguments.size)
    before = resource.getrusage(resource.RUSAGE_SELF)
    wall, cpu = time.perf_counter(), time.process_time()
    aligned = align_movie(
        movie, gain, pixel_size=arguments.pixel_size, dose_per_frame=arguments.dose, voltage=300.0,
        device=arguments.device,
    )  # fmt: skip
    wall = time.perf_counter() - wall - movie.seconds
    cpu = time.process_time() - cpu - movie.cpu_seconds
    after = resource.getrusage(resource.RUSAGE_SELF)
    error = aligned.shifts.cpu() - movie.shifts
    rmse = float((error - error.mean(dim=0)).square().mean().sqrt())
    print("| movie | dose / frame | error (RMS) | wall | CPU | memory before | peak memory | threads |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    print(
        f"| {arguments.size}² × {arguments.frames} | {arguments.dose} e⁻/Å² | {rmse:.3f} px | {wall:.1f} s"
        f" | {cpu:.1f} s | {before.ru_maxrss / 1e6:.2f} GB | {after.ru_maxrss / 1e6:.2f} GB"
        f" | {torch.get_num_threads()} |"
    )


if __name__ == "__main__":
    main()
