"""SerialEM's and Tomography 5's .mdoc files, in our vocabulary."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from eucentric.formats import FormatError
from eucentric.metadata.knowledge import Knowledge
from eucentric.metadata.readings import Findings
from eucentric.metadata.records import AcquisitionRecord
from eucentric.microscope.mdoc_readings import read_mdoc_file


def record_of(file: Path) -> tuple[Findings, AcquisitionRecord]:
    findings = read_mdoc_file(file, file.name)
    knowledge = Knowledge()
    knowledge.add(file.name, findings)
    (record,) = knowledge.record().acquisitions
    return findings, record


def written(tmp_path: Path, text: str, name: str = "x.mdoc") -> tuple[Findings, AcquisitionRecord]:
    file = tmp_path / name
    file.write_text(text)
    return record_of(file)


def truths(shared: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for line in (shared / "fixtures" / "MANIFEST.tsv").read_text().splitlines()[1:]:
        cells = line.split("\t")
        if cells[0].endswith(".mdoc") and cells[-1].startswith("{"):
            found[cells[0]] = json.loads(cells[-1])
    return found


TRUTHS = (  # what the manifest calls it, term, factor
    ("Voltage", "instrument.acceleration_voltage", 1),
    ("PixelSpacing", "acquisition.pixel_size", 1),
    ("Magnification", "acquisition.nominal_magnification", 1),
    ("NumSubFrames", "acquisition.frames_per_movie", 1),
    ("TargetDefocus", "acquisition.nominal_defocus_minimal", -1e4),
    ("ExposureTime", "acquisition.exposure_time", 1),
    ("Binning", "acquisition.binning_camera", 1),
    ("tilt_axis", "acquisition.tilt_axis_angle", 1),
    ("tilt_min", "acquisition.tilt_angle_minimal", 1),
    ("tilt_max", "acquisition.tilt_angle_maximal", 1),
)


def test_every_mdoc_with_a_known_truth(shared: Path) -> None:
    known = truths(shared)
    assert len(known) >= 8
    for name, truth in known.items():
        findings, record = record_of(shared / "fixtures" / name)
        assert findings.refused == ()
        for key, term, factor in TRUTHS:
            if key in truth:
                expected = pytest.approx(float(truth[key]) * factor, rel=1e-4)
                assert record.value(term) == expected, (name, key)
        if "ImageSize" in truth:
            width, height = map(int, truth["ImageSize"].split())
            assert (record.acquisition.image_width, record.acquisition.image_height) == (width, height)
        doses = [each.dose for each in record.exposures if each.dose]
        assert sum(doses) == pytest.approx(truth.get("dose_sum_e_A2", 0.0), rel=1e-3)
        if truth.get("tilt_step_median"):
            assert record.acquisition.tilt_angle_increment == pytest.approx(
                truth["tilt_step_median"], rel=1e-4
            )
            assert record.acquisition.images_generated == truth["n_sections"]
        if "FilterSlitAndLoss" in truth:
            width_ev = float(truth["FilterSlitAndLoss"].split()[0])
            assert record.energy_filter.used is (width_ev > 0)
            assert record.energy_filter.width_energy_filter == (width_ev or None)
        if "DateTime" in truth:
            when = datetime.strptime(" ".join(truth["DateTime"].split()), "%d-%b-%y %H:%M:%S")
            assert any(each.date_time == when for each in record.exposures)


def test_the_tilt_series_of_a_k2(shared: Path) -> None:
    _, record = record_of(shared / "fixtures" / "oscem-extractor-life__TS_41.mrc.mdoc")
    assert record.instrument.acceleration_voltage == 300
    assert record.instrument.name == "Titan Krios D"
    assert record.detector.name == "Gatan K2 Summit"
    acquisition = record.acquisition
    assert (acquisition.pixel_size, acquisition.tilt_axis_angle) == (2.66, 84.3)
    assert acquisition.nominal_magnification == 53_000
    assert acquisition.dose_per_movie == pytest.approx(3.08367)
    assert record.energy_filter.width_energy_filter == 20
    (series,) = record.tilt_series
    assert (series.name, series.path, series.images) == ("TS_41", "TS_41.mrc", 40)
    assert series.tilt_angle_increment == pytest.approx(3.0, rel=1e-4)
    assert record.exposures[0].path is not None
    assert record.exposures[0].path.endswith("agro-1_130_048_-67.0.tif")
    assert record.exposures[0].initial_dose == 129.755


def test_the_tilt_series_of_a_falcon_with_frames_of_two_kinds(shared: Path) -> None:
    _, record = record_of(shared / "fixtures" / "python-murfey__test_1.mdoc")
    assert record.acquisition.frames_per_movie == 10  # 7 + 3
    assert record.acquisition.tilt_axis_angle == 83.8
    assert record.acquisition.microscope_software_version == "4.0.6"
    assert record.detector.location == "EF-Falcon"
    assert record.acquisition.dose_per_movie is None  # not calibrated
    assert record.acquisition.calibrated_defocus_maximal == pytest.approx(55_438.35, rel=1e-4)


def test_a_montage_of_a_grid_is_an_atlas(shared: Path) -> None:
    findings, record = record_of(shared / "fixtures" / "mdocfile__montage_section.mdoc")
    assert findings.kind == "SerialEM montage"
    assert record.acquisition.intent == "atlas"
    assert record.acquisition.technique is None
    assert record.tilt_series == ()
    assert len(record.exposures) == 62


def test_a_movie_of_super_resolution(shared: Path) -> None:
    findings, record = record_of(shared / "fixtures" / "mdocfile__frame_set_single.mdoc")
    assert findings.kind == "SerialEM movie"
    assert list(findings.exposures) == ["s_mmm_00993_33.0_Oct08_07.39.05"]
    assert record.detector.name == "GIF-K3"
    assert record.detector.mode == "super-resolution"
    assert record.detector.gain_reference == "SuperRef_s_mmm_00000_-15.0_Oct08_01.59.24.dm4"
    assert record.contradictions == ()


# ---------------------------------------------------------------- variants


@pytest.mark.parametrize(
    ("title", "angle"),
    [
        ("[T = Tilt axis angle = 84.3, binning = 1  spot = 6  camera = 0 bidir = -10.0]", 84.3),
        ("[T =     Tilt axis angle = -86.7, binning = 1  spot = 7  camera = 1    ]", -86.7),
        ("[T = TiltAxisAngle = -175.84  Binning = 1 SpotSize = 6]", -175.84),
        ("T = Tilt axis angle = 85.0, binning = 1", 85.0),
        ("TiltAxisAngle = 4.9", 4.9),
        ("[T = TILT AXIS ANGLE = 84]", 84.0),
        ("[T = nothing of the kind]", None),
    ],
)
def test_tilt_axes_are_written_in_three_ways(tmp_path: Path, title: str, angle: float | None) -> None:
    _, record = written(tmp_path, f"{title}\n[ZValue = 0]\nTiltAngle = 0\nRotationAngle = 174.25\n")
    assert record.acquisition.tilt_axis_angle == angle


TOMOGRAPHY_5 = """\
DataMode = 6
ImageSize = 4096 4096
ImageFile = Position_1.mrc
PixelSpacing = 1.54
Voltage = 300.00

