"""The contrast transfer function of every micrograph, by torch-ctf-estimation."""

import json
import math
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ByteSize, Field, model_validator

from eucentric.engine.programs import ProgramFailed, Workplace
from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import read_image, write_png
from eucentric.imaging import CTFOptics
from eucentric.metadata import CTF, Angstrom, Degree, Micrograph
from eucentric_torchctf.judging import Judgement, judge
from eucentric_torchctf.program import DRIVER, PACKAGE, TORCHCTF

_MICROMETRE = 1e4  # Å


class TorchCTFEstimate(Protocol):
    """Fit the contrast transfer function with torch-ctf-estimation, as a second opinion.

    Defocus and astigmatism are the program's. Score, resolution and picture are judged as those of
    estimate-ctf, so that `ctf-consensus` may compare both; there is no confidence.
    """

    name = "torchctf-estimate"
    version = "1"
    resources = Resources(memory=ByteSize(2 * 10**9))

    class Params(ProtocolParams):
        """What is searched, and with which part of the spectrum."""

        min_defocus: Angstrom = Field(
            default=3_000, gt=0, description="Smallest mean defocus considered, underfocus > 0."
        )
        max_defocus: Angstrom = Field(default=50_000, gt=0, description="Largest mean defocus considered.")
        min_resolution: Angstrom = Field(default=30, gt=0, description="Lowest resolution used.")
        max_resolution: Angstrom = Field(
            default=4,
            gt=0,
            description="Highest resolution used, as far as the image has it; a higher one takes longer.",
        )
        patch: int = Field(
            default=512, ge=128, le=2048, multiple_of=2, description="Edge of the pieces in pixels."
        )
        phase_shift: Degree = Field(
            default=0, ge=0, le=180, description="Phase shift of a phase plate, where it is known."
        )
        fit_phase_shift: bool = Field(
            default=False, description="Fit the phase shift of every micrograph, from 0 to 180°."
        )

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            if self.min_defocus >= self.max_defocus:
                raise ValueError("min_defocus must be smaller than max_defocus")
            if self.min_resolution <= self.max_resolution:
                raise ValueError("min_resolution (the lower one, in Å the larger number) must be larger")
            return self

    def process(self, micrograph: Micrograph, task: Task) -> CTF:
        """Fit one micrograph."""
        path = micrograph.unweighted_path or micrograph.path
        image = read_image(task.locate(path)).astype(np.float32)
        limits = self.params.min_resolution, max(self.params.max_resolution, 2.2 * micrograph.pixel_size)
        with Workplace.of(task) as place:
            np.save(place.path("image.npy"), image)
            job = self._job(micrograph, limits, image, task)
            place.path("job.json").write_text(json.dumps(job))
            done = TORCHCTF.run(
                [DRIVER, "job.json", "result.json"], task, folder=place.folder, expects=["result.json"]
            )
            found = json.loads(place.path("result.json").read_text())
        defocus_u, defocus_v, angle = axes(found, done.version)
        phase = found["phase_shift"] if self.params.fit_phase_shift else self.params.phase_shift
        optics = CTFOptics(
            micrograph.voltage, micrograph.spherical_aberration, micrograph.amplitude_contrast, phase
        )
        fit = judge(
            torch.from_numpy(image), micrograph.pixel_size, (defocus_u, defocus_v, angle), optics, limits
        )
        _write_files(task.folder, fit)
        task.log.info("defocus %.0f / %.0f Å, rings to %.1f Å", defocus_u, defocus_v, fit.profile.resolution)
        return CTF(
            micrograph_path=micrograph.path,
            diagnostic_path=task.keep("ctf.png"),
            profile_path=task.keep("ctf.json"),
            defocus_u=defocus_u,
            defocus_v=defocus_v,
            defocus_angle=angle,
            phase_shift=phase,
            resolution=fit.profile.resolution,
            score=fit.score,
            ice_ring=fit.ice_ring,
            pixel_size=micrograph.pixel_size,
            voltage=micrograph.voltage,
            spherical_aberration=micrograph.spherical_aberration,
            amplitude_contrast=micrograph.amplitude_contrast,
            optics_group=micrograph.optics_group,
        )

    def _job(
        self, micrograph: Micrograph, limits: tuple[float, float], image: NDArray[np.float32], task: Task
    ) -> dict[str, Any]:
        """Return the program's parameters, in its units: micrometres, kV, mm, Å."""
        # It works on an image whose pixels just hold the highest resolution, with some to spare.
        target = max(micrograph.pixel_size, 0.4 * limits[1])
        smallest = min(image.shape) * micrograph.pixel_size / target
        return {
            "image": "image.npy",
            "threads": task.cpus,
            "optics": {
                "pixel_spacing_angstroms": micrograph.pixel_size,
                "target_pixel_spacing_angstroms": target,
                "voltage_kev": micrograph.voltage,
                "spherical_aberration_mm": micrograph.spherical_aberration,
                "amplitude_contrast_fraction": micrograph.amplitude_contrast,
            },
            "fitting": {
                "frequency_fit_range_angstroms": list(limits),
                "defocus_range_microns": [
                    self.params.min_defocus / _MICROMETRE,
                    self.params.max_defocus / _MICROMETRE,
                ],
                "patch_sidelength": min(self.params.patch, int(smallest) // 2 * 2),
                "initial_phase_shift": self.params.phase_shift,
                "optimize_phase_shift": self.params.fit_phase_shift,
            },
        }


def axes(found: dict[str, float | None], version: str) -> tuple[float, float, float]:
    """Return defocus U and V in Å and the angle of U in degrees from what the program found.

    As measured on simulated micrographs, its `astigmatism` is half the difference of U and V in micrometres,
    and its angle is that of U from the x axis of the array, as here. (Its own `defocus_u` and `defocus_v`
    take it for the whole difference.)

    Args:
        found: `defocus`, `astigmatism` and `astigmatism_angle`.
        version: Of the program, for messages.

    Raises:
        ProgramFailed: A number is missing or not finite.
    """
    numbers = [found.get(name) for name in ("defocus", "astigmatism", "astigmatism_angle")]
    mean, half, angle = (math.nan if number is None else float(number) for number in numbers)
    if not all(math.isfinite(number) for number in (mean, half, angle)):
        raise ProgramFailed(
            f"{PACKAGE} {version} found no defocus ({found}); look whether the micrograph is damaged."
        )
    if half < 0:
        half, angle = -half, angle + 90
    return (mean + half) * _MICROMETRE, (mean - half) * _MICROMETRE, angle % 180


def _write_files(folder: Path, fit: Judgement) -> None:
    """Write the picture, and the curves along the rings in as many digits as a plot shows."""
    write_png(folder / "ctf.png", fit.diagnostic.numpy().astype(np.float32), 0, 1)
    curves = {name: getattr(fit.profile, name) for name in ("frequency", "spectrum", "model", "correlation")}
    rounded = {name: [round(float(value), 5) for value in curve] for name, curve in curves.items()}
    document = rounded | {"resolution": round(fit.profile.resolution, 3)}
    (folder / "ctf.json").write_text(json.dumps(document, allow_nan=False))
