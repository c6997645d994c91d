"""SerialEM's navigators and properties."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from eucentric.formats import FormatError
from eucentric.microscope.metadata_readers import read_metadata, reader_for
from eucentric.microscope.serialem_readings import read_navigator_file, read_properties

NAV_XML = """<?xml version="1.0" encoding="utf-8"?>
<navigator><PreData><AdocVersion>2.00</AdocVersion></PreData>
<Item name="1-A"><Acquire>1</Acquire><StageXYZ>1.5 -2.5 3</StageXYZ><Type>0</Type></Item>
<Item name="2"><StageXYZ>10 20 -5</StageXYZ><Type>2</Type><MapFile>X:\\maps\\mmm_1.st</MapFile>
<MapSection>4</MapSection></Item></navigator>
"""


def test_targets_of_a_navigator_are_counted(shared: Path) -> None:
    file = shared / "fixtures" / "instamatic__nav.nav"
    findings = read_navigator_file(file, "n")
    (reading,) = findings.by_intent["collection"]
    assert reading.term == "acquisition.targets"
    assert reading.value == file.read_text().count("[Item =")


def test_a_navigator_may_be_xml_and_places_its_maps(tmp_path: Path) -> None:
    file = tmp_path / "x.nav"
    file.write_text(NAV_XML)
    findings = read_navigator_file(file, "x.nav")
    assert findings.by_intent["collection"][0].value == 1
    values = {each.term: each.value for each in findings.exposures["mmm_1[4]"]}
    assert values["exposure.stage_x"] == 100_000
    assert values["exposure.stage_z"] == -50_000


def test_properties_name_cameras_and_source(shared: Path, tmp_path: Path) -> None:
    name = "oscem-extractor-life__SerialEMproperties_GlobalAutodocEntry_Example.txt"
    findings = read_metadata(shared / "fixtures" / name)
    values = {(each.term, each.part): each.value for each in findings.readings}
    assert values["detector.name", "0"] == "K3 GAT23390027"
    assert values["detector.name", "1"] == "CETA Camera"
    assert values["instrument.electron_source", ""] == "field emission gun"
    whole = tmp_path / "SerialEMproperties.txt"
    whole.write_text(
        "SerialEMProperties\nCameraProperties 2\nName K3\nCameraSizeX 11520\nPixelSize 2.5  # µm\n"
        "EndCameraProperties\nName nothing\n"
    )
    found = {(each.term, each.part): each.value for each in read_properties(whole, "p").readings}
    assert found == {
        ("detector.name", "2"): "K3",
        ("detector.width", "2"): 11520,
        ("detector.physical_pixel_size", "2"): 2.5,
    }


def test_any_other_text_is_nobodys(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("SerialEM is running\n")
    assert reader_for(file) is None
    with pytest.raises(FormatError, match="texts of other programs are not read"):
        read_metadata(file)


def test_settings_are_known_and_hold_nothing(tmp_path: Path) -> None:
    file = tmp_path / "SerialEMsettings.txt"
    file.write_text("SerialEMSettings\nLastDPAGridIndex 3\n")
    findings = read_metadata(file)
    assert (findings.kind, findings.readings) == ("SerialEM settings", ())


def test_how_the_image_of_a_map_was_recorded(tmp_path: Path) -> None:
    file = tmp_path / "x.nav"
    file.write_text(
        "AdocVersion = 2.00\n[Item = 1]\nType = 2\nMapFile = D:\\maps\\lmm.mrc\nMapSection = 0\n"
        "MapBinning = 2\nMapCamera = 1\nMapExposure = 1.5\nMapSpotSize = 7\nMapSlitIn = 1\n"
        "MapSlitWidth = 30\nMapTiltAngle = -1000\nMapWidthHeight = 2880 2046\nMapProbeMode = 1\n"
        "K2ReadMode = 1\n[Item = 2]\nType = 2\nMapFile = lmm.mrc\nMapSection = 1\nMapSlitIn = 0\n"
        "MapSlitWidth = 30\nMapTiltAngle = 0.01\n"
    )
    findings = read_navigator_file(file, "x.nav")
    first, second = ({each.term: each.value for each in of} for of in findings.exposures.values())
    assert (first["exposure.exposure_time"], first["exposure.shown_binning"]) == (1.5, 2)
    assert (first["detector.number"], first["detector.mode"]) == (1, "counting")
    assert (first["energy_filter.used"], first["energy_filter.width_energy_filter"]) == (True, 30)
    assert (first["exposure.shown_width"], first["exposure.shown_height"]) == (2880, 2046)
    assert (first["instrument.spot_size"], first["instrument.probe_mode"]) == (7, "microprobe")
    assert "exposure.tilt_angle" not in first  # not known
    assert (second["energy_filter.used"], second["exposure.tilt_angle"]) == (False, 0.01)
    assert "energy_filter.width_energy_filter" not in second


def test_images_in_files_of_their_own_are_described_by_an_idoc(tmp_path: Path) -> None:
    file = tmp_path / "tilts.idoc"
    sections = [f"[Image = t_{n}.tif]\nTiltAngle = {3 * n}\nExposureTime = 0.5\n" for n in range(3)]
    file.write_text("PixelSpacing = 2.1\nImageSize = 64 32\nImageSeries = 1\n" + "\n".join(sections))
    findings = read_metadata(file)
    assert findings.kind == "SerialEM tilt series"
    assert list(findings.exposures) == ["t_0", "t_1", "t_2"]


def test_titles_in_the_header_of_a_stack_name_microscope_and_tilt_axis(tmp_path: Path) -> None:
    file = tmp_path / "ts.st"
    with mrcfile.new(file) as stack:
        stack.set_data(np.zeros((3, 4, 5), np.int16))
        for title in (
            "SerialEM: Titan Krios, Gatan K2 Summit          12-Mar-21  10:11:12",
            "    Tilt axis angle = 84.3, binning = 1  spot = 8  camera = 0",
        ):
            stack.add_label(title)
    (found,) = ({each.term: each for each in of} for of in read_metadata(file).exposures.values())
    assert found["acquisition.tilt_axis_angle"].value == 84.3
    assert found["instrument.name"].value == "Titan Krios, Gatan K2 Summit"
    assert found["detector.name"].value == "K2"
    assert found["acquisition.microscope_software"].value == "SerialEM"
    assert found["acquisition.tilt_axis_angle"].origin.source == "header"
    with mrcfile.new(file, overwrite=True) as stack:
        stack.set_data(np.zeros((3, 4, 5), np.int16))
        stack.add_label("Written by another program")
    (found,) = ({each.term: each for each in of} for of in read_metadata(file).exposures.values())
    assert {"acquisition.microscope_software", "instrument.name"}.isdisjoint(found)
