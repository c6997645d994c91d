"""Which step made the final result, which led to it, and a record of what they tell."""

from collections.abc import Iterable, Sequence

from eucentric.metadata.readings import Reading
from eucentric.metadata.records import AcquisitionRecord, Known
from eucentric.metadata.vocabulary import ENTITIES, ProcessingStep

FINAL = ("post-processing", "3D refinement", "3D classification", "initial model")
"""The kinds of steps that make a final result, the usual last one first."""


def called(steps: Sequence[ProcessingStep], name: str) -> ProcessingStep | None:
    """Return the step of a name, an alias or the last part of a name; None where there is none."""
    name = name.strip("/")
    for step in steps:
        if name in (step.name, step.parameters.get("alias"), (step.name or "").rpartition("/")[2]):
            return step
    return None


def last(steps: Sequence[ProcessingStep]) -> ProcessingStep | None:
    """Return the last step that made a final result, as far as it is known to have succeeded."""
    for kind in FINAL:
        done = [step for step in steps if step.kind == kind and step.status in ("succeeded", None)]
        if done:
            return done[-1]
    return None


def leading_to(steps: Sequence[ProcessingStep], final: ProcessingStep | None) -> list[ProcessingStep]:
    """Return the steps that lead to the final one, and that, in their order; all where there is none."""
    if final is None:
        return list(steps)
    by_name = {step.name: step for step in steps}
    waiting, seen = [final], {final.name}
    while waiting:
        for name in waiting.pop().inputs:
            if name in by_name and name not in seen:
                seen.add(name)
                waiting.append(by_name[name])
    return [step for step in steps if step.name in seen]


def record_of(readings: Iterable[Reading], steps: Iterable[ProcessingStep]) -> AcquisitionRecord:
    """Return steps, and readings of which the later count, as a record with provenance."""
    used = {reading.term: reading for reading in readings}
    values: dict[str, dict[str, object]] = {}
    for term, reading in used.items():
        entity, _, field = term.partition(".")
        values.setdefault(entity, {})[field] = reading.value
    return AcquisitionRecord(
        **{entity: ENTITIES[entity](**fields) for entity, fields in values.items()},
        steps=tuple(steps),
        provenance={
            term: Known(value=reading.value, unit=reading.unit, origin=reading.origin)
            for term, reading in sorted(used.items())
        },
    )
