"""EMDB's header, validated by its schema."""

from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xmlschema

from eucentric.formats import FormatError, write_mrc
from eucentric.interop import harvest
from eucentric.metadata.records import AcquisitionRecord
from eucentric.metadata.vocabulary import ProcessingStep
from eucentric.publish.controlled import detector, microscope, point_group
from eucentric.publish.description import Citation
from eucentric.publish.emdb import emdb
from eucentric.publish.map_file import MapFacts, read_map_facts
from eucentric.publish.merging import with_processing
from interop.known_projects import RELION, project
from publish.known import ODD_VALUES, PEOPLE, WHOLE

TODAY = date(2026, 11, 29)


@cache
def schema(path: Path) -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(path)


def problems(text: str, shared: Path) -> list[str]:
    found = schema(shared / "schemas" / "emdb_3.0.11.3.xsd").iter_errors(text)
    return [f"{error.path}: {error.reason}" for error in found]


@pytest.fixture
def facts(shared: Path) -> MapFacts:
    return read_map_facts(shared / "data" / "EMD-3197.map")


def test_the_facts_of_a_real_map(facts: MapFacts) -> None:
    assert facts.dimensions == (20, 20, 20)
    assert np.array(facts.cell) / facts.spacing == pytest.approx(11.4, rel=1e-3)
    assert facts.minimum < facts.mean < facts.maximum


def test_a_whole_record_is_valid(shared: Path, facts: MapFacts) -> None:
    citation = Citation(
        title="Architecture", journal="Nature Microbiology", year=2017, volume="2", doi="10.1038/nm.1"
    )
    document = emdb(WHOLE, PEOPLE.model_copy(update={"citation": citation}), facts, TODAY)
    assert document.missing == ()
    assert problems(document.content, shared) == []
    assert '<nominal_defocus_max units="µm">2.2</nominal_defocus_max>' in document.content
    assert '<theoretical units="MDa">0.8</theoretical>' in document.content


def test_tomography_is_valid(shared: Path, facts: MapFacts) -> None:
    tilts = {
        "technique": "tomography",
        "tilt_angle_minimal": -60.0,
        "tilt_angle_maximal": 60.0,
        "tilt_angle_increment": 3.0,
        "tilt_axis_angle": 84.3,
    }
    record = WHOLE.model_copy(update={"acquisition": WHOLE.acquisition.model_copy(update=tilts)})
    document = emdb(record, PEOPLE, facts, TODAY)
    assert problems(document.content, shared) == []
    assert '<min_angle units="deg">-60</min_angle>' in document.content


def test_the_schema_would_complain(shared: Path, facts: MapFacts) -> None:
    text = emdb(WHOLE, PEOPLE, facts, TODAY).content
    assert problems(text.replace("FLOOD BEAM", "FLOODED BEAM"), shared)


def test_what_is_required_and_unknown_is_named() -> None:
    lacking = emdb(AcquisitionRecord(), PEOPLE, None, TODAY).missing
    assert len(lacking) == 8
    assert lacking[-1] == "EMDB requires a map."


def test_no_map(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="it is not an MRC file"):
        read_map_facts(tmp_path / "a.mrc")
    write_mrc(tmp_path / "b.mrc", np.zeros((8, 8), np.float32), 1.0)
    with pytest.raises(FormatError, match="it is not a map"):
        read_map_facts(tmp_path / "b.mrc")


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        (("Titan Krios G4", None), "TFS KRIOS"),
        ((None, "Krios 2"), "TFS KRIOS"),
        (("Glacios 2",), "TFS GLACIOS"),
        (("Talos Arctica",), "FEI TALOS ARCTICA"),
        (("CRYO ARM 300 II",), "JEOL CRYO ARM 300"),
        (("home-built",), None),
    ],
)
def test_microscopes_in_the_words_of_the_list(names: tuple[str | None, ...], listed: str | None) -> None:
    assert microscope(*names) == listed


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("Falcon 4i", "TFS FALCON 4i (4k x 4k)"),
        ("Falcon 4", "FEI FALCON IV (4k x 4k)"),
        ("FalconIII", "FEI FALCON III (4k x 4k)"),
        ("BioQuantum K3", "GATAN K3 BIOQUANTUM (6k x 4k)"),
        ("BioContinuum K3", "GATAN K3 BIOCONTINUUM (6k x 4k)"),
        ("GatanK3", "GATAN K3 (6k x 4k)"),
        ("K2 Summit", "GATAN K2 SUMMIT (4k x 4k)"),
        ("something", "OTHER"),
        (None, None),
    ],
)
def test_detectors_in_the_words_of_the_list(name: str | None, listed: str | None) -> None:
    assert detector(name) == listed


