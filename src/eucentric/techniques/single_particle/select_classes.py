"""Which two-dimensional classes go further: by their scores, or as somebody says."""

import numpy as np
import pandas as pd
from pydantic import Field

from eucentric.engine.protocol import Protocol, ProtocolParams, Rejected, Resources, Task
from eucentric.formats import (
    open_frames,
    read_particles_star,
    read_star,
    write_particles_star,
    write_star,
)
from eucentric.metadata import ClassAverages
from eucentric.techniques.single_particle.class_picture import CLASS_PICTURE, draw_classes

CLASSES = "model_classes"
"""Name of the table of classes in their STAR file."""


class SelectClasses(Protocol):
    """Select classes by their scores, and let people have the last word.

    Classes keep their numbers while the session lasts, so what was said of one holds for its later versions.
    A revision only selects anew: classes stay as they are, and all that is made from the selection follows.
    """

    name = "select-classes"
    version = "1"
    resources = Resources()

    class Params(ProtocolParams):
        """Which classes are selected."""

        least_score: float = Field(
            default=0.3,
            ge=0,
            le=1,
            description="Score from which a class is selected, unless told otherwise.",
        )
        selected: list[int] | None = Field(
            default=None, description="Numbers of the classes to select, whatever the scores of all."
        )
        excluded: list[int] = Field(
            default_factory=list, description="Numbers of classes not to select, whatever their scores."
        )

    def process(self, classes: ClassAverages, task: Task) -> ClassAverages:
        """Select from one version of the classes."""
        if classes.path is None or classes.table_path is None or classes.particles_path is None:
            raise Rejected("there are no classes yet")
        blocks = read_star(task.locate(classes.table_path))
        table = blocks[CLASSES]
        assert isinstance(table, pd.DataFrame)
        chosen = self._chosen(table, task)
        numbers = table["rlnClassNumber"].to_numpy(int)
        table = table.assign(rlnSelected=chosen.astype(int))
        write_star(task.folder / "classes.star", {**blocks, CLASSES: table})
        optics, rows = read_particles_star(task.locate(classes.particles_path))
        kept = rows[rows["class_number"].isin(numbers[chosen])]
        if len(kept):
            write_particles_star(task.folder / "selected.star", optics, kept)
        with open_frames(task.locate(classes.path), threads=1) as frames:
            averages = np.asarray(frames.read(0, len(frames)), np.float32)
        draw_classes(task.folder, averages, table)
        reached = table["rlnEstimatedResolution"].to_numpy(float)[chosen]
        task.log.info("%d of %d classes selected, %d particles", chosen.sum(), len(table), len(kept))
        return classes.model_copy(
            update={
                "table_path": task.keep("classes.star"),
                "selected_path": task.keep("selected.star") if len(kept) else None,
                "picture_path": task.keep(CLASS_PICTURE),
                "selected_classes": int(chosen.sum()),
                "selected_particles": len(kept),
                "resolution": float(reached.min()) if len(reached) else None,
            }
        )

    def _chosen(self, table: pd.DataFrame, task: Task) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Return which classes are selected, in the order of the table."""
        numbers = table["rlnClassNumber"].to_numpy(int)
        said = [*(self.params.selected or ()), *self.params.excluded]
        if unknown := sorted(set(said) - set(numbers.tolist())):
            task.log.warning("There is no class %s now.", ", ".join(map(str, unknown)))
        if self.params.selected is not None:
            chosen = np.isin(numbers, self.params.selected)
        else:
            chosen = table["rlnClassScore"].to_numpy(float) >= self.params.least_score
        return np.asarray(chosen & ~np.isin(numbers, self.params.excluded), np.bool_)
