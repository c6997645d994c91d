"""One vocabulary for what is known of recordings: models with units, and the table of what terms are called.

A term is `entity.field`, as `instrument.acceleration_voltage`. Its type, unit, definition and the range in
which it is believed are the field's of the model; its row in the table says who can tell it, how it follows
from exposures, which source is believed, and what it is called in each standard and file.
`docs/reference/crosswalk.md` is made from it.
"""

import math
from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from eucentric.metadata.units import unit_of
from eucentric.metadata.vocabulary.acquisition_models import Acquisition, Exposure, TiltSeries
from eucentric.metadata.vocabulary.acquisition_terms import ACQUISITION_TERMS, TILT_SERIES_TERMS
from eucentric.metadata.vocabulary.detector_terms import DETECTOR_TERMS, ENERGY_FILTER_TERMS
from eucentric.metadata.vocabulary.entity import Entity
from eucentric.metadata.vocabulary.exposure_terms import EXPOSURE_TERMS
from eucentric.metadata.vocabulary.instrument_terms import INSTRUMENT_TERMS
from eucentric.metadata.vocabulary.models import Detector, EnergyFilter, Instrument
from eucentric.metadata.vocabulary.processing import Processing, ProcessingStep, StepKind
from eucentric.metadata.vocabulary.processing_terms import PROCESSING_STEP_TERMS, PROCESSING_TERMS
from eucentric.metadata.vocabulary.sample_models import Grid, Molecule, Sample
from eucentric.metadata.vocabulary.sample_terms import GRID_TERMS, MOLECULE_TERMS, SAMPLE_TERMS
from eucentric.metadata.vocabulary.term import STANDARDS, Giver, How, Source, Summary, Term

ENTITIES: dict[str, type[Entity]] = {
    model.entity: model
    for model in (
        Instrument,
        Detector,
        EnergyFilter,
        Acquisition,
        Exposure,
        TiltSeries,
        Sample,
        Molecule,
        Grid,
        Processing,
        ProcessingStep,
    )
}
"""The models, by the name that heads their terms."""

TERMS: dict[str, Term] = {
    term.name: term
    for term in (
        *INSTRUMENT_TERMS,
        *DETECTOR_TERMS,
        *ENERGY_FILTER_TERMS,
        *ACQUISITION_TERMS,
        *EXPOSURE_TERMS,
        *TILT_SERIES_TERMS,
        *SAMPLE_TERMS,
        *MOLECULE_TERMS,
        *GRID_TERMS,
        *PROCESSING_TERMS,
        *PROCESSING_STEP_TERMS,
    )
}
"""The table, by name."""

_ADAPTERS: dict[str, TypeAdapter[Any]] = {}


def unit_of_term(name: str) -> str | None:
    """Return the symbol of a term's unit, None where it has none."""
    entity, _, field = name.partition(".")
    return unit_of(ENTITIES[entity].model_fields[field])


def definition(name: str) -> str:
    """Return what a term means."""
    entity, _, field = name.partition(".")
    return ENTITIES[entity].model_fields[field].description or ""


def label(name: str) -> str:
    """Return what people read for a term: the title of the model's field, or the field's name in words."""
    entity, _, field = name.partition(".")
    return ENTITIES[entity].model_fields[field].title or field.replace("_", " ").capitalize()


def checked(name: str, value: object) -> Any:
    """Return a value as its term's type.

    Raises:
        ValueError: It is of another type, or out of the range in which it is believed.
        KeyError: There is no such term.
    """
    if name not in _ADAPTERS:
        entity, _, field = TERMS[name].name.partition(".")
        info = ENTITIES[entity].model_fields[field]
        _ADAPTERS[name] = TypeAdapter(_annotated(info))
    found = _ADAPTERS[name].validate_python(value)
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError(f"{found} is no number")
    return found


def _annotated(info: FieldInfo) -> Any:
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


__all__ = [
    "ENTITIES",
    "STANDARDS",
    "TERMS",
    "Acquisition",
    "Detector",
    "EnergyFilter",
    "Entity",
    "Exposure",
    "Giver",
    "Grid",
    "How",
    "Instrument",
    "Molecule",
    "Processing",
    "ProcessingStep",
    "Sample",
    "Source",
    "StepKind",
    "Summary",
    "Term",
    "TiltSeries",
    "checked",
    "definition",
    "label",
    "unit_of_term",
]
