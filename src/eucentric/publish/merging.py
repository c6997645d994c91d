"""A session's record and what came of its data in another program, together."""

from typing import TypeVar

from eucentric.metadata.readings import Origin, agree
from eucentric.metadata.records import AcquisitionRecord, Contradiction, HarvestRecord, Known
from eucentric.metadata.vocabulary import Entity

_Model = TypeVar("_Model", bound=Entity)


def with_processing(record: AcquisitionRecord, harvest: HarvestRecord) -> AcquisitionRecord:
    """Return what is known of an acquisition with what another program made of it.

    What came of processing is the other program's, as far as it tells it, since it came later. What is known
    of the recording stays; what is missing there is taken from the project, and what does not agree is
    reported.

    Args:
        record: The acquisition.
        harvest: What the other program's project tells.
    """
    found = harvest.record
    told = found.processing.model_dump(exclude_none=True)
    differing = [
        contradiction
        for term, other in found.provenance.items()
        if not term.startswith("processing.") and (contradiction := _contradiction(record, term, other))
    ]
    own = {term: known for term, known in record.provenance.items() if term not in found.provenance}
    kept = {
        term: record.provenance.get(term, other) if not term.startswith("processing.") else other
        for term, other in found.provenance.items()
    }
    return record.model_copy(
        update={
            "processing": record.processing.model_copy(update=told),
            "instrument": _filled(record.instrument, found.instrument),
            "acquisition": _filled(record.acquisition, found.acquisition),
            "steps": (*record.steps, *found.steps),
            "provenance": {**own, **kept},
            "contradictions": (*record.contradictions, *differing),
        }
    )


def _filled(model: _Model, other: _Model) -> _Model:
    """Return a model with what only the other knows."""
    missing = {
        name: value
        for name, value in other.model_dump(exclude_none=True).items()
        if getattr(model, name) is None
    }
    return model.model_copy(update=missing)


def _contradiction(record: AcquisitionRecord, term: str, other: Known) -> Contradiction | None:
    used = record.value(term)
    if used is None or agree(term, used, other.value):
        return None
    known = record.provenance.get(term)
    return Contradiction(
        term=term,
        used=used,
        other=other.value,
        used_origin=known.origin if known else Origin("companion"),
        other_origin=other.origin,
    )
