"""DataCite's metadata of a DOI: JSON as its API takes it (4.5), and XML (kernel 4.6)."""

import xml.etree.ElementTree as ElementTree
from typing import Any

from eucentric.publish.description import Description, Organisation, Person, Related
from eucentric.publish.document import Document, without_nothing

_NAMESPACE = "http://datacite.org/schema/kernel-4"
_LICENCES = {
    "CC0-1.0": (
        "Creative Commons Zero v1.0 Universal",
        "https://creativecommons.org/publicdomain/zero/1.0/legalcode",
    ),
    "CC-BY-4.0": (
        "Creative Commons Attribution 4.0 International",
        "https://creativecommons.org/licenses/by/4.0/legalcode",
    ),
    "CC-BY-SA-4.0": (
        "Creative Commons Attribution Share Alike 4.0 International",
        "https://creativecommons.org/licenses/by-sa/4.0/legalcode",
    ),
    "CC-BY-NC-4.0": (
        "Creative Commons Attribution Non Commercial 4.0 International",
        "https://creativecommons.org/licenses/by-nc/4.0/legalcode",
    ),
}
_ADDRESSES = {
    "EMDB": "https://www.ebi.ac.uk/emdb/{}",
    "EMPIAR": "https://www.ebi.ac.uk/empiar/{}",
    "PDB": "https://doi.org/10.2210/pdb{}/pdb",
}
_SCHEMA = "http://datacite.org/schema/kernel-4"


def datacite_json(description: Description, sizes: tuple[str, ...] = ()) -> Document:
    """Return the metadata of a DOI as JSON.

    Args:
        description: What people say.
        sizes: How large the data are, such as "1.2 TB", "3,000 files".
    """
    publisher = description.publisher
    content = without_nothing(
        {
            "doi": description.doi,
            "creators": [_creator(each) for each in description.authors],
            "titles": [{"title": description.title, "lang": description.language}],
            "publisher": publisher and {"name": publisher.name, **_ror(publisher, "publisherIdentifier")},
            "publicationYear": str(description.year),
            "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Electron microscopy data"},
            "subjects": [{"subject": each} for each in description.keywords],
            "language": description.language,
            "descriptions": [{"description": description.abstract, "descriptionType": "Abstract"}]
            if description.abstract
            else [],
            "rightsList": [_rights(description)],
            "relatedIdentifiers": [_related(each) for each in _all_related(description)],
            "fundingReferences": [
                {
                    "funderName": each.funder,
                    "funderIdentifier": each.ror and f"https://ror.org/{each.ror}",
                    "funderIdentifierType": each.ror and "ROR",
                    "awardNumber": each.award,
                    "awardTitle": each.title,
                }
                for each in description.funding
            ],
            "sizes": list(sizes),
            "schemaVersion": _SCHEMA,
        }
    )
    return Document(content, _missing(description, doi=False))


