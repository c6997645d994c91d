"""What a deposition needs: the 38 parameters of OpenEM's requirements, and who still has to give them."""

from dataclasses import dataclass
from typing import Literal, get_args

from eucentric.metadata.records import AcquisitionRecord
from eucentric.metadata.vocabulary import TERMS, Giver, Term

Target = Literal["empiar", "emdb", "pdb", "oscem", "zenodo"]
TARGETS: tuple[Target, ...] = get_args(Target)

_COLUMN = {"empiar": "empiar", "emdb": "emdb", "pdb": "mmcif", "oscem": "oscem"}
"""The column of the table of terms that belongs to a target; Zenodo has no such fields."""

PARAMETERS: dict[str, tuple[Target, ...]] = {
    "Instrument Name": ("emdb", "pdb", "oscem"),
    "Illumination mode": ("emdb", "pdb", "oscem"),
    "Imaging mode": ("emdb", "pdb", "oscem"),
    "Electron source": ("emdb", "pdb", "oscem"),
    "Acceleration Voltage": ("emdb", "pdb", "oscem"),
    "C2 Aperture": (),
    "CS": (),
    "Nominal defocus (min/max)": (),
    "calibrated defocus (min/max)": (),
    "nominal magnification": (),
    "calibrated magnification": (),
    "specimen holder model": (),
    "cooling holder cryogen": (),
    "Temperature (min/max)": (),
    "alignment procedure": (),
    "software list": (),
    "Detector / Camera": ("emdb", "pdb", "oscem"),
    "average dose per image": ("emdb", "pdb"),
    "Energy filter": (),
    "energy filter slit width": (),
    "detector pixels": (),
    "Date of experiment": ("oscem",),
    "average exposure time": (),
    "Tilt angle (min/max)": (),
    "cryogen": (),
    "Residual tilt": (),
    "Details instrument": (),
    "specialist optics": (),
    "spherical aberration corrector": (),
    "chromatic aberration corrector": (),
    "Microscopy settings": ("emdb", "pdb", "oscem"),
    "Detector mode": (),
    "sampling interval": (),
    "Movie frames per image": ("empiar",),
    "range of frames used": (),
    "# of grids imaged": (),
    "# of images": ("empiar",),
    "details for camera": (),
}
"""The parameters in the order of that table, with the targets that take no deposition without them: by EMDB's
schema and by its own list, PDBx/mmCIF's dictionary, OSCEM's schema, EMPIAR's schema."""

Need = Literal["required", "optional", "not asked"]


@dataclass(frozen=True)
class Status:
    """How it stands with one parameter.

    Attributes:
        name: Its name in OpenEM's table.
        terms: Its terms.
        known: Whether all of them are known, or need not be.
        source: Where they are from, "file", "registry", "operator", "processing"; "" where one is missing;
            "not needed" where other values make it so.
        by: Who can give what is missing, the usual one first.
        need: Whether each target asks for it.
    """

    name: str
    terms: tuple[Term, ...]
    known: bool
    source: str
    by: tuple[Giver, ...]
    need: dict[Target, Need]


def terms_of(parameter: str) -> tuple[Term, ...]:
    """Return the terms of one of `PARAMETERS`."""
    return tuple(term for term in TERMS.values() if term.parameter == parameter)


def needed_by(parameter: str, target: Target) -> Need:
    """Say whether a target asks for a parameter."""
    if target in PARAMETERS[parameter]:
        return "required"
    column = _COLUMN.get(target, "")
    return "optional" if any(term.called(column) for term in terms_of(parameter)) else "not asked"


def statuses(record: AcquisitionRecord) -> list[Status]:
    """Return how it stands with each of the parameters, in the order of OpenEM's table."""
    return [_status(record, name) for name in PARAMETERS]


def _status(record: AcquisitionRecord, name: str) -> Status:
    terms = terms_of(name)
    lacking = [term for term in terms if record.value(term.name) is None and not _is_moot(record, term.name)]
    by = tuple(dict.fromkeys(giver for term in lacking or terms for giver in term.by))
    need = {target: needed_by(name, target) for target in TARGETS}
    sources = dict.fromkeys(
        _giver(record.provenance[term.name].origin.source, record.provenance[term.name].origin.key)
        for term in terms
        if term.name in record.provenance
    )
    source = "" if lacking else ", ".join(sources) or "not needed"
    return Status(name, terms, not lacking, source, by, need)


def _giver(source: str, key: str) -> str:
    if source == "derived" and key.startswith("instrument."):
        return "registry"
    return source if source in ("registry", "operator", "processing") else "file"


def _is_moot(record: AcquisitionRecord, term: str) -> bool:
    """Say whether a term need not be known: a slit that is out has no width."""
    return term == "energy_filter.width_energy_filter" and record.energy_filter.used is False
