"""What arrives: find, check and group the files of a session, or simulate a microscope."""

from eucentric.microscope.companions import Pairing, companions_of
from eucentric.microscope.complete import has_frames
from eucentric.microscope.finder import FoundFile
from eucentric.microscope.watch import Quiet, Tick, watch

__all__ = ["FoundFile", "Pairing", "Quiet", "Tick", "companions_of", "has_frames", "watch"]