def test_what_came_of_another_program_is_valid(shared: Path, facts: MapFacts, tmp_path: Path) -> None:
    merged = with_processing(WHOLE, harvest(project(RELION, tmp_path)))
    more = {"classes_2d": 50, "classes_3d": 4, "picking_method": "template matching", "b_factor": -80.0}
    steps = (
        *merged.steps,
        ProcessingStep(name="pick", kind="particle picking", software="Topaz"),
        ProcessingStep(name="ctf", kind="CTF estimation", software="CTFFIND", software_version="4.1.14"),
        ProcessingStep(name="no", kind="CTF estimation", software="Gctf", status="failed"),
    )
    record = merged.model_copy(
        update={"processing": merged.processing.model_copy(update=more), "steps": steps}
    )
    document = emdb(record, PEOPLE, facts, TODAY, halves=[facts, facts], mask=facts, has_correlation=True)
    assert document.missing == ()
    assert problems(document.content, shared) == []
    for part in (
        "<type>MAXIMUM LIKELIHOOD</type>",
        "<algorithm>FOURIER SPACE</algorithm>",
        "<resolution_method>FSC 0.143 CUT-OFF</resolution_method>",
        "<point_group>D6</point_group>",
        "<number_images_used>60</number_images_used>",
        "<_brestore units=",
        "<method>template matching</method>",
        "<name>CTFFIND</name>",
        "<type>WHOLE MICROGRAPH</type>",
        "<file>emd_0000_half_map_2.map.gz</file>",
        "<file>emd_0000_msk_1.map</file>",
        "<file>emd_0000_fsc.xml</file>",
    ):
        assert part in document.content
    assert "Gctf" not in document.content
    assert document.content.count("<name>RELION</name>") == 4  # of map, angles, 2D and 3D classes


@pytest.mark.parametrize(("entity", "values", "told"), ODD_VALUES)
def test_odd_values_do_not_make_it_invalid(
    shared: Path, facts: MapFacts, entity: str, values: dict[str, object], told: int
) -> None:
    record = WHOLE.model_copy(update={entity: getattr(WHOLE, entity).model_copy(update=values)})
    document = emdb(record, PEOPLE, facts, TODAY)
    assert problems(document.content, shared) == []
    assert len(document.missing) == told
    assert all("is left out" in each for each in document.missing)


@pytest.mark.parametrize(
    ("name", "written"),
    [("C1", "C1"), ("d7", "D7"), ("C12", "C12"), ("I1", "I"), ("O", "O"), ("TH", "T"), ("helical", None)],
)
def test_point_groups(name: str, written: str | None) -> None:
    assert point_group(name) == written


def test_a_subtomogram_average_is_valid(shared: Path, facts: MapFacts) -> None:
    tilts = {"technique": "tomography", "tilt_angle_minimal": -60.0, "tilt_angle_maximal": 60.0}
    steps = (
        ProcessingStep(name="a", kind="tomogram reconstruction", software="RELION", software_version="5.0"),
        ProcessingStep(name="b", kind="subtomogram averaging", software="RELION", software_version="5.0"),
    )
    more = {"classes_3d": 3, "angle_assignment": "maximum likelihood", "tomograms": 12}
    record = WHOLE.model_copy(
        update={
            "acquisition": WHOLE.acquisition.model_copy(update=tilts),
            "processing": WHOLE.processing.model_copy(update=more),
            "steps": steps,
        }
    )
    document = emdb(record, PEOPLE, facts, TODAY)
    assert document.missing == ()
    assert problems(document.content, shared) == []
    assert "<method>subtomogramAveraging</method>" in document.content
    assert "<number_tomograms>12</number_tomograms>" in document.content
    assert "<number_subtomograms_used>210000</number_subtomograms_used>" in document.content
    unknown = record.processing.model_copy(update={"tomograms": None})
    (sentence,) = emdb(record.model_copy(update={"processing": unknown}), PEOPLE, facts, TODAY).missing
    assert sentence.startswith("EMDB requires the number of tomograms")
