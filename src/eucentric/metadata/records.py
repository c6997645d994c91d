"""What is known of a session, typed, with provenance: what reports and writers of other standards get."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from eucentric.metadata.readings import Origin, Value
from eucentric.metadata.vocabulary import (
    Acquisition,
    Detector,
    EnergyFilter,
    Exposure,
    Grid,
    Instrument,
    Molecule,
    Processing,
    ProcessingStep,
    Sample,
    TiltSeries,
)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Known(_Record):
    """A value that is known, and where it is from.

    Attributes:
        value: The value.
        unit: Symbol of its unit.
        origin: Where it is from.
        exposures: How many exposures say so; 0 where it is not from exposures.
    """

    value: Value
    unit: str | None = None
    origin: Origin
    exposures: int = 0


class Contradiction(_Record):
    """Sources that do not agree about a value, or exposures that should have the same and have not.

    Attributes:
        term: The term.
        used: The value that is used.
        other: The value that is not.
        used_origin: Where the one is from.
        other_origin: Where the other is from.
        exposures: In how many exposures.
        example: The first of these.
    """

    term: str
    used: Value
    other: Value
    used_origin: Origin
    other_origin: Origin
    exposures: int = 0
    example: str = ""

    def sentence(self) -> str:
        """Say it for people."""
        name = self.term.replace("_", " ").replace(".", ": ", 1)
        where = f" in {self.exposures} exposures, such as {self.example}" if self.exposures > 1 else ""
        where = where or (f" in {self.example}" if self.example else "")
        return f"{name} is {self.used} by {self.used_origin}, but {self.other} by {self.other_origin}{where}."


class AcquisitionRecord(_Record):
    """All that is known of one acquisition.

    Attributes:
        provenance: Where each value is from, by term; of one of several parts, `term[part]`.
    """

    instrument: Instrument = Instrument()
    detectors: tuple[Detector, ...] = ()
    energy_filter: EnergyFilter = EnergyFilter()
    acquisition: Acquisition = Acquisition()
    grid: Grid = Grid()
    sample: Sample = Sample()
    molecules: tuple[Molecule, ...] = ()
    tilt_series: tuple[TiltSeries, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    processing: Processing = Processing()
    steps: tuple[ProcessingStep, ...] = ()
    provenance: dict[str, Known] = {}
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def detector(self) -> Detector:
        """The detector, or the first of several."""
        return self.detectors[0] if self.detectors else Detector()

    def value(self, term: str) -> Any:
        """Return the value of a term; None where it is not known. Of several parts, the first's."""
        entity, _, field = term.partition(".")
        model = self.detector if entity == "detector" else getattr(self, entity)
        return getattr(model, field)


class SessionRecord(_Record):
    """All that is known of a session.

    Attributes:
        acquisitions: Its acquisitions, the collection of data first, then by time.
        refused: Sentences about values, and files, that could not be believed or read.
    """

    acquisitions: tuple[AcquisitionRecord, ...] = ()
    refused: tuple[str, ...] = ()


class HarvestRecord(_Record):
    """What another program's project tells of the processing.

    Attributes:
        program: The program whose project it is: `RELION`, `CCP-EM Pipeliner`, `Scipion`.
        program_version: Its version; None where no file tells it.
        project: The folder that the paths of files are relative to.
        final: Name of the step whose result is the final one; None where there is none.
        record: Its steps, and what came of those that lead to the final one.
        refused: Sentences about what could not be read or believed.
    """

    program: str
    program_version: str | None = None
    project: str
    final: str | None = None
    record: AcquisitionRecord = AcquisitionRecord()
    refused: tuple[str, ...] = ()
