"""Picking with RELION: by the Laplacian of Gaussian, or with templates as soon as there are any."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ByteSize, Field

from eucentric.engine.programs import ProgramFailed, Workplace
from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import (
    StarMicrograph,
    StarOptics,
    open_frames,
    read_coordinates_star,
    read_star,
    write_coordinates_star,
    write_micrographs_star,
    write_mrc,
)
from eucentric.metadata import CTF, Angstrom, ClassAverages, Coordinates, Degree, Micrograph
from eucentric_relion.images import link_image
from eucentric_relion.programs import AUTOPICK, Arguments
from eucentric_relion.tables import as_table

COORDINATES = "picked/micrograph_autopick.star"
_NONE = re.compile(r"Total number of particles from 1 micrographs is 0$")


class RelionAutopick(Protocol):
    """Pick particles with RELION: by their size alone, or with selected class averages as templates.

    Wire `templates` to a 2D classification and the micrographs are picked again with its selected classes
    when these come. With `ctf` the templates are made as the micrograph shows them.
    """

    name = "relion-autopick"
    version = "1"
    resources = Resources(memory=ByteSize(2 * 10**9))

    class Params(ProtocolParams):
        """Size of the particles, and how boldly they are picked."""

        diameter: Angstrom = Field(gt=0, description="Longest diameter of the particles.")
        shortest: Angstrom | None = Field(
            default=None, gt=0, description="Shortest diameter; by default the longest. Without templates."
        )
        threshold: float = Field(
            default=0,
            description="Without templates: positive for fewer particles, negative for more, in standard"
            " deviations.",
        )
        template_threshold: float = Field(
            default=0.05, ge=0, description="With templates: least figure of merit."
        )
        distance: Angstrom | None = Field(
            default=None,
            gt=0,
            description="With templates: least distance of two particles; by default 0.7 diameters.",
        )
        most_templates: int = Field(default=10, ge=1, description="Most templates; the largest classes win.")
        angle: Degree = Field(default=10, gt=0, le=360, description="Step by which templates are turned.")
        lowpass: Angstrom = Field(default=20, gt=0, description="Finest detail that is looked at.")
        largest_noise: float | None = Field(
            default=None,
            gt=0,
            description="With templates: largest standard deviation of the background around a particle, to"
            " leave out carbon and dirt; 1.1 is usual.",
        )
        max_per_micrograph: int | None = Field(
            default=None, gt=0, description="Most particles of a micrograph; the best are kept."
        )

    def process(
        self, micrograph: Micrograph, ctf: CTF | None, templates: ClassAverages | None, task: Task
    ) -> Coordinates:
        """Pick one micrograph."""
        with Workplace.of(task) as place:
            link_image(place, "micrograph.mrc", micrograph.path, task)
            _write_micrograph(place, micrograph, ctf)
            arguments: Arguments = ["--i", "micrographs.star", "--odir", "picked/", "--shrink", 0]
            arguments += ["--lowpass", self.params.lowpass]
            if templates is not None and templates.selected_classes:
                arguments += self._with_templates(templates, place, task)
                arguments += ["--ctf"] if ctf is not None else []
            else:
                shortest = self.params.shortest or self.params.diameter
                arguments += ["--LoG", "--LoG_diam_min", shortest, "--LoG_diam_max", self.params.diameter]
                arguments += ["--LoG_adjust_threshold", self.params.threshold]
            table = self._best(_pick(arguments, place, task))
        write_coordinates_star(task.folder / "coordinates.star", table)
        return Coordinates(
            path=task.keep("coordinates.star"),
            micrograph_path=micrograph.path,
            count=len(table),
            diameter=self.params.diameter,
            height=micrograph.height,
            width=micrograph.width,
            pixel_size=micrograph.pixel_size,
        )

    def _with_templates(self, templates: ClassAverages, place: Workplace, task: Task) -> Arguments:
        images = _chosen_templates(templates, self.params.most_templates, task)
        write_mrc(place.path("templates.mrcs"), images, templates.pixel_size)
        # Averages are white, as extracted particles are, and particles in micrographs black.
        arguments: Arguments = ["--ref", "templates.mrcs", "--angpix_ref", templates.pixel_size, "--invert"]
        arguments += ["--ang", self.params.angle, "--threshold", self.params.template_threshold]
        arguments += ["--particle_diameter", self.params.diameter]
        arguments += ["--min_distance", self.params.distance or 0.7 * self.params.diameter]
        noise = self.params.largest_noise
        return arguments if noise is None else [*arguments, "--max_stddev_noise", noise]

    def _best(self, found: pd.DataFrame) -> pd.DataFrame:
        """Return whole pixels, the best first, and no more than are wanted."""
        table = found.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)
        table[["x", "y"]] = np.floor(table[["x", "y"]].astype(np.float64) + 0.5)
        return table.head(self.params.max_per_micrograph or len(table)).astype(np.float64)


def _pick(arguments: Arguments, place: Workplace, task: Task) -> pd.DataFrame:
    """Run RELION; return the positions and scores."""
    said: list[str] = []
    try:
        AUTOPICK.run(arguments, task, folder=place.folder, expects=[COORDINATES], watch=said.append)
    except ProgramFailed:
        # 3.1.3 is aborted when it draws the plots of no particle at all; its file of none is empty then.
        if not any(_NONE.search(line) for line in said):
            raise
        return pd.DataFrame({"x": [], "y": [], "score": []})
    return read_coordinates_star(place.path(COORDINATES))


def _write_micrograph(place: Workplace, micrograph: Micrograph, ctf: CTF | None) -> None:
    optics = StarOptics(
        1,
        "opticsGroup1",
        micrograph.voltage,
        micrograph.spherical_aberration,
        micrograph.amplitude_contrast,
        pixel_size=micrograph.pixel_size,
    )
    row = StarMicrograph("micrograph.mrc")
    if ctf is not None:
        row = StarMicrograph(
            "micrograph.mrc",
            defocus_u=ctf.defocus_u,
            defocus_v=ctf.defocus_v,
            defocus_angle=ctf.defocus_angle,
            phase_shift=ctf.phase_shift,
        )
    write_micrographs_star(place.path("micrographs.star"), [optics], [row])


def _chosen_templates(templates: ClassAverages, most: int, task: Task) -> NDArray[np.float32]:
    """Return the averages [class, y, x] of the largest selected classes."""
    assert templates.path is not None
    assert templates.table_path is not None
    rows = as_table(read_star(task.locate(templates.table_path))["model_classes"])
    selected = rows[rows["rlnSelected"] == 1].sort_values("rlnGroupNrParticles", ascending=False).head(most)
    with open_frames(task.locate(templates.path)) as frames:
        images = list(frames)
    return np.stack([images[place] for place in selected.index]).astype(np.float32)
