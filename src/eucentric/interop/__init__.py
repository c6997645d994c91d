"""What other systems speak, in both directions: here, what other programs' projects tell of processing."""

from eucentric.interop.harvest import NotHarvested, harvest

__all__ = ["NotHarvested", "harvest"]
