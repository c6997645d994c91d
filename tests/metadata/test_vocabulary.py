"""The table of terms: it and the models are one, and what it says of standards is so."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from eucentric.metadata import units
from eucentric.metadata.parameters import PARAMETERS, TARGETS, needed_by, terms_of
from eucentric.metadata.vocabulary import (
    ENTITIES,
    STANDARDS,
    TERMS,
    checked,
    definition,
    label,
    unit_of_term,
)
from eucentric.metadata.vocabulary.term import mmcif_iri


def test_every_field_has_a_row_and_every_row_a_field() -> None:
    fields = {f"{entity}.{field}" for entity, model in ENTITIES.items() for field in model.model_fields}
    assert set(TERMS) == fields
    assert all(name == term.name for name, term in TERMS.items())


def test_every_term_is_defined_in_a_sentence() -> None:
    for name in TERMS:
        text = definition(name)
        assert text.endswith("."), name
        assert len(text) > 8, name


def test_a_summary_is_of_a_term_of_the_same_unit() -> None:
    for term in TERMS.values():
        if term.summary is not None:
            assert term.summary.of in TERMS
            if term.summary.how not in ("count", "distinct"):
                assert unit_of_term(term.name) == unit_of_term(term.summary.of), term.name


def test_precedence_names_every_source() -> None:
    sources = set(TERMS["instrument.cs"].precedence)
    assert all(set(term.precedence) == sources for term in TERMS.values())


@pytest.mark.parametrize(
    ("term", "value"),
    [
        ("instrument.acceleration_voltage", 300_000),
        ("instrument.acceleration_voltage", "many"),
        ("exposure.stage_x", float("nan")),
        ("exposure.stage_x", float("inf")),
        ("exposure.tilt_angle", 400),
        ("exposure.dose", 0),
        ("exposure.frames", -1),
        ("instrument.imaging", "BrightField"),
    ],
)
def test_what_cannot_be_is_refused(term: str, value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        checked(term, value)


def test_a_value_becomes_that_of_its_term() -> None:
    assert checked("instrument.acceleration_voltage", 300) == 300.0
    assert isinstance(checked("exposure.frames", 50.0), int)


# ---------------------------------------------------------------- the 38 parameters


@pytest.fixture(scope="module")
def crosswalk(shared: Path) -> list[dict[str, str]]:
    with (shared / "crosswalk.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_the_38_parameters_are_those_of_the_table_in_its_order(crosswalk: list[dict[str, str]]) -> None:
    names = [row["parameter"] for row in crosswalk if row["table"] == "slides"]
    assert len(names) == 38
    assert list(PARAMETERS) == names
    assert {term.parameter for term in TERMS.values()} - {""} == set(names)
    assert all(terms_of(name) for name in names)


def test_what_emdb_requires_by_the_table_is_required(crosswalk: list[dict[str, str]]) -> None:
    flags = next(key for key in crosswalk[0] if key.startswith("slide_flags"))
    required = [row["parameter"] for row in crosswalk if row[flags].startswith("x")]
    assert required == [name for name in PARAMETERS if needed_by(name, "emdb") == "required"]


def test_a_target_that_requires_a_parameter_has_a_place_for_it() -> None:
    columns = {"emdb": "emdb", "pdb": "mmcif", "oscem": "oscem", "empiar": "empiar"}
    for name, targets in PARAMETERS.items():
        assert set(targets) <= set(TARGETS)
        for target in targets:
            assert any(term.called(columns[target]) for term in terms_of(name)), (name, target)


# ---------------------------------------------------------------- what terms are called elsewhere


def names_in(column: str) -> dict[str, list[str]]:
    return {
        term.name: [each.strip() for each in term.called(column).split(";")]
        for term in TERMS.values()
        if term.called(column)
    }


def test_every_mmcif_item_is_in_the_dictionary(shared: Path) -> None:
    text = (shared / "schemas" / "mmcif_pdbx_5.362.dic").read_text(errors="replace")
    items = set(re.findall(r"^save_(_\S+)", text, re.MULTILINE))
    for term, names in names_in("mmcif").items():
        for name in names:
            assert name in items, (term, name)


def test_every_emdb_element_is_in_the_schema(shared: Path) -> None:
    text = (shared / "schemas" / "emdb_3.0.11.3.xsd").read_text()
    elements = set(re.findall(r'<xs:(?:element|attribute) name="([^"]+)"', text))
    for term, names in names_in("emdb").items():
        for name in names:
            for part in re.split(r"[/@]", name):
                assert part == "*" or part in elements, (term, name)


def oscem_paths(shared: Path) -> set[str]:
    """All paths of properties in OSCEM's schemas, from the outermost object."""
    paths: set[str] = set()
    for file in (shared / "schemas").glob("oscem_*.json"):
        schema = json.loads(file.read_text())

        def walk(node: Any, path: str, depth: int, schema: Any = schema) -> None:
            if depth > 24 or not isinstance(node, dict):
                return
            if "$ref" in node:
                walk(schema["$defs"][node["$ref"].split("/")[-1]], path, depth + 1)
            for each in node.get("anyOf", ()):
                walk(each, path, depth + 1)
            if "items" in node:
                walk(node["items"], f"{path}[]", depth + 1)
            for name, child in node.get("properties", {}).items():
                where = f"{path}.{name}" if path else name
                paths.add(where)
                walk(child, where, depth + 1)

        walk(schema, "", 0)
    return paths


