"""Finding the particles of every micrograph that look like templates."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from pydantic import ByteSize, Field
from torch import Tensor

from eucentric.engine.protocol import Protocol, Resources, Task
from eucentric.formats import open_frames, read_info
from eucentric.imaging import CTFOptics
from eucentric.imaging.picking_templates import MicrographOptics, pick_by_templates
from eucentric.imaging.template_images import map_projections
from eucentric.metadata import CTF, AngstromPerPixel, Coordinates, Degree, Micrograph, Templates
from eucentric.techniques.single_particle.picks import LearntParams, load, pick_meanwhile, write_picks


class PickByTemplates(Protocol):
    """Find particles that look like templates: the session's own class averages, or those of a file.

    Until there are templates it passes on what `coordinates` brings, or picks by the diameter alone. When
    they come, the micrographs there are already are picked again with them.
    """

    name = "pick-by-templates"
    version = "1"
    resources = Resources(memory=ByteSize(2 * 10**9))

    class Params(LearntParams):
        """Which templates, and how boldly."""

        file: str | None = Field(
            default=None,
            description="File to take the templates from, instead of the stream: an MRC stack of averages"
            " without CTF, or an MRC map, which is projected.",
        )
        file_pixel_size: AngstromPerPixel | None = Field(
            default=None, gt=0, description="Pixel size of that file; by default what its header says."
        )
        dark: bool = Field(default=False, description="Particles are dark in that file.")
        spacing: Degree = Field(
            default=30, ge=5, le=90, description="Angle between neighbouring projections of a map."
        )

    def process(
        self,
        micrograph: Micrograph,
        ctf: CTF,
        templates: Templates | None,
        coordinates: Coordinates | None,
        task: Task,
    ) -> Coordinates:
        """Pick one micrograph."""
        diameter = self.params.diameter
        if self.params.file is not None:
            diameter = diameter or (coordinates.diameter if coordinates is not None else None)
            if diameter is None:
                raise ValueError(
                    f"How large the particles in {self.params.file} are is not known; give their diameter."
                )
            images, pixel_size = self._read(Path(self.params.file), diameter)
        elif templates is not None:
            diameter = diameter or templates.diameter
            images, pixel_size = _stack(task.locate(templates.path)), templates.pixel_size
        else:
            return pick_meanwhile(self.params, micrograph, coordinates, task, "templates")
        picks = pick_by_templates(
            load(micrograph, task),
            micrograph.pixel_size,
            diameter,
            images,
            pixel_size,
            MicrographOptics(
                CTFOptics(ctf.voltage, ctf.spherical_aberration, ctf.amplitude_contrast, ctf.phase_shift),
                ctf.defocus_u,
                ctf.defocus_v,
                ctf.defocus_angle,
            ),
            false_picks=self.params.false_picks,
            most=self.params.max_per_micrograph,
            avoid=self.params.avoid,
        )
        return write_picks(picks, micrograph, diameter, task)

    def _read(self, file: Path, diameter: float) -> tuple[Tensor, float]:
        """Return the templates of the file and their pixel size."""
        info = read_info(file)
        pixel_size = self.params.file_pixel_size or info.pixel_size
        if pixel_size is None:
            raise ValueError(f"{file} does not say its pixel size; give it as file_pixel_size.")
        # Written again, it is another file.
        identity = (file, file.stat().st_mtime_ns)
        if info.volume and file.suffix != ".mrcs" and info.frames == info.height == info.width:
            images, pixel_size = _projections(*identity, pixel_size, diameter, float(self.params.spacing))
        else:
            images = _stack(file)
            if info.height != info.width:
                raise ValueError(
                    f"The images in {file} are {info.width} × {info.height} px; give a stack of square ones,"
                    " or a cubic map."
                )
        return (-images if self.params.dark else images), pixel_size


def _stack(file: Path) -> Tensor:
    with open_frames(file) as frames:
        return torch.from_numpy(frames.read(0, len(frames)).astype(np.float32))


@lru_cache(maxsize=1)
def _projections(
    file: Path, _written: int, pixel_size: float, diameter: float, spacing: float
) -> tuple[Tensor, float]:
    """Return projections of a map; a worker keeps those of the last one, which every micrograph needs."""
    return map_projections(_stack(file), pixel_size, diameter, spacing)
