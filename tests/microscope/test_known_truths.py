"""Every real file of the collection, read as by `eucentric metadata`: what is known is found, or listed."""

import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from eucentric.formats.lengths import angstroms
from eucentric.formats.scaled_image import electronvolts
from eucentric.metadata.records import AcquisitionRecord, SessionRecord
from eucentric.metadata.vocabulary import Exposure
from eucentric.microscope import metadata_readers
from eucentric.microscope.gather import gather

RELATIVE = 1e-4

NUMBERS: dict[str, tuple[str, float]] = {
    # What the manifest calls it: term, factor into our unit.
    "HT_V": ("instrument.acceleration_voltage", 1e-3),
    "Voltage": ("instrument.acceleration_voltage", 1),
    "kV": ("instrument.acceleration_voltage", 1),
    "mag": ("acquisition.nominal_magnification", 1),
    "Magnification": ("acquisition.nominal_magnification", 1),
    "pix_A": ("exposure.shown_pixel_size", 1),
    "PixelSpacing": ("exposure.shown_pixel_size", 1),
    "Defocus": ("exposure.lens_defocus", -1e10),
    "AppliedDefocus": ("exposure.nominal_defocus", -1e10),
    "TargetDefocus": ("exposure.nominal_defocus", -1e4),
    "ExposureTime": ("exposure.exposure_time", 1),
    "SpotIndex": ("instrument.spot_size", 1),
    "Dose": ("exposure.dose", 1e-20),
    "dose_e_A2": ("exposure.dose", 1),
    "check_DoseOnCamera/pix2": ("exposure.dose", 1),
    "DoseRate": ("exposure.dose_rate", 1),
    "Aperture[C2].Name": ("instrument.c2_aperture", 1),
    "NumSubFrames": ("exposure.frames", 1),
    "Binning": ("exposure.shown_binning", 1),
    "tilt_axis": ("acquisition.tilt_axis_angle", 1),
    "tilt_min": ("acquisition.tilt_angle_minimal", 1),
    "tilt_max": ("acquisition.tilt_angle_maximal", 1),
    "tilt_step_median": ("acquisition.tilt_angle_increment", 1),
    "n_sections": ("acquisition.images_generated", 1),
    "CL_mm": ("instrument.camera_length", 1),
}
ROUNDED = {"dose_e_A2": 5e-5, "check_DoseOnCamera/pix2": 5.1e-5}
"""How coarsely the manifest states it, where that is more than the relative error."""

WORDS: dict[str, tuple[str, ...]] = {
    "InstrumentModel": ("instrument.serial_number",),
    "ApplicationSoftwareVersion": ("acquisition.microscope_software_version",),
    "DetectorCommercialName": ("detector.name",),
    "IlluminationMode": ("instrument.illumination",),
    "ColumnOperatingTemSubMode": ("instrument.imaging",),
    "ProbeMode": ("instrument.probe_mode",),
    "Sourcetype": ("instrument.electron_source",),
    "EnergySelectionSlitInserted": ("energy_filter.used",),
    "PhasePlateUsed": ("instrument.phase_plate",),
    "scope": ("instrument.name", "instrument.model"),
    "mode": ("instrument.operating_mode",),
}
SAME: dict[str, Any] = {
    "Parallel": "flood beam",
    "BrightField": "bright field",
    "NanoProbe": "nanoprobe",
    "MicroProbe": "microprobe",
    "FieldEmission": "field emission gun",
}
DATES = {"acquisitionDateTime", "DateTime", "date"}

