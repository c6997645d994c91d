"""What people give: `metadata.toml` in a session's folder, in the words of our vocabulary.

A table for every entity, `[sample]`, `[grid]`, `[instrument]`, ..., and `[[molecule]]` for every molecule;
values in the units of the terms. It holds for the grid in whose folder it lies, and counts more than any
other source.
"""

import tomllib
from pathlib import Path
from typing import Any

from eucentric.formats import FormatError
from eucentric.metadata.readings import Collector, Findings
from eucentric.metadata.vocabulary import TERMS

GIVEN = "metadata.toml"
MAX_BYTES = 2**20


def read_given(path: Path, name: str) -> Findings:
    """Read what people give.

    Args:
        path: The file.
        name: How provenance names it.

    Raises:
        FormatError: It is too large, no TOML, or names a term that there is not.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise FormatError(path, f"it has {size} bytes, too many for what people write", "shorten it")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(path, f"it is not valid TOML ({error})", "correct it") from error
    collector = Collector("operator", name)
    for entity, table in content.items():
        tables = table if isinstance(table, list) else [table]
        for number, each in enumerate(tables, start=1):
            part = str(number) if isinstance(table, list) else ""
            _entity(collector, path, entity, each, part)
    return Findings("given by people", collector.taken(), refused=tuple(collector.refused))


def _entity(collector: Collector, path: Path, entity: str, table: Any, part: str) -> None:
    if not isinstance(table, dict):
        what = f"{entity} is no table of values"
        raise FormatError(path, what, f"write [{entity}] above its values")
    for field, value in table.items():
        give(collector, path, f"{entity}.{field}", value, part)


def give(collector: Collector, path: Path | str, term: str, value: Any, part: str = "") -> None:
    """Take in one value that was given.

    Raises:
        FormatError: There is no such term.
    """
    if term not in TERMS:
        entity = term.partition(".")[0]
        known = [each.field for each in TERMS.values() if each.entity == entity]
        entities = list(dict.fromkeys(each.entity for each in TERMS.values()))
        choices = f"of {entity} there are {', '.join(known)}" if known else f"there are {', '.join(entities)}"
        raise FormatError(path, f"there is no term {term}", f"write one that there is: {choices}")
    collector.add(term, value, term, part=part)
