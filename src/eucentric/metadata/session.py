"""From knowledge to typed records: which exposures belong together, and what is known of each acquisition."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eucentric.metadata.derived import derived_of_acquisition
from eucentric.metadata.image_shift import grouped_by_shift
from eucentric.metadata.pooling import (
    Chosen,
    ask_registry,
    chosen,
    disagreements,
    general,
    of_exposures,
    pooled,
    settle_cameras,
)
from eucentric.metadata.readings import Origin, Reading, Value
from eucentric.metadata.records import AcquisitionRecord, Contradiction, Known, SessionRecord
from eucentric.metadata.summary import summaries, tilt_series
from eucentric.metadata.vocabulary import (
    ENTITIES,
    Detector,
    Exposure,
    Molecule,
    TiltSeries,
    unit_of_term,
)

if TYPE_CHECKING:
    from eucentric.metadata.knowledge import Knowledge, Place, Resolved

APART = (
    "grid.name",
    "acquisition.intent",
    "acquisition.technique",
    "acquisition.nominal_magnification",
    "exposure.width",
    "exposure.height",
    "detector.name",
)
"""Exposures that differ in one of these belong to different acquisitions; what is not known does not tell."""

_INTENTS = ("collection", None, "screening", "atlas")

_Tag = tuple[str, tuple[Value | None, ...]]


def session_record(knowledge: "Knowledge") -> SessionRecord:
    """Return all that is known of a session, by acquisition: collections first, then by time."""
    resolved = {place: knowledge.exposure(place) for place in knowledge.places}
    records = [
        _acquisition(knowledge, group, {place: resolved[place] for place in places})
        for group, places in _grouped(resolved)
    ]
    if not records:
        groups = {*knowledge.general, *(group for group, _ in knowledge.by_intent)}
        records = [_acquisition(knowledge, group, {}) for group in sorted(groups)]
    records.sort(
        key=lambda record: (
            _INTENTS.index(record.acquisition.intent),
            str(record.acquisition.date_time or ""),
            record.acquisition.name or "",
        )
    )
    return SessionRecord(acquisitions=tuple(records), refused=tuple(knowledge.refused))


def _grouped(resolved: "Mapping[Place, Resolved]") -> Iterator[tuple[str, list["Place"]]]:
    """Yield the exposures of each acquisition, with the group of their folders."""
    by_tag: dict[_Tag, list[Place]] = defaultdict(list)
    for place, known in resolved.items():
        by_tag[place[0], tuple(_stated(known, term) for term in APART)].append(place)
    groups: dict[_Tag, list[Place]] = {}
    # What is known best comes first; those of which less is known join the largest that they can belong to.
    for tag in sorted(by_tag, key=lambda tag: (sum(each is None for each in tag[1]), -len(by_tag[tag]))):
        fitting = [each for each in groups if _fits(tag, each)]
        if fitting:
            groups[max(fitting, key=lambda each: len(groups[each]))] += by_tag[tag]
        else:
            groups[tag] = list(by_tag[tag])
    for tag, places in groups.items():
        yield tag[0], places


def _stated(known: "Resolved", term: str) -> Value | None:
    """Return a value that some file states; what only follows from others tells nothing apart."""
    reading = known.readings.get((term, ""))
    return None if reading is None or reading.origin.source == "derived" else reading.value


def _fits(tag: _Tag, other: _Tag) -> bool:
    pairs = zip(tag[1], other[1], strict=True)
    return tag[0] == other[0] and all(one is None or two is None or one == two for one, two in pairs)


def _acquisition(
    knowledge: "Knowledge", group: str, exposures: "Mapping[Place, Resolved]"
) -> AcquisitionRecord:
    grouped_by_shift(exposures.values())
    pool = pooled(exposures.values())
    for reading in general(knowledge, group, pool):
        pool[reading.term, reading.part].append((reading, 0))
    series = tilt_series(exposures.values())
    for reading in summaries(exposures.values(), series):
        pool[reading.term, ""].append((reading, len(exposures)))
    settle_cameras(pool)
    ask_registry(knowledge, pool)
    used: Chosen = {key: chosen(key[0], found) for key, found in pool.items()}
    known = {term: found[0] for (term, part), found in used.items() if not part}
    for reading in derived_of_acquisition(known):
        pool[reading.term, ""].append((reading, 0))
        used[reading.term, ""] = chosen(reading.term, pool[reading.term, ""])
    contradictions = [*disagreements(pool, used), *of_exposures(exposures)]
    if ("acquisition.name", "") not in used:
        name = Reading("acquisition.name", _name(group, used), Origin("path", group))
        used["acquisition.name", ""] = (name, len(exposures))
    return _record(used, series, exposures, contradictions)


def _name(group: str, used: Chosen) -> str:
    def value(term: str) -> Any:
        return used[term, ""][0].value if (term, "") in used else None

    magnification = value("acquisition.nominal_magnification")
    parts = [
        value("grid.name") or group.rpartition("/")[2],
        value("acquisition.intent"),
        f"{magnification:g}x" if magnification else None,
    ]
    return "-".join(str(part) for part in parts if part) or "acquisition"


def _record(
    used: Chosen,
    series: list[TiltSeries],
    exposures: "Mapping[Place, Resolved]",
    contradictions: list[Contradiction],
) -> AcquisitionRecord:
    parts: dict[str, dict[str, dict[str, Value]]] = defaultdict(lambda: defaultdict(dict))
    provenance = {}
    for (term, part), (reading, number) in sorted(used.items()):
        entity, _, field = term.partition(".")
        if entity in ("exposure", "tilt_series", "processing_step"):
            continue
        parts[entity][part][field] = reading.value
        provenance[f"{term}[{part}]" if part else term] = Known(
            value=reading.value, unit=unit_of_term(term), origin=reading.origin, exposures=number
        )
    detectors, molecules = parts.pop("detector", {}), parts.pop("molecule", {})
    return AcquisitionRecord(
        **{entity: ENTITIES[entity](**values[""]) for entity, values in parts.items()},
        detectors=_detectors(detectors),
        molecules=tuple(Molecule(**values) for values in molecules.values()),
        tilt_series=tuple(series),
        exposures=tuple(_exposure(place, exposures[place]) for place in exposures),
        provenance=provenance,
        contradictions=tuple(contradictions),
    )


def _detectors(parts: Mapping[str, dict[str, Value]]) -> tuple[Detector, ...]:
    """Return the detector, or each of several with what they have in common."""
    common = parts.get("", {})
    named = [values for part, values in parts.items() if part]
    return tuple(Detector(**{**common, **values}) for values in named or [common] if {**common, **values})


def _exposure(place: "Place", known: "Resolved") -> Exposure:
    values = {
        term.partition(".")[2]: reading.value
        for (term, part), reading in known.readings.items()
        if term.startswith("exposure.") and not part
    }
    return Exposure(**{"name": place[1], **values})