PROSE: dict[str, dict[str, Any]] = {
    # What the manifest says in words.
    "EMharvest__EpuSession.dm": {
        "acquisition.image_shift_used": True,
        "acquisition.microscope_software": "EPU",
    },
    "EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml": {
        "instrument.acceleration_voltage": 300,
        "exposure.shown_pixel_size": 1.0558814,
        "acquisition.nominal_magnification": 165_000,
        "exposure.nominal_defocus": 20_000,
        "exposure.dose": 39.923,
        "exposure.frames": 50,
        "exposure.exposure_time": 0.75,
        "energy_filter.used": True,
        "energy_filter.width_energy_filter": 10,
        "instrument.c2_aperture": 50,
        "instrument.probe_mode": "nanoprobe",
        "exposure.shown_width": 2880,
        "exposure.shown_height": 2046,
        "exposure.shown_binning": 2,
    },
    "oscem-extractor-life__TS_41.mrc.mdoc": {
        "instrument.acceleration_voltage": 300,
        "exposure.pixel_size": 2.66,
        "acquisition.nominal_magnification": 53_000,
        "acquisition.tilt_axis_angle": 84.3,
        "energy_filter.width_energy_filter": 20,
        "acquisition.dose_per_movie": 3.08367,
    },
    "python-murfey__test_1.mdoc": {
        "instrument.acceleration_voltage": 300,
        "exposure.pixel_size": 1.94,
        "acquisition.tilt_axis_angle": 83.8,
        "energy_filter.width_energy_filter": 10,
        "exposure.frames": 10,
    },
}

NOT_COMPARED: dict[tuple[str, str], str] = {
    # File ("*": any), what the manifest calls it: why it is not compared.
    ("*", "dtype"): "the type of pixels is no metadata of a recording; tests/formats compare it",
    ("*", "title"): "what a program calls an image on its screen is no term",
    ("*", "n_signals"): "images that were recorded together are one exposure",
    ("*", "mean"): "it follows from pixels, not from metadata; tests/formats read them",
    ("mdocfile__montage_section.mdoc", "n_sections"): "62 are images; the last is about the montage itself",
    ("mdocfile__montage_section.mdoc", "tilt_step_median"): "a montage at one angle has no step",
    ("mrcfile-1.5.4__epu2.9_crop64.mrc", "mode"): "the type of pixels, as above",
    ("tiltstack-0.0.1rc6__TS_01_000_0_0.mrc", "mode"): "the type of pixels, as above",
    ("tiltstack-0.0.1rc6__TS_01_001_3_0.mrc", "mode"): "the type of pixels, as above",
    ("openNCEM__dmTest_3D_int16_64,65,66.dm4", "axes"): "pixels of 2 pm × 3 nm are not square: no term",
    ("rosettasciio__fei_example_complex_fft.emd", "axes"): "a transform's pixels are no lengths: no term",
}

NOT_READ: dict[str, str] = {
    # Files with a known truth that the core does not read: why.
    "oscem-extractor-life__xml_correct.json": "another program's output, known to be invalid",
    "oscem-extractor-life__mdocs_correct.json": "another program's output, known to be invalid",
    "oscem-extractor-life__mdocspa_correct.json": "another program's output, known to be invalid",
    "oscem-extractor-life__combine_correct.json": "another program's output, known to be invalid",
    "rosettasciio__test1.blo": "through the plug-in eucentric-rosettasciio, whose tests compare it",
    "rosettasciio__panta_rhei_sample.prz": "through the plug-in as well",
    "rosettasciio__topspin_test_A.app5": "through the plug-in as well",
    "rosettasciio__nexus_dls_example.nxs": "of a synchrotron; through the plug-in eucentric-rosettasciio",
    "rosettasciio__olympus_SIS.tif": "its first page is a JPEG in colour",
    "mrcfile__EMD-3197.map": "a map is a result; tests/formats/test_real_files.py compares it",
    "py-wwpdb_utils_emdb__emd-0001.xml": "a deposition; tests/publish compare it",
    "py-wwpdb_utils_emdb__emd-0001.cif": "a deposition; tests/publish compare it",
    "starfile__postprocess.star": "a result of processing",
    "empiar-depositor__working_example.json": "a deposition; tests/publish compare it",
}


