"""The contrast transfer function of every micrograph."""

import json
from pathlib import Path
from typing import Self

import numpy as np
import torch
from pydantic import Field, model_validator

from eucentric.engine.protocol import Protocol, ProtocolParams, Task
from eucentric.formats import read_image, write_png
from eucentric.imaging import CTFFit, estimate_ctf
from eucentric.metadata import CTF, Angstrom, Degree, ExposureMetadata, Micrograph


class EstimateCTF(Protocol):
    """Fit the contrast transfer function of every micrograph."""

    name = "estimate-ctf"
    version = "3"

    class Params(ProtocolParams):
        """What is searched, and with which part of the spectrum."""

        min_defocus: Angstrom = Field(
            default=3_000, gt=0, description="Smallest mean defocus considered, underfocus > 0."
        )
        max_defocus: Angstrom = Field(default=50_000, gt=0, description="Largest mean defocus considered.")
        max_astigmatism: Angstrom = Field(
            default=3_000, ge=0, description="Largest difference between defocus U and V considered."
        )
        min_resolution: Angstrom = Field(default=30, gt=0, description="Lowest resolution used.")
        max_resolution: Angstrom = Field(
            default=3, gt=0, description="Highest resolution used, as far as the image has it."
        )
        phase_shift: Degree = Field(
            default=0, description="Phase shift of a phase plate, where it is known and not fitted."
        )
        fit_phase_shift: bool = Field(
            default=False, description="Fit the phase shift of every micrograph, within its limits."
        )
        min_phase_shift: Degree = Field(default=0, description="Smallest phase shift considered.")
        max_phase_shift: Degree = Field(
            default=180, description="Largest phase shift considered, at most 180° above the smallest."
        )
        fit_tilt: bool = Field(
            default=True,
            description="Look for a tilt of the specimen. It is only believed where the defocus of the parts"
            " of a micrograph clearly says so.",
        )

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            if self.min_defocus >= self.max_defocus:
                raise ValueError("min_defocus must be smaller than max_defocus")
            if self.min_resolution <= self.max_resolution:
                raise ValueError("min_resolution (the lower one, in Å the larger number) must be larger")
            if not 0 < self.max_phase_shift - self.min_phase_shift <= 180:
                raise ValueError("max_phase_shift must be above min_phase_shift, by at most 180°")
            return self

    def process(self, micrograph: Micrograph, metadata: ExposureMetadata | None, task: Task) -> CTF:
        """Fit one micrograph; the tilt of the stage, where it is known, makes one of that size likelier."""
        return fit_micrograph(micrograph, metadata, self.params, task)


def fit_micrograph(
    micrograph: Micrograph,
    metadata: ExposureMetadata | None,
    params: EstimateCTF.Params,
    task: Task,
    expected_phase_shift: tuple[float, float] | None = None,
) -> CTF:
    """Fit the sum's spectrum and the movie's, and take the one whose rings follow the model better.

    Short sums keep the rings of ice that moves in the beam (McMullan et al. 2015, Ultramicroscopy
    158, 26), the whole sum has less noise: which counts for more differs between specimens.

    Args:
        micrograph: The micrograph.
        metadata: What was written beside it, where that is known.
        params: What is searched.
        task: Where files are read and written.
        expected_phase_shift: A phase shift that is likelier than others, and its standard deviation, degrees.
    """
    image = _read(micrograph.unweighted_path or micrograph.path, task)
    other = None
    if micrograph.spectrum_path is not None and micrograph.spectrum_pixel_size is not None:
        other = _read(micrograph.spectrum_path, task), micrograph.spectrum_pixel_size
    phases = (params.min_phase_shift, params.max_phase_shift)
    fit = estimate_ctf(
        image,
        micrograph.pixel_size,
        other=other,
        fit_tilt=params.fit_tilt,
        stage_tilt=None if metadata is None else metadata.tilt,
        voltage=micrograph.voltage,
        spherical_aberration=micrograph.spherical_aberration,
        amplitude_contrast=micrograph.amplitude_contrast,
        phase_shift=phases if params.fit_phase_shift else params.phase_shift,
        expected_phase_shift=expected_phase_shift,
        min_defocus=params.min_defocus,
        max_defocus=params.max_defocus,
        max_astigmatism=params.max_astigmatism,
        min_resolution=params.min_resolution,
        max_resolution=params.max_resolution,
    )
    _log(fit, task)
    write_png(task.folder / "ctf.png", fit.diagnostic.cpu().numpy().astype(np.float32), 0, 1)
    _write_profile(task.folder / "ctf.json", fit)
    return CTF(
        micrograph_path=micrograph.path,
        diagnostic_path=task.keep("ctf.png"),
        profile_path=task.keep("ctf.json"),
        defocus_u=fit.defocus_u,
        defocus_v=fit.defocus_v,
        defocus_angle=fit.defocus_angle,
        phase_shift=fit.phase_shift,
        defocus_error=fit.defocus_error,
        phase_shift_error=fit.phase_shift_error,
        tilt=None if fit.tilt is None else fit.tilt.angle,
        tilt_axis=None if fit.tilt is None else fit.tilt.axis,
        resolution=fit.resolution,
        score=fit.score,
        confidence=fit.confidence,
        ice_ring=fit.ice_ring,
        pixel_size=micrograph.pixel_size,
        voltage=micrograph.voltage,
        spherical_aberration=micrograph.spherical_aberration,
        amplitude_contrast=micrograph.amplitude_contrast,
        optics_group=micrograph.optics_group,
    )


def _log(fit: CTFFit, task: Task) -> None:
    task.log.info(
        "defocus %.0f / %.0f Å, rings to %.1f Å, confidence %.2f",
        fit.defocus_u,
        fit.defocus_v,
        fit.resolution,
        fit.confidence,
    )
    if fit.tilt is not None:
        task.log.info("tilted by %.1f° about an axis at %.0f° (%.0f nats over a flat specimen)", *fit.tilt)


def _read(path: str, task: Task) -> torch.Tensor:
    return torch.from_numpy(read_image(task.locate(path)).astype(np.float32, copy=False)).to(task.device)


def _write_profile(path: Path, fit: CTFFit) -> None:
    """Write the curves along the rings, in as many digits as a plot shows."""
    curves = {
        "frequency": fit.profile.frequency,
        "spectrum": fit.profile.spectrum,
        "model": fit.profile.model,
        "correlation": fit.profile.correlation,
    }
    rounded = {name: [round(float(value), 5) for value in curve] for name, curve in curves.items()}
    path.write_text(json.dumps(rounded | {"resolution": round(fit.resolution, 3)}, allow_nan=False))
