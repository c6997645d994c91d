"""The contrast transfer function of every micrograph."""

from typing import Self

import numpy as np
import torch
from pydantic import Field, model_validator

from eucentric.engine.protocol import Protocol, ProtocolParams, Task
from eucentric.formats import read_image, write_png
from eucentric.imaging import CTFFit, estimate_ctf, fit_ctf
from eucentric.metadata import CTF, Angstrom, Degree, Micrograph


class EstimateCTF(Protocol):
    """Fit the contrast transfer function of every micrograph."""

    name = "estimate-ctf"
    version = "1"

    class Params(ProtocolParams):
        """What is searched, and with which part of the spectrum."""

        min_defocus: Angstrom = Field(default=3_000, description="Smallest mean defocus considered.")
        max_defocus: Angstrom = Field(default=50_000, description="Largest mean defocus considered.")
        max_astigmatism: Angstrom = Field(default=3_000, ge=0, description="Largest astigmatism considered.")
        min_resolution: Angstrom = Field(default=30, gt=0, description="Lowest resolution used.")
        max_resolution: Angstrom = Field(default=3, gt=0, description="Highest resolution used.")
        phase_shift: Degree = Field(default=0, description="Phase shift of a phase plate.")

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            if self.min_defocus >= self.max_defocus:
                raise ValueError("min_defocus must be smaller than max_defocus")
            if self.min_resolution <= self.max_resolution:
                raise ValueError("min_resolution (the lower one, in Å the larger number) must be larger")
            return self

    def process(self, micrograph: Micrograph, task: Task) -> CTF:
        """Fit one micrograph."""
        fit = self._fit(micrograph, task)
        write_png(task.folder / "ctf.png", fit.diagnostic.cpu().numpy().astype(np.float32), 0, 1)
        task.log.info("defocus %.0f / %.0f Å, rings to %.1f Å", fit.defocus_u, fit.defocus_v, fit.resolution)
        return CTF(
            micrograph_path=micrograph.path,
            diagnostic_path=task.keep("ctf.png"),
            defocus_u=fit.defocus_u,
            defocus_v=fit.defocus_v,
            defocus_angle=fit.defocus_angle,
            phase_shift=self.params.phase_shift,
            resolution=fit.resolution,
            score=fit.score,
            pixel_size=micrograph.pixel_size,
            voltage=micrograph.voltage,
            spherical_aberration=micrograph.spherical_aberration,
            amplitude_contrast=micrograph.amplitude_contrast,
            optics_group=micrograph.optics_group,
        )

    def _fit(self, micrograph: Micrograph, task: Task) -> CTFFit:
        """Fit the sum's spectrum and the movie's, and take the one whose rings follow the model better.

        Short sums keep the rings of ice that moves in the beam (McMullan et al. 2015, Ultramicroscopy
        158, 26), the whole sum has less noise: which counts for more differs between specimens.
        """
        image = _read(micrograph.unweighted_path or micrograph.path, task)
        fits = [
            estimate_ctf(image, micrograph.pixel_size, **self._options(micrograph, micrograph.pixel_size))
        ]
        if micrograph.spectrum_path is not None and micrograph.spectrum_pixel_size is not None:
            spectrum, pixel_size = _read(micrograph.spectrum_path, task), micrograph.spectrum_pixel_size
            fits.append(fit_ctf(spectrum, pixel_size, **self._options(micrograph, pixel_size)))
        return max(fits, key=lambda fit: fit.score)

    def _options(self, micrograph: Micrograph, pixel_size: float) -> dict[str, float]:
        return {
            "voltage": micrograph.voltage,
            "spherical_aberration": micrograph.spherical_aberration,
            "amplitude_contrast": micrograph.amplitude_contrast,
            "phase_shift": self.params.phase_shift,
            "min_defocus": self.params.min_defocus,
            "max_defocus": self.params.max_defocus,
            "max_astigmatism": self.params.max_astigmatism,
            "min_resolution": self.params.min_resolution,
            # A coarse movie ends before the wanted resolution; its last frequencies are left to the noise.
            "max_resolution": max(self.params.max_resolution, 2.2 * pixel_size),
        }


def _read(path: str, task: Task) -> torch.Tensor:
    return torch.from_numpy(read_image(task.locate(path)).astype(np.float32)).to(task.device)
