"""Files of further vendors through RosettaSciIO: what is known of them, damage, and images written as MRC."""

import importlib
import random
import subprocess
import sys
import warnings
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rsciio.emd

from eucentric.formats import FormatError, open_frames, read_info
from eucentric.formats.nested import Nested
from eucentric.microscope.gather import gather
from eucentric.microscope.metadata_readers import PLUG_INS, plug_ins, read_metadata, reader_for
from eucentric_rosettasciio import describing
from eucentric_rosettasciio.formats import FORMATS, load
from eucentric_rosettasciio.images import write_images
from eucentric_rosettasciio.readings import READERS
from eucentric_rosettasciio.signals import mapped

BLO = "rosettasciio__test1.blo"
APP5 = "rosettasciio__topspin_test_A.app5"
PRZ = "rosettasciio__panta_rhei_sample.prz"
IMG = "rosettasciio__View000_0000000.img"
SPX = "rosettasciio__extracted_from_bcf.spx"
NXS = "rosettasciio__nexus_dls_example.nxs"


def exposures(file: Path) -> list[dict[str, Any]]:
    findings = read_metadata(file)
    assert findings.refused == ()
    return [{each.term: each.value for each in readings} for readings in findings.exposures.values()]


def test_the_readers_are_found_by_their_entry_point() -> None:
    assert "rosettasciio" in {each.name for each in entry_points(group=PLUG_INS)}
    plug_ins.cache_clear()
    assert set(READERS) <= set(plug_ins())


def test_a_scan_of_diffraction_patterns(shared: Path) -> None:
    (found,) = exposures(shared / "fixtures" / BLO)
    assert (found["exposure.scan_height"], found["exposure.scan_width"]) == (3, 2)
    assert (found["exposure.height"], found["exposure.width"]) == (144, 144)
    assert found["exposure.scan_step"] == pytest.approx(128)
    assert "exposure.pixel_size" not in found  # centimetres on the screen are no size on the specimen
    assert found["instrument.acceleration_voltage"] == 200
    assert found["exposure.date_time"].isoformat().startswith("2015-12-01T15:40:59")


def test_the_other_files_with_a_known_truth(shared: Path) -> None:
    found = exposures(shared / "fixtures" / APP5)
    assert {(each["exposure.height"], each["exposure.width"]) for each in found} == {(8, 56), (14, 12)}
    assert {each.get("exposure.pixel_size") or each["exposure.scan_step"] for each in found} == {20}
    assert all(each["exposure.date_time"].date().isoformat() == "2025-05-12" for each in found)
    (found_prz,) = exposures(shared / "fixtures" / PRZ)
    assert (found_prz["exposure.height"], found_prz["exposure.width"]) == (16, 16)
    assert found_prz["instrument.acceleration_voltage"] == 200
    assert found_prz["acquisition.nominal_magnification"] == 1e7
    assert found_prz["instrument.operating_mode"] == "STEM"
    (found_img,) = exposures(shared / "fixtures" / IMG)
    assert found_img["exposure.pixel_size"] == pytest.approx(86.9140625)
    assert found_img["acquisition.nominal_magnification"] == 40_000
    (found_spx,) = exposures(shared / "fixtures" / SPX)
    assert (found_spx["exposure.channels"], found_spx["detector.dispersion"]) == (1548, pytest.approx(10))
    assert found_spx["instrument.acceleration_voltage"] == 15


def test_eucentric_puts_them_together_as_any_other_file(shared: Path) -> None:
    (acquisition,) = gather([shared / "fixtures" / BLO]).acquisitions
    assert acquisition.instrument.acceleration_voltage == 200
    assert acquisition.provenance["instrument.acceleration_voltage"].origin.unit == "keV"


def test_a_detector_whose_header_lies_beside(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "fixtures" / "rosettasciio__Merlin_navigation4x2_ROI.zip") as packed:
        packed.extractall(tmp_path)
    (found,) = exposures(tmp_path / "001_4x2_6bit.mib")
    assert found["exposure.width"] == found["exposure.height"] == 256
    assert found["exposure.scan_width"] * found["exposure.scan_height"] == 8


