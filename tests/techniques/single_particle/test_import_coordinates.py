import numpy as np
import pandas as pd
import pytest

from eucentric.engine.protocol import Rejected, Task
from eucentric.formats import read_coordinates_star, write_star
from eucentric.metadata import Micrograph
from eucentric.techniques.single_particle.import_coordinates import ImportCoordinates

OPTICS = {"pixel_size": 2.0, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


def take(session, source, movie="data/x/foo_12.tif", **params):
    folder = session / "work"
    folder.mkdir(exist_ok=True)
    task = Task(key=("grid", "m"), folder=folder, destination="runs/import", session=session)
    micrograph = Micrograph(path="runs/align/m.mrc", movie_path=movie, height=300, width=400, **OPTICS)
    params = ImportCoordinates.Params(source=str(source), diameter=120, **params)
    found = ImportCoordinates(params).process(micrograph, task)
    return found, read_coordinates_star(folder / "coordinates.star")


@pytest.fixture
def boxes(tmp_path):
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes/foo_12.box").write_text("10 20 64 64\n200 100 64 64\n")
    (tmp_path / "boxes/foo_1.box").write_text("0 0 64 64\n")
    (tmp_path / "boxes/foo_120_autopick.star").write_text(
        "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n5 6\n"
    )
    (tmp_path / "boxes/notes.txt").write_text("foo_12")
    return tmp_path


def test_the_file_of_the_movies_name_is_taken(boxes):
    found, table = take(boxes, boxes / "boxes")
    assert (found.path, found.micrograph_path) == ("runs/import/coordinates.star", "runs/align/m.mrc")
    assert (found.count, found.diameter, found.width, found.pixel_size) == (2, 120, 400, 2.0)
    np.testing.assert_array_equal(table[["x", "y"]], [(42, 52), (232, 132)])
    _, other = take(boxes, boxes / "boxes", movie="data/x/foo_120.mrc")
    np.testing.assert_array_equal(other[["x", "y"]], [(5, 6)])


def test_a_micrograph_without_a_file_is_rejected_and_two_files_are_an_error(boxes):
    with pytest.raises(Rejected, match="has no coordinates of foo_13"):
        take(boxes, boxes / "boxes", movie="data/x/foo_13.tif")
    (boxes / "boxes/foo_12.star").write_text("")
    with pytest.raises(ValueError, match="may all be picks"):
        take(boxes, boxes / "boxes")
    with pytest.raises(FileNotFoundError):
        take(boxes, boxes / "nowhere")


def test_picks_of_a_binned_or_mirrored_image_come_to_their_places(boxes):
    """A pixel four times as wide: its middle is 1.5 px from that of the first of the four."""
    file = boxes / "boxes/binned.star"
    table = pd.DataFrame(
        {"rlnCoordinateX": [0, 99], "rlnCoordinateY": [0, 74], "rlnAutopickFigureOfMerit": [2.0, 1.0]}
    )
    write_star(file, {"": table})
    _, found = take(boxes, file, pixel_size=8.0)
    np.testing.assert_array_equal(found, [(2, 2, 2), (398, 298, 1)])  # 1.5 and 397.5, rounded up
    _, mirrored = take(boxes, boxes / "boxes", flip_y=True)
    np.testing.assert_array_equal(mirrored[["x", "y"]], [(42, 247), (232, 167)])


def test_picks_outside_are_left_out_and_a_wrong_scale_is_told(boxes):
    file = boxes / "boxes/foo_12.box"
    file.write_text("10 20 64 64\n390 20 64 64\n100 100 64 64\n")
    assert take(boxes, boxes / "boxes")[0].count == 2
    file.write_text("10 20 64 64\n990 20 64 64\n1000 1000 64 64\n")
    with pytest.raises(ValueError, match="give the pixel size of the image"):
        take(boxes, boxes / "boxes")
    file.write_text("")
    assert take(boxes, boxes / "boxes")[0].count == 0
