"""What exposures, sessions and the registry say of what the exposures of an acquisition have in common."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from eucentric.metadata.readings import Reading, Value, agree
from eucentric.metadata.records import Contradiction
from eucentric.metadata.registry import (
    detector_called,
    instrument_called,
    readings_of_detector,
    readings_of_instrument,
)
from eucentric.metadata.vocabulary import TERMS

if TYPE_CHECKING:
    from eucentric.metadata.knowledge import Knowledge, Place, Resolved

Key = tuple[str, str]
"""A term, and which part of several."""

Pool = dict[Key, list[tuple[Reading, int]]]
"""The readings of every term and part, with the number of exposures that say so."""

Chosen = dict[Key, tuple[Reading, int]]
"""The reading that counts of every term and part, with the number of exposures that say so."""

_NAMES = {"instrument.name", "instrument.serial_number", "detector.name", "detector.serial_number"}
"""Terms by which the registry recognises what files call otherwise: that is no contradiction."""


def pooled(exposures: "Iterable[Resolved]") -> Pool:
    """Gather what exposures say of what they should have in common; equal values once."""
    counts: dict[tuple[Key, Value], tuple[Reading, int]] = {}
    for exposure in exposures:
        for key, reading in exposure.readings.items():
            if not reading.term.startswith(("exposure.", "tilt_series.")):
                first, number = counts.get((key, reading.value), (reading, 0))
                counts[key, reading.value] = (first, number + 1)
    pool: Pool = defaultdict(list)
    for (key, _), found in counts.items():
        pool[key].append(found)
    return pool


def chosen(term: str, found: list[tuple[Reading, int]]) -> tuple[Reading, int]:
    """Return what counts: by the term's precedence, then what most exposures say."""
    order = TERMS[term].precedence
    return min(found, key=lambda each: (order.index(each[0].origin.source), -each[1]))


def general(knowledge: "Knowledge", group: str, pool: Pool) -> Iterator[Reading]:
    """Yield what holds for a whole session or group, and the presets of what the exposures are made for."""
    intents = {reading.value for reading, _ in pool.get(("acquisition.intent", ""), ())}
    for where, files in knowledge.general.items():
        if _is_within(group, where):
            for readings in files.values():
                yield from readings
    for (where, intent), files in knowledge.by_intent.items():
        if _is_within(group, where) and intent in (intents or {"collection"}):
            for readings in files.values():
                yield from readings


def _is_within(group: str, where: str) -> bool:
    """Say whether a group is that of a file, or within it: the sample `session/Sample3`."""
    return where in ("", group) or group.startswith(f"{where}/")


def settle_cameras(pool: Pool) -> None:
    """Of the cameras that properties list by number, keep the one that was used, as the detector."""
    listed = {part for term, part in pool if term.startswith("detector.") and part.isdigit()}
    if not listed:
        return
    numbers = pool.get(("detector.number", ""))
    used = str(chosen("detector.number", numbers)[0].value) if numbers else None
    if used is None and len(listed) == 1:
        used = next(iter(listed))
    for key in [key for key in pool if key[0].startswith("detector.") and key[1] in listed]:
        readings = pool.pop(key)
        if key[1] == used:
            pool[key[0], ""] += readings


def ask_registry(knowledge: "Knowledge", pool: Pool) -> None:
    """Add what the registry tells of the instrument and detector that are named."""

    def named(head: str, *fields: str) -> dict[str, Value]:
        terms = [f"{head}.{field}" for field in fields]
        return {term: chosen(term, pool[term, ""])[0].value for term in terms if pool.get((term, ""))}

    registry = knowledge.registry
    names = named("instrument", "serial_number", "computer_name", "name", "model")
    name = knowledge.instrument or instrument_called(registry, names)
    if name is None or name not in registry:
        return
    found = [*readings_of_instrument(registry, name)]
    detector = detector_called(registry[name], named("detector", "name", "location", "number"))
    if detector is not None:
        found += readings_of_detector(registry, name, detector)
    for reading in found:
        pool[reading.term, ""].append((reading, 0))


def disagreements(pool: Pool, used: Chosen) -> list[Contradiction]:
    """Return what does not agree with what counts; once for every source, with the value most often said."""
    worst: dict[tuple[Key, str, str], tuple[Reading, int, int]] = {}
    for key, found in pool.items():
        for reading, number in found:
            if agree(key[0], used[key][0].value, reading.value) or _is_expected(used[key][0], reading):
                continue
            source = (key, reading.origin.source, reading.origin.key)
            known, most, total = worst.get(source, (reading, number, 0))
            if number > most:
                known, most = reading, number
            worst[source] = (known, most, total + number)
    return [
        _contradiction(used[key][0], reading, total, "") for (key, _, _), (reading, _, total) in worst.items()
    ]


def _is_expected(used: Reading, other: Reading) -> bool:
    """Say whether two readings may differ: of what was planned, or of what people call a thing."""
    summary = TERMS[used.term].summary
    is_plan = other.origin.source == "session" and summary is not None
    is_range = summary is not None and summary.how not in ("mean", "most")
    is_name = used.term in _NAMES and "registry" in (used.origin.source, other.origin.source)
    return (is_plan and is_range) or is_name


def of_exposures(exposures: "Mapping[Place, Resolved]") -> list[Contradiction]:
    """Return what sources say differently of the same exposure, once for each pair of sources."""
    found: dict[tuple[str, str, str], tuple[Reading, Reading, str, int]] = {}
    for (_, name), exposure in exposures.items():
        for used, other in exposure.differing:
            key = (used.term, used.origin.key, other.origin.key)
            first = found.get(key, (used, other, name, 0))
            found[key] = (*first[:3], first[3] + 1)
    return [_contradiction(used, other, number, name) for used, other, name, number in found.values()]


def _contradiction(used: Reading, other: Reading, exposures: int, example: str) -> Contradiction:
    return Contradiction(
        term=used.term,
        used=used.value,
        other=other.value,
        used_origin=used.origin,
        other_origin=other.origin,
        exposures=exposures,
        example=example,
    )