[T = Tomography: SCOPE-1234567 20-Feb-2026 16:58:06]

[T = TiltAxisAngle = -173.94 Binning = 1 SpotSize = 6]

[ZValue = 0]
TiltAngle = -20.02
StagePosition = -453.76 204.76
StageZ = -9.73
Magnification = 81000
Intensity = 0.00
ExposureDose = 1.33
PixelSpacing = 1.54
SpotSize = 6
SubFramePath = E:\\Tomo\\Position_1_001_-20.00_20260220_165806_EER.eer
DateTime = 20-Feb-2026 16:58:06

[ZValue = 1]
TiltAngle = -17.01
ExposureDose = 1.33
SubFramePath = E:\\Tomo\\Position_1_002_-17.00_20260220_165906_EER.eer
DateTime = 20-Feb-2026 16:59:06
"""


def test_tomography_5_writes_the_same_but_for_its_titles(tmp_path: Path) -> None:
    findings, record = written(tmp_path, TOMOGRAPHY_5, "Position_1.mdoc")
    assert record.acquisition.microscope_software == "Tomography"
    assert record.instrument.name == "SCOPE-1234567"
    assert record.acquisition.tilt_axis_angle == -173.94
    assert record.acquisition.date_time == datetime(2026, 2, 20, 16, 58, 6)
    assert list(findings.exposures) == [
        "Position_1_001_-20.00_20260220_165806",
        "Position_1_002_-17.00_20260220_165906",
    ]
    (series,) = record.tilt_series
    assert (series.name, series.images) == ("Position_1", 2)
    assert series.tilt_angle_increment == pytest.approx(3.01)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, ends: str) -> None:
    file = tmp_path / "x.tif.mdoc"
    text = (
        "T = SerialEM: Krios Köln   08-Oct-21  07:38:24\nVoltage = 300\n[FrameSet = 0]\nExposureTime = 1.5\n"
    )
    file.write_bytes(text.replace("\n", ends).encode(encoding))
    _, record = record_of(file)
    assert record.instrument.name == "Krios Köln"
    assert record.acquisition.exposure_time == 1.5


def test_other_ways_of_writing_keys_and_numbers(tmp_path: Path) -> None:
    text = "pixel_spacing = 1,35\nvoltage = 200\n[ZValue = 0]\ntilt_angle = -3,5\nimage_size = 100 200\n"
    _, record = written(tmp_path, text)
    assert record.instrument.acceleration_voltage == 200
    assert record.exposures[0].tilt_angle == -3.5
    assert record.acquisition.pixel_size == 1.35


def test_a_title_that_ends_on_the_next_line(tmp_path: Path) -> None:
    title = "[T = SerialEM: EMBL - Krios4 9930421         15-May-24  16:56:54\n    ]\n"
    _, record = written(tmp_path, f"{title}[ZValue = 0]\nTiltAngle = 1\n")
    assert record.instrument.name == "EMBL - Krios4 9930421"


def test_what_sites_add_to_every_file(tmp_path: Path) -> None:
    text = "Camera0 = K3 GAT23390027\nCamera1 = CETA Camera\nSource = FEG\nCs = 2.7\n"
    _, record = written(tmp_path, f"{text}[FrameSet = 0]\nCameraIndex = 1\nExposureTime = 1\n")
    assert record.instrument.electron_source == "field emission gun"
    assert record.instrument.cs == 2.7
    assert record.detector.name == "CETA Camera"


def test_keys_of_direct_electron_tell_the_maker(tmp_path: Path) -> None:
    text = "[FrameSet = 0]\nDE12-FramesPerSecond = 75\nDE12-SensorModuleSerialNumber = DE64-0007\n"
    _, record = written(tmp_path, text)
    assert record.detector.manufacturer == "Direct Electron"
    assert (record.detector.frame_rate, record.detector.serial_number) == (75, "DE64-0007")


def test_a_slit_of_no_width_is_out(tmp_path: Path) -> None:
    _, record = written(tmp_path, "[FrameSet = 0]\nFilterSlitAndLoss = 0 0\n")
    assert record.energy_filter.used is False
    assert record.energy_filter.width_energy_filter is None


def test_sections_of_the_same_frames_are_told_apart(tmp_path: Path) -> None:
    sections = [f"[ZValue = {number}]\nSubFramePath = a.tif\nTiltAngle = {3 * number}\n" for number in (0, 1)]
    findings, record = written(tmp_path, "".join(sections))
    assert list(findings.exposures) == ["a", "a[1]"]
    assert len(record.exposures) == 2


def test_values_that_cannot_be_are_told_once(tmp_path: Path) -> None:
    text = "Voltage = 300000\n" + "".join(f"[ZValue = {n}]\nTiltAngle = {n}\n" for n in range(5))
    findings, record = written(tmp_path, text)
    assert len(findings.refused) == 1
    assert "acceleration voltage of 300000 kV" in findings.refused[0]
    assert record.instrument.acceleration_voltage is None


@pytest.mark.parametrize(
    "text",
    [
        "[T = SerialEM: a" + " " * 1_000_000 + "b]\n",
        "a" + " " * 1_000_000 + "b\n",
        "[ZValue" + " " * 1_000_000 + "0]\n",
        "T = SerialEM: Digitized by " + "on by " * 100_000 + "\n",
        "T = " + "tilt axis angle " * 100_000 + "\n",
        "FrameDosesAndNumber = " + "1 " * 500_000 + "\n",
        "GlobalAutodocEntry" + " =" * 100_000 + "\n",
    ],
)
def test_long_lines_take_no_more_time_than_they_are_long(tmp_path: Path, text: str) -> None:
    findings, _ = written(tmp_path, f"{text}[ZValue = 1]\nTiltAngle = 3\n")
    assert findings.exposures


def test_texts_of_absurd_length_are_refused(tmp_path: Path) -> None:
    findings, record = written(tmp_path, f"[FrameSet = 0]\nNavigatorLabel = {'x' * 200_000}\n")
    assert len(findings.refused) == 1
    assert len(findings.refused[0]) < 300
    assert record.exposures[0].foil_hole is None


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"\xff" * 100, b"no pair at all\n"])
def test_what_is_no_mdoc_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.mdoc"
    file.write_bytes(content)
    with pytest.raises(FormatError):
        read_mdoc_file(file, "x.mdoc")
