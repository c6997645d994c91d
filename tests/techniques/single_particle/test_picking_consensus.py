import json

import numpy as np
import pandas as pd
import pytest

from eucentric.engine.protocol import Rejected, Task
from eucentric.formats import read_coordinates_star, write_coordinates_star, write_star
from eucentric.metadata import Coordinates
from eucentric.techniques.single_particle.picking_consensus import PickingConsensus

TRUE = np.array([(100.0, 100), (300, 120), (150, 350), (330, 330)])


def picked(session, name, places, **changed):
    table = pd.DataFrame(np.reshape(places, (-1, 2)), columns=["x", "y"]).astype(float)
    write_coordinates_star(session / f"{name}.star", table.assign(score=np.arange(len(table), 0.0, -1)))
    values = {
        "path": f"{name}.star",
        "micrograph_path": "m.mrc",
        "count": len(table),
        "diameter": 80,
        "height": 400,
        "width": 400,
        "pixel_size": 2.0,
    }
    return Coordinates(**values | changed)


def agree(session, *coordinates, **params):
    task = Task(key=("grid", "m"), folder=session, destination="runs/agree", session=session)
    return PickingConsensus(PickingConsensus.Params(**params)).process(list(coordinates), task)


@pytest.fixture
def three(tmp_path):
    one = picked(tmp_path, "one", [*(TRUE + 2), (20, 380)])
    two = picked(tmp_path, "two", [*(TRUE[:3] - 2), (220, 30), (222, 200)])
    return tmp_path, one, two, picked(tmp_path, "three", [TRUE[0], (220, 204)], diameter=100)


def test_a_majority_is_kept_at_the_mean_position_with_statistics(three):
    session, *coordinates = three
    found = agree(session, *coordinates)
    assert (found.path, found.micrograph_path, found.count) == ("runs/agree/coordinates.star", "m.mrc", 4)
    assert (found.diameter, found.pixel_size, found.height) == (100, 2.0, 400)
    table = read_coordinates_star(session / "coordinates.star")
    assert set(map(tuple, table[["x", "y"]].to_numpy())) == {(100, 100), (300, 120), (150, 350), (221, 202)}
    assert table["score"].between(0, 1).all()
    assert tuple(table.loc[0, ["x", "y"]]) == (100, 100)  # the one that all have comes first
    statistics = json.loads((session / "consensus.json").read_text())
    assert (statistics["agree"], statistics["radius"]) == (2, 40)
    assert [each["agreed"] for each in statistics["pickers"]] == [3, 4, 2]
    assert [each["recall"] for each in statistics["pickers"]] == [0.75, 1, 0.5]
    assert statistics["pickers"][0]["shared"] == [5, 3, 1]
    assert statistics["pickers"][0]["distance"] == pytest.approx(2 * np.hypot(2, 2), abs=0.01)


def test_how_many_must_agree_and_how_near_are_choices(three):
    session, *coordinates = three
    assert agree(session, *coordinates, agree="all").count == 1
    assert agree(session, *coordinates, agree=1).count == 7
    assert agree(session, *coordinates, radius=8).count == 1
    assert agree(session, *coordinates[::-1]).count == 4


def test_pickers_that_failed_do_not_stall_those_that_answered(three):
    session, one, two, _ = three
    assert agree(session, one, two).count == 3
    assert agree(session, one).count == 5
    with pytest.raises(Rejected, match="2 pickers must agree, and only 1 gave a result"):
        agree(session, one, agree=2)


def test_nothing_picked_is_nothing_agreed_on(tmp_path):
    found = agree(tmp_path, picked(tmp_path, "a", []), picked(tmp_path, "b", TRUE))
    assert found.count == 0
    assert len(read_coordinates_star(tmp_path / "coordinates.star")) == 0


def test_a_picker_may_give_no_scores(three):
    session, one, two, _ = three
    table = pd.DataFrame(TRUE, columns=["rlnCoordinateX", "rlnCoordinateY"])
    write_star(session / "two.star", {"": table})
    assert agree(session, one, two).count == 4


def test_picks_of_different_micrographs_are_not_mixed(tmp_path):
    with pytest.raises(ValueError, match="same micrographs"):
        agree(tmp_path, picked(tmp_path, "a", TRUE), picked(tmp_path, "b", TRUE, micrograph_path="n.mrc"))
