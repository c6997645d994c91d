"""Records of which some is known, some not, at random: where nothing is told to be missing, all is valid."""

import random
from pathlib import Path

import pytest

from eucentric.metadata.records import AcquisitionRecord
from eucentric.publish import emdb, mmcif, oscem, read_map_facts, schema_of
from publish import test_emdb, test_mmcif, test_oscem
from publish.known import PEOPLE, WHOLE

TILTS = {
    "technique": "tomography",
    "tilt_angle_minimal": -60.0,
    "tilt_angle_maximal": 60.0,
    "tilt_angle_increment": 3.0,
    "tilt_axis_angle": 84.3,
}
ENTITIES = ("instrument", "acquisition", "energy_filter", "grid", "sample", "processing")


def partial(rng: random.Random) -> AcquisitionRecord:
    """Return the whole record of a technique without some of its values."""
    acquisition = WHOLE.acquisition
    if rng.random() < 0.4:
        acquisition = acquisition.model_copy(update=TILTS)
    elif rng.random() < 0.5:
        technique = rng.choice(["diffraction", "4D-STEM", "imaging"])
        acquisition = acquisition.model_copy(update={"technique": technique})
    record = WHOLE.model_copy(update={"acquisition": acquisition})
    updates: dict[str, object] = {}
    for entity in ENTITIES:
        model = getattr(record, entity)
        gone = [field for field in model.model_dump(exclude_none=True) if rng.random() < 0.04]
        updates[entity] = model.model_copy(update=dict.fromkeys(gone))
    if rng.random() < 0.2:
        updates["molecules"] = ()
    return record.model_copy(update=updates)


@pytest.mark.parametrize("seed", range(20))
def test_what_lacks_nothing_is_valid(shared: Path, seed: int) -> None:
    facts = read_map_facts(shared / "data" / "EMD-3197.map")
    record = partial(random.Random(seed))
    for document, problems in (
        (emdb(record, PEOPLE, facts, test_emdb.TODAY), test_emdb.problems),
        (mmcif(record, PEOPLE), test_mmcif.messages),
    ):
        assert document.missing or problems(document.content, shared) == []
    document = oscem(record, PEOPLE)
    assert document.missing or test_oscem.problems(document.content, schema_of(record), shared) == []


def test_some_lack_nothing_and_some_do(shared: Path) -> None:
    """The test above looks at both."""
    records = [partial(random.Random(seed)) for seed in range(20)]
    whole = [record for record in records if not mmcif(record, PEOPLE).missing]
    assert 2 < len(whole) < 20
    assert len({record.acquisition.technique for record in records}) > 2
