"""Finding the particles of every micrograph, from nothing but their diameter."""

from typing import Annotated

from pydantic import ByteSize, Field

from eucentric.engine.protocol import Protocol, Resources, Task
from eucentric.metadata import Angstrom, Coordinates, Micrograph
from eucentric.techniques.single_particle.picks import PickingParams, pick_by_diameter


class PickParticles(Protocol):
    """Find particles without templates; carbon, ice crystals, dirt and gold are left out."""

    name = "pick-particles"
    version = "2"
    resources = Resources(memory=ByteSize(800 * 10**6))

    class Params(PickingParams):
        """What is looked for, and how boldly."""

        diameter: Angstrom = Field(gt=0, description="Longest diameter of the particles.")
        diameters: dict[str, Annotated[Angstrom, Field(gt=0)]] = Field(
            default_factory=dict,
            description="Diameters by acquisition, where samples differ; the others have the one above.",
        )

    def process(self, micrograph: Micrograph, task: Task) -> Coordinates:
        """Pick one micrograph."""
        diameter = self.params.diameters.get(task.key[0], self.params.diameter)
        return pick_by_diameter(self.params, micrograph, diameter, task)
