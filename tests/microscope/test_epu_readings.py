import json
import shutil
from pathlib import Path

import pytest

from eucentric.metadata.knowledge import Resolved, resolve
from eucentric.microscope.epu_readings import read_epu_image

K3 = "EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml"
FALCON = "oscem-extractor-life__FoilHole_31933450_Data_31923928_31923930_20240901_060108.xml"


def known(file: Path) -> Resolved:
    findings = read_epu_image(file, file.name)
    assert findings.refused == ()
    (readings,) = findings.exposures.values()
    return resolve([*findings.readings, *readings])


def images(shared: Path) -> list[tuple[Path, dict[str, object]]]:
    """The XML files with a truth."""
    found = []
    for line in (shared / "fixtures" / "MANIFEST.tsv").read_text().splitlines()[1:]:
        cells = line.split("\t")
        if cells[0].endswith(".xml") and cells[-1].startswith('{"HT_V"'):
            found.append((shared / "fixtures" / cells[0], json.loads(cells[-1])))
    return found


TRUTHS = (  # what the manifest calls it, term, factor
    ("HT_V", "instrument.acceleration_voltage", 1e-3),
    ("mag", "acquisition.nominal_magnification", 1),
    ("pix_A", "exposure.shown_pixel_size", 1),
    ("Defocus", "exposure.lens_defocus", -1e10),
    ("AppliedDefocus", "exposure.nominal_defocus", -1e10),
    ("ExposureTime", "exposure.exposure_time", 1),
    ("SpotIndex", "instrument.spot_size", 1),
    ("Dose", "exposure.dose", 1e-20),
    ("DoseRate", "exposure.dose_rate", 1),
    ("dose_e_A2", "exposure.dose", 1),
    ("check_DoseOnCamera/pix2", "exposure.dose", 1),
    ("Aperture[C2].Name", "instrument.c2_aperture", 1),
)
TEXTS = (
    ("InstrumentModel", "instrument.serial_number"),
    ("ApplicationSoftwareVersion", "acquisition.microscope_software_version"),
    ("DetectorCommercialName", "detector.name"),
)
WORDS = {
    "Parallel": "flood beam",
    "BrightField": "bright field",
    "NanoProbe": "nanoprobe",
    "MicroProbe": "microprobe",
    "FieldEmission": "field emission gun",
    "true": True,
    "false": False,
}


def test_every_image_with_a_known_truth(shared: Path) -> None:
    files = images(shared)
    assert len(files) >= 15
    for file, truth in files:
        found = known(file)
        for name, term, factor in TRUTHS:
            if name in truth:
                value = float(str(truth[name])) * factor
                rounded = 5.1e-5 if name in ("dose_e_A2", "check_DoseOnCamera/pix2") else 0.0
                assert found.value(term) == pytest.approx(value, rel=1e-4, abs=rounded), (file.name, name)
        for name, term in TEXTS:
            if name in truth:
                assert found.value(term) == truth[name]
        for name, term in (
            ("IlluminationMode", "instrument.illumination"),
            ("ColumnOperatingTemSubMode", "instrument.imaging"),
            ("ProbeMode", "instrument.probe_mode"),
            ("Sourcetype", "instrument.electron_source"),
            ("EnergySelectionSlitInserted", "energy_filter.used"),
        ):
            assert found.value(term) == WORDS[str(truth[name])]
        width = float(str(truth["EnergySelectionSlitWidth"]))
        inserted = truth["EnergySelectionSlitInserted"] == "true"
        assert found.value("energy_filter.width_energy_filter") == (width if inserted else None)
        assert found.differing == []


def test_a_counted_movie_of_a_k3(shared: Path) -> None:
    found = known(shared / "fixtures" / K3)
    assert found.value("exposure.shown_pixel_size") == pytest.approx(1.0558814, rel=1e-6)
    # Without the movie nobody can tell whether it is of super-resolution: its pixel is not guessed.
    assert found.value("exposure.pixel_size") is None
    assert found.value("exposure.frames") == 50
    assert found.value("exposure.dose") == pytest.approx(39.923, abs=1e-3)
    assert found.value("exposure.dose_per_frame") == pytest.approx(0.79846, abs=1e-5)
    assert found.value("detector.mode") == "counting"
    assert found.value("instrument.operating_mode") == "EFTEM"
    assert found.value("instrument.phase_plate") == "none"
    assert found.value("acquisition.intent") == "collection"
    assert found.value("exposure.foil_hole") == "19513699"
    assert found.value("exposure.area") == "19508496"
    assert found.value("exposure.stage_beta") == pytest.approx(1.01023, abs=1e-5)


def test_an_eer_movie_of_a_falcon_is_as_large_as_its_camera(shared: Path) -> None:
    found = known(shared / "fixtures" / FALCON)
    assert found.value("exposure.frames") == 197
    assert (found.value("exposure.width"), found.value("exposure.height")) == (4096, 4096)
    assert found.value("exposure.pixel_size") == pytest.approx(0.41501528, rel=1e-6)
    assert found.value("detector.mode") == "counting"  # though its super-resolution factor is 1
    assert found.value("detector.serial_number") == "21-24-A1F-AI5"
    reference = found.value("detector.gain_reference")
    assert str(reference).endswith("20240830_103455_EER_GainReference.gain")


