"""Finding the particles of every micrograph with a network that was trained for them."""

from pathlib import Path

from pydantic import ByteSize, Field

from eucentric.engine.protocol import Protocol, Resources, Task
from eucentric.imaging.picking_network import pick_by_network
from eucentric.metadata import Coordinates, Micrograph, PickingModel
from eucentric.techniques.single_particle.network_file import read_network
from eucentric.techniques.single_particle.picks import LearntParams, load, pick_meanwhile, write_picks


class PickByNetwork(Protocol):
    """Find particles with the network that train-picker has trained in this session, or that of a file.

    Until there is one it passes on what `coordinates` brings, or picks by the diameter alone. When it
    comes, the micrographs there are already are picked again with it.
    """

    name = "pick-by-network"
    version = "1"
    resources = Resources(memory=ByteSize(1500 * 10**6))

    class Params(LearntParams):
        """Which network, and how boldly."""

        file: str | None = Field(
            default=None, description="File that train-picker wrote, instead of the stream."
        )

    def process(
        self, micrograph: Micrograph, model: PickingModel | None, coordinates: Coordinates | None, task: Task
    ) -> Coordinates:
        """Pick one micrograph."""
        if self.params.file is None and model is None:
            return pick_meanwhile(self.params, micrograph, coordinates, task, "networks")
        file = Path(self.params.file) if self.params.file is not None else None
        network, trained_for = read_network(file or task.locate(model.path), task.device)  # type: ignore[union-attr]
        diameter = self.params.diameter or trained_for
        picks = pick_by_network(
            load(micrograph, task),
            micrograph.pixel_size,
            diameter,
            network,
            false_picks=self.params.false_picks,
            most=self.params.max_per_micrograph,
            avoid=self.params.avoid,
        )
        return write_picks(picks, micrograph, diameter, task)
