import json
from pathlib import Path

import numpy as np
import pytest

from eucentric.formats import FormatError, write_eer, write_mrc, write_tiff
from eucentric.metadata import CTF, Gain, Micrograph, Movie
from eucentric.microscope.describe import ASKED, NotDescribed, describe, read_item


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    file = tmp_path / "m.tif"
    write_tiff(file, [np.zeros((40, 50), np.uint8)] * 3, pixel_size=1.5)
    return file


def test_a_movie_is_what_its_headers_say_and_what_is_given(movie: Path) -> None:
    item = describe(Movie, movie, {"voltage": 200, "dose_per_frame": 1.2, "operation": "divide"})
    assert isinstance(item, Movie)
    assert (item.frames, item.height, item.width, item.bytes) == (3, 40, 50, movie.stat().st_size)
    assert item.pixel_size == pytest.approx(1.5)
    assert (item.voltage, item.dose_per_frame, item.path) == (200, 1.2, str(movie))


def test_what_is_given_counts_more_than_the_header(movie: Path) -> None:
    item = describe(Movie, movie, {"pixel_size": 0.8, "voltage": None})
    assert isinstance(item, Movie)
    assert (item.pixel_size, item.voltage) == (0.8, 300)


def test_a_pixel_size_is_never_invented(tmp_path: Path) -> None:
    file = tmp_path / "m.tif"
    write_tiff(file, [np.zeros((40, 50), np.uint8)])
    with pytest.raises(NotDescribed, match="does not say its pixel size; give it"):
        describe(Movie, file, {})


def test_impossible_values_are_named(movie: Path) -> None:
    with pytest.raises(NotDescribed, match="pixel_size: Input should be greater than 0"):
        describe(Movie, movie, {"pixel_size": -1})


@pytest.mark.parametrize("kind", [Gain, Micrograph])
def test_a_stack_is_no_single_image(kind: type[Gain] | type[Micrograph], movie: Path) -> None:
    with pytest.raises(FormatError, match="3 images where a single one is needed"):
        describe(kind, movie, {})


def test_gain_and_micrograph(tmp_path: Path) -> None:
    file = tmp_path / "g.mrc"
    write_mrc(file, np.ones((40, 50), np.float32), 1.1)
    assert describe(Gain, file, {"operation": "divide"}) == Gain(path=str(file), operation="divide")
    micrograph = describe(Micrograph, file, {})
    assert isinstance(micrograph, Micrograph)
    assert (micrograph.height, micrograph.width, micrograph.motion_total) == (40, 50, None)
    assert micrograph.pixel_size == pytest.approx(1.1)


def test_an_eer_movie_is_read_in_fractions_of_one_electron(tmp_path: Path) -> None:
    file = tmp_path / "m.eer"
    electrons = [np.array([[3.0, 4.0], [20.25, 7.5]])] * 60
    write_eer(file, electrons, shape=(32, 48), pixel_size=0.5, electrons_per_pixel=2.5)
    item = describe(Movie, file, {})
    assert isinstance(item, Movie)
    assert (item.raw_frames, item.frames, item.dose_per_frame) == (60, 10, pytest.approx(1))
    assert (item.height, item.width, item.pixel_size) == (32, 48, pytest.approx(0.5))
    fine = describe(Movie, file, {"upsampling": 2, "pixel_size": 0.6})
    assert isinstance(fine, Movie)
    assert (fine.height, fine.width, fine.pixel_size, fine.upsampling) == (64, 96, 0.3, 2)


def test_a_gain_reference_is_turned_as_is_said(tmp_path: Path) -> None:
    file = tmp_path / "g.mrc"
    write_mrc(file, np.ones((40, 50), np.float32), 1.1)
    item = describe(Gain, file, {"rotation": 90, "flip": "left-right"})
    assert isinstance(item, Gain)
    assert (item.rotation, item.flip) == (90, "left-right")


@pytest.mark.parametrize("kind", ASKED)
def test_all_that_is_asked_are_fields(kind: type[Movie]) -> None:
    assert set(ASKED[kind]) <= set(kind.model_fields)


@pytest.mark.parametrize("wrap", [None, "micrograph", "ctf"])
def test_an_item_is_read_from_json_with_its_paths(tmp_path: Path, wrap: str | None) -> None:
    fields = {
        "pixel_size": 1.0,
        "voltage": 300,
        "spherical_aberration": 2.7,
        "amplitude_contrast": 0.1,
        "micrograph_path": "sub/m.mrc",
        "diagnostic_path": "/elsewhere/d.png",
        "defocus_u": 2.0,
        "defocus_v": 1.0,
        "defocus_angle": 0,
        "resolution": 4,
        "score": 0.5,
    }
    file = tmp_path / "item.json"
    file.write_text(json.dumps({wrap: fields} if wrap else fields))
    item = read_item(CTF, file, "micrograph")
    assert isinstance(item, CTF)
    assert item.micrograph_path == str(tmp_path / "sub" / "m.mrc")
    assert item.diagnostic_path == "/elsewhere/d.png"


@pytest.mark.parametrize(("text", "said"), [("[1]", "does not hold"), ("{", "is not JSON"), ("{}", "path")])
def test_what_is_no_item(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "item.json").write_text(text)
    with pytest.raises(NotDescribed, match=said):
        read_item(Gain, tmp_path / "item.json", "gain")
