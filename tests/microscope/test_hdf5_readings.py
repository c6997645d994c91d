"""Velox, EMD of Berkeley and py4DSTEM: metadata in HDF5."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from eucentric.formats import FormatError
from eucentric.formats.scaled_image import Axis
from eucentric.metadata.readings import Collector
from eucentric.microscope.gather import gather
from eucentric.microscope.metadata_readers import read_metadata
from eucentric.microscope.scaled_image_readings import of_axes
from microscope.found_values import values


def velox(path: Path, *images: tuple[dict[str, Any], tuple[int, ...]]) -> Path:
    with h5py.File(path, "w") as root:
        root["Version"] = ["{}"]
        for number, (said, shape) in enumerate(images):
            group = root.create_group(f"Data/Image/{number:032x}")
            group["Data"] = np.zeros(shape, "u2")
            raw = json.dumps(said).encode().ljust(60_000, b"\0")
            group["Metadata"] = np.repeat(np.frombuffer(raw, "u1")[:, None], shape[2], axis=1)
    return path


def stem(detector: str, **more: Any) -> dict[str, Any]:
    return {
        "Optics": {"OperatingMode": "2", "AccelerationVoltage": "200000", "CameraLength": 0.098},
        "Scan": {"DwellTime": "2e-06", "FrameTime": "2.5"},
        "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1603977376"}},
        "Detectors": {
            "Detector-0": {
                "DetectorName": "BF",
                "DetectorType": "ScanningDetector",
                "CollectionAngleRange": {"begin": "0", "end": "0.012"},
            },
            "Detector-1": {
                "DetectorName": "HAADF",
                "DetectorType": "ScanningDetector",
                "CollectionAngleRange": {"begin": "0.058", "end": "0.2"},
            },
        },
        "BinaryResult": {
            "Detector": detector,
            "PixelSize": {"width": "5e-11", "height": "5e-11"},
            "PixelUnitX": "m",
            "PixelUnitY": "m",
        },
        **more,
    }


def test_detectors_that_record_together_are_one_exposure_of_velox(tmp_path: Path) -> None:
    file = velox(tmp_path / "a.emd", (stem("BF"), (512, 1024, 7)), (stem("HAADF"), (512, 1024, 7)))
    (acquisition,) = gather([file]).acquisitions
    (exposure,) = acquisition.exposures
    assert (exposure.height, exposure.width, exposure.frames) == (512, 1024, 7)
    assert (exposure.pixel_size, exposure.dwell_time, exposure.exposure_time) == (0.5, 2e-6, 2.5)
    assert exposure.date_time == datetime(2020, 10, 29, 13, 16, 16, tzinfo=UTC)
    angles = {
        each.name: (each.collection_angle_minimal, each.collection_angle_maximal)
        for each in acquisition.detectors
    }
    assert angles == {"BF": (0, pytest.approx(12)), "HAADF": (pytest.approx(58), pytest.approx(200))}
    assert acquisition.instrument.camera_length == pytest.approx(98)  # also where it is a number
    assert acquisition.contradictions == ()


def test_images_of_different_size_are_several_exposures_of_velox(tmp_path: Path) -> None:
    file = velox(tmp_path / "a.emd", (stem("BF"), (64, 64, 1)), (stem("BF"), (128, 128, 1)))
    exposures = [each for one in gather([file]).acquisitions for each in one.exposures]
    assert sorted((each.name, each.width) for each in exposures) == [("a[0]", 64), ("a[1]", 128)]


def test_an_earlier_velox_names_its_detector_by_number(tmp_path: Path) -> None:
    said = stem("")
    said["BinaryResult"] |= {"DetectorIndex": "1"}
    found = values(read_metadata(velox(tmp_path / "a.emd", (said, (4, 4, 1)))), "a")
    assert found["detector.name[HAADF]"] == "HAADF"


def test_velox_with_metadata_that_are_no_json_is_refused(tmp_path: Path) -> None:
    file = velox(tmp_path / "a.emd", ({}, (4, 4, 1)))
    with h5py.File(file, "r+") as root:
        for group in root["Data/Image"].values():
            group["Metadata"][:9, 0] = np.frombuffer(b'{"a": [1,', "u1")
    with pytest.raises(FormatError, match="no whole JSON"):
        read_metadata(file)


def test_nothing_outside_of_an_hdf5_file_is_read(tmp_path: Path) -> None:
    secret = velox(tmp_path / "secret.emd", (stem("BF"), (4, 4, 1)))
    file = tmp_path / "a.emd"
    with h5py.File(file, "w") as root:
        root["Version"] = ["{}"]
        root["Data/Image/links"] = h5py.ExternalLink(str(secret), f"/Data/Image/{0:032x}")
        group = root.create_group("Data/Image/virtual")
        group["Data"] = np.zeros((4, 4, 1), "u2")
        layout = h5py.VirtualLayout((60_000, 1), "u1")
        layout[:] = h5py.VirtualSource(str(secret), f"/Data/Image/{0:032x}/Metadata", (60_000, 1))
        group.create_virtual_dataset("Metadata", layout)
    with pytest.raises(FormatError, match="metadata take"):
        read_metadata(file)
    with h5py.File(file, "r+") as root:
        del root["Data/Image/virtual"]
    with pytest.raises(FormatError, match="neither image nor spectrum"):
        read_metadata(file)


def test_metadata_of_absurd_length_are_refused_unread(tmp_path: Path) -> None:
    file = velox(tmp_path / "a.emd", ({}, (4, 4, 1)))
    with h5py.File(file, "r+") as root:
        for group in root["Data/Image"].values():
            del group["Metadata"]
            group.create_dataset("Metadata", (2**34, 1), "u1", chunks=(2**20, 1))
    with pytest.raises(FormatError, match="metadata take 17179869184 letters"):
        read_metadata(file)


def test_an_emd_of_berkeley_and_a_cube_of_py4dstem(shared: Path, tmp_path: Path) -> None:
    name = "rosettasciio__py4DSTEM_size2x3x4x5"
    found = values(read_metadata(shared / "fixtures" / f"{name}.h5"), name)
    assert (found["exposure.scan_height"], found["exposure.scan_width"]) == (2, 3)
    assert (found["exposure.height"], found["exposure.width"]) == (4, 5)
    assert found["exposure.scan_step"] == pytest.approx(1.26796875)
    assert "exposure.pixel_size" not in found  # Å⁻¹
    assert found["acquisition.technique"] == "4D-STEM"
    file = tmp_path / "b.emd"
    with h5py.File(file, "w") as root:
        root.create_group("microscope").attrs.update({"name": "TEAM I", "voltage": 300_000})
        group = root.create_group("data/image")
        group.attrs["emd_group_type"] = 1
        group["data"] = np.zeros((3, 8, 6), "f4")
        for number, (size, unit) in enumerate(((3, "[n_t]"), (8, "[n_m]"), (6, "nm")), start=1):
            group[f"dim{number}"] = np.arange(size) * 0.02
            group[f"dim{number}"].attrs["units"] = np.bytes_(unit)
        group["dim2"].attrs["units"] = "nm"
    found = values(read_metadata(file), "b")
    assert (found["exposure.frames"], found["exposure.height"], found["exposure.width"]) == (3, 8, 6)
    assert found["exposure.pixel_size"] == pytest.approx(0.2)
    assert (found["instrument.name"], found["instrument.acceleration_voltage"]) == ("TEAM I", 300)


@pytest.mark.parametrize("name", ["rosettasciio__test_00_master.h5", "rosettasciio__test_00_data_000001.h5"])
def test_other_hdf5_is_nobodys(shared: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eucentric.microscope.metadata_readers.plug_ins", lambda: ())
    with pytest.raises(FormatError, match="HDF5 files that are no EMD"):
        read_metadata(shared / "fixtures" / name)


# Direct Electron


@pytest.mark.parametrize("turned", [False, True])
def test_the_scan_of_four_axes_is_the_pair_that_has_lengths(turned: bool) -> None:
    scan, image = (Axis(3, 2.0, "nm"), Axis(5, 2.0, "nm")), (Axis(64, 0.1, "1/nm"), Axis(48, 0.1, "1/nm"))
    collector = Collector("header", "x")
    of_axes(collector, (*image, *scan) if turned else (*scan, *image), "axes")
    found = {each.term: each.value for each in collector.readings}
    assert (found["exposure.scan_height"], found["exposure.scan_width"]) == (3, 5)
    assert (found["exposure.height"], found["exposure.width"]) == (64, 48)
    assert found["exposure.scan_step"] == 20
    assert "exposure.pixel_size" not in found


def test_an_array_of_another_name_is_found(tmp_path: Path) -> None:
    file = tmp_path / "sim.emd"
    with h5py.File(file, "w") as root:
        group = root.create_group("4DSTEM_simulation/data/realslices/annular_detector")
        group.attrs["emd_group_type"] = np.int32(1)
        group["realslice"] = np.zeros((7, 9), "f4")
        for number, size in ((1, 7), (2, 9)):
            group[f"dim{number}"] = np.arange(size) * 0.5
            group[f"dim{number}"].attrs["units"] = "[Å]"
    found = values(read_metadata(file), "sim")
    assert (found["exposure.height"], found["exposure.width"]) == (7, 9)
    assert found["exposure.pixel_size"] == 0.5
