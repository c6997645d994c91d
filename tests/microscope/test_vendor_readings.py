"""Direct Electron's `_info.txt` and sessions of Tomography 5."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from eucentric.formats import FormatError
from eucentric.microscope.gather import gather
from eucentric.microscope.metadata_readers import read_metadata
from microscope.found_values import values

INFO = """Camera Model = DE-64
Sensor Module SN = 1234
Timestamp (seconds since Epoch) = 1700000000.5
Frames Per Second = 40
Exposure Time (seconds) = 1,5
Image Size X (pixels) = 8192
Image Size Y (pixels) = 8192
Sensor Size X (pixels) = 8192
Hardware Binning X = 1
Image Processing - Mode = HDR Counting
Image Processing - Flatfield Correction = Dark and Gain
ADUs Per Electron Bin1x = 16
Specimen Pixel Size X (nanometers) = 0.0843
Instrument Project Magnification = 50000
Instrument Project Camera Length (centimeters) = -1
Instrument Accelerating Voltage (V) = 300000
Instrument Stage Position X (micrometers) = -12.5
Instrument Stage Tilt Alpha (degrees) = -1
Instrument Project TEMorSTEM Mode = 0
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_a_camera_of_direct_electron_writes(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "20231114_00012_a_movie.mrc").touch()
    file = tmp_path / "20231114_00012_a_info.txt"
    file.write_text(INFO.replace("\n", "\r\n"), encoding=encoding)
    found = values(read_metadata(file), "20231114_00012_a_movie")
    assert (found["detector.name"], found["detector.serial_number"]) == ("DE-64", "1234")
    assert found["detector.manufacturer"] == "Direct Electron"
    assert (found["detector.mode"], found["detector.gain_corrected"]) == ("counting", True)
    assert (found["detector.counts_per_electron"], found["detector.frame_rate"]) == (16, 40)
    assert found["exposure.exposure_time"] == 1.5
    assert found["exposure.pixel_size"] == pytest.approx(0.843)
    assert found["exposure.stage_x"] == -125_000
    assert found["instrument.acceleration_voltage"] == 300
    assert found["instrument.operating_mode"] == "TEM"
    assert found["exposure.date_time"] == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert {"instrument.camera_length", "exposure.tilt_angle"}.isdisjoint(found)  # -1: not known


def test_a_scan_of_direct_electron_has_a_step_and_no_pixel_size(tmp_path: Path) -> None:
    file = tmp_path / "1_2_info.txt"
    file.write_text(INFO + "Scan - Enable = Enable\nScan - Size X = 256\nScan - Size Y = 128\n")
    found = values(read_metadata(file), "1_2_movie")
    assert (found["exposure.scan_width"], found["exposure.scan_height"]) == (256, 128)
    assert found["exposure.scan_step"] == pytest.approx(0.843)
    assert "exposure.pixel_size" not in found


def test_another_text_called_info_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "site_info.txt"
    file.write_text("key = value\n")
    with pytest.raises(FormatError, match="nothing stands in it"):
        read_metadata(file)


# Tomography 5


def test_a_session_of_tomography(tmp_path: Path) -> None:
    folder = tmp_path / "grid"
    (folder / "Batch").mkdir(parents=True)
    (folder / "Session.dm").write_text(
        '<TomographySession xmlns="urn:x"><AtlasId>Z:\\nt1\\atlas\\Sample7\\Atlas\\Atlas.dm</AtlasId>'
        "<Name>grid</Name></TomographySession>"
    )
    area = "<ExposureTemplateAreaParameters><Name>{}</Name></ExposureTemplateAreaParameters>"
    (folder / "Batch" / "BatchPositionsList.xml").write_text(
        "<BatchPositionsList><BatchPositions>"
        "<BatchPositionParameters><Name>Position_1</Name><AdditionalExposureTemplateAreas>"
        f"{area.format('Position_1_2')}{area.format('Position_1_3')}</AdditionalExposureTemplateAreas>"
        "</BatchPositionParameters><BatchPositionParameters><Name>Position_2</Name></BatchPositionParameters>"
        "</BatchPositions></BatchPositionsList>",
        encoding="utf-16",
    )
    records = gather([folder]).acquisitions
    targets = [each.acquisition.targets for each in records if each.acquisition.targets]
    assert targets == [4]
    assert {each.grid.slot for each in records} >= {7}
    assert {each.acquisition.technique for each in records} == {"tomography"}


# Of all