def test_fractions_of_a_falcon_are_as_large_as_its_camera(shared: Path, tmp_path: Path) -> None:
    """As EPU 2 writes it: no commercial names, no apertures, no filter; the sum is binned."""
    text = (shared / "fixtures" / K3).read_text()
    for old, new in (
        ("EF-CCD", "BM-Falcon"),
        ("BioQuantum K3", ""),
        (">2880<", ">2048<"),
        (">2046<", ">2048<"),
        ("EnergySelectionSlit", "Nothing"),
        ("Aperture[", "Hole["),
    ):
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "x.xml"
    file.write_text(text)
    found = known(file)
    assert (found.value("exposure.width"), found.value("exposure.height")) == (4096, 4096)
    assert found.value("exposure.pixel_size") == pytest.approx(1.0558814 / 2, rel=1e-6)
    assert found.value("exposure.binning") == 1
    assert found.value("detector.name") is None
    assert found.value("energy_filter.used") is None
    assert found.value("instrument.c2_aperture") is None


def test_the_mean_dose_is_that_on_the_specimen_not_on_the_pixel(shared: Path) -> None:
    """A peer's published output says 4.744 for the mean of these two, which is e⁻/px."""
    names = ("31923928_31923930_20240901_060108", "31923934_31923936_20240901_060117")
    doses = [
        known(shared / "fixtures" / f"oscem-extractor-life__FoilHole_31933450_Data_{name}.xml").value(
            "exposure.dose"
        )
        for name in names
    ]
    assert sum(map(float, map(str, doses))) / 2 == pytest.approx(27.541, abs=1e-3)


def test_what_an_image_is_for_is_told_by_its_name(shared: Path) -> None:
    for name, intent, kind in (
        ("EMharvest__Atlas_19493264.xml", "atlas", "EPU atlas image"),
        ("EMharvest__Tile_19493278_0_19493264.xml", "atlas", "EPU atlas image"),
        ("EMharvest__GridSquare_20230919_140816.xml", "screening", "EPU search image"),
        ("EMharvest__FoilHole_19507368_20230919_142541.xml", "screening", "EPU search image"),
        (K3, "collection", "EPU exposure"),
    ):
        file = shared / "fixtures" / name
        assert read_epu_image(file, name).kind == kind
        assert known(file).value("acquisition.intent") == intent


def test_an_image_that_is_no_movie_has_the_pixels_that_are_stated(shared: Path) -> None:
    square = known(shared / "fixtures" / "EMharvest__GridSquare_20230919_140816.xml")
    assert square.value("exposure.pixel_size") == pytest.approx(337.38189, rel=1e-6)
    assert (square.value("exposure.width"), square.value("exposure.height")) == (2880, 2046)
    atlas = known(shared / "fixtures" / "EMharvest__Atlas_19493264.xml")
    assert atlas.value("exposure.pixel_size") == pytest.approx(4824.64967, rel=1e-6)
    assert atlas.value("exposure.width") is None  # it is put together from tiles


def test_square_and_hole_come_from_names_and_folders(shared: Path, tmp_path: Path) -> None:
    file = tmp_path / "GridSquare_77" / "Data" / "FoilHole_5_Data_6_7_20240101_010203.xml"
    file.parent.mkdir(parents=True)
    shutil.copyfile(shared / "fixtures" / K3, file)
    found = known(file)
    assert found.value("exposure.grid_square") == "77"
    assert (found.value("exposure.foil_hole"), found.value("exposure.area")) == ("5", "6")


def test_nonsense_is_left_out(shared: Path, tmp_path: Path) -> None:
    text = (shared / "fixtures" / K3).read_text()
    file = tmp_path / "odd.xml"
    for old, new in (
        ("<AccelerationVoltage>300000<", "<AccelerationVoltage>NaN<"),
        ("1.0558814239614023E-10", "-1"),
        ("<b:NumberOffractions>50<", "<b:NumberOffractions>many<"),
        ("2023-09-19T15:41:00.6497848+01:00", "yesterday"),
        ("<ExposureTime>0.75<", "<ExposureTime>1E9<"),
    ):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    findings = read_epu_image(file, "odd.xml")
    assert len(findings.refused) == 1
    assert "its exposure time of 1e+09 s" in findings.refused[0]
    (readings,) = findings.exposures.values()
    found = resolve(readings)
    for term in (
        "instrument.acceleration_voltage",
        "exposure.shown_pixel_size",
        "exposure.frames",
        "exposure.date_time",
        "exposure.exposure_time",
    ):
        assert found.value(term) is None
    assert found.value("acquisition.nominal_magnification") == 165_000


def test_a_document_without_anything_says_nothing_but_what_its_name_says(tmp_path: Path) -> None:
    file = tmp_path / "bare.xml"
    file.write_text("<MicroscopeImage/>")
    found = known(file)
    assert {term for term, _ in found.readings} == {"acquisition.intent"}


@pytest.mark.parametrize("prefix", ["http://schemas.datacontract.org/2004/07/Fei.SharedObjects", "urn:other"])
def test_namespaces_do_not_matter(shared: Path, tmp_path: Path, prefix: str) -> None:
    text = (shared / "fixtures" / K3).read_text()
    file = tmp_path / "x.xml"
    file.write_text(text.replace("http://schemas.datacontract.org/2004/07/Fei.SharedObjects", prefix))
    assert known(file).value("instrument.acceleration_voltage") == 300
