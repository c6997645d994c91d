"""Training a network on the first picked micrographs of an acquisition, to pick all others with."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import ByteSize, Field

from eucentric.engine.protocol import Accumulator, ProtocolParams, Resources, Task
from eucentric.formats import FormatError, read_coordinates_star
from eucentric.imaging.picking_ground import prepare
from eucentric.imaging.picking_network import PickedMicrograph, train_network
from eucentric.metadata import Coordinates, Item, Micrograph, PickingModel
from eucentric.techniques.single_particle.network_file import write_network
from eucentric.techniques.single_particle.picks import load


class PickedSoFar(Item):
    """The micrographs that are learnt from, in the order they came, and whether a network was trained."""

    micrographs: list[Micrograph] = Field(default_factory=list)
    coordinates: list[Coordinates] = Field(default_factory=list)
    trained: bool = False


class TrainPicker(Accumulator[PickedSoFar]):
    """Train a small network on picked micrographs, as soon as there are enough of them.

    The picks may come from a person (by `import-coordinates`, which rejects micrographs without picks) or
    from other pickers, of which only the best are learnt from. The network stands until one of its
    micrographs is withdrawn or picked anew.
    """

    name = "train-picker"
    version = "1"
    resources = Resources(memory=ByteSize(2 * 10**9))

    class Params(ProtocolParams):
        """From how much, and how."""

        micrographs: int = Field(
            default=5, ge=1, le=50, description="Picked micrographs that are waited for and learnt from."
        )
        completeness: float = Field(
            default=0.8,
            gt=0,
            le=1,
            description="Part of the particles on them that was picked, about.",
        )
        best: float = Field(
            default=1,
            gt=0,
            le=1,
            description="Part of each micrograph's picks, the highest scores first, to learn from.",
        )
        steps: int = Field(default=300, ge=10, le=10_000, description="Batches of crops to learn from.")

    class Entry(NamedTuple):
        """A micrograph and what was picked on it."""

        micrograph: Micrograph
        coordinates: Coordinates

    def update(
        self, state: PickedSoFar | None, added: Sequence[Entry], removed: Sequence[Entry], task: Task
    ) -> tuple[PickedSoFar, PickingModel | None]:
        """Take in picked micrographs, and train once there are enough."""
        before = state or PickedSoFar()
        gone = {entry.coordinates.path for entry in removed}
        known = list(zip(before.micrographs, before.coordinates, strict=True))
        kept = [pair for pair in known if pair[1].path not in gone]
        trained = before.trained and len(kept) == len(known)
        room = max(0, self.params.micrographs - len(kept))
        new = [(entry.micrograph, entry.coordinates) for entry in added if entry.coordinates.count]
        kept += new[:room]
        after = PickedSoFar(
            micrographs=[micrograph for micrograph, _ in kept],
            coordinates=[coordinates for _, coordinates in kept],
            trained=trained,
        )
        if trained or len(kept) < self.params.micrographs:
            return after, None
        return after.model_copy(update={"trained": True}), self._train(after, task)

    def _train(self, from_these: PickedSoFar, task: Task) -> PickingModel:
        diameter = from_these.coordinates[0].diameter
        examples, used = [], []
        for micrograph, coordinates in zip(from_these.micrographs, from_these.coordinates, strict=True):
            try:
                image = load(micrograph, task)
                table = read_coordinates_star(task.locate(coordinates.path))
            except (FormatError, OSError) as error:
                task.log.warning("%s is left out: %s", micrograph.path, error)
                continue
            ground = prepare(image, micrograph.pixel_size, diameter)
            examples.append(PickedMicrograph(ground, self._best(table)))
            used.append(coordinates)
        network = train_network(
            examples,
            completeness=min(1.0, self.params.completeness * self.params.best),
            steps=self.params.steps,
            seed=int(task.rng.integers(2**62)),
            device=task.device,
            progress=task.progress,
        )
        write_network(task.folder / "network.npz", network, diameter)
        particles = sum(len(example.positions) for example in examples)
        task.log.info("Trained on %d picks of %d micrographs", particles, len(examples))
        return PickingModel(
            path=task.keep("network.npz"),
            diameter=diameter,
            particles=particles,
            coordinates_paths=tuple(each.path for each in used),
        )

    def _best(self, table: pd.DataFrame) -> np.ndarray:
        if "score" in table:
            table = table.sort_values("score", ascending=False, kind="stable")
        positions: np.ndarray = table[["x", "y"]].to_numpy(np.float64)
        return positions[: max(1, round(self.params.best * len(positions)))]
