"""A session that was finished in RELION: what counts, what is filled in, what does not agree."""

from pathlib import Path

import pytest

from eucentric.interop import harvest
from eucentric.metadata.records import AcquisitionRecord, HarvestRecord
from eucentric.metadata.vocabulary import ProcessingStep
from eucentric.publish.merging import with_processing
from interop.known_projects import RELION, project
from publish.known import WHOLE


@pytest.fixture
def found(tmp_path: Path) -> HarvestRecord:
    return harvest(project(RELION, tmp_path))


def test_later_processing_counts_and_the_recording_stays(found: HarvestRecord) -> None:
    own = WHOLE.model_copy(update={"steps": (ProcessingStep(name="pick", kind="particle picking"),)})
    merged = with_processing(own, found)
    assert (merged.processing.resolution, merged.processing.symmetry) == (21.0, "D6")
    assert merged.processing.particles_picked == 812_000  # what the project does not tell stays
    assert merged.processing.frames_used == WHOLE.processing.frames_used
    assert [each.name for each in merged.steps][:2] == ["pick", "Import/job001"]
    assert merged.instrument == WHOLE.instrument
    assert merged.contradictions == ()
    assert "processing.symmetry" in merged.provenance


def test_what_is_not_known_of_the_recording_is_filled_in(found: HarvestRecord) -> None:
    merged = with_processing(AcquisitionRecord(), found)
    assert (merged.instrument.acceleration_voltage, merged.instrument.cs) == (300, pytest.approx(2.7))
    assert merged.acquisition.technique == "single particle"


def test_what_does_not_agree_is_told(found: HarvestRecord) -> None:
    other = WHOLE.instrument.model_copy(update={"acceleration_voltage": 200})
    merged = with_processing(WHOLE.model_copy(update={"instrument": other}), found)
    assert merged.instrument.acceleration_voltage == 200
    (sentence,) = [each.sentence() for each in merged.contradictions]
    assert sentence.startswith("instrument: acceleration voltage is 200")
    assert "but 300.0 by Refine3D/job005/run_data.star rlnVoltage" in sentence
