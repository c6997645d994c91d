"""From folders to what is known of a session."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from eucentric.formats import write_eer, write_mrc, write_tiff
from eucentric.metadata.records import AcquisitionRecord
from eucentric.metadata.registry import InstrumentEntry
from eucentric.microscope.gather import Gathering, files_in, gather

K3 = "EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml"
MOVIE = "FoilHole_19513699_Data_19508496_19508498_20230919_154056"
SESSION = "Supervisor_20230919_140141_84_bi23047-106_grid1"


def put(shared: Path, fixture: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(shared / "fixtures" / fixture, target)
    return target


def put_movie(target: Path, columns: int = 5760, rows: int = 4092, frames: int = 2) -> Path:
    """Write a movie of a real size, without anything on it: it compresses well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    write_tiff(target, np.zeros((frames, rows, columns), dtype=np.uint8))
    return target


@pytest.fixture
def epu(shared: Path, tmp_path: Path) -> Path:
    """The session tree that the fixtures were taken from."""
    lines = (shared / "fixtures" / "MANIFEST.tsv").read_text().splitlines()
    head = lines[0].split("\t")
    root = tmp_path / "epu"
    for line in lines[1:]:
        row = dict(zip(head, line.split("\t"), strict=True))
        if row["file"].startswith("EMharvest__"):
            put(shared, row["file"], root / row["source_path"].removeprefix("_repo_data/"))
    return root


def by_name(*paths: Path) -> dict[str, AcquisitionRecord]:
    record = gather(paths)
    assert record.refused == ()
    return {each.acquisition.name or "": each for each in record.acquisitions}


def test_a_session_of_epu_is_told_apart_by_grid_and_intent(epu: Path) -> None:
    found = by_name(epu)
    assert list(found) == [
        "grid1-collection-165000x",
        "grid1-screening-580x",
        "grid1-screening-15000x",
        "Sample2-atlas-135x",
        "Sample4-atlas-135x",
    ]
    data = found["grid1-collection-165000x"]
    assert (data.grid.name, data.grid.slot) == ("grid1", 2)
    assert data.acquisition.grids_imaged == 1
    (exposure,) = data.exposures
    assert (exposure.grid_square, exposure.foil_hole) == ("19493759", "19513699")
    assert data.contradictions == ()
    # Both from the stage's α; a peer takes the largest from its β, which is 1.01 here.
    assert data.acquisition.tilt_angle_minimal == data.acquisition.tilt_angle_maximal
    assert data.acquisition.tilt_angle_maximal == pytest.approx(-0.02922, abs=1e-5)
    atlas = found["Sample2-atlas-135x"]
    assert atlas.acquisition.session == "Supervisor_20230919_115905_Atlas_bi23047-106"
    assert {each.name for each in atlas.exposures} == {"Atlas_19493264", "Tile_19493278_0_19493264"}


def test_the_movie_beside_the_xml_has_its_own_pixels(epu: Path) -> None:
    put_movie(epu / SESSION / "Images-Disc1/GridSquare_19493759/Data" / f"{MOVIE}_Fractions.tiff")
    data = by_name(epu)["grid1-collection-165000x"]
    assert data.acquisition.pixel_size == pytest.approx(0.5279407, rel=1e-6)
    assert (data.acquisition.image_width, data.acquisition.image_height) == (5760, 4092)
    assert data.detector.mode == "counting"
    assert data.exposures[0].frames == 2  # those that are there, not the 50 that were asked for
    assert {each.term for each in data.contradictions} == {"exposure.frames", "acquisition.frames_per_movie"}


def test_movies_and_xml_may_lie_under_different_roots(epu: Path, tmp_path: Path) -> None:
    for folder in (SESSION, "DoseFractions"):
        offload = tmp_path / f"offload-{folder}"
        put_movie(offload / folder / "Images-Disc1/GridSquare_19493759/Data" / f"{MOVIE}_Fractions.tiff")
        data = by_name(offload, epu)["grid1-collection-165000x"]
        assert data.acquisition.pixel_size == pytest.approx(0.5279407, rel=1e-6)
        assert data.grid.name == "grid1"
        assert len(data.exposures) == 1


@pytest.mark.parametrize("metadata_first", [True, False])
def test_files_may_come_in_any_order(epu: Path, tmp_path: Path, *, metadata_first: bool) -> None:
    movie = put_movie(
        tmp_path / "offload/x/Images-Disc1/GridSquare_19493759/Data" / f"{MOVIE}_Fractions.tiff"
    )
    files = [*files_in(epu), movie] if metadata_first else [movie, *files_in(epu)]
    gathering = Gathering([tmp_path / "offload", epu])
    for file in files:
        gathering.take(file)
    data = gathering.record().acquisitions[0]
    assert (data.acquisition.pixel_size, data.grid.name) == (pytest.approx(0.5279407, rel=1e-6), "grid1")


def test_epus_sum_beside_the_movie_is_none(epu: Path) -> None:
    write_mrc(
        epu / SESSION / "Images-Disc1/GridSquare_19493759/Data" / f"{MOVIE}.mrc",
        np.zeros((2046, 2880), dtype=np.float32),
        1.0,
    )
    data = by_name(epu)["grid1-collection-165000x"]
    assert data.exposures[0].width is None


def test_two_grids_of_one_session_with_the_same_names(shared: Path, tmp_path: Path) -> None:
    for grid in ("grid1", "grid2"):
        put(shared, K3, tmp_path / grid / "Images-Disc1/GridSquare_1/Data" / f"{MOVIE}.xml")
    assert len(by_name(tmp_path)) == 2


