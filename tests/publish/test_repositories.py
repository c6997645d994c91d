"""What EMPIAR, DataCite and Zenodo take, by their own schemas where they have one."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema

from eucentric.publish import (
    Description,
    DescriptionWrong,
    ImageSet,
    datacite_json,
    datacite_xml,
    empiar,
    read_description,
    zenodo,
)
from publish.known import PEOPLE

MOVIES = ImageSet(
    name="Movies of grid-1",
    directory="/data/grid-1/movies",
    category="movies",
    format="TIFF",
    voxel="u1",
    images=6112,
    frames=40,
    width=5760,
    height=4092,
    pixel_size=0.528,
    first_frame=1,
    last_frame=40,
)


def problems(content: Any, schema: Path) -> list[str]:
    loaded = json.loads(schema.read_text())
    kind = jsonschema.validators.validator_for(loaded, default=jsonschema.Draft7Validator)
    validator = kind(loaded)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]


def altered(**fields: Any) -> Description:
    return Description.model_validate({**PEOPLE.model_dump(), **fields})


@pytest.mark.parametrize("release", ["now", "with the map", "with the publication", "after a year"])
def test_empiar(shared: Path, release: str) -> None:
    micrographs = ImageSet("Sums", "/data/sums", "micrographs", "MRC", "f4", 6000, 1)
    halves = ImageSet("Sums in 16 bit", "/data/sums16", "micrographs", "MRC", "f2", 6000, 1)
    document = empiar(altered(release=release), (MOVIES, micrographs, halves))
    assert document.missing == ()
    assert problems(document.content, shared / "schemas" / "empiar_deposition.schema.json") == []
    assert document.content["authors"][0]["name"] == "('Carberry', 'JS')"
    assert document.content["cross_references"] == [{"name": "EMD-3001"}]


def test_what_empiar_lacks_is_named() -> None:
    person = PEOPLE.authors[0].model_copy(update={"email": None, "affiliation": None})
    document = empiar(PEOPLE.model_copy(update={"authors": (person,)}), ())
    assert document.missing == (
        "EMPIAR requires at least one set of images.",
        "EMPIAR requires an e-mail address of Josiah Carberry.",
        "EMPIAR requires an organisation of Josiah Carberry.",
        "EMPIAR requires the country of the organisation of Josiah Carberry.",
    )


@pytest.mark.parametrize("licence", ["CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0"])
def test_datacite(shared: Path, licence: str) -> None:
    citation = {"title": "Architecture", "doi": "10.1038/nmicrobiol.2016.269"}
    described = altered(licence=licence, citation=citation)
    document = datacite_json(described, ("1.2 TB", "6,112 files"))
    assert document.missing == ()
    assert problems(document.content, shared / "schemas" / "datacite-v4.5.json") == []
    schema = xmlschema.XMLSchema(shared / "schemas" / "datacite-kernel-4.6" / "metadata.xsd", allow="local")
    written = datacite_xml(described, ("1.2 TB", "6,112 files"))
    assert written.missing == ()
    schema.validate(written.content)
    assert "Movies &amp; micrographs of GroEL &lt;in ice&gt;." in written.content


def test_the_least_that_datacite_takes(shared: Path) -> None:
    person = {"given_name": "Josiah", "family_name": "Carberry"}
    described = Description.model_validate(
        {
            "title": "A title of some length",
            "authors": [person],
            "publisher": {"name": "Here"},
            "doi": "10.82433/9184",
        }
    )
    assert problems(datacite_json(described).content, shared / "schemas" / "datacite-v4.5.json") == []
    xmlschema.XMLSchema(shared / "schemas" / "datacite-kernel-4.6" / "metadata.xsd", allow="local").validate(
        datacite_xml(described).content
    )
    lacking = datacite_xml(described.model_copy(update={"doi": None, "publisher": None})).missing
    assert len(lacking) == 2


def test_zenodo() -> None:
    metadata = zenodo(PEOPLE).content["metadata"]
    assert metadata["upload_type"] == "dataset"
    assert metadata["creators"] == [
        {
            "name": "Carberry, Josiah Stinkney",
            "affiliation": "Brown University",
            "orcid": "0000-0002-1825-0097",
        }
    ]
    assert (metadata["license"], metadata["access_right"]) == ("cc-zero", "open")
    assert metadata["related_identifiers"] == [
        {"identifier": "https://www.ebi.ac.uk/emdb/EMD-3001", "relation": "isSupplementTo"}
    ]
    held = zenodo(altered(release="with the publication", abstract=""))
    assert held.content["metadata"]["access_right"] == "closed"
    assert held.missing == ("Zenodo requires a description (abstract).",)


def test_a_description_is_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "deposit.toml"
    file.write_text(
        'title = "Movies of GroEL"\n[[authors]]\ngiven_name = "Josiah"\nfamily_name = "Carberry"\n'
        'orcid = "https://orcid.org/0000-0002-1825-0097"\n'
    )
    described = read_description(file)
    assert described.authors[0].orcid == "0000-0002-1825-0097"
    assert described.corresponding.initials == "J"
    file.write_text(file.read_text().replace("0097", "0098"))
    with pytest.raises(
        DescriptionWrong, match=r"deposit.toml cannot be used: authors.0.orcid: .*check digit is wrong"
    ):
        read_description(file)
    file.write_text("title = ")
    with pytest.raises(DescriptionWrong, match="is not TOML"):
        read_description(file)