@pytest.mark.parametrize("name", [BLO, APP5, PRZ, IMG, SPX, NXS])
def test_damaged_files_are_refused_in_one_sentence(shared: Path, tmp_path: Path, name: str) -> None:
    raw = (shared / "fixtures" / name).read_bytes()
    how = random.Random(name)
    file = tmp_path / name
    refused = 0
    for part in (0, 60):
        content = bytearray(raw[: len(raw) * part // 100])
        for _ in range(30 if content else 0):
            content[how.randrange(min(len(content), 4096))] = how.randrange(256)
        file.write_bytes(content)
        sentence = ""
        try:
            read_metadata(file)
        except FormatError as error:
            sentence = str(error)
            refused += 1
        assert "\n" not in sentence
    assert refused > 0


def test_links_out_of_a_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.nxs"
    with h5py.File(file, "w") as root:
        root["entry/data"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(FormatError, match="lies in another file"):
        load(file)


def test_formats_of_eucentric_stay_with_eucentric() -> None:
    for name in ("a.dm4", "a.emd", "a.ser", "a.tif", "a.mrc"):
        assert not name.endswith(tuple(suffix for each in FORMATS for suffix in each.suffixes))


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    (file := tmp_path / "a.xyz").write_bytes(b"x")
    assert reader_for(file) is None
    with pytest.raises(FormatError, match="none of this plug-in"):
        load(file)


def test_images_are_written_the_right_way_up(shared: Path, tmp_path: Path) -> None:
    written, left_out = write_images(shared / "fixtures" / IMG, tmp_path)
    assert left_out == []
    (file,) = written
    info = read_info(file)
    assert (info.height, info.width, info.pixel_size) == (512, 512, pytest.approx(86.9140625))
    with open_frames(file) as reader:
        found = next(iter(reader))
    np.testing.assert_array_equal(found[::-1], load(shared / "fixtures" / IMG)[0]["data"])


def test_a_scan_becomes_a_stack_and_spectra_are_named(shared: Path, tmp_path: Path) -> None:
    (file,), _ = write_images(shared / "fixtures" / BLO, tmp_path)
    assert (read_info(file).frames, read_info(file).width) == (6, 144)
    with open_frames(file) as reader:
        found = reader.read(0, 6)
    wanted = np.asarray(load(shared / "fixtures" / BLO)[0]["data"]).reshape(6, 144, 144)[:, ::-1]
    np.testing.assert_array_equal(found, wanted)
    assert write_images(shared / "fixtures" / SPX, tmp_path) == (
        [],
        [f"{SPX}: part 0 is not written: it holds spectra."],
    )


def test_the_command(shared: Path, tmp_path: Path) -> None:
    (bad := tmp_path / "bad.blo").write_bytes(b"nothing")
    program = [str(Path(sys.executable).with_name("eucentric-rosettasciio"))]
    files = [str(shared / "fixtures" / PRZ), str(bad)]
    done = subprocess.run(
        [*program, *files, "--to", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == f"{tmp_path / 'out' / PRZ.replace('.prz', '.mrc')}\n"
    assert "RosettaSciIO cannot read it" in done.stderr


def test_eucentric_reads_an_emd_as_rosettasciio_writes_it(tmp_path: Path) -> None:
    """The other way round: an independent writer for one of Eucentric's own readers."""
    axes = [
        {"size": size, "scale": 0.25, "offset": 0, "units": "nm", "name": name, "navigate": False}
        for size, name in ((6, "y"), (8, "x"))
    ]
    given = [
        {**axis, "index_in_array": number, "is_binned": False, "_type": "UniformDataAxis"}
        for number, axis in enumerate(axes)
    ]
    signal = {
        "data": np.arange(48, dtype="f4").reshape(6, 8),
        "axes": given,
        "metadata": {"General": {"title": "t"}, "Signal": {"signal_type": ""}},
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
    }
    file = tmp_path / "a.emd"
    rsciio.emd.file_writer(str(file), signal)
    (found,) = exposures(file)
    assert (found["exposure.height"], found["exposure.width"]) == (6, 8)
    assert found["exposure.pixel_size"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    "name",
    [
        "rosettasciio__EELS_SI.dm4",
        "rosettasciio__test_dm_image_um_unit.dm3",
        "rosettasciio__test_stackbuilder_imagestack.dm3",
        "openNCEM__16_STOimage.emi",
        "rosettasciio__64x64_TEM_images_acquire.emi",
        "rosettasciio__fei_example_dpc_titles.emd",
        "rosettasciio__fei_example_complex_fft.emd",
    ],
)
def test_eucentrics_own_readers_agree_with_rosettasciio(shared: Path, name: str) -> None:
    """Sizes, stage, tilt, dwell time, convergence and time, as two programs read them."""
    module = {".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".emi": "tia", ".emd": "emd"}
    file = shared / "fixtures" / name
    reader = importlib.import_module(f"rsciio.{module[file.suffix]}").file_reader
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Nested(mapped(reader(str(file))[0]))
    ours = exposures(file)[0]
    head = "Acquisition_instrument/TEM/"
    # Velox: metres, to the micrometre.
    stage, rounded = (1e10, 5e3) if file.suffix == ".emd" else (1e7, 0)
    compared = 0
    for term, where, factor in (
        ("instrument.acceleration_voltage", "beam_energy", 1),
        ("acquisition.nominal_magnification", "magnification", 1),
        ("instrument.camera_length", "camera_length", 1),
        ("instrument.beam_convergence", "convergence_angle", 1),
        ("exposure.tilt_angle", "Stage/tilt_alpha", 1),
        ("exposure.stage_beta", "Stage/tilt_beta", 1),
        ("exposure.stage_x", "Stage/x", stage),
        ("exposure.stage_y", "Stage/y", stage),
        ("exposure.stage_z", "Stage/z", stage),
        ("exposure.dwell_time", "Detector/EELS/dwell_time", 1),
    ):
        said = theirs.number(head + where)
        if said and term in ours:
            compared += 1
            coarse = rounded if where in ("Stage/x", "Stage/y", "Stage/z") else 1e-6
            assert ours[term] == pytest.approx(said * factor, rel=1e-4, abs=coarse), term
    assert compared >= 2


def test_a_reader_that_wants_all_memory_or_time_is_stopped(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shared / "fixtures" / PRZ
    monkeypatch.setattr(describing, "SECONDS", 0.05)
    with pytest.raises(FormatError, match=r"within 0\.05 s"):
        describing.described_apart(file)
    monkeypatch.setattr(describing, "SECONDS", 60)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(FormatError, match="broke down over it"):
        describing.described_apart(file)