@pytest.fixture(autouse=True)
def without_plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the core reads by itself, whatever is installed beside it."""
    monkeypatch.setattr(metadata_readers, "plug_ins", lambda: ())


def manifest(shared: Path) -> Iterator[tuple[str, str]]:
    """Yield every file with what is known of it."""
    for line in (shared / "fixtures" / "MANIFEST.tsv").read_text().splitlines()[1:]:
        cells = line.split("\t")
        yield cells[0], cells[9] if len(cells) > 9 else ""


def alone(shared: Path, folder: Path, name: str) -> Path:
    """Return a link to a file, in a folder in which only what belongs to it lies as well."""
    place = folder / name
    place.symlink_to(shared / "fixtures" / name)
    if place.suffix == ".emi":
        for beside in (shared / "fixtures").glob(f"{place.stem}_*.ser"):
            (folder / beside.name).symlink_to(beside)
    return place


def values(record: AcquisitionRecord, term: str) -> list[Any]:
    """Return the values that a record has of a term: those of each exposure, or the only one."""
    entity, _, field = term.partition(".")
    if entity == "exposure":
        return [getattr(each, field) for each in record.exposures]
    if entity == "detector" and len(record.detectors) > 1:
        return [getattr(each, field) for each in record.detectors]
    return [record.value(term)]


def agrees(found: list[Any], wanted: float, rounded: float = 0.0) -> bool:
    numbers = [each for each in found if each is not None]
    return any(math.isclose(each, wanted, rel_tol=RELATIVE, abs_tol=rounded) for each in numbers)


def wrong(record: AcquisitionRecord, key: str, said: Any) -> str | None:
    """Return what is wrong with what was found for one truth, None where nothing is. Unknown keys are."""
    if key in NUMBERS:
        term, factor = NUMBERS[key]
        found, wanted = values(record, term), float(said) * factor
        return None if agrees(found, wanted, ROUNDED.get(key, 0.0)) else f"{term}: {found[:3]}, not {wanted}"
    if key in WORDS:
        found = [each for term in WORDS[key] for each in values(record, term)]
        flags = ("phase plate", "none") if key == "PhasePlateUsed" else (True, False)
        wanted = {"true": flags[0], "false": flags[1]}.get(said, SAME.get(said, said))
        return None if wanted in found else f"{WORDS[key]}: {found}, not {wanted}"
    if key in DATES:
        return wrong_date(record, str(said))
    return f"nobody compares {key}"


def wrong_date(record: AcquisitionRecord, said: str) -> str | None:
    found = [each.date_time for each in record.exposures if each.date_time is not None]
    if len(said) == 10:
        return None if datetime.fromisoformat(said).date() in {each.date() for each in found} else f"{found}"
    try:
        wanted = datetime.fromisoformat(said)
    except ValueError:
        wanted = datetime.strptime(" ".join(said.split()), "%d-%b-%y %H:%M:%S")
    return None if any(each == wanted for each in found) else f"{found[:2]}, not {wanted}"


def wrong_special(record: AcquisitionRecord, key: str, said: Any) -> str | None:
    """The same of truths that are made of several values."""
    first = record.exposures[0] if record.exposures else Exposure()
    if key in ("EnergySelectionSlitWidth", "FilterSlitAndLoss"):
        width = float(str(said).split()[0])
        is_in = bool(record.energy_filter.used)
        found = record.energy_filter.width_energy_filter
        return None if found == (width if is_in and width else None) else f"the slit: {found}, not {width}"
    if key == "ImageSize":
        sizes = {(each.width, each.height) for each in record.exposures}
        shown = {(each.shown_width, each.shown_height) for each in record.exposures}
        wanted = tuple(int(each) for each in said.split())
        return None if wanted in sizes | shown else f"{sizes}, not {wanted}"
    if key == "DoseOnCamera":  # electrons in a pixel of the image that was shown
        on_camera = (first.dose or 0.0) * (first.shown_pixel_size or 0.0) ** 2
        return None if agrees([on_camera], float(said)) else f"{on_camera}, not {said}"
    if key == "dose_sum_e_A2":
        total = sum(each.dose or 0.0 for each in record.exposures)
        return None if math.isclose(total, said, rel_tol=1e-3, abs_tol=1e-9) else f"{total}, not {said}"
    if key == "shape":
        found = (first.height, first.width)
        return None if list(found) == said[-2:] else f"{found}, not {said}"
    if key == "voxel_A":
        wanted = said[0] or None
        found = first.pixel_size
        same = found is None if wanted is None else found is not None and agrees([found], wanted)
        return None if same else f"{found}, not {wanted}"
    return wrong(record, key, said)


def wrong_signal(record: AcquisitionRecord, name: str, signal: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with what was found for one image, stack or spectrum."""
    units = [axis[2] for axis in signal["axes"]]
    spectral = bool(units and electronvolts(units[-1]))
    shape = signal["shape"]
    sides = (
        ("channels",)
        if len(shape) == 1
        else ("scan_height", "scan_width", "channels")[-len(shape) :]
        if spectral
        else ("frames", "height", "width")[-len(shape) :]
    )
    if shape not in [[getattr(each, side) for side in sides] for each in record.exposures]:
        yield f"shape {shape}"
    if (name, "axes") not in NOT_COMPARED and len(shape) > 1:
        place = -2 if spectral else -1
        scale, unit = signal["axes"][place][1:]
        field = "scan_step" if spectral else "pixel_size"
        found = [getattr(each, field) for each in record.exposures]
        factor = angstroms(unit)
        if factor is None and found != [None] * len(found):
            yield f"{field} {found} of no length {unit}"
        if factor is not None and not agrees(found, scale * factor):
            yield f"{field} {found}, not {scale * factor}"
    for key in set(signal) - {"shape", "axes"}:
        if signal[key] is None or ("*", key) in NOT_COMPARED:
            continue
        if (problem := wrong(record, key, signal[key])) is not None:
            yield problem


