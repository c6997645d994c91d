"""Sessions laid out as EPU and SerialEM do, compared with files that these programs wrote."""

import re
import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import defusedxml.ElementTree
import numpy as np
import pytest
import tifffile
from pydantic import ValidationError

from eucentric.formats import open_frames, read_image, read_info
from eucentric.formats.eer import EERRendering
from eucentric.formats.mdoc import read_mdoc
from eucentric.microscope.simulate import (
    SessionTruth,
    SimulatedGrid,
    SimulationSettings,
    draw_exposure,
    make_camera,
    read_truth,
    record_movie,
    simulate_session,
)
from shared_files import shared_folder

SMALL = SimulationSettings(exposures=1, width=160, height=96, frames=4, particles=1, pixel_size=2, dose=10)


def _simulated(folder: Path, **values: object) -> SessionTruth:
    simulate_session(folder, SMALL.model_copy(update=values))
    return read_truth(folder)


def _paths(element: ElementTree.Element, above: str = "") -> dict[str, str | None]:
    """Return the text of every element by its path; entries of dictionaries go by their keys."""
    here = f"{above}/{element.tag}"
    if element.tag.endswith("KeyValueOfstringanyType"):
        here += f"[{element[0].text}]"
        return {here: element[1].text, **_paths(element[1], here)}
    found = {here: element.text}
    for child in element:
        found |= _paths(child, here)
    return found


def _xml(path: Path) -> dict[str, str | None]:
    return _paths(defusedxml.ElementTree.parse(path).getroot())


def _value(document: dict[str, str | None], end: str) -> str:
    (value,) = {text for path, text in document.items() if re.sub(r"\{.*?\}", "", path).endswith(end)}
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("real", "movie_format"),
    [
        ("EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml", "tiff"),
        ("oscem-extractor-life__FoilHole_31933450_Data_31923928_31923930_20240901_060108.xml", "eer"),
    ],
)
def test_the_xml_has_the_elements_of_real_ones(tmp_path: Path, real: str, movie_format: str) -> None:
    truth = _simulated(tmp_path, layout="epu", movie_format=movie_format)
    (written,) = (tmp_path / truth.exposures[0].path).parent.glob("*.xml")
    ours, theirs = set(_xml(written)), set(_xml(shared_folder() / "fixtures" / real))
    assert ours <= theirs
    # What is missing tells of the microscope, not of the exposure.
    missing = {re.sub(r"\{.*?\}", "", path) for path in theirs - ours}
    known = ("pixelSize", "Fraction", "[Dose", "AppliedDefocus", "gun/Acc", "ReadoutArea/width", "Position")
    assert not [path for path in missing if any(word in path for word in known)]


def test_the_xml_of_a_k3_tells_the_truth_in_its_units(tmp_path: Path) -> None:
    truth = _simulated(tmp_path, layout="epu")
    (exposure,) = truth.exposures
    movie = tmp_path / exposure.path
    (written,) = movie.parent.glob("*.xml")
    document = _xml(written)
    readout = (_value(document, "ReadoutArea/height"), _value(document, "ReadoutArea/width"))
    assert readout == ("48", "80")  # binned twice
    assert float(_value(document, "pixelSize/x/numericValue")) == pytest.approx(4e-10)
    assert float(_value(document, "[Dose]")) == pytest.approx(10e20)
    assert float(_value(document, "[DoseOnCamera]")) == pytest.approx(10 * 4**2)
    assert float(_value(document, "[AppliedDefocus]")) == pytest.approx(
        -exposure.target_defocus * 1e-10, rel=1e-4
    )
    assert _value(document, "gun/AccelerationVoltage") == "300000"
    assert _value(document, "NumberOffractions") == "4"
    assert float(_value(document, "Position/X")) == pytest.approx(exposure.stage[0] * 1e-6)
    assert movie.name == written.stem + "_Fractions.tiff"
    assert re.fullmatch(r"FoilHole_\d+_Data_\d+_\d+_\d{8}_\d{6}", written.stem)


