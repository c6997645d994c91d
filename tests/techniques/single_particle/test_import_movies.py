import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from eucentric.engine.protocol import Trouble
from eucentric.formats import write_mrc
from eucentric.metadata import ExposureMetadata, Movie
from eucentric.techniques.single_particle.import_movies import ImportMovies
from techniques.single_particle.scanning import MDOC, movie, outputs


def test_a_movie_comes_after_the_gain_of_its_acquisition(scan, tmp_path):
    movie(tmp_path / "raw" / "a.tiff")
    write_mrc(tmp_path / "raw" / "gain.mrc", np.ones((16, 24), np.float32), 1.1)
    found = scan(tmp_path / "raw", gain=str(tmp_path / "raw" / "gain.mrc"), dose_per_frame=1.5).end()
    assert outputs(found) == [("24x16", (), "gain"), ("24x16", ("a",), "movie")]
    item = found[1].item
    assert isinstance(item, Movie)
    assert (item.frames, item.height, item.width, item.pixel_size, item.dose_per_frame) == (
        3,
        16,
        24,
        1.1,
        1.5,
    )
    assert (tmp_path / "session" / item.path).samefile(tmp_path / "raw" / "a.tiff")
    assert (tmp_path / "session" / found[0].item.path).samefile(tmp_path / "raw" / "gain.mrc")


def test_movies_without_a_gain_reference_are_said_to_need_none(scan, tmp_path):
    movie(tmp_path / "raw" / "a.tiff")
    assert scan(tmp_path / "raw").end()[0].item.path is None


@pytest.mark.parametrize("first", ["movie", "mdoc"])
def test_metadata_join_their_movie_whichever_comes_first(scan, tmp_path, first):
    raw = tmp_path / "raw"
    raw.mkdir()
    steps = {"movie": lambda: movie(raw / "a.tiff"), "mdoc": lambda: (raw / "a.tiff.mdoc").write_text(MDOC)}
    steps.pop(first)()
    running = scan(raw)
    assert running.caught.wait(20)
    steps.popitem()[1]()
    running.wait(lambda found: len(found) == 3)
    found = {each.output: each for each in running.end()}
    metadata = found["metadata"].item
    assert isinstance(metadata, ExposureMetadata)
    assert found["metadata"].key == found["movie"].key == ("a",)
    assert metadata.target_defocus == 15_000
    assert (metadata.stage_x, metadata.stage_y) == (100_000, -200_000)


def test_frame_sizes_and_path_patterns_make_acquisitions_of_their_own(scan, tmp_path):
    raw = tmp_path / "raw"
    movie(raw / "grid1" / "a.tiff")
    movie(raw / "grid2" / "a.tiff")
    movie(raw / "grid2" / "b.tiff", size=(32, 48))
    found = scan(raw, acquisition_pattern=r"(grid\d)/").end()
    assert {key for key in outputs(found) if key[2] == "movie"} == {
        ("grid1-24x16", ("a",), "movie"),
        ("grid2-24x16", ("a",), "movie"),
        ("grid2-48x32", ("b",), "movie"),
    }


def test_two_movies_of_one_name_get_keys_of_their_own_and_keep_them(scan, tmp_path):
    raw = tmp_path / "raw"
    movie(raw / "x" / "a.tiff")
    movie(raw / "y" / "a.tiff")
    found = scan(raw).end()
    keys = {each.item.path: each.key for each in found if each.output == "movie"}
    assert len(set(keys.values())) == 2
    (raw / "x" / "a.tiff").unlink()
    movie(raw / "x" / "a.tiff", frames=5)
    again = scan(raw, known=found).end()
    assert [(each.item.path, each.key) for each in again if each.output == "movie"] == [
        ("data/raw/x/a.tiff", keys["data/raw/x/a.tiff"])
    ]


def test_what_is_known_is_not_yielded_again_but_new_versions_are(scan, tmp_path):
    raw = tmp_path / "raw"
    movie(raw / "a.tiff")
    (raw / "a.tiff.mdoc").write_text(MDOC)
    found = scan(raw).end()
    assert scan(raw, known=found).end() == []
    movie(raw / "a.tiff", frames=4)
    again = scan(raw, known=found).end()
    assert [each.item.frames for each in again if each.output == "movie"] == [4]


def test_a_broken_movie_is_trouble_and_the_others_go_on(scan, tmp_path):
    raw = tmp_path / "raw"
    movie(raw / "a.tiff")
    whole = movie(raw / "whole.tiff").read_bytes()
    (raw / "b.tiff").write_bytes(whole[: len(whole) // 2])
    (raw / "empty.mrc").touch()
    found = scan(raw).end()
    troubles = {each.key: each.reason for each in found if isinstance(each, Trouble)}
    assert set(troubles) == {("b",), ("empty",)}
    assert "b.tiff" in troubles["b",]
    assert {key for _, key, output in outputs(found) if output == "movie"} == {("a",), ("whole",)}


def test_a_gain_reference_of_another_camera_mode_is_trouble(scan, tmp_path):
    movie(tmp_path / "raw" / "a.tiff")
    write_mrc(tmp_path / "gain.mrc", np.ones((32, 24), np.float32), 1.0)
    (trouble,) = scan(tmp_path / "raw", gain=str(tmp_path / "gain.mrc")).end()
    assert "24 × 32 pixels" in trouble.reason
    assert "24 × 16" in trouble.reason


def test_a_pixel_size_that_nobody_knows_is_asked_for(scan, tmp_path):
    movie(tmp_path / "raw" / "a.tiff")
    (trouble,) = scan(tmp_path / "raw", pixel_size=None).end()
    assert "pixel size (--pixel-size" in trouble.reason


def test_a_data_folder_is_linked_once_and_another_of_its_name_beside_it(scan, tmp_path):
    for where in ("one", "two"):
        movie(tmp_path / where / "raw" / f"{where}.tiff")
    first = scan(tmp_path / "one" / "raw").end()
    second = scan(tmp_path / "two" / "raw").end()
    paths = [found.item.path for found in [*first, *second] if found.output == "movie"]
    assert all((tmp_path / "session" / path).is_file() for path in paths)
    assert len(list((tmp_path / "session" / "data").iterdir())) == 2


def test_odd_names_become_keys_that_can_be_folders(scan, tmp_path):
    plain = movie(tmp_path / "raw" / "plain.tiff")
    shutil.copy(plain, tmp_path / "raw" / "a b;$(x)?.tiff")
    found = scan(tmp_path / "raw").end()
    keys = {each.key[0] for each in found if each.output == "movie"}
    assert keys == {"plain", "a_b___x__"}


@pytest.mark.parametrize("pattern", ["grid", "(grid", ""])
def test_an_acquisition_pattern_needs_a_group(pattern):
    with pytest.raises(ValidationError, match=r"group|regular expression"):
        ImportMovies.Params(folders=["a"], acquisition_pattern=pattern)


def test_no_folder_is_refused():
    with pytest.raises(ValidationError):
        ImportMovies.Params(folders=[])


def test_paths_are_relative_to_the_session(scan, tmp_path):
    movie(tmp_path / "raw" / "deep" / "er" / "a.tiff")
    found = scan(tmp_path / "raw").end()
    assert Path(found[-1].item.path) == Path("data/raw/deep/er/a.tiff")