def test_every_oscem_slot_is_in_a_schema(shared: Path) -> None:
    paths = oscem_paths(shared)
    for term, names in names_in("oscem").items():
        for name in names:
            assert name in paths, (term, name)


def test_every_empiar_field_is_in_the_schema(shared: Path) -> None:
    schema = json.loads((shared / "schemas" / "empiar_deposition.schema.json").read_text())
    images = {f"imagesets[].{name}" for name in schema["properties"]["imagesets"]["items"]["properties"]}
    fields = {*schema["properties"], *images}
    for term, names in names_in("empiar").items():
        for name in names:
            assert name in fields, (term, name)


def test_what_the_shared_crosswalk_says_of_the_parameters_stands_in_the_table(
    crosswalk: list[dict[str, str]],
) -> None:
    """The items of PDBx/mmCIF that it names are those of our rows."""
    ours = {name for names in names_in("mmcif").values() for name in names}
    for row in crosswalk:
        if row["table"] == "slides":
            for item in re.findall(r"_em_\w+\.\w+\w", row["mmcif_item"]):
                beginning = item.rstrip("_")
                assert any(each.startswith(beginning) for each in ours), (row["parameter"], item)


def test_standards_are_the_fields_of_a_row() -> None:
    term = TERMS["instrument.acceleration_voltage"]
    assert all(term.called(standard) for standard in STANDARDS if standard != "empiar")


def test_what_identifies_a_term_is_an_address_of_a_known_kind() -> None:
    known = (
        r"https://purls\.helmholtz-metadaten\.de/emg/EMG_\d{8}",
        re.escape(mmcif_iri("_@")).replace("@", r"\S+"),
    )
    found = [iri for term in TERMS.values() for iri in term.iris]
    assert [iri for iri in found if not any(re.fullmatch(each, iri) for each in known)] == []
    assert sum("/emg/" in iri for iri in found) >= 4
    assert len([term for term in TERMS.values() if term.iris]) >= 90


def test_units_with_an_address_are_units() -> None:
    symbols = {
        extra.symbol for name in dir(units) for extra in getattr(getattr(units, name), "__metadata__", ())
    }
    assert set(units.QUDT) <= symbols
    assert len(set(units.QUDT.values())) == len(units.QUDT)


def test_every_term_has_a_label_that_people_read() -> None:
    assert label("instrument.acceleration_voltage") == "Acceleration voltage"
    assert label("instrument.cs") == "Spherical aberration"
    assert label("exposure.nominal_defocus") == "Intended defocus"
    for name in TERMS:
        assert re.fullmatch(r"[A-Z0-9][\w αβ(),.-]+", label(name)), name
