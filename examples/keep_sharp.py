"""Keep the exposures whose rings reach far enough."""

from pydantic import Field

from eucentric.engine.protocol import Protocol, ProtocolParams, Rejected, Task
from eucentric.metadata import CTF, Angstrom


class KeepSharp(Protocol):
    """Keep the exposures whose rings reach far enough."""

    name = "keep-sharp"
    version = "1"

    class Params(ProtocolParams):
        """What is far enough."""

        worst: Angstrom = Field(default=8.0, gt=0, description="Coarsest resolution to keep.")

    def process(self, ctf: CTF, task: Task) -> CTF:
        """Let a CTF pass, or reject its exposure."""
        if ctf.resolution > self.params.worst:
            raise Rejected(f"rings end at {ctf.resolution:.1f} Å, {self.params.worst:.1f} Å is asked for")
        task.log.info("rings reach to %.1f Å", ctf.resolution)
        return ctf
