"""The page `docs/reference/crosswalk.md`, made from the table of terms and the models."""

from collections.abc import Iterable, Sequence

from eucentric.metadata.parameters import PARAMETERS, TARGETS, needed_by, terms_of
from eucentric.metadata.units import QUDT
from eucentric.metadata.vocabulary import ENTITIES, TERMS, Term, definition, unit_of_term
from eucentric.metadata.vocabulary.term import FILES_FIRST, mmcif_iri

_REPOSITORIES = ("oscem", "emdb", "mmcif", "empiar")
_OTHERS = ("epu", "serialem", "velox", "ispyb", "icat", "nxem")
_TITLES = {
    "oscem": "OSCEM 1.0.2",
    "emdb": "EMDB XML 3",
    "mmcif": "PDBx/mmCIF",
    "empiar": "EMPIAR",
    "epu": "EPU",
    "serialem": "SerialEM",
    "velox": "Velox",
    "ispyb": "ISPyB",
    "icat": "ICAT",
    "nxem": "NeXus NXem",
}

_HEAD = """\
# Crosswalk of terms

The words for what is known of a recording: what each means, in which unit, who can tell it, and what it is
called in other standards and in the files of microscopes. Reports, `eucentric metadata` and all exports use
these words. The page is made from the table that the program uses (`eucentric/metadata/vocabulary/`);
`python -m eucentric.metadata.vocabulary` writes it anew.

A term is `entity.field`. Names are OSCEM's where it has one. Lengths on the specimen are in Å, underfocus
is positive. What no source says is not known, and stays so: nothing is guessed.

## Which source is believed

Where sources differ, the first of these that says something counts, and the difference is reported:

{precedence}

Exceptions stand beside the terms. What the columns "from exposures" says is computed over all exposures of
an acquisition, or of a tilt series. Two values of a term are the same within its tolerance, 0.1 % unless
another stands there.

## What repositories ask for

The 38 parameters of OpenEM's table of requirements, with the terms they are made of. Required means that a
deposition is not accepted without.

{parameters}

## Units

The units of the terms, with their address in QUDT, where one was found; for electrons and pixels there is
none.

{units}
"""

_SOURCES = {
    "operator": "somebody gave it: `--set`, or `metadata.toml`",
    "companion": "the metadata file beside the exposure",
    "header": "the header of the image file",
    "derived": "it follows from other values",
    "property": "a settings file of the acquisition program",
    "session": "the file of the whole session",
    "registry": "the site's [registry of instruments](settings.md)",
    "path": "names of files and folders",
    "processing": "processing",
}


def crosswalk_page() -> str:
    """Return the page."""
    precedence = "\n".join(f"1. {name}: {_SOURCES[name]}" for name in FILES_FIRST)
    parts = [_HEAD.format(precedence=precedence, parameters=_parameters(), units=_units())]
    for entity, model in ENTITIES.items():
        terms = [term for term in TERMS.values() if term.entity == entity]
        text = " ".join((model.__doc__ or "").split())
        parts.append(f"## `{entity}`\n\n{text}\n\n{_meanings(terms)}\n")
        for columns in (_REPOSITORIES, _OTHERS):
            if table := _counterparts(terms, columns):
                parts.append(f"{table}\n")
    return "\n".join(parts)


def _parameters() -> str:
    rows = [
        (
            name,
            ", ".join(f"`{term.name}`" for term in terms_of(name)),
            ", ".join(dict.fromkeys(giver for term in terms_of(name) for giver in term.by)),
            *(needed_by(name, target) for target in TARGETS),
        )
        for name in PARAMETERS
    ]
    return _table(("parameter", "terms", "given by", *TARGETS), rows)


def _units() -> str:
    used = sorted({unit for name in TERMS if (unit := unit_of_term(name))})
    return _table(("unit", "QUDT"), [(unit, f"<{QUDT[unit]}>" if unit in QUDT else "") for unit in used])


def _meanings(terms: Sequence[Term]) -> str:
    rows = []
    for term in terms:
        meaning = definition(term.name)
        if term.iri:
            meaning += f" [{term.iri.rpartition('/')[2]}]({term.iri})"
        if term.precedence != FILES_FIRST:
            meaning += f" Believed first: {term.precedence[1]}."
        if term.tolerance != Term.tolerance:
            meaning += f" Tolerance {term.tolerance:.0%}."
        summary = f"{term.summary.how} of `{term.summary.of}`" if term.summary else ""
        rows.append((f"`{term.field}`", unit_of_term(term.name) or "", meaning, ", ".join(term.by), summary))
    return _table(("term", "unit", "meaning", "given by", "from exposures"), rows)


def _counterparts(terms: Sequence[Term], columns: Sequence[str]) -> str:
    """Return the table of what terms are called elsewhere; "" where nobody calls any of them anything."""
    used = [column for column in columns if any(term.called(column) for term in terms)]
    rows = [
        (f"`{term.field}`", *(_names(term, column) for column in used))
        for term in terms
        if any(term.called(column) for column in used)
    ]
    return _table(("term", *(_TITLES[column] for column in used)), rows) if rows else ""


def _names(term: Term, column: str) -> str:
    """Return what a term is called elsewhere; items of PDBx/mmCIF with their address."""
    names = [each.strip() for each in term.called(column).split(";") if each.strip()]
    return "; ".join(f"[`{each}`]({mmcif_iri(each)})" if column == "mmcif" else f"`{each}`" for each in names)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in lines)
