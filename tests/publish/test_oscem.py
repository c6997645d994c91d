"""OSCEM's JSON, validated by the standard's own schemas."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from eucentric.metadata.records import AcquisitionRecord
from eucentric.metadata.vocabulary import Acquisition, EnergyFilter
from eucentric.publish import oscem, schema_of
from publish.known import PEOPLE, WHOLE


def problems(content: Any, name: str, shared: Path) -> list[str]:
    schema = json.loads((shared / "schemas" / f"oscem_1.0.2_{name}.schema.json").read_text())
    validator = jsonschema.Draft201909Validator(schema, format_checker=jsonschema.FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]


def test_a_whole_record_is_valid(shared: Path) -> None:
    document = oscem(WHOLE, PEOPLE)
    assert document.missing == ()
    assert problems(document.content, "spa", shared) == []
    assert document.content["acquisition"]["nominal_defocus"]["maximal"] == {
        "value": pytest.approx(2.2),
        "unit": "um",
    }
    assert document.content["acquisition"]["dose_per_movie"] == {"value": 40, "unit": "1/Å^2"}
    assert document.content["organizational"]["authors"][0]["orcid"] == "0000-0002-1825-0097"


def test_tomography_has_its_own_schema(shared: Path) -> None:
    tilts = {
        "technique": "tomography",
        "tilt_angle_minimal": -60,
        "tilt_angle_maximal": 60,
        "tilt_angle_increment": 3,
    }
    record = WHOLE.model_copy(update={"acquisition": WHOLE.acquisition.model_copy(update=tilts)})
    assert schema_of(record) == "cellular_tomo"
    lacking = oscem(record)
    assert lacking.missing == (
        "OSCEM requires the angle of the tilt axis (acquisition.tilt_axis_angle), which is not known.",
    )
    assert problems(lacking.content, "cellular_tomo", shared)
    there = record.acquisition.model_copy(update={"tilt_axis_angle": 84.3})
    document = oscem(record.model_copy(update={"acquisition": there}))
    assert document.missing == ()
    assert problems(document.content, "cellular_tomo", shared) == []


@pytest.mark.parametrize("technique", ["diffraction", "4D-STEM", None])
def test_other_techniques_are_general(shared: Path, technique: str | None) -> None:
    record = WHOLE.model_copy(
        update={"acquisition": WHOLE.acquisition.model_copy(update={"technique": technique})}
    )
    document = oscem(record, PEOPLE)
    assert document.missing == ()
    assert problems(document.content, "general", shared) == []


def test_every_value_that_is_lacking_and_required_is_named(shared: Path) -> None:
    document = oscem(AcquisitionRecord(acquisition=Acquisition(technique="single particle")))
    named = {sentence.split("(")[1].split(")")[0].rpartition(".")[2] for sentence in document.missing}
    assert named == {
        "microscope", "illumination", "imaging", "electron_source", "acceleration_voltage",
        "detectors", "date_time", "binning_camera", "pixel_size",
    }  # fmt: skip
    assert problems(document.content, "spa", shared)


@pytest.mark.parametrize(
    "field", ["image_width", "calibrated_magnification", "temperature_minimal", "holder_cryogen"]
)
def test_what_is_optional_may_be_unknown(shared: Path, field: str) -> None:
    record = WHOLE.model_copy(update={"acquisition": WHOLE.acquisition.model_copy(update={field: None})})
    document = oscem(record, PEOPLE)
    assert (document.missing, problems(document.content, "spa", shared)) == ((), [])


def test_a_slit_that_is_out_has_no_width(shared: Path) -> None:
    record = WHOLE.model_copy(update={"energy_filter": EnergyFilter(used=False)})
    document = oscem(record, PEOPLE)
    assert document.content["acquisition"]["energy_filter"] == {
        "used": False,
        "width_energy_filter": {"value": 0.0, "unit": "eV"},
    }
    assert problems(document.content, "spa", shared) == []


@pytest.mark.parametrize(
    ("entity", "field", "technique"),
    [
        ("instrument", "model", "single particle"),
        ("energy_filter", "width_energy_filter", "single particle"),
        ("acquisition", "tilt_angle_increment", "tomography"),
        ("acquisition", "tilt_angle_minimal", "tomography"),
        ("sample", "description", "diffraction"),
        ("sample", "name", "4D-STEM"),
    ],
)
def test_what_is_known_in_part_is_left_out_and_told(
    shared: Path, entity: str, field: str, technique: str
) -> None:
    tilts = {
        "technique": technique,
        "tilt_angle_minimal": -60.0,
        "tilt_angle_maximal": 60.0,
        "tilt_angle_increment": 3.0,
        "tilt_axis_angle": 84.3,
    }
    whole = WHOLE.model_copy(update={"acquisition": WHOLE.acquisition.model_copy(update=tilts)})
    kind = schema_of(whole)
    assert problems(oscem(whole, PEOPLE).content, kind, shared) == []
    record = whole.model_copy(update={entity: getattr(whole, entity).model_copy(update={field: None})})
    document = oscem(record, PEOPLE)
    assert len(document.missing) == 1
    required = {"microscope", "tilt_angle"}  # without these it cannot be valid, and that is all
    found = problems(document.content, kind, shared)
    assert all(any(f"'{name}' is a required property" in each for name in required) for each in found)
