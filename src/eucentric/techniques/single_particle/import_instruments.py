"""What the site's registry of instruments says of the microscope of a movie."""

import logging
from pathlib import Path

from eucentric.metadata.registry import InstrumentEntry, Registry, instrument_called
from eucentric.microscope.exposure_metadata import Companion
from eucentric.store import Site, SiteError
from eucentric.store.site import SETTINGS
from eucentric.techniques.single_particle.import_acquisitions import Acquisition

log = logging.getLogger("eucentric.import")

USUAL_ABERRATION = 2.7
"""Spherical aberration in mm of most microscopes for frozen specimens, where nobody says another."""


class Instruments:
    """The registry of the site that a session belongs to."""

    def __init__(self, session: Path) -> None:
        """Read the registry; there is none for a session outside of any site."""
        self._registry: Registry = {}
        site = session.absolute().parent.parent
        if (site / SETTINGS).is_file():
            try:
                self._registry = Site.open(site).instruments
            except SiteError as error:
                log.warning("The registry of instruments is left out: %s", error)

    def lens(self, companion: Companion | None, acquisition: Acquisition | None) -> InstrumentEntry:
        """Return what is known of the microscope that a movie's metadata name, or its acquisition's."""
        named = name_of(companion) or (acquisition.instrument if acquisition else None)
        found = instrument_called(self._registry, {"": named}) if named else None
        return self._registry[found] if found else InstrumentEntry()


def name_of(companion: Companion | None) -> str | None:
    """Return what a movie's metadata call the microscope."""
    return companion.metadata.instrument if companion else None


def aberration_of(lens: InstrumentEntry, given: float | None) -> float:
    """Return the spherical aberration in mm: what was given, what the registry says, or what is usual."""
    return next(each for each in (given, lens.cs, USUAL_ABERRATION) if each is not None)
