"""What Gatan, TVIPS and JEOL write into TIFF files besides the image."""

import gzip
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

from eucentric.formats import read_info
from eucentric.microscope.metadata_readers import read_metadata


def test_a_camera_of_tvips(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "fixtures" / "rosettasciio__TVIPS_bin4.zip") as packed:
        packed.extractall(tmp_path)
    info = read_info(tmp_path / "TVIPS_bin4.tif")
    assert info.pixel_size == pytest.approx(14.208, rel=1e-4)
    assert info.extended["camera"] == "F416"
    assert info.extended["physical_pixel_size"] == pytest.approx(15.6)
    assert (info.extended["voltage"], info.extended["magnification"]) == (99, 32_000)
    assert info.extended["exposure_time"] == pytest.approx(0.4)
    (readings,) = read_metadata(tmp_path / "TVIPS_bin4.tif").exposures.values()
    found = {each.term: each.value for each in readings}
    assert (found["detector.name"], found["detector.physical_pixel_size"]) == ("F416", pytest.approx(15.6))


def test_a_microscope_of_jeol(shared: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    packed = shared / "fixtures" / "rosettasciio__JEOL-SightX-TEM-mag-dummy.tif.gz"
    file.write_bytes(gzip.decompress(packed.read_bytes()))
    (readings,) = read_metadata(file).exposures.values()
    found = {each.term: each.value for each in readings}
    assert (found["instrument.model"], found["instrument.manufacturer"]) == ("JEM-ARM200F", "JEOL Ltd.")
    assert (found["instrument.acceleration_voltage"], found["instrument.electron_source"]) == (200, "LaB6")
    assert found["acquisition.nominal_magnification"] == 150_000
    assert found["instrument.operating_mode"] == "TEM"
    assert found["exposure.stage_x"] == pytest.approx(-11_963_000)
    assert (found["exposure.tilt_angle"], found["exposure.stage_beta"]) == (0.1, -0.02)
    assert found["exposure.date_time"] == datetime.fromisoformat("2019-11-27T16:11:26.620540+09:00")


def test_an_image_that_digitalmicrograph_exported_says_as_much_as_the_original(
    shared: Path, tmp_path: Path
) -> None:
    exported = shared / "fixtures" / "rosettasciio__test_loading_image_saved_with_DM.tif"
    (readings,) = read_metadata(exported).exposures.values()
    found = {each.term: each.value for each in readings}
    assert (found["instrument.acceleration_voltage"], found["instrument.cs"]) == (200, pytest.approx(1.31))
    assert (found["instrument.name"], found["detector.name"]) == ("FEI Tecnai", "BM-UltraScan")
    assert (found["instrument.operating_mode"], found["acquisition.nominal_magnification"]) == ("TEM", 51)
    assert (found["exposure.exposure_time"], found["exposure.binning"]) == (0.5, 1)
    with tifffile.TiffFile(exported) as tiff:
        tags = tiff.pages[0].tags.valueof(65027)
    damaged = tmp_path / "a.tif"
    for content in (b"", tags[:100], tags[:-100], b"\xff" * 100, tags[:4] + b"\xff" * 300 + tags[304:]):
        tifffile.imwrite(
            damaged,
            np.zeros((8, 9), "u2"),
            extratags=[(65027, 1, len(content), content, True)],
            metadata=None,
        )
        assert read_info(damaged).extended == {}


@pytest.mark.parametrize(
    "description",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><TemReporter><Instruments>&b;</Instruments></TemReporter>',
        "<TemReporter><ElectronGun><AccelerationVoltage>NaN</AccelerationVoltage></ElectronGun></TemReporter>",
        "<TemReporter>",
        "any text",
    ],
)
def test_an_image_is_an_image_without_it(tmp_path: Path, description: str) -> None:
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, np.zeros((8, 9), "u2"), description=description, metadata=None)
    assert read_info(file).extended == {}