def test_an_epu_session_has_its_files_where_they_belong(tmp_path: Path) -> None:
    grids = (SimulatedGrid(name="grid1"), SimulatedGrid(name="grid2", pixel_size=1.5))
    truth = _simulated(tmp_path, layout="epu", grids=grids, exposures=2)
    for grid, exposure in zip(grids, truth.exposures, strict=True):
        movie = tmp_path / exposure.path
        assert exposure.grid == grid.name
        session = tmp_path / grid.name
        assert movie.is_relative_to(session / "Images-Disc1")
        assert re.fullmatch(r"GridSquare_\d+", movie.parent.parent.name)
        assert len(list(movie.parent.parent.glob("GridSquare_*.xml"))) == 1
        assert len(list((movie.parent.parent / "FoilHoles").glob("FoilHole_*.xml"))) == 1
        stem = movie.name.removesuffix("_Fractions.tiff")
        assert {path.name for path in movie.parent.glob(f"{stem}*")} == {
            movie.name, *(stem + suffix for suffix in (".xml", ".mrc", ".jpg"))
        }  # fmt: skip
        root = defusedxml.ElementTree.parse(session / "EpuSession.dm").getroot()
        names = {element.tag.rpartition("}")[2]: element.text for element in root}
        assert names["Name"] == grid.name
        assert names["DoseFractionsOutputFormat"] == "Tiff Lzw Non-Gain normalized"
    assert truth.gain_path is not None
    assert (tmp_path / truth.gain_path).name.endswith("_K3_gain_ref.mrc")
    pixel_sizes = [
        float(_value(_xml(next((tmp_path / each.path).parent.glob("*.xml"))), "pixelSize/x/numericValue"))
        for each in truth.exposures
    ]
    assert pixel_sizes == pytest.approx([4e-10, 3e-10])


def test_the_session_file_has_the_elements_of_a_real_one(tmp_path: Path) -> None:
    real = shared_folder() / "fixtures" / "EMharvest__EpuSession.dm"
    _simulated(tmp_path, layout="epu")
    assert set(_xml(tmp_path / "EpuSession.dm")) <= set(_xml(real))


def test_an_eer_movie_has_the_counted_electrons_where_they_fell(tmp_path: Path) -> None:
    truth = _simulated(tmp_path, layout="epu", movie_format="eer")
    movie = tmp_path / truth.exposures[0].path
    settings = truth.settings
    info = read_info(movie)
    assert (info.format, info.frames) == ("EER", 4 * settings.camera_frames)
    assert info.pixel_size == pytest.approx(2)
    with open_frames(movie, threads=1, eer=EERRendering(1, 4)) as frames:
        read = np.array(list(frames), np.float32)
    counted = np.array(list(record_movie(settings, draw_exposure(settings, 1), make_camera(settings))))
    hot = counted.max(axis=0) > 30  # a pixel cannot count more than one electron in a frame of the camera
    assert read[:, ~hot].sum() == pytest.approx(counted[:, ~hot].sum(), rel=0.03)
    assert (read <= counted).all()
    # The second reading is twice as fine, with the same electrons.
    with open_frames(movie, threads=1, eer=EERRendering(2, 4)) as frames:
        fine = np.array(list(frames), np.float32)
    assert fine.shape == (4, 192, 320)
    np.testing.assert_array_equal(fine.reshape(4, 96, 2, 160, 2).sum(axis=(2, 4)), read)


@pytest.mark.parametrize(("layout", "operation"), [("epu", "multiply"), ("plain", "divide")])
def test_an_eer_reference_has_its_rows_as_the_movies(tmp_path: Path, layout: str, operation: str) -> None:
    truth = _simulated(tmp_path, layout=layout, movie_format="eer", dead_columns=2)
    assert truth.gain_operation == operation
    assert truth.gain_path is not None
    reference = read_image(tmp_path / truth.gain_path)
    camera = make_camera(truth.settings)
    if layout == "epu":  # a `.gain`, which may be read as any TIFF, top row first, or as what it is
        stored = tifffile.imread(tmp_path / truth.gain_path)
        np.testing.assert_array_equal(stored, camera.gain)
    else:
        np.testing.assert_array_equal(reference, camera.sensitivity)
    assert (reference[:, truth.dead_columns] == 0).all()


def test_a_falcons_mrc_movie_is_corrected_already(tmp_path: Path) -> None:
    truth = _simulated(tmp_path, layout="epu", movie_format="mrc-float32", gain_variation=0.1)
    assert (truth.gain_operation, truth.gain_path) == ("none", None)
    assert not list(tmp_path.rglob("*[Gg]ain*"))
    with open_frames(tmp_path / truth.exposures[0].path, threads=1) as frames:
        read = np.array(list(frames))
    electrons = read.mean() / truth.counts_per_electron
    assert electrons == pytest.approx(truth.settings.dose_per_frame * 4, rel=0.03)
    assert (read.mean(axis=0)[:, truth.dead_columns] > 0).all()
    x, y = np.array(truth.hot_pixels).T
    assert read.mean(axis=0)[y, x].max() < 3 * read.mean()


