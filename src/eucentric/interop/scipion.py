"""A workflow that Scipion exported: a JSON list of protocols with their parameters and links.

Source: pyworkflow 3, whose projects export `object.className`, `object.id`, `object.label` and the form's
parameters; an input is the number of the protocol that it is from and the name of the output,
`1164.outputParticles`. What came of a protocol is not in such a file.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eucentric.formats import FormatError
from eucentric.interop.final_steps import called, last, leading_to, record_of
from eucentric.interop.scipion_protocols import kind_of_protocol, software_of_protocol
from eucentric.metadata.readings import Collector, Origin, Reading
from eucentric.metadata.records import HarvestRecord
from eucentric.metadata.vocabulary import ProcessingStep

CLASS = "object.className"
MAX_PROTOCOLS = 5_000
"""Protocols of the largest workflow that is read."""

_LINK = re.compile(r"(\d{1,9})\.(?:[A-Za-z_][\w.]*)?")
_MAX_TEXT = 1 << 16

_TERMS: dict[str, tuple[str, str]] = {
    "voltage": ("instrument.acceleration_voltage", "kV"),
    "sphericalAberration": ("instrument.cs", "mm"),
    "amplitudeContrast": ("processing.amplitude_contrast", ""),
    "magnification": ("acquisition.nominal_magnification", ""),
    "samplingRate": ("acquisition.pixel_size", "Å/px"),
    "dosePerFrame": ("processing.dose_per_frame", "1/Å²"),
    "doseInitial": ("processing.initial_dose", "1/Å²"),
}
"""Parameters with which movies are imported, and their terms."""


def is_workflow(content: Any) -> bool:
    """Say whether parsed JSON is a workflow of Scipion."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(each, dict) and isinstance(each.get(CLASS), str) for each in content)
    )


def harvest_workflow(
    path: Path, content: Sequence[Mapping[str, Any]], final: str | None = None
) -> HarvestRecord:
    """Read a workflow.

    Args:
        path: Its file.
        content: What `is_workflow` is true of.
        final: Name of the protocol whose result is the final one.

    Raises:
        FormatError: It has too many protocols, or protocols with the same number.
    """
    if len(content) > MAX_PROTOCOLS:
        raise FormatError(path, f"it has more than {MAX_PROTOCOLS} protocols", "export a part of them")
    names = _names(path, content)
    steps, readings = [], dict[str, list[Reading]]()
    refused: list[str] = []
    for each, name in zip(content, names.values(), strict=True):
        steps.append(_step(each, name, names))
        collector = Collector("processing", path.name)
        _take(collector, each, str(steps[-1].kind), name)
        readings[name] = collector.readings
        refused += collector.refused
    steps = _in_order(steps)
    chosen = called(steps, final) if final else last(steps)
    found = [each for step in leading_to(steps, chosen) for each in readings[str(step.name)]]
    if chosen is not None and not any(
        re.search("tomo|tilt", step.type or "", re.IGNORECASE) for step in steps
    ):
        origin = Origin("derived", path.name, CLASS)
        found.append(Reading("acquisition.technique", "single particle", origin))
    return HarvestRecord(
        program="Scipion",
        project=str(path.absolute().parent),
        final=chosen.name if chosen else None,
        record=record_of(found, steps),
        refused=tuple(refused),
    )


def _names(path: Path, content: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return for each protocol's number its label, with the number where several have the same."""
    labels = [str(each.get("object.label") or each[CLASS])[:200].strip() or "protocol" for each in content]
    names = {}
    for place, (each, label) in enumerate(zip(content, labels, strict=True)):
        number = str(each.get("object.id", f"#{place}"))
        if number in names:
            raise FormatError(path, f"it has two protocols of the number {number}", "export it again")
        names[number] = label if labels.count(label) == 1 else f"{label} ({number})"
    return names


def _step(protocol: Mapping[str, Any], name: str, names: Mapping[str, str]) -> ProcessingStep:
    type_ = protocol[CLASS]
    parameters, inputs = dict[str, str | int | float | bool](), list[str]()
    for key, value in protocol.items():
        if key.startswith("object.") or value is None or value == "":
            continue
        linked = [names[each] for each in _linked(value) if each in names]
        inputs += linked
        if not linked:
            parameters[key] = _scalar(value)
    if comment := str(protocol.get("object.comment") or "").strip():
        parameters["comment"] = comment[:_MAX_TEXT]
    return ProcessingStep(
        name=name,
        kind=kind_of_protocol(type_),
        type=type_,
        software=software_of_protocol(type_),
        parameters=parameters,
        inputs=tuple(dict.fromkeys(inputs)),
    )


def _linked(value: Any) -> list[str]:
    """Return the numbers of the protocols that a value points to."""
    texts = value if isinstance(value, list) else [value]
    matches = [_LINK.fullmatch(each) for each in texts if isinstance(each, str)]
    return [match[1] for match in matches if match]


def _scalar(value: Any) -> str | int | float | bool:
    if (isinstance(value, float) and value in (float("inf"), float("-inf"))) or value != value:
        return str(value)
    if isinstance(value, str | int | float | bool):
        return value if not isinstance(value, str) else value[:_MAX_TEXT]
    return json.dumps(value, ensure_ascii=False)[:_MAX_TEXT]


def _take(collector: Collector, protocol: Mapping[str, Any], kind: str, name: str) -> None:
    """Take in those parameters that tell a value of the vocabulary."""

    def add(term: str, key: str, unit: str = "", value: Any = None) -> None:
        found = protocol.get(key) if value is None else value
        if isinstance(found, int | float | str) and not isinstance(found, bool) and found != 0:
            collector.add(term, found, f"{name}: {key}", unit)

    if kind == "import":
        for key, (term, unit) in _TERMS.items():
            if key != "samplingRate" or "Movies" in protocol[CLASS]:
                add(term, key, unit)
    elif kind in ("2D classification", "3D classification"):
        add(f"processing.classes_{kind[0]}d", "numberOfClasses")
    if kind in ("3D refinement", "3D classification", "initial model"):
        group = protocol.get("symmetryGroup")
        if isinstance(group, str) and re.fullmatch(r"[a-zA-Z]\d{0,3}", group):
            add("processing.symmetry", "symmetryGroup", value=group.upper())
        if protocol[CLASS].startswith("ProtRelion"):
            add("processing.angle_assignment", CLASS, value="maximum likelihood")
            add("processing.reconstruction_algorithm", CLASS, value="Fourier space")


def _in_order(steps: Sequence[ProcessingStep]) -> list[ProcessingStep]:
    """Return steps so that none comes before what it continues, as far as they do not go round."""
    waiting, done, found = list(steps), set[str | None](), list[ProcessingStep]()
    known = {step.name for step in steps}
    while waiting:
        ready = [step for step in waiting if all(name in done or name not in known for name in step.inputs)]
        if not ready:
            return [*found, *waiting]
        found += ready
        done |= {step.name for step in ready}
        waiting = [step for step in waiting if step.name not in done]
    return found
