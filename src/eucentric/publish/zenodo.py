"""Zenodo's deposit metadata, as its REST API takes it (`POST /api/deposit/depositions`)."""

from typing import Any

from eucentric.publish.description import Description, Person
from eucentric.publish.document import Document, without_nothing

_LICENCES = {
    "CC0-1.0": "cc-zero",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC-BY-NC-4.0": "cc-by-nc-4.0",
}
_RELATIONS = {
    "IsSupplementTo": "isSupplementTo",
    "IsDerivedFrom": "isDerivedFrom",
    "IsSourceOf": "isSourceOf",
    "IsCitedBy": "isCitedBy",
    "References": "references",
    "IsPartOf": "isPartOf",
    "HasPart": "hasPart",
}
_ADDRESSES = {
    "EMDB": "https://www.ebi.ac.uk/emdb/{}",
    "EMPIAR": "https://www.ebi.ac.uk/empiar/{}",
    "PDB": "pdb:{}",
}


def zenodo(description: Description) -> Document:
    """Return Zenodo's metadata for a deposit."""
    related = [
        {
            "identifier": _ADDRESSES.get(each.type, "{}").format(each.identifier),
            "relation": _RELATIONS[each.relation],
        }
        for each in description.related
    ]
    citation = description.citation
    if citation is not None and citation.doi:
        related.insert(0, {"identifier": citation.doi, "relation": "isSupplementTo"})
    metadata: dict[str, Any] = {
        "upload_type": "dataset",
        "title": description.title,
        "description": description.abstract or None,
        "creators": [_creator(each) for each in description.authors],
        "keywords": list(description.keywords),
        "publication_date": None,
        "access_right": "open" if description.release == "now" else "closed",
        "license": _LICENCES[description.licence] if description.release == "now" else None,
        "related_identifiers": related,
        "language": "eng" if description.language == "en" else None,
        "doi": description.doi,
        "notes": _funding(description),
    }
    missing = () if description.abstract else ("Zenodo requires a description (abstract).",)
    return Document({"metadata": without_nothing(metadata)}, missing)


def _creator(person: Person) -> dict[str, str | None]:
    given = f"{person.given_name} {person.middle_name}" if person.middle_name else person.given_name
    return {
        "name": f"{person.family_name}, {given}",
        "affiliation": person.affiliation.name if person.affiliation else None,
        "orcid": person.orcid,
    }


def _funding(description: Description) -> str | None:
    """Return the grants in words: Zenodo takes only those of funders that it knows by number."""
    told = [" ".join(each for each in (grant.funder, grant.award) if each) for grant in description.funding]
    return f"Funded by {'; '.join(told)}." if told else None
