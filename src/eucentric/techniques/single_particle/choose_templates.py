"""Choosing the templates to pick with from the session's own class averages, once these are good enough."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from pydantic import ByteSize, Field

from eucentric.engine.protocol import Accumulator, ProtocolParams, Resources, Task
from eucentric.formats import open_frames, read_star, write_mrc
from eucentric.imaging.template_images import centred
from eucentric.metadata import Angstrom, ClassAverages, Item, Templates


class TemplateChoice(Item):
    """Whether templates were chosen."""

    chosen: bool = False


class ChooseTemplates(Accumulator[TemplateChoice]):
    """Wait for class averages that are good enough, and take the selected ones as templates for picking.

    What was chosen stands, however the classes go on: micrographs are comparable, and none is picked anew
    unasked. Revise the run to choose from the newest version.
    """

    name = "choose-templates"
    version = "1"
    resources = Resources(memory=ByteSize(500 * 10**6))

    class Params(ProtocolParams):
        """What is good enough."""

        least_classes: int = Field(default=3, ge=1, description="Fewest selected classes.")
        least_particles: int = Field(default=300, ge=1, description="Fewest particles in these classes.")
        worst_resolution: Angstrom = Field(
            default=25, gt=0, description="Coarsest resolution of the best of them."
        )
        most: int = Field(
            default=20, ge=1, le=100, description="Most templates: the classes with the most particles."
        )

    class Entry(NamedTuple):
        """A version of the class averages."""

        class_averages: ClassAverages

    def update(
        self,
        state: TemplateChoice | None,
        added: Sequence[Entry],
        removed: Sequence[Entry],  # noqa: ARG002
        task: Task,
    ) -> tuple[TemplateChoice, Templates | None]:
        """Look at the newest version of the class averages."""
        if (state is not None and state.chosen) or not added:
            return state or TemplateChoice(), None
        averages = added[-1].class_averages
        if (lacking := self._lacking(averages)) is not None:
            task.log.info("Not good enough yet: %s.", lacking)
            return TemplateChoice(), None
        return TemplateChoice(chosen=True), self._choose(averages, task)

    def _lacking(self, averages: ClassAverages) -> str | None:
        """Return what averages lack to be good enough, or None."""
        least, particles = self.params.least_classes, self.params.least_particles
        if averages.path is None or averages.table_path is None or averages.selected_classes < least:
            return f"{averages.selected_classes} classes are selected, of at least {least}"
        if averages.selected_particles < particles:
            return f"they have {averages.selected_particles} particles, of at least {particles}"
        if averages.resolution is None or averages.resolution > self.params.worst_resolution:
            reached = "none" if averages.resolution is None else f"{averages.resolution:.0f} Å"
            return f"their resolution is {reached}, and {self.params.worst_resolution:g} Å is asked for"
        return None

    def _choose(self, averages: ClassAverages, task: Task) -> Templates:
        assert averages.path is not None
        assert averages.table_path is not None
        table = read_star(task.locate(averages.table_path))["model_classes"]
        assert isinstance(table, pd.DataFrame)
        selected = table[table["rlnSelected"] == 1]
        largest = selected.sort_values("rlnGroupNrParticles", ascending=False, kind="stable")
        rows = largest.head(self.params.most)
        with open_frames(task.locate(averages.path)) as frames:
            images = np.concatenate([frames.read(n, n + 1) for n in rows.index.tolist()])
        moved = centred(torch.from_numpy(images.astype(np.float32)))
        write_mrc(task.folder / "templates.mrcs", moved.numpy(), averages.pixel_size)
        task.log.info("%d templates from %s", len(rows), averages.path)
        return Templates(
            path=task.keep("templates.mrcs"),
            count=len(rows),
            pixel_size=averages.pixel_size,
            diameter=averages.diameter,
            averages_path=averages.path,
            classes=tuple(rows["rlnClassNumber"].astype(int).tolist()),
            particles=int(rows["rlnGroupNrParticles"].sum()),
            resolution=averages.resolution,
        )
