"""NXem, accepted by the validator of the NeXus community's own tools."""

import io
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import h5py
import pytest

from eucentric.engine.programs import Environment
from eucentric.metadata.records import AcquisitionRecord
from eucentric.metadata.vocabulary import Exposure, Molecule
from eucentric.publish.nxem import elements, nxem
from outside_environments import installed
from publish.known import PEOPLE, WHOLE

pytestmark = pytest.mark.timeout(600)  # the validator's environment is made first

VALIDATOR = Environment(
    "pynxtools",
    alone=("pynxtools==0.16.0", "ase==3.29.0"),
    requirements=(
        *("anytree", "blosc2", "cachetools", "click", "click_default_group", "h5py", "hdf5plugin"),
        *("importlib-metadata", "jinja2", "lxml", "mergedeep", "numpy", "pint", "PyYAML", "structlog"),
        "toposort",
    ),
)


def changed(**entities: dict[str, object]) -> AcquisitionRecord:
    """Return the whole record with other values in some of its entities."""
    updates = {name: getattr(WHOLE, name).model_copy(update=values) for name, values in entities.items()}
    return WHOLE.model_copy(update=updates)


FROZEN = {"preparation_date": datetime(2023, 9, 18, 10, tzinfo=UTC)}
COMPLETE = changed(
    sample=FROZEN,
    grid={"name": "3A"},
    instrument={"name": "Krios 1", "beam_convergence": 0.1, "phase_plate": "Volta", "serial_number": "3593"},
    acquisition={"date_time_end": datetime(2023, 9, 20, tzinfo=UTC)},
)
ODD = changed(
    sample=FROZEN,
    instrument={
        "phase_plate": "a laser",
        "spherical_aberration_corrector": "CEOS",
        "operating_mode": "other",
    },
)
TILTED = changed(
    sample=FROZEN,
    acquisition={"technique": "tomography", "tilt_angle_minimal": -60.0, "tilt_angle_maximal": 60.0},
).model_copy(
    update={
        "exposures": tuple(
            Exposure(name=f"{angle}", tilt_angle=angle, nominal_defocus=30_000) for angle in (-3, 0, 3)
        )
    }
)


@pytest.fixture(scope="module")
def validator() -> Path:
    """The validator, in an environment of its own: its libraries are others than ours."""
    return installed(VALIDATOR) / "pynx"


def said(validator: Path, folder: Path, content: bytes) -> str:
    (folder / "a.nxs").write_bytes(content)
    done = subprocess.run(
        [str(validator), "validate", "a.nxs"], cwd=folder, capture_output=True, text=True, timeout=100
    )
    return done.stdout + done.stderr


def test_whole_records_are_valid(validator: Path, tmp_path: Path) -> None:
    document = nxem([COMPLETE, ODD, TILTED], PEOPLE, {"oscem.json": b"{}"})
    assert document.missing == ()
    told = said(validator, tmp_path, document.content)
    assert told.count("is valid according to the `NXem` application definition") == 3
    assert "WARNING" not in told
    assert "ERROR" not in told


def test_the_validator_would_complain(validator: Path, tmp_path: Path) -> None:
    document = nxem([WHOLE], PEOPLE)
    assert document.missing == (
        "NXem requires when the sample was prepared (preparation_date), which is not known.",
    )
    told = said(validator, tmp_path, document.content)
    assert "The required field /entry/sample1/preparation_date hasn't been supplied" in told
    assert "is NOT valid" in told


def test_values_and_their_units() -> None:
    document = nxem([COMPLETE, TILTED], PEOPLE, {"oscem.json": b"{}"})
    with h5py.File(io.BytesIO(document.content)) as file:
        first, second = file["entry1"], file["entry2"]
        event = first["measurement/event1"]
        voltage = event["instrument/ebeam_column/electron_source/voltage"]
        assert (voltage[()], voltage.attrs["units"]) == (300, "kV")
        optics = event["instrument/optics"]
        assert list(optics["defocus"]) == [8_000, 22_000]
        assert optics["defocus"].attrs["units"] == "angstrom"
        assert optics["dose_rate"][()] == pytest.approx(40 / 1.2)
        assert optics["magnification"][()] == 94_697
        assert first["start_time"].asstr()[()] == "2023-09-19T14:01:00+00:00"
        assert first["sample1/atom_types"].asstr()[()] == "C, H, N, O, S"
        assert first["user1/identifier_orcid"].asstr()[()] == "https://orcid.org/0000-0002-1825-0097"
        assert first["note1/file_name"].asstr()[()] == "oscem.json"
        assert list(second["measurement/event1/exposures/tilt_angle"]) == [-3, 0, 3]
        assert list(second["measurement/event1/instrument/optics/defocus"]) == [30_000] * 3


def test_the_same_gives_the_same_bytes() -> None:
    assert nxem([COMPLETE], PEOPLE).content == nxem([COMPLETE], PEOPLE).content


def test_what_is_missing_is_named_and_nothing_guessed() -> None:
    document = nxem([AcquisitionRecord()], PEOPLE)
    assert len(document.missing) == 5
    with h5py.File(io.BytesIO(document.content)) as file:
        assert "start_time" not in file["entry"]
        assert "measurement" in file["entry"]
    local = changed(sample=FROZEN, acquisition={"date_time": datetime(2023, 9, 19)})
    (sentence,) = nxem([local], PEOPLE).missing
    assert "give acquisition.date_time as" in sentence
    bare = changed(sample={"preparation_date": datetime(2023, 9, 18)})
    (sentence,) = nxem([bare], PEOPLE).missing
    assert "give sample.preparation_date as" in sentence


@pytest.mark.parametrize(
    ("molecules", "given", "found"),
    [
        ((), None, None),
        ((), "C, Au", "C, Au"),
        ((Molecule(name_mol="a", sequence="MKV"),), None, "C, H, N, O, S"),
        ((Molecule(name_mol="a", sequence="VVV"),), None, "C, H, N, O"),
        ((Molecule(name_mol="a", sequence="ACGU", molecular_type="RNA"),), None, "C, H, N, O, P"),
        ((Molecule(name_mol="a", sequence="ACGT"),), None, None),  # a peptide, or DNA?
        ((Molecule(name_mol="a", sequence="MKV"), Molecule(name_mol="b")), None, None),
    ],
)
def test_elements(molecules: tuple[Molecule, ...], given: str | None, found: str | None) -> None:
    record = WHOLE.model_copy(
        update={"molecules": molecules, "sample": WHOLE.sample.model_copy(update={"elements": given})}
    )
    assert elements(record) == found
