import logging
from datetime import datetime
from pathlib import Path

import pytest

from eucentric.formats import FormatError
from eucentric.metadata.derived import movie_pixel_size
from eucentric.microscope.exposure_metadata import read_companion
from eucentric.microscope.naming import file_name

K3 = "EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml"
FALCON = "oscem-extractor-life__FoilHole_31933450_Data_31923928_31923930_20240901_060108.xml"


@pytest.mark.parametrize(
    ("shape", "pixel_size"),
    [
        ((5760, 4092), 0.527941),  # counting; the XML's image is binned twice
        ((11520, 8184), 0.263970),  # super-resolution
        ((2880, 2046), 1.055881),
        ((4092, 5760), 0.527941),  # turned by 90°
        ((4096, 4096), None),
        ((3838, 3710), None),
    ],
)
def test_the_pixel_size_is_the_movies_not_that_of_epus_preview(
    shared: Path, shape: tuple[int, int], pixel_size: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    companion = read_companion(shared / "fixtures" / K3, "data/x.xml", "x_Fractions.tiff", shape)
    assert companion.metadata.pixel_size == (pixel_size and pytest.approx(pixel_size, abs=1e-6))
    assert ("cannot show the same area" in caplog.text) == (pixel_size is None)


def test_epu_states_doses_per_square_metre_and_negative_underfocus(shared: Path) -> None:
    metadata = read_companion(shared / "fixtures" / K3, "data/x.xml", "x.tiff", (5760, 4092)).metadata
    assert metadata.dose == pytest.approx(39.923, abs=1e-3)  # not 44.5, which is electrons per pixel
    assert metadata.target_defocus == 20_000  # not -10,135, which the lens says
    assert metadata.frames == 50
    assert (metadata.image_shift_x, metadata.detector) == (None, "BioQuantum K3")
    assert metadata.tilt == pytest.approx(-0.0292, abs=1e-4)


def test_frames_of_eer_are_those_of_the_camera_and_only_of_eer(shared: Path) -> None:
    eer = read_companion(shared / "fixtures" / FALCON, "x.xml", "a_EER.eer", (4096, 4096)).metadata
    assert (eer.frames, eer.pixel_size) == (197, pytest.approx(0.415015, abs=1e-6))
    assert eer.dose == pytest.approx(28.5048, abs=1e-3)
    converted = read_companion(shared / "fixtures" / FALCON, "x.xml", "a_EER.tiff", (4096, 4096)).metadata
    assert converted.frames is None


def test_a_dose_that_somebody_turned_into_another_unit_is_recognised(shared: Path, tmp_path: Path) -> None:
    text = (shared / "fixtures" / K3).read_text()
    file = tmp_path / "x.xml"
    file.write_text(text.replace("3.9923136094518787E+21", "39.923"))
    assert read_companion(file, "x.xml", "x.tiff").metadata.dose == 39.923


def test_a_dose_that_contradicts_the_camera_is_told(
    shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = (shared / "fixtures" / K3).read_text()
    file = tmp_path / "x.xml"
    file.write_text(text.replace("3.9923136094518787E+21", "6.5E+21"))
    assert read_companion(file, "x.xml", "x.tiff").metadata.dose == pytest.approx(65)
    assert "65 e⁻/Å² as stated, but 39.92 e⁻/Å²" in caplog.text


def test_square_and_hole_come_from_the_path(shared: Path, tmp_path: Path) -> None:
    file = tmp_path / "GridSquare_77" / "Data" / "FoilHole_5_Data_6_7_20240101_010203.xml"
    file.parent.mkdir(parents=True)
    file.write_bytes((shared / "fixtures" / K3).read_bytes())
    metadata = read_companion(file, "x.xml", "x.tiff").metadata
    assert (metadata.grid_square, metadata.hole) == ("77", "5")


def test_the_mdoc_of_one_movie(shared: Path) -> None:
    file = shared / "fixtures" / "mdocfile__frame_set_single.mdoc"
    metadata = read_companion(file, "x.mdoc", "s_mmm_00993_33.0_Oct08_07.39.05.tif", (11520, 8184)).metadata
    assert (metadata.pixel_size, metadata.voltage, metadata.frames) == (1.2827, 300, 12)
    assert metadata.dose == 7.65892
    assert metadata.target_defocus == 45_000
    assert (metadata.image_shift_x, metadata.image_shift_y) == pytest.approx((26_965.4, -3_046.61))
    assert metadata.detector == "GIF-K3"  # by its number in a title that lists a Ceta first
    assert metadata.gain_reference == "SuperRef_s_mmm_00000_-15.0_Oct08_01.59.24.dm4"
    assert metadata.recorded == datetime(2021, 10, 8, 7, 39, 8)


@pytest.mark.parametrize(
    ("binning", "shape", "pixel_size"),
    [
        ("0.5", (11520, 8184), 1.2827),
        ("1", (11520, 8184), 0.64135),  # frames in super-resolution, the image that was shown is not
        ("0.5", (5760, 4092), 2.5654),  # frames that SerialEM has reduced
        ("2", (4092, 5760), 0.64135),
        ("1", (512, 512), 1.2827),  # a part of the camera, or another: nothing is known
    ],
)
def test_frames_may_be_finer_than_the_image_that_serialem_shows(
    shared: Path, tmp_path: Path, binning: str, shape: tuple[int, int], pixel_size: float
) -> None:
    text = (shared / "fixtures" / "mdocfile__frame_set_single.mdoc").read_text()
    file = tmp_path / "x.tif.mdoc"
    file.write_text(text.replace("Binning = 0.5", f"Binning = {binning}"))
    metadata = read_companion(file, "x.mdoc", "x.tif", shape).metadata
    assert metadata.pixel_size == pytest.approx(pixel_size)


def test_a_section_is_found_by_its_frames_and_scaled_to_the_movie(shared: Path) -> None:
    file = shared / "fixtures" / "oscem-extractor-life__TS_41.mrc.mdoc"
    movie = "agro-1_130_048_-67.0.tif"
    first = read_companion(file, "x.mdoc", movie, (3708, 3838)).metadata
    assert (first.pixel_size, first.tilt, first.frames) == (2.66, -66.9998, 26)
    assert first.detector == "Gatan K2 Summit"
    fine = read_companion(file, "x.mdoc", movie, (7416, 7676)).metadata
    assert fine.pixel_size == pytest.approx(1.33)
    assert read_companion(file, "x.mdoc", movie).metadata.pixel_size is None


def test_a_dose_that_is_not_calibrated_is_none_and_told(
    shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = shared / "fixtures" / "python-murfey__test_1.mdoc"
    assert read_companion(file, "x.mdoc", "x.mrc", (4096, 4096)).metadata.dose is None
    assert "not calibrated (it says 0); the camera saw 2.2 e⁻/Å²" in caplog.text


def test_every_mdoc_can_be_read(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    for file in (shared / "fixtures").glob("*.mdoc"):
        metadata = read_companion(file, "x.mdoc", "x.tif", (4096, 4096)).metadata
        assert metadata.software is not None
        assert metadata.dose is None or 0 < metadata.dose < 200


@pytest.mark.parametrize(
    ("name", "movie", "is_of_image"),
    [
        ("oscem-extractor-life__TS_41.mrc.mdoc", "TS_41.mrc", True),
        ("oscem-extractor-life__TS_41.mrc.mdoc", "agro-1_130_048_-67.0.tif", False),
        ("mdocfile__montage_section.mdoc", "LMM.mrc", True),
        ("mdocfile__frame_set_single.mdoc", "s_mmm_00993_33.0_Oct08_07.39.05.tif", False),
    ],
)
def test_maps_and_tilt_series_are_told_from_movies(
    shared: Path, name: str, movie: str, is_of_image: bool
) -> None:
    assert read_companion(shared / "fixtures" / name, "x.mdoc", movie).is_of_image == is_of_image


def test_orientation_and_defects_are_handed_on(tmp_path: Path) -> None:
    file = tmp_path / "x.tif.mdoc"
    file.write_text("[FrameSet = 0]\nDefectFile = C:\\refs\\defects_x.txt\nRotationAndFlip = 3\n")
    companion = read_companion(file, "x.mdoc", "x.tif")
    assert (companion.defect_file, companion.rotation_and_flip) == ("defects_x.txt", 3)


def test_what_cannot_be_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "x.mdoc"
    file.write_text("Voltage = 300000\n[FrameSet = 0]\nTiltAngle = 400\nExposureTime = 1.5\n")
    metadata = read_companion(file, "x.mdoc", "x.tif").metadata
    assert (metadata.voltage, metadata.tilt, metadata.exposure_time) == (None, None, 1.5)
    assert "its acceleration voltage of 300000 kV (Voltage) cannot be" in caplog.text


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not known"):
        read_companion(tmp_path / "x.json", "x.json", "x.tif")


def test_an_area_is_the_same_up_to_columns_that_are_cut_off() -> None:
    assert movie_pixel_size(1.0, (4096, 4096), (4092, 4096)) == 1.0
    assert movie_pixel_size(2.0, (1024, 1024), (8192, 8192)) == 0.25
    assert movie_pixel_size(2.0, (1024, 1024), (3072, 3072)) is None
    assert movie_pixel_size(2.0, (1024, 1024), (32768, 32768)) is None


@pytest.mark.parametrize("path", ["C:\\a\\b.tif", "/a/b.tif", "b.tif", "\\\\server\\x\\b.tif"])
def test_file_names_of_any_system(path: str) -> None:
    assert file_name(path) == "b.tif"
