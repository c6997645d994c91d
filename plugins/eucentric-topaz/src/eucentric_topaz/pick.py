"""Particles found by Topaz's pretrained networks."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import ByteSize, Field

from eucentric.engine.programs import ProgramFailed, Workplace
from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import read_image, write_coordinates_star, write_mrc
from eucentric.imaging import fourier
from eucentric.metadata import Angstrom, Coordinates, Micrograph
from eucentric_topaz.program import TOPAZ, where_to_compute

COLUMNS = ["image_name", "x_coord", "y_coord", "score"]


class TopazPick(Protocol):
    """Find particles with Topaz's pretrained networks.

    The micrograph is made small, so that particles are about as large as those the networks have learnt from,
    and brought to even greys before it is searched.
    """

    name = "topaz-pick"
    version = "1"
    resources = Resources(memory=ByteSize(2 * 10**9), gpus=1)

    class Params(ProtocolParams):
        """What is looked for, and how boldly."""

        diameter: Angstrom = Field(gt=0, description="Longest diameter of the particles.")
        diameters: dict[str, Annotated[Angstrom, Field(gt=0)]] = Field(
            default_factory=dict,
            description="Diameters by acquisition, where samples differ; the others have the one above.",
        )
        model: Literal["resnet16", "resnet16_u32", "resnet8", "resnet8_u32"] = Field(
            default="resnet16", description="Topaz's pretrained network."
        )
        threshold: float = Field(
            default=-1,
            ge=-6,
            description="Least score, the logarithm of the odds that it is a particle; less finds more.",
        )
        pixels: float = Field(
            default=30,
            ge=8,
            le=60,
            description="Diameter in pixels to which particles are made small before the search; micrographs"
            " are never made larger.",
        )
        separation: float = Field(
            default=0.7,
            gt=0,
            le=2,
            description="Least distance between the centres of two particles, in diameters.",
        )
        max_per_micrograph: int | None = Field(
            default=None, gt=0, description="Most particles of a micrograph; the best are kept."
        )

    def process(self, micrograph: Micrograph, task: Task) -> Coordinates:
        """Pick one micrograph."""
        diameter = self.params.diameters.get(task.key[0], self.params.diameter)
        image = torch.from_numpy(read_image(task.locate(micrograph.path)).astype(np.float32))
        factor = min(1.0, self.params.pixels * micrograph.pixel_size / diameter)
        small = fourier.resize(image, (round(image.shape[0] * factor), round(image.shape[1] * factor)))
        table = self._search(evened(small), diameter * factor / micrograph.pixel_size, task)
        # Pixel 0 of the small image lies on pixel 0 of the micrograph. Whole pixels, as pick-particles has.
        height, width = image.shape
        x = np.floor(table["x_coord"] * (width / small.shape[1]) + 0.5)
        y = np.floor(table["y_coord"] * (height / small.shape[0]) + 0.5)
        picks = pd.DataFrame({"x": x.clip(0, width - 1), "y": y.clip(0, height - 1), "score": table["score"]})
        write_coordinates_star(task.folder / "coordinates.star", picks)
        task.log.info("%d particles", len(picks))
        return Coordinates(
            path=task.keep("coordinates.star"),
            micrograph_path=micrograph.path,
            count=len(picks),
            diameter=diameter,
            height=micrograph.height,
            width=micrograph.width,
            pixel_size=micrograph.pixel_size,
        )

    def _search(self, small: torch.Tensor, diameter: float, task: Task) -> pd.DataFrame:
        """Return what Topaz finds on a small micrograph [y, x] where particles are `diameter` px wide."""
        # In pieces: the same picks in 1.3 GB instead of 3.8 (640 × 640 pixels), and half as much time again.
        wanted = ["-m", self.params.model, "-t", self.params.threshold, "-p", 512]
        wanted += ["-r", max(1, round(diameter * self.params.separation))]
        with Workplace.of(task) as place:
            write_mrc(place.path("small.mrc"), small.numpy(), 1.0)
            done = TOPAZ.run(
                ["extract", *where_to_compute(task), *wanted, "-o", "picks.txt", "small.mrc"],
                task,
                folder=place.folder,
                expects=["picks.txt"],
            )
            table = read_picks(place.path("picks.txt"), done.version)
        return table.sort_values("score", ascending=False, kind="stable").head(
            self.params.max_per_micrograph or len(table)
        )


def evened(image: torch.Tensor) -> torch.Tensor:
    """Bring an image [y, x] to median 0 and a deviation of about 1 that gold and ice do not count for.

    The deviation is 1.4826 times the median distance from the median, that of a normal distribution. Picks
    are about as good as with Topaz's own normalisation by two Gaussians, which draws random pixels or takes
    as long as the search.
    """
    distance = image - image.median()
    return distance / (1.4826 * distance.abs().median()).clamp(min=1e-12)


def read_picks(path: Path, version: str) -> pd.DataFrame:
    """Read the picks of one micrograph as `topaz extract` writes them.

    Args:
        path: A table with tabs, whose columns are image_name, x_coord, y_coord (px) and score.
        version: Of the program, for messages.

    Raises:
        ProgramFailed: It is no such table.
    """
    try:
        table = pd.read_csv(path, sep="\t")
        numbers = table[COLUMNS[1:]].astype(np.float64)
    except (ValueError, KeyError) as error:
        raise ProgramFailed(
            f"topaz {version} wrote no table of {', '.join(COLUMNS)} ({error}); this plug-in was made for"
            f" versions {TOPAZ.versions}."
        ) from error
    if not np.isfinite(numbers.to_numpy()).all():
        raise ProgramFailed(f"topaz {version} wrote scores that are not finite; is the micrograph damaged?")
    return numbers