def test_a_tilt_series_of_serialem_finds_its_frames_by_the_sites_rules(shared: Path, tmp_path: Path) -> None:
    put(shared, "mdocfile__tilt_series.mdoc", tmp_path / "session/TS_01.mrc.mdoc")
    write_mrc(tmp_path / "session/TS_01.mrc", np.zeros((2, 10, 10), dtype=np.int8), 5.4)
    frames = tmp_path / "offload/HGK149_20151130/frames/TS_01_000_0.0.mrc"
    frames.parent.mkdir(parents=True)
    write_mrc(frames, np.zeros((8, 3832, 3696), dtype=np.int8), 9.9)
    rules = {r"d:\data\Flo": tmp_path / "offload"}
    (record,) = gather([tmp_path / "session"], rules=rules).acquisitions
    assert record.acquisition.images_generated == 41  # not the stack besides
    found = next(each for each in record.exposures if each.name == "TS_01_000_0.0")
    assert (found.width, found.pixel_size) == (3696, pytest.approx(1.35))
    assert found.path == str(frames)


def test_an_eer_movie_is_known_by_its_camera(shared: Path, tmp_path: Path) -> None:
    name = "FoilHole_31933450_Data_31923928_31923930_20240901_060108"
    put(shared, f"oscem-extractor-life__{name}.xml", tmp_path / f"{name}.xml")
    write_eer(tmp_path / f"{name}_EER.eer", [np.zeros((4096, 4096), dtype=np.uint8)] * 3)
    (record,) = gather([tmp_path]).acquisitions
    assert record.acquisition.pixel_size == pytest.approx(0.41501528, rel=1e-6)
    assert record.exposures[0].frames == 3
    assert record.detector.name == "Falcon 4i"


def test_the_registry_is_asked(epu: Path) -> None:
    registry = {"Krios": InstrumentEntry(matches=("TITAN52336320",), cs=2.7, model="Titan Krios")}
    record = gather([epu], registry)
    assert {each.instrument.cs for each in record.acquisitions} == {2.7}


def test_a_file_alone_is_read_with_what_belongs_to_it(shared: Path, tmp_path: Path) -> None:
    put(shared, "mdocfile__frame_set_single.mdoc", tmp_path / "a.tif.mdoc")
    put_movie(tmp_path / "a.tif", 11520, 8184)
    put_movie(tmp_path / "b.tif", 100, 100)
    for name in ("a.tif", "a.tif.mdoc"):
        (record,) = gather([tmp_path / name]).acquisitions
        (exposure,) = record.exposures
        assert (exposure.width, exposure.frames, exposure.pixel_size) == (11520, 2, 1.2827)


def test_what_cannot_be_read_is_told_and_stops_nothing(shared: Path, tmp_path: Path) -> None:
    put(shared, K3, tmp_path / f"{MOVIE}.xml")
    (tmp_path / "bad.mdoc").write_bytes(b"\0\0\0")
    (tmp_path / "bad.xml").write_text("<MicroscopeImage>")
    (tmp_path / "bad.tif").write_bytes(b"II*\0" + b"\xff" * 100)
    os.mkfifo(tmp_path / "pipe.mdoc")
    record = gather([tmp_path])
    assert len(record.acquisitions) == 1
    assert len(record.refused) == 3
    assert all(str(tmp_path) in each for each in record.refused)


def test_files_of_others_are_passed_over(tmp_path: Path) -> None:
    for name in ("notes.txt", "table.xml", "program.py", ".hidden.mdoc", "x.mdoc.part"):
        (tmp_path / name).write_text("<table/>" if name.endswith("xml") else "a = 1\n")
    record = gather([tmp_path])
    assert (record.acquisitions, record.refused) == ((), ())


def test_results_are_no_recordings(shared: Path, tmp_path: Path) -> None:
    put(shared, K3, tmp_path / "raw" / f"{MOVIE}.xml")
    put(shared, K3, tmp_path / "site" / "sessions" / "x" / f"{MOVIE}.xml")
    (tmp_path / "site" / "eucentric.toml").touch()
    assert [each.parent.name for each in files_in(tmp_path)] == ["raw"]


def test_links_to_folders_are_not_followed(shared: Path, tmp_path: Path) -> None:
    put(shared, K3, tmp_path / "a" / f"{MOVIE}.xml")
    (tmp_path / "a" / "round").symlink_to(tmp_path / "a")
    assert len(list(files_in(tmp_path))) == 1


def test_people_give_what_no_file_tells(shared: Path, tmp_path: Path) -> None:
    put(shared, K3, tmp_path / f"{MOVIE}.xml")
    (tmp_path / "metadata.toml").write_text(
        '[sample]\nname = "GroEL"\nph = 7.5\n[instrument]\ncs = 2.7\n'
        '[[molecule]]\nname_mol = "GroEL"\n[[molecule]]\nname_mol = "GroES"\n'
    )
    (record,) = gather([tmp_path]).acquisitions
    assert (record.sample.name, record.sample.ph, record.instrument.cs) == ("GroEL", 7.5, 2.7)
    assert [each.name_mol for each in record.molecules] == ["GroEL", "GroES"]
    assert record.provenance["instrument.cs"].origin.source == "operator"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[sample]\nnmae = 'x'\n", "there is no term sample.nmae; write one that there is: of sample"),
        ("[thing]\na = 1\n", "there are instrument, detector"),
        ("sample = 3\n", "sample is no table"),
        ("[sample\n", "not valid TOML"),
    ],
)
def test_what_people_give_wrongly_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "metadata.toml").write_text(text)
    (sentence,) = gather([tmp_path]).refused
    assert told in sentence