def test_serialem_names_its_references_in_the_mdoc(tmp_path: Path) -> None:
    grids = (SimulatedGrid(name="g1"), SimulatedGrid(name="g2"))
    truth = _simulated(tmp_path, layout="serialem", grids=grids, exposures=2)
    for exposure in truth.exposures:
        movie = tmp_path / exposure.path
        assert movie.parent == tmp_path / str(exposure.grid) / "frames"
        assert re.fullmatch(rf"{exposure.grid}_000\d_[A-Z][a-z]{{2}}\d\d_\d\d\.\d\d\.\d\d\.tif", movie.name)
        mdoc = read_mdoc(movie.with_name(movie.name + ".mdoc"))
        (section,) = mdoc.sections
        assert (section.kind, mdoc.numbers("Voltage")) == ("FrameSet", (300,))
        assert section.numbers("TargetDefocus") == pytest.approx((-exposure.target_defocus / 1e4,), rel=1e-3)
        assert section.values["SubFramePath"].endswith("\\frames\\" + movie.name)
        gain = read_image(movie.parent / section.values["GainReference"])
        assert section.values["RotationAndFlip"] == "7"
        flipped = gain[:, ::-1]  # the vertical axis stays
        as_frames = np.rot90(flipped[::-1], 3)[::-1]  # NumPy turns what has its top row first
        np.testing.assert_array_equal(as_frames, make_camera(truth.settings).gain)
        defects = (movie.parent / section.values["DefectFile"]).read_text()
        assert f"BadColumns {truth.dead_columns[0]}" in defects


def test_the_mdoc_has_no_entry_that_serialem_does_not_write(tmp_path: Path) -> None:
    real = shared_folder() / "fixtures" / "mdocfile__frame_set_single.mdoc"
    truth = _simulated(tmp_path, layout="serialem")
    movie = tmp_path / truth.exposures[0].path
    ours = read_mdoc(movie.with_name(movie.name + ".mdoc")).sections[0].values
    theirs = read_mdoc(real).sections[0].values
    assert set(ours) - set(theirs) <= {"DefectFile", "RotationAndFlip"}


@pytest.mark.parametrize("layout", ["epu", "serialem"])
def test_metadata_come_before_or_after_the_movie_or_not_at_all(tmp_path: Path, layout: str) -> None:
    truth = _simulated(tmp_path, layout=layout, exposures=2, missing_metadata=frozenset({2}))
    assert [each.metadata for each in truth.exposures] == [True, False]
    first, second = (tmp_path / each.path for each in truth.exposures)
    written = [path for path in first.parent.iterdir() if path.suffix in (".xml", ".mdoc")]
    assert len(written) == 1
    before = written[0].stat().st_mtime_ns < first.stat().st_mtime_ns
    assert before == (layout == "epu")
    assert second.is_file()


def test_late_metadata_may_overtake_each_other_and_all_come(tmp_path: Path) -> None:
    there: list[int] = []
    settings = SMALL.model_copy(update={"layout": "epu", "exposures": 3, "metadata_delay": 0.5})
    simulate_session(
        tmp_path, settings, on_exposure=lambda _: there.append(len(list(tmp_path.rglob("*_Data_*.xml"))))
    )
    assert there[0] == 0
    assert len(list(tmp_path.rglob("*_Data_*.xml"))) == 3


@pytest.mark.parametrize("layout", ["epu", "serialem"])
def test_a_stop_leaves_whole_files(tmp_path: Path, layout: str) -> None:
    stop = threading.Event()
    settings = SMALL.model_copy(update={"layout": layout, "exposures": 9, "metadata_delay": 3600.0})
    truths = simulate_session(tmp_path, settings, on_exposure=lambda _: stop.set(), stop=stop)
    assert len(truths) == 1
    names = {path.suffix for path in (tmp_path / truths[0].path).parent.iterdir()}
    assert (".xml" if layout == "epu" else ".mdoc") in names
    assert not list(tmp_path.rglob(".*"))


def test_the_same_seed_gives_the_same_images_in_every_layout(tmp_path: Path) -> None:
    read = []
    for layout in ("plain", "epu", "serialem"):
        truth = _simulated(tmp_path / layout, layout=layout)
        with open_frames(tmp_path / layout / truth.exposures[0].path, threads=1) as frames:
            read.append(np.array(list(frames)))
    np.testing.assert_array_equal(read[0], read[1])
    np.testing.assert_array_equal(read[0], read[2])


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"layout": "serialem", "movie_format": "eer"}, "simulated with TIFF"),
        ({"layout": "epu", "movie_format": "mrc-int8"}, "use mrc-int16"),
        ({"movie_format": "eer", "growing": True}, "leave growing out"),
        ({"grids": [{"name": "a"}, {"name": "a"}]}, "different names"),
        ({"grids": [{"name": "a", "pixel_size": 10, "dose": 100}], "frames": 2}, "use more frames"),
        ({"missing_metadata": [99]}, r"exposures \[99\]"),
    ],
)
def test_impossible_layouts_are_refused(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        SimulationSettings.model_validate(values)