def datacite_xml(description: Description, sizes: tuple[str, ...] = ()) -> Document:
    """Return the metadata of a DOI as XML, as `datacite_json`."""
    ElementTree.register_namespace("", _NAMESPACE)
    root = ElementTree.Element(_tag("resource"))
    _add(root, "identifier", description.doi or "", identifierType="DOI")
    creators = _add(root, "creators")
    for person in description.authors:
        _creator_element(_add(creators, "creator"), person)
    _add(_add(root, "titles"), "title", description.title)
    publisher = description.publisher
    _add(
        root,
        "publisher",
        publisher.name if publisher else "",
        **(_ror_attributes(publisher, "publisherIdentifier") if publisher else {}),
    )
    _add(root, "publicationYear", str(description.year))
    _add(root, "resourceType", "Electron microscopy data", resourceTypeGeneral="Dataset")
    _add_list(root, "subjects", "subject", description.keywords)
    _add(root, "language", description.language)
    if related := _all_related(description):
        place = _add(root, "relatedIdentifiers")
        for each in related:
            told = _related(each)
            identifier = told.pop("relatedIdentifier")
            _add(place, "relatedIdentifier", identifier, **told)
    _add_list(root, "sizes", "size", sizes)
    rights = _rights(description)
    name = rights.pop("rights")
    rights["rightsURI"], rights["schemeURI"] = rights.pop("rightsUri"), rights.pop("schemeUri")
    _add(_add(root, "rightsList"), "rights", name, **rights)
    if description.abstract:
        _add(_add(root, "descriptions"), "description", description.abstract, descriptionType="Abstract")
    if description.funding:
        place = _add(root, "fundingReferences")
        for grant in description.funding:
            element = _add(place, "fundingReference")
            _add(element, "funderName", grant.funder)
            if grant.ror:
                _add(element, "funderIdentifier", f"https://ror.org/{grant.ror}", funderIdentifierType="ROR")
            if grant.award:
                _add(element, "awardNumber", grant.award)
            if grant.title:
                _add(element, "awardTitle", grant.title)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=False)
    return Document(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n', _missing(description, doi=True))


def _creator(person: Person) -> dict[str, Any]:
    return {
        "name": _full_name(person),
        "nameType": "Personal",
        "givenName": _given(person),
        "familyName": person.family_name,
        "nameIdentifiers": [
            {
                "nameIdentifier": f"https://orcid.org/{person.orcid}",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ]
        if person.orcid
        else [],
        "affiliation": [
            {"name": person.affiliation.name, **_ror(person.affiliation, "affiliationIdentifier")}
        ]
        if person.affiliation
        else [],
    }


def _given(person: Person) -> str:
    return f"{person.given_name} {person.middle_name}" if person.middle_name else person.given_name


def _full_name(person: Person) -> str:
    return f"{person.family_name}, {_given(person)}"


def _ror(place: Organisation, key: str) -> dict[str, str]:
    if place.ror is None:
        return {}
    return {key: f"https://ror.org/{place.ror}", f"{key}Scheme": "ROR", "schemeUri": "https://ror.org"}


def _rights(description: Description) -> dict[str, str]:
    name, address = _LICENCES[description.licence]
    return {
        "rights": name,
        "rightsUri": address,
        "rightsIdentifier": description.licence,
        "rightsIdentifierScheme": "SPDX",
        "schemeUri": "https://spdx.org/licenses/",
    }


def _all_related(description: Description) -> tuple[Related, ...]:
    citation = description.citation
    if citation is None or citation.doi is None:
        return description.related
    return (Related(identifier=citation.doi, relation="IsSupplementTo"), *description.related)


def _related(related: Related) -> dict[str, str]:
    identifier, kind = related.identifier, related.type
    if related.type in _ADDRESSES:
        identifier, kind = _ADDRESSES[related.type].format(identifier), "URL"
    return {
        "relatedIdentifier": identifier,
        "relatedIdentifierType": kind,
        "relationType": related.relation,
    }


def _missing(description: Description, *, doi: bool) -> tuple[str, ...]:
    lacking = []
    if description.publisher is None:
        lacking.append("DataCite requires a publisher (publisher.name in the description).")
    if doi and description.doi is None:
        lacking.append("DataCite's XML requires the DOI, which the registration gives.")
    return tuple(lacking)


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _add(
    parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str | None
) -> ElementTree.Element:
    given = {key: value for key, value in attributes.items() if value is not None}
    element = ElementTree.SubElement(parent, _tag(name), given)
    element.text = text
    return element


def _add_list(parent: ElementTree.Element, name: str, item: str, texts: tuple[str, ...]) -> None:
    if texts:
        place = _add(parent, name)
        for text in texts:
            _add(place, item, text)


def _creator_element(element: ElementTree.Element, person: Person) -> None:
    _add(element, "creatorName", _full_name(person), nameType="Personal")
    _add(element, "givenName", _given(person))
    _add(element, "familyName", person.family_name)
    if person.orcid:
        address = f"https://orcid.org/{person.orcid}"
        _add(
            element,
            "nameIdentifier",
            address,
            nameIdentifierScheme="ORCID",
            schemeURI="https://orcid.org",
        )
    if (place := person.affiliation) is not None:
        _add(element, "affiliation", place.name, **_ror_attributes(place, "affiliationIdentifier"))


def _ror_attributes(place: Organisation, key: str) -> dict[str, str]:
    """Return an organisation's identifier as XML has it, where the scheme's address is spelt otherwise."""
    told = _ror(place, key)
    if told:
        told["schemeURI"] = told.pop("schemeUri")
    return told
