"""Reads the STAR files of one job of RELION, and collects what they tell as readings of the vocabulary."""

from functools import cached_property

from eucentric.formats import FormatError
from eucentric.formats.star_summary import BlockSummary, StarSummary, finite, summarise_star
from eucentric.interop.project_folder import ProjectFolder
from eucentric.interop.relion_jobs import Job
from eucentric.metadata.readings import Collector, Reading

Values = dict[str, tuple[object, str]]
"""Values of terms, each with what it is called in the file."""

_OPTICS = {
    "instrument.acceleration_voltage": "rlnVoltage",
    "instrument.cs": "rlnSphericalAberration",
    "processing.amplitude_contrast": "rlnAmplitudeContrast",
    "acquisition.pixel_size": "rlnMicrographOriginalPixelSize",
}
"""What optics groups say; before 3.1, rows."""


class JobReader:
    """Reads the files of one job.

    Args:
        folder: The project's.
        job: The job.

    Attributes:
        readings: Values of terms, with the files that they are from.
        counts: What the vocabulary has no term for, such as the particles that a selection kept.
        refused: Sentences about what could not be read or believed.
    """

    def __init__(self, folder: ProjectFolder, job: Job) -> None:
        self.folder, self.job = folder, job
        self.readings: list[Reading] = []
        self.counts: dict[str, int] = {}
        self.refused: list[str] = []

    @cached_property
    def flags(self) -> dict[str, str]:
        """The options of the command."""
        return self.job.flags

    def star(self, name: str | None, *labels: str) -> StarSummary | None:
        """Return what a STAR file holds, None where it is not there or cannot be read."""
        path = self.folder.locate(name) if name else None
        if path is None or not path.is_file():
            return None
        try:
            return summarise_star(path, labels)
        except FormatError as error:
            self.refused.append(f"{name}: {error.what}; what came of {self.job.name} may be missing.")
            return None

    def add(self, file: str, values: Values, unit: str = "") -> None:
        """Take in values of terms, each with what it is called in the file."""
        collector = Collector("processing", file)
        for term, (value, key) in values.items():
            collector.add(term, value, key, unit)
        self.readings += collector.readings
        self.refused += collector.refused

    def table(self, name: str | None, *labels: str) -> BlockSummary | None:
        """Return the main table of a file, and take in what its optics groups say."""
        found = self.star(name, *labels, *_OPTICS.values())
        if found is None or name is None:
            return None
        main = max(
            (block for key, block in found.blocks.items() if key != "optics"),
            key=lambda block: block.rows,
            default=None,
        )
        optics = found.blocks.get("optics", main)
        if optics is not None:
            self._optics(name, optics)
        return main

    def _optics(self, name: str, optics: BlockSummary) -> None:
        self.add(name, {term: (optics.number(label), label) for term, label in _OPTICS.items()})
        for label in _OPTICS.values():
            numbers = optics.numbers.get(label)
            if numbers is not None and numbers.count and numbers.minimum != numbers.maximum:
                self.refused.append(
                    f"{name}: {label} is {numbers.minimum:g} to {numbers.maximum:g}; the first is used."
                )

    def option(self, *names: str) -> str | None:
        """Return the first option of the command, or setting, that is given."""
        for name in names:
            if value := self.flags.get(name) or self.job.options.get(name):
                return value
        return None

    def number(self, *names: str) -> float | None:
        """Return the same as a number."""
        text = self.option(*names)
        return None if text is None else finite(text)


def whole(number: float | None) -> int | None:
    """Return a number as a count; what is below 1 means "all" in RELION."""
    return int(number) if number is not None and number >= 1 else None