def problems(name: str, truth: str, record: SessionRecord) -> list[str]:
    if name in PROSE:
        (known,) = record.acquisitions
        return [
            f"{term}: {values(known, term)[:3]}, not {wanted}"
            for term, wanted in PROSE[name].items()
            if (wanted not in values(known, term) if isinstance(wanted, bool | str)
                else not agrees(values(known, term), wanted))
        ]  # fmt: skip
    said = json.loads(truth)
    (known,) = record.acquisitions
    found = [
        f"{key}: {problem}"
        for key, value in said.items()
        if key != "signals"
        and (name, key) not in NOT_COMPARED
        and ("*", key) not in NOT_COMPARED
        and (problem := wrong_special(known, key, value)) is not None
    ]
    return found + [each for signal in said.get("signals", ()) for each in wrong_signal(known, name, signal)]


def test_all_that_is_known_of_real_files_is_found(shared: Path, tmp_path: Path) -> None:
    compared, wrongs = 0, {}
    for number, (name, truth) in enumerate(manifest(shared)):
        (folder := tmp_path / str(number)).mkdir()
        record = gather([alone(shared, folder, name)])
        if not truth or name in NOT_READ:
            continue
        compared += 1
        assert not record.refused, (name, record.refused)
        if found := problems(name, truth, record):
            wrongs[name] = found
    assert wrongs == {}
    assert compared >= 50


def test_every_file_of_the_collection_is_read_or_has_a_verdict(shared: Path, tmp_path: Path) -> None:
    """None is passed over in silence, and each verdict is one sentence that says what to do."""
    for number, (name, truth) in enumerate(manifest(shared)):
        (folder := tmp_path / str(number)).mkdir()
        record = gather([alone(shared, folder, name)])
        json.dumps(record.model_dump(mode="json"))
        if record.acquisitions:
            assert name not in NOT_READ
            continue
        (sentence,) = record.refused
        assert re.fullmatch(r"[^;\n]+; [^\n]+\.", sentence), sentence
        assert not truth or name in NOT_READ, name


def test_the_tables_name_files_that_are_there(shared: Path) -> None:
    there = {name for name, _ in manifest(shared)}
    named = {*NOT_READ, *PROSE, *(name for name, _ in NOT_COMPARED if name != "*")}
    assert named <= there
