"""What a reader found, as plain values."""

from typing import Any

from eucentric.metadata.readings import Findings


def values(findings: Findings, exposure: str) -> dict[str, Any]:
    """Return the values of an exposure by term, with the part where there is one."""
    found = (*findings.readings, *findings.exposures[exposure])
    return {f"{each.term}[{each.part}]" if each.part else each.term: each.value for each in found}


# DigitalMicrograph
