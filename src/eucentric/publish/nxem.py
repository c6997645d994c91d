"""NXem: NeXus' application definition for electron microscopy, as an HDF5 file.

Source: the NeXus definitions (NXem and the base classes it refers to, as pynxtools 0.16 ships them). A file
has an entry for each acquisition. Lengths on the specimen are in Å, underfocus positive, as everywhere here;
every number has its unit as an attribute.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from eucentric.metadata.records import AcquisitionRecord
from eucentric.publish.description import Description, Person
from eucentric.publish.document import Document
from eucentric.publish.nexus import Group, Number, write_group
from eucentric.publish.nxem_instrument import event, instrument

_SULPHUR, _NUCLEOTIDES = set("CM"), set("ACGTUN")


def nxem(
    records: Sequence[AcquisitionRecord],
    description: Description,
    notes: Mapping[str, bytes] | None = None,
) -> Document:
    """Return a NeXus file of what is known of a session's acquisitions.

    Args:
        records: The acquisitions, an entry each.
        description: What people say.
        notes: File name -> content of documents that lie beside the file and tell more.

    Returns:
        The document, whose content is the bytes of an HDF5 file.
    """
    names = ["entry"] if len(records) == 1 else [f"entry{number + 1}" for number in range(len(records))]
    root = Group(
        "NXroot",
        {name: _entry(record, description, notes or {}) for name, record in zip(names, records, strict=True)},
        attributes={"creator": f"Eucentric {version('eucentric')}", "default": names[0]},
    )
    buffer = io.BytesIO()
    write_group(buffer, root)
    missing = [each for record in records for each in _missing(record)]
    return Document(buffer.getvalue(), tuple(dict.fromkeys(missing)))


def _entry(record: AcquisitionRecord, description: Description, notes: Mapping[str, bytes]) -> Group:
    known = record.acquisition
    citation = description.citation
    parts: dict[str, Any] = {
        "definition": "NXem",
        "title": description.title,
        "experiment_alias": known.name,
        "experiment_description": description.abstract or description.title,
        "start_time": moment(known.date_time),
        "end_time": moment(known.date_time_end),
        "cite1": Group("NXcite", {"doi": citation.doi}) if citation and citation.doi else None,
        "sample1": _sample(record),
        "measurement": Group("NXem_measurement", {"instrument": instrument(record), "event1": event(record)}),
    }
    for number, person in enumerate(description.authors, 1):
        parts[f"user{number}"] = _user(person)
    for number, (name, content) in enumerate(notes.items(), 1):
        digest = hashlib.sha256(content).hexdigest()
        kind = {"type": "file", "file_name": name, "checksum": digest, "algorithm": "SHA256"}
        parts[f"note{number}"] = Group("NXnote", kind)
    return Group("NXentry", parts)


def moment(value: datetime | None) -> str | None:
    """Return a moment as ISO 8601; without a time zone where nobody knows that of the microscope's clock."""
    return None if value is None else value.isoformat()


def _user(person: Person) -> Group:
    place = person.affiliation
    return Group(
        "NXuser",
        {
            "name": f"{person.given_name} {person.family_name}",
            "identifier_orcid": f"https://orcid.org/{person.orcid}" if person.orcid else None,
            "affiliation": place.name if place else None,
            "email": person.email,
            "telephone_number": person.telephone,
            "role": "corresponding author" if person.corresponding else None,
        },
        attributes_of={"identifier_orcid": {"type": "ORCID"}},
    )


def _sample(record: AcquisitionRecord) -> Group:
    known = record.sample
    return Group(
        "NXsample",
        {
            "is_simulation": False,
            "name": known.name,
            "description": known.description,
            "identifier_sample": record.grid.name,
            "preparation_date": moment(known.preparation_date),
            "atom_types": elements(record),
            "concentration": Number(known.concentration, "mg/mL"),
        },
        attributes_of={"identifier_sample": {"type": "name of the grid", "type_custom": True}}
        if record.grid.name
        else {},
    )


def elements(record: AcquisitionRecord) -> str | None:
    """Return the elements in the sample, as given, or else those of its proteins and nucleic acids.

    None where neither is known. Water and buffer do not count.
    """
    if record.sample.elements:
        return record.sample.elements
    found: set[str] = set()
    for molecule in record.molecules:
        letters = set("".join((molecule.sequence or "").split()).upper())
        kind = (molecule.molecular_type or "").lower()
        if not letters:
            return None
        if "rna" in kind or "dna" in kind or "nucle" in kind:
            found |= {"C", "H", "N", "O", "P"}
        elif "peptide" in kind or "protein" in kind or letters - _NUCLEOTIDES:
            found |= {"C", "H", "N", "O", *(["S"] if letters & _SULPHUR else [])}
        else:
            return None
    return ", ".join(sorted(found)) or None


def _missing(record: AcquisitionRecord) -> Iterator[str]:
    known = record.acquisition
    if known.date_time is None:
        yield "NXem requires when the session began (start_time), which is not known."
    for term, given in (
        ("acquisition.date_time", known.date_time),
        ("sample.preparation_date", record.sample.preparation_date),
    ):
        if given is not None and given.tzinfo is None:
            yield (
                f"NXem wants a time zone with {given}, and nobody tells it: give {term} as"
                " 2026-01-31T12:00:00+01:00."
            )
    for key, value, what in (
        ("manufacturer", record.instrument.manufacturer, "the maker of the microscope"),
        ("model", record.instrument.model, "the model of the microscope"),
        ("preparation_date", record.sample.preparation_date, "when the sample was prepared"),
        ("atom_types", elements(record), "the elements in the sample"),
    ):
        if value is None:
            yield f"NXem requires {what} ({key}), which is not known."
