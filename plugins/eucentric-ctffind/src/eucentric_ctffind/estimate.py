"""The contrast transfer function of every micrograph, by CTFFIND."""

import json
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import ByteSize, Field, model_validator

from eucentric.engine.programs import Program, Workplace
from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import read_image, write_mrc, write_png
from eucentric.metadata import CTF, Angstrom, Degree, Micrograph
from eucentric_ctffind.dialogue import CURVES, DIAGNOSTIC, IMAGE, RESULTS, Search, answers
from eucentric_ctffind.results import Curves, Result, read_curves, read_result

# Without a terminal and without answers it tells its version and ends.
CTFFIND = Program(
    name="ctffind",
    command="ctffind",
    versions=">=4.1.12,<6",
    install="Its authors (Grigorieff laboratory, cisTEM) offer it; some Linux distributions have 4.1.",
    version_args=(),
    version_pattern=r"Version : (\d+(?:\.\d+)+)",
)


class CTFFINDEstimate(Protocol):
    """Fit the contrast transfer function with CTFFIND 5 or 4.1.

    Score and resolution are the program's own (its cross-correlation, and the spacing up to which it fitted
    rings); there is no confidence. Tilt and thickness are told in the task's log and in `ctffind.txt`.
    """

    name = "ctffind-estimate"
    version = "1"
    resources = Resources(memory=ByteSize(2 * 10**9))

    class Params(ProtocolParams):
        """What is searched, and with which part of the spectrum."""

        min_defocus: Angstrom = Field(default=5_000, description="Smallest defocus, underfocus > 0.")
        max_defocus: Angstrom = Field(default=50_000, description="Largest defocus.")
        defocus_step: Angstrom = Field(default=100, ge=1, description="Step of the search.")
        min_resolution: Angstrom = Field(default=30, gt=0, le=50, description="Lowest resolution used.")
        max_resolution: Angstrom = Field(
            default=4, gt=0, description="Highest resolution used, as far as the image has it."
        )
        box: int = Field(default=512, ge=128, le=4096, multiple_of=2, description="Size of the spectrum.")
        exhaustive: bool = Field(
            default=False,
            description="Search in two dimensions from the beginning: slower; for much astigmatism.",
        )
        tolerated_astigmatism: Angstrom | None = Field(
            default=None, gt=0, description="Astigmatism beyond which a fit is penalised; empty: never."
        )
        fit_phase_shift: bool = Field(default=False, description="Fit the phase shift of a phase plate.")
        min_phase_shift: Degree = Field(default=0, ge=-180, description="Smallest phase shift considered.")
        max_phase_shift: Degree = Field(default=180, le=180, description="Largest phase shift considered.")
        phase_shift_step: Degree = Field(default=15, gt=0, description="Step of its search.")
        tilt: bool = Field(default=False, description="Look for the tilt of the specimen and fit with it.")
        thickness: bool = Field(
            default=False, description="Look for the specimen's thickness and fit with it (CTFFIND 5)."
        )

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            if self.min_defocus >= self.max_defocus:
                raise ValueError("min_defocus must be smaller than max_defocus")
            if self.min_resolution <= self.max_resolution:
                raise ValueError("min_resolution (the lower one, in Å the larger number) must be larger")
            if self.min_phase_shift >= self.max_phase_shift:
                raise ValueError("min_phase_shift must be smaller than max_phase_shift")
            if self.tilt and self.fit_phase_shift:
                raise ValueError("CTFFIND does not look for tilt and phase shift at once; choose one of them")
            return self

    def process(self, micrograph: Micrograph, task: Task) -> CTF:
        """Fit one micrograph."""
        path = micrograph.unweighted_path or micrograph.path
        image = read_image(task.locate(path)).astype(np.float32)
        search = self._search(micrograph.pixel_size)
        version = CTFFIND.version(CTFFIND.find(task.site))
        typed = answers(version, micrograph, search, task.cpus)
        with Workplace.of(task) as place:
            write_mrc(place.path(IMAGE), image, micrograph.pixel_size)
            CTFFIND.run([], task, folder=place.folder, answers=typed, expects=[RESULTS, CURVES, DIAGNOSTIC])
            found = read_result(place.path(RESULTS), version)
            curves = read_curves(place.path(CURVES), version)
            picture = read_image(place.path(DIAGNOSTIC)).astype(np.float32)
            place.keep(RESULTS, "ctffind.txt")
        write_png(task.folder / "ctf.png", np.nan_to_num(picture))
        # Where it fits no rings it says infinity: then nothing beyond the lowest resolution is known.
        resolution = min(found.resolution, search.resolutions[0])
        _write_curves(task.folder / "ctf.json", curves, resolution)
        _tell(found, resolution, task)
        return CTF(
            micrograph_path=micrograph.path,
            diagnostic_path=task.keep("ctf.png"),
            profile_path=task.keep("ctf.json"),
            defocus_u=found.defocus_u,
            defocus_v=found.defocus_v,
            defocus_angle=found.defocus_angle,
            phase_shift=found.phase_shift,
            resolution=resolution,
            score=found.score,
            pixel_size=micrograph.pixel_size,
            voltage=micrograph.voltage,
            spherical_aberration=micrograph.spherical_aberration,
            amplitude_contrast=micrograph.amplitude_contrast,
            optics_group=micrograph.optics_group,
        )

    def _search(self, pixel_size: float) -> Search:
        wanted = self.params
        phases = (wanted.min_phase_shift, wanted.max_phase_shift, wanted.phase_shift_step)
        return Search(
            box=wanted.box,
            resolutions=(wanted.min_resolution, max(wanted.max_resolution, 2.2 * pixel_size)),
            defoci=(wanted.min_defocus, wanted.max_defocus),
            defocus_step=wanted.defocus_step,
            exhaustive=wanted.exhaustive,
            tolerated_astigmatism=wanted.tolerated_astigmatism,
            phase_shifts=phases if wanted.fit_phase_shift else None,
            tilt=wanted.tilt,
            thickness=wanted.thickness,
        )


def _tell(found: Result, resolution: float, task: Task) -> None:
    task.log.info("defocus %.0f / %.0f Å, rings to %.1f Å", found.defocus_u, found.defocus_v, resolution)
    if found.tilt:
        task.log.info("tilted by %.1f° about an axis at %.1f°", found.tilt, found.tilt_axis)
    if found.thickness:
        task.log.info("%.0f Å thick", found.thickness)


def _write_curves(path: Path, curves: Curves, resolution: float) -> None:
    """Write the curves along the rings, in as many digits as a plot shows."""
    rounded = {name: [round(float(value), 5) for value in curve] for name, curve in curves._asdict().items()}
    path.write_text(json.dumps(rounded | {"resolution": round(resolution, 3)}, allow_nan=False))
