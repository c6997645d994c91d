"""mmCIF, checked against the official dictionary: not one message, and nothing mandatory is missing."""

from functools import cache
from pathlib import Path

import pytest
from gemmi import cif

from eucentric.interop import harvest
from eucentric.metadata.records import AcquisitionRecord
from eucentric.metadata.vocabulary import ProcessingStep
from eucentric.publish.merging import with_processing
from eucentric.publish.mmcif import mmcif
from interop.known_projects import RELION, project
from publish.known import ODD_VALUES, PEOPLE, WHOLE


@cache
def checker(dictionary: Path) -> cif.Ddl:
    """The dictionary, which takes seconds to read; what it says of itself does not count."""
    ddl = cif.Ddl(lambda message: None)
    ddl.read_ddl(cif.read(str(dictionary)))
    return ddl


def messages(text: str, shared: Path) -> list[str]:
    """Return everything that the dictionary has to say against a file."""
    said: list[str] = []
    ddl = checker(shared / "schemas" / "mmcif_pdbx_5.362.dic")
    ddl.set_logger(said.append)
    ddl.validate_cif(cif.read_string(text))
    return said


def value(text: str, tag: str) -> str:
    return cif.as_string(cif.read_string(text).sole_block().find_values(tag)[0])


def test_a_whole_record_gets_no_message(shared: Path) -> None:
    steps = (
        ProcessingStep(name="job002", kind="motion correction", software="relion", software_version="3.1.3"),
        ProcessingStep(name="job003", kind="CTF estimation", software="CTFFIND", software_version="4.1"),
        ProcessingStep(name="job004", kind="CTF estimation", software="CTFFIND", software_version="4.1"),
    )
    document = mmcif(WHOLE.model_copy(update={"steps": steps}), PEOPLE)
    assert document.missing == ()
    assert messages(document.content, shared) == []
    assert value(document.content, "_em_imaging.nominal_defocus_max") == "2200"
    assert value(document.content, "_em_imaging.mode") == "BRIGHT FIELD"
    assert value(document.content, "_em_imaging.microscope_model") == "TFS KRIOS"
    assert (
        value(document.content, "_em_image_recording.film_or_detector_model")
        == "GATAN K3 BIOQUANTUM (6k x 4k)"
    )
    software = cif.read_string(document.content).sole_block().find("_em_software.", ["name", "category"])
    assert [row[0] for row in software] == ["EPU", "relion", "CTFFIND"]


def test_tomography_gets_no_message(shared: Path) -> None:
    tilts = {
        "technique": "tomography",
        "tilt_angle_minimal": -60,
        "tilt_angle_maximal": 60,
        "tilt_angle_increment": 3,
    }
    acquisition = WHOLE.acquisition.model_copy(update=tilts)
    document = mmcif(WHOLE.model_copy(update={"acquisition": acquisition}))
    assert document.missing == ()
    assert messages(document.content, shared) == []
    assert value(document.content, "_em_imaging.tilt_angle_min") == "-60"


def test_the_validator_would_complain(shared: Path) -> None:
    """The check can fail: a word that is not in the list, and a mandatory item left out."""
    text = mmcif(WHOLE).content
    assert messages(text.replace("'BRIGHT FIELD'", "'LIGHT FIELD'"), shared)
    assert messages(text.replace("_em_imaging.id ", "_em_imaging.other_id "), shared)


def test_what_is_required_and_unknown_is_named() -> None:
    document = mmcif(AcquisitionRecord())
    assert len(document.missing) == 10
    assert "the model of the microscope" in document.missing[0]


@pytest.mark.parametrize(
    "name", ["O'Hara's \"complex\"", "a; b", "_underscored", "# no comment", "two\nlines"]
)
def test_text_is_quoted(shared: Path, name: str) -> None:
    sample = WHOLE.sample.model_copy(update={"name": name})
    document = mmcif(WHOLE.model_copy(update={"sample": sample}))
    assert value(document.content, "_em_entity_assembly.name") == name
    assert messages(document.content, shared) == []


def test_what_came_of_another_program_gets_no_message(shared: Path, tmp_path: Path) -> None:
    merged = with_processing(WHOLE, harvest(project(RELION, tmp_path)))
    more = {"classes_2d": 50, "classes_3d": 4, "picking_method": "template matching", "symmetry": "I1"}
    record = merged.model_copy(update={"processing": merged.processing.model_copy(update=more)})
    document = mmcif(record, PEOPLE)
    assert document.missing == ()
    assert messages(document.content, shared) == []
    assert value(document.content, "_em_3d_reconstruction.algorithm") == "FOURIER SPACE"
    assert value(document.content, "_em_3d_reconstruction.resolution") == "21"
    assert value(document.content, "_em_particle_selection.method") == "template matching"
    assert value(document.content, "_em_single_particle_entity.point_symmetry") == "I"
    software = cif.read_string(document.content).sole_block().find("_em_software.", ["category", "name"])
    assert ["FINAL EULER ASSIGNMENT", "RELION"] in [[cif.as_string(cell) for cell in row] for row in software]


@pytest.mark.parametrize(("entity", "values", "told"), ODD_VALUES)
def test_odd_values_get_no_message(shared: Path, entity: str, values: dict[str, object], told: int) -> None:
    record = WHOLE.model_copy(update={entity: getattr(WHOLE, entity).model_copy(update=values)})
    document = mmcif(record, PEOPLE)
    assert messages(document.content, shared) == []
    assert len(document.missing) == told


def test_a_subtomogram_average_gets_no_message(shared: Path) -> None:
    acquisition = WHOLE.acquisition.model_copy(update={"technique": "tomography"})
    processing = WHOLE.processing.model_copy(update={"tomograms": 12})
    document = mmcif(WHOLE.model_copy(update={"acquisition": acquisition, "processing": processing}), PEOPLE)
    assert messages(document.content, shared) == []
    assert value(document.content, "_em_experiment.reconstruction_method") == "SUBTOMOGRAM AVERAGING"
