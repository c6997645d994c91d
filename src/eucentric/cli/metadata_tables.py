"""What `eucentric metadata` prints: values, where they are from, and how it stands with the parameters."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from eucentric.metadata.parameters import TARGETS, Need, Target, statuses
from eucentric.metadata.readings import Value
from eucentric.metadata.records import AcquisitionRecord, Known, SessionRecord
from eucentric.metadata.vocabulary import ENTITIES

_LONGEST = 300
"""Letters of a text that are printed."""

_MOST = 10
"""Sentences of a kind that are printed; how many more there are is told."""

_NEEDS: dict[Need, str] = {"required": "required", "optional": "optional", "not asked": "·"}


def tables(record: SessionRecord, target: Target | None) -> list[RenderableType]:
    """Return what is known of a session, for people.

    Args:
        record: What is known.
        target: The repository whose parameters are shown; None for all.
    """
    parts: list[RenderableType] = []
    data = [each for each in record.acquisitions if each.acquisition.intent in (None, "collection")]
    for acquisition in record.acquisitions:
        parts.append(f"Acquisition {_title(acquisition)}")
        if data and acquisition not in data:
            continue  # what was only searched with is not deposited; --json tells it all
        parts += [_values(acquisition), "", _parameters(acquisition, target), ""]
        parts += _sentences("Not agreed", [each.sentence() for each in acquisition.contradictions])
    parts += _sentences("Left out", list(record.refused))
    return parts


def _title(record: AcquisitionRecord) -> str:
    number = len(record.exposures)
    series = f" in {len(record.tilt_series)} tilt series" if record.tilt_series else ""
    counted = f"{number} exposure{'' if number == 1 else 's'}{series}" if number else "no exposures yet"
    return f"{safe(record.acquisition.name or '')}: {counted}"


def _values(record: AcquisitionRecord) -> Table:
    table = Table("what", "value", "unit", "from", box=None, header_style="dim", pad_edge=False)
    order = list(ENTITIES)
    for term in sorted(record.provenance, key=lambda term: (order.index(term.partition(".")[0]), term)):
        known = record.provenance[term]
        table.add_row(safe(term), shown(known.value), known.unit or "", _origin(known))
    return table


def _origin(known: Known) -> str:
    more = f" and {known.exposures - 1} more" if known.exposures > 1 and known.origin.file else ""
    file = known.origin.file.rpartition("/")[2]
    return safe(f"{replace(known.origin, file=file)}{more}")


def shown(value: Value) -> str:
    """Return a value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else safe(str(value))


def safe(text: str) -> str:
    """Return a text from outside as it may be printed: without anything that steers a terminal."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text[:_LONGEST])


def _parameters(record: AcquisitionRecord, target: Target | None) -> Table:
    targets = TARGETS if target is None else (target,)
    table = Table("parameter", "value", "state", *targets, box=None, header_style="dim", pad_edge=False)
    for status in statuses(record):
        if all(status.need[each] == "not asked" for each in targets) and target is not None:
            continue
        values = [record.value(term.name) for term in status.terms]
        is_range = len(values) == 2 and all(isinstance(each, float) for each in values)
        texts = dict.fromkeys(shown(each) for each in values if each is not None)
        value = (" to " if is_range else ", ").join(texts)
        state = _state(status.source) if status.known else f"to be given: {' or '.join(status.by)}"
        table.add_row(status.name, value, state, *(_NEEDS[status.need[each]] for each in targets))
    return table


def _state(source: str) -> str:
    return source if source == "not needed" else f"from {source}"


def _sentences(title: str, sentences: list[str]) -> list[Any]:
    if not sentences:
        return []
    more = [f"  and {len(sentences) - _MOST} more"] if len(sentences) > _MOST else []
    return [f"{title}:", *(f"  {safe(each)}" for each in sentences[:_MOST]), *more, ""]
