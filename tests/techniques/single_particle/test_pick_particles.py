import numpy as np
import pytest

from eucentric.engine.protocol import Task
from eucentric.formats import read_coordinates_star, write_mrc
from eucentric.metadata import Micrograph
from eucentric.techniques.single_particle.pick_particles import PickParticles

OPTICS = {"pixel_size": 2.0, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
CENTRES = np.array([(60.0, 80.0), (200.0, 90.0), (130.0, 250.0), (280.0, 300.0), (330.0, 150.0)])


@pytest.fixture
def session(tmp_path):
    """A micrograph of dark discs, 80 Å wide, in noise."""
    y, x = np.mgrid[:360, :400]
    image = 20 + np.random.default_rng(0).standard_normal((360, 400), np.float32)
    for centre_x, centre_y in CENTRES:
        image -= 2 * (np.hypot(x - centre_x, y - centre_y) < 20)
    write_mrc(tmp_path / "m.mrc", image.astype(np.float32), 2.0)
    return tmp_path


def pick(session, acquisition="grid-1", **params):
    task = Task(key=(acquisition, "m"), folder=session, destination="runs/pick", session=session)
    protocol = PickParticles(PickParticles.Params(**params))
    return protocol.process(Micrograph(path="m.mrc", height=360, width=400, **OPTICS), task)


def test_positions_and_scores_are_written_as_relion_writes_them(session):
    found = pick(session, diameter=80)
    assert (found.path, found.micrograph_path) == ("runs/pick/coordinates.star", "m.mrc")
    assert (found.height, found.width, found.pixel_size, found.diameter) == (360, 400, 2.0, 80)
    table = read_coordinates_star(session / "coordinates.star")
    assert found.count == len(table) == len(CENTRES)
    away = np.hypot(*(table[["x", "y"]].to_numpy()[None] - CENTRES[:, None]).transpose(2, 0, 1)).min(axis=1)
    assert away.max() < 2
    assert table["score"].is_monotonic_decreasing


def test_an_acquisition_may_have_a_diameter_of_its_own(session):
    diameters = {"grid-2": 90.0}
    assert pick(session, diameter=80, diameters=diameters).diameter == 80
    assert pick(session, "grid-2", diameter=80, diameters=diameters).diameter == 90


def test_the_diameter_is_asked_for():
    with pytest.raises(ValueError, match="diameter"):
        PickParticles.Params()
    with pytest.raises(ValueError, match="greater than 0"):
        PickParticles.Params(diameter=100, diameters={"a": 0})
