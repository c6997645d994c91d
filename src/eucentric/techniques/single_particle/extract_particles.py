"""Cutting the picked particles out of every micrograph: a stack of images, and a row for each."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import ByteSize, Field

from eucentric.engine.protocol import Protocol, ProtocolParams, Rejected, Resources, Task
from eucentric.formats import (
    ParticleOptics,
    read_coordinates_star,
    read_image,
    write_mrc,
    write_particles_star,
)
from eucentric.imaging import CTFOptics
from eucentric.imaging.extraction import (
    box_size,
    cut_out,
    even_size,
    flip_phases,
    inside,
    nearest_pixels,
    normalise_boxes,
    resample_boxes,
)
from eucentric.metadata import CTF, AngstromPerPixel, Coordinates, Micrograph, Particles


class ExtractParticles(Protocol):
    """Cut out the picked particles, bring them to one scale of grey, and turn them white.

    The background, outside the circle of the particle's diameter, gets mean 0 and deviation 1, as RELION
    wants it. Particles whose box reaches over the edge of the micrograph are left out. On a tilted specimen
    every particle gets the defocus of its place.
    """

    name = "extract-particles"
    version = "1"
    resources = Resources(memory=ByteSize(15 * 10**8))

    class Params(ProtocolParams):
        """Size and finish of the images."""

        box: int | None = Field(
            default=None,
            ge=16,
            multiple_of=2,
            description="Rows and columns cut out, in pixels of the micrograph; by default 1.5 diameters.",
        )
        particle_pixel_size: AngstromPerPixel | None = Field(
            default=None,
            gt=0,
            description="Pixel size to resample to, about; by default that of the micrographs.",
        )
        phase_flip: bool = Field(default=False, description="Correct the signs of the CTF in the images.")
        ramp: bool = Field(default=True, description="Take away a sloping background.")
        float16: bool = Field(
            default=False, description="Store half precision: half the size, not read by RELION before 4."
        )

    def process(self, micrograph: Micrograph, ctf: CTF, coordinates: Coordinates, task: Task) -> Particles:
        """Cut the particles out of one micrograph."""
        if coordinates.micrograph_path != micrograph.path:
            raise ValueError(
                f"The particles were picked on {coordinates.micrograph_path}, not on {micrograph.path}; wire"
                " extract-particles to the micrographs that pick-particles was given."
            )
        image = torch.from_numpy(read_image(task.locate(micrograph.path)).astype(np.float32))
        image = image.to(task.device)
        box = self.params.box or box_size(coordinates.diameter, micrograph.pixel_size)
        picked = read_coordinates_star(task.locate(coordinates.path))
        positions = torch.from_numpy(picked[["x", "y"]].to_numpy(np.float64, copy=True)).to(task.device)
        whole = inside(positions, (micrograph.height, micrograph.width), box)
        kept = picked[whole.cpu().numpy()].reset_index(drop=True)
        # The rows tell the pixel that became the middle of the box, not the fraction that was rounded away.
        kept[["x", "y"]] = nearest_pixels(positions[whole]).double().cpu().numpy()
        task.log.info("%d of %d particles lie within the micrograph.", len(kept), len(picked))
        if kept.empty:
            raise Rejected(_why_none(len(picked), box))
        heights = _heights(kept, micrograph, ctf)
        if self.params.phase_flip:
            boxes = _cut_flipped(image, positions[whole], box, heights, micrograph, ctf)
        else:
            boxes = cut_out(image, positions[whole], box)
        small = self._small_box(box, micrograph.pixel_size)
        pixel_size = micrograph.pixel_size * box / small
        boxes = resample_boxes(boxes, small)
        boxes = normalise_boxes(boxes, coordinates.diameter / 2 / pixel_size, ramp=self.params.ramp)
        kind = np.float16 if self.params.float16 else np.float32
        write_mrc(task.folder / "particles.mrcs", boxes.cpu().numpy().astype(kind), pixel_size)
        particles = Particles(
            path=task.keep("particles.star"),
            stack_path=task.keep("particles.mrcs"),
            micrograph_path=micrograph.path,
            count=len(kept),
            box=small,
            diameter=coordinates.diameter,
            phase_flipped=self.params.phase_flip,
            pixel_size=pixel_size,
            voltage=micrograph.voltage,
            spherical_aberration=micrograph.spherical_aberration,
            amplitude_contrast=micrograph.amplitude_contrast,
            optics_group=micrograph.optics_group,
        )
        _write_table(kept, heights, particles, micrograph, ctf, task)
        return particles

    def _small_box(self, box: int, pixel_size: float) -> int:
        """Return the box after resampling: even, and at least as fine as asked for."""
        wanted = self.params.particle_pixel_size
        return box if wanted is None else min(box, even_size(box * pixel_size / wanted))


def _why_none(picked: int, box: int) -> str:
    if not picked:
        return "no particles were picked"
    return f"none of the {picked} particles has its box of {box} px within the micrograph"


def _heights(kept: pd.DataFrame, micrograph: Micrograph, ctf: CTF) -> NDArray[np.float64]:
    """Return by how many Å the defocus of each particle exceeds that at the centre, to 10 Å.

    All 0 where the specimen is taken for flat. Finer steps would be noise, and as many CTFs as particles.
    """
    x = (kept["x"].to_numpy() - (micrograph.width - 1) / 2) * micrograph.pixel_size
    y = (kept["y"].to_numpy() - (micrograph.height - 1) / 2) * micrograph.pixel_size
    slope_x, slope_y = ctf.defocus_slope
    return np.asarray(10 * np.round((slope_x * x + slope_y * y) / 10), dtype=np.float64)


def _cut_flipped(
    image: torch.Tensor,
    positions: torch.Tensor,
    box: int,
    heights: NDArray[np.float64],
    micrograph: Micrograph,
    ctf: CTF,
) -> torch.Tensor:
    """Return the boxes [particle, y, x] with phases flipped for their defocus, to 50 Å.

    The micrograph is flipped once for each step of 100 Å in defocus that particles have.
    """
    optics = CTFOptics(ctf.voltage, ctf.spherical_aberration, ctf.amplitude_contrast, ctf.phase_shift)
    boxes = image.new_empty((len(positions), box, box), dtype=torch.float32)
    levels = 100 * np.round(heights / 100)
    for level in np.unique(levels).tolist():
        flipped = flip_phases(
            image,
            micrograph.pixel_size,
            optics,
            defocus_u=ctf.defocus_u + level,
            defocus_v=ctf.defocus_v + level,
            defocus_angle=ctf.defocus_angle,
        )
        these = torch.from_numpy(levels == level).to(image.device)
        boxes[these] = cut_out(flipped, positions[these], box)
    return boxes


def _write_table(
    kept: pd.DataFrame,
    heights: NDArray[np.float64],
    particles: Particles,
    micrograph: Micrograph,
    ctf: CTF,
    task: Task,
) -> None:
    table = kept.assign(
        image=[f"{number:06d}@{particles.stack_path}" for number in range(1, len(kept) + 1)],
        micrograph_path=micrograph.path,
        optics_group=particles.optics_group,
        defocus_u=ctf.defocus_u + heights,
        defocus_v=ctf.defocus_v + heights,
        defocus_angle=ctf.defocus_angle,
        phase_shift=ctf.phase_shift,
        ctf_resolution=ctf.resolution,
        ctf_score=ctf.score,
    )
    optics = ParticleOptics(
        number=particles.optics_group,
        name=f"opticsGroup{particles.optics_group}",
        voltage=particles.voltage,
        spherical_aberration=particles.spherical_aberration,
        amplitude_contrast=particles.amplitude_contrast,
        micrograph_pixel_size=micrograph.pixel_size,
        pixel_size=particles.pixel_size,
        box=particles.box,
    )
    write_particles_star(task.folder / "particles.star", [optics], table)
