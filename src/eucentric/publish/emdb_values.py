"""How EMDB's XML writes values with units, and the programs of steps."""

from collections.abc import Collection
from typing import Any

from eucentric.metadata.records import AcquisitionRecord

ANGSTROM = "\N{ANGSTROM SIGN}"
"""The unit; not the letter: the schema has this character."""

UNDONE = ("failed", "aborted", "scheduled", "running")
"""How steps stand that gave no result."""


def with_units(value: float | None, units: str, factor: float = 1.0) -> dict[str, Any] | None:
    """Return a value times `factor` with its unit; None for None."""
    return None if value is None else {"@units": units, "#": float(value * factor)}


def software_list(record: AcquisitionRecord, kinds: Collection[str]) -> dict[str, Any] | None:
    """Return the programs of all steps of some kinds that were done, each once; None where there are none."""
    programs = dict.fromkeys(
        (step.software, step.software_version)
        for step in record.steps
        if step.kind in kinds and step.software and step.status not in UNDONE
    )
    # Of some steps no file tells the version: where others of the same program do, these are no news.
    told = {name for name, version in programs if version}
    listed = [{"name": name, "version": version} for name, version in programs if version or name not in told]
    return {"software": listed} if listed else None
