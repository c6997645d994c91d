"""EPU's files of a whole session."""

from pathlib import Path

import pytest

from eucentric.metadata.readings import Findings, Reading
from eucentric.microscope.epu_session_readings import read_epu_dm

SQUARE = """<GridSquareXml xmlns="urn:a" xmlns:i="urn:i" xmlns:z="urn:z" z:Id="1">
<Id xmlns="urn:b">4590776</Id>
<TargetLocations z:Id="8"><TargetLocations i:nil="true"/><TargetLocationsEfficient>
<m_serializationArray><b:KeyValuePairOfint xmlns:b="urn:c"><b:key>5</b:key><b:value>
<ParticleAcquisitions><KeyValuePairs><b:KeyValuePairOfint><b:key>6</b:key><b:value>
<DataAcquisitionAreaId>46</DataAcquisitionAreaId><GridSquareId>4590776</GridSquareId>
<Image><BaseFileName>FoilHole_5665438_Data_46_48_20240406_102527</BaseFileName></Image>
<TargetLocationId>5665438</TargetLocationId></b:value></b:KeyValuePairOfint></KeyValuePairs>
</ParticleAcquisitions></b:value></b:KeyValuePairOfint></m_serializationArray></TargetLocationsEfficient>
</TargetLocations></GridSquareXml>"""


def values(readings: tuple[Reading, ...]) -> dict[str, object]:
    return {each.term: each.value for each in readings}


def read(shared: Path, name: str) -> Findings:
    findings = read_epu_dm(shared / "fixtures" / f"EMharvest__{name}", name)
    assert findings.refused == ()
    return findings


def test_a_session_names_its_grid_and_holds_presets_and_defoci(shared: Path) -> None:
    findings = read(shared, "EpuSession.dm")
    session = values(findings.readings)
    assert session["acquisition.session"] == "Supervisor_20230919_140141_84_bi23047-106_grid1"
    assert (session["grid.name"], session["grid.slot"]) == ("grid1", 2)
    assert session["grid.geometry"] == "HoleyCarbon"
    assert session["acquisition.microscope_software_version"] == "3.4.0.5704"
    data = values(findings.by_intent["collection"])
    assert data["acquisition.nominal_defocus_minimal"] == pytest.approx(5000)
    assert data["acquisition.nominal_defocus_maximal"] == pytest.approx(25_000)
    assert (data["acquisition.exposure_time"], data["acquisition.frames_per_movie"]) == (0.75, 50)
    assert data["energy_filter.width_energy_filter"] == 10
    assert data["instrument.c2_aperture"] == 50
    assert data["acquisition.image_shift_used"] is True
    assert data["detector.gain_corrected"] is False
    atlas = values(findings.by_intent["atlas"])
    assert atlas["energy_filter.used"] is False
    assert "energy_filter.width_energy_filter" not in atlas


def test_a_sample_has_the_slot_that_its_folder_has(shared: Path) -> None:
    sample = values(read(shared, "Sample.dm").readings)  # in the folder Sample3
    assert (sample["grid.name"], sample["grid.slot"]) == ("grid2", 3)


def test_an_atlas_has_its_tiles(shared: Path) -> None:
    findings = read(shared, "Atlas.dm")
    assert len(findings.exposures) == 35
    tile = values(findings.exposures["Tile_19494742_0_19494735"])
    assert tile["exposure.stage_z"] == pytest.approx(699_796.7, abs=0.1)
    assert values(findings.by_intent["atlas"])["acquisition.exposure_time"] == 1


def test_a_screening_session_names_itself(shared: Path) -> None:
    found = values(read(shared, "ScreeningSession.dm").by_intent["atlas"])
    assert found["acquisition.session"] == "Supervisor_20230919_115905_Atlas_bi23047-106"


def test_a_grid_square_knows_which_exposures_are_its_own(tmp_path: Path) -> None:
    file = tmp_path / "GridSquare_4590776.dm"
    file.write_text(SQUARE)
    findings = read_epu_dm(file, file.name)
    exposure = values(findings.exposures["FoilHole_5665438_Data_46_48_20240406_102527"])
    assert exposure == {
        "exposure.grid_square": "4590776",
        "exposure.foil_hole": "5665438",
        "exposure.area": "46",
    }


@pytest.mark.parametrize(
    ("output", "corrected"),
    [
        ("Tiff Lzw Non-Gain normalized", False),
        ("Mrc Gain normalized", True),
        ("Tiff Lzw not gain normalized", False),
        ("Eer", None),
    ],
)
def test_whether_fractions_are_gain_corrected(
    shared: Path, tmp_path: Path, output: str, corrected: bool | None
) -> None:
    text = (shared / "fixtures" / "EMharvest__EpuSession.dm").read_text()
    assert "Tiff Lzw Non-Gain normalized" in text
    file = tmp_path / "EpuSession.dm"
    file.write_text(text.replace("Tiff Lzw Non-Gain normalized", output))
    data = values(read_epu_dm(file, "x").by_intent["collection"])
    assert data.get("detector.gain_corrected") is corrected
