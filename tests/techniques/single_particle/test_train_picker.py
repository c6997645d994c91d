"""A network trained from the picks of a few micrographs, its file, and what it picks."""

import zipfile

import numpy as np
import pandas as pd
import pytest
import torch

from eucentric.engine.protocol import Task
from eucentric.formats import FormatError, read_coordinates_star, write_coordinates_star, write_mrc
from eucentric.metadata import Coordinates, Micrograph
from eucentric.techniques.single_particle.network_file import read_network
from eucentric.techniques.single_particle.pick_by_network import PickByNetwork
from eucentric.techniques.single_particle.train_picker import TrainPicker
from picked_scenes import DIAMETER, PIXEL, SIZE, scene

OPTICS = {"pixel_size": PIXEL, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


class Folder:
    """A session's folder with micrographs, on each of which three quarters of the particles are picked."""

    def __init__(self, folder):
        self.folder = folder
        self.truth = [scene(seed=seed) for seed in range(4)]
        self.entries = []
        for number, truth in enumerate(self.truth):
            write_mrc(folder / f"m{number}.mrc", truth.image.numpy(), PIXEL)
            micrograph = Micrograph(path=f"m{number}.mrc", height=SIZE, width=SIZE, **OPTICS)
            picked = truth.centres[np.arange(len(truth.centres)) % 4 > 0]
            table = pd.DataFrame(picked, columns=["x", "y"]).assign(score=0.0)
            write_coordinates_star(folder / f"m{number}.star", table)
            size = {"height": SIZE, "width": SIZE, "pixel_size": PIXEL, "diameter": DIAMETER}
            coordinates = Coordinates(
                path=f"m{number}.star", micrograph_path=micrograph.path, count=len(table), **size
            )
            self.entries.append(TrainPicker.Entry(micrograph, coordinates))

    def task(self, name):
        (self.folder / name).mkdir()
        return Task(
            key=("a", "m"), folder=self.folder / name, destination=name, session=self.folder, seed="1"
        )

    def update(self, name, state, added=(), removed=(), **params):
        protocol = TrainPicker(
            TrainPicker.Params(**{"micrographs": 2, "steps": 80, "completeness": 0.75} | params)
        )
        chosen = [[self.entries[number] for number in numbers] for numbers in (added, removed)]
        return protocol.update(state, *chosen, self.task(name))

    def pick(self, name, number, model=None, coordinates=None, **params):
        protocol = PickByNetwork(PickByNetwork.Params(**params))
        return protocol.process(self.entries[number].micrograph, model, coordinates, self.task(name))

    def right(self, found, number):
        places = read_coordinates_star(self.folder / found.path)[["x", "y"]].to_numpy(float)
        away = np.hypot(*(places[:, None] - self.truth[number].centres[None]).transpose(2, 0, 1))
        near = away.min(axis=0) < 0.25 * DIAMETER / PIXEL
        return near.mean(), near.sum() / len(places)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    torch.set_num_threads(1)
    return Folder(tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="module")
def trained(session):
    """The states and outputs of two versions: one micrograph, then two more."""
    first = session.update("v1", None, [0])
    return first, session.update("v2", first[0], [1, 2])


def test_it_is_trained_once_there_are_enough_micrographs(session, trained):
    (_, nothing), (state, model) = trained
    assert nothing is None
    assert model.coordinates_paths == ("m0.star", "m1.star")
    assert (model.particles, model.diameter) == (60, DIAMETER)
    later, again = session.update("v3", state, [3])
    assert (later, again) == (state, None)


def test_it_finds_the_particles_of_other_micrographs(session, trained):
    model = trained[1][1]
    found = session.pick("p1", 3, model)
    assert (found.micrograph_path, found.diameter) == ("m3.mrc", DIAMETER)
    recall, precision = session.right(found, 3)
    assert recall > 0.9
    assert precision > 0.75
    by_file = session.pick("p2", 3, file=str(session.folder / model.path))
    assert (session.folder / by_file.path).read_bytes() == (session.folder / found.path).read_bytes()


def test_the_file_holds_plain_arrays_and_is_the_same_when_made_again(session, trained):
    model = trained[1][1]
    file = session.folder / model.path
    with zipfile.ZipFile(file) as archive:
        assert all(archive.read(name).startswith(b"\x93NUMPY") for name in archive.namelist())
    assert file.stat().st_size < 400_000
    _, again = session.update("v4", trained[0][0], [1, 2])
    assert (session.folder / again.path).read_bytes() == file.read_bytes()
    assert read_network(file, "cpu")[1] == DIAMETER


def test_a_micrograph_that_is_withdrawn_is_unlearnt(session, trained):
    state, nothing = session.update("v5", trained[1][0], removed=[0])
    assert nothing is None
    _, model = session.update("v6", state, [3], steps=10)
    assert model.coordinates_paths == ("m1.star", "m3.star")


def test_only_the_best_picks_are_learnt_from_where_asked(session):
    _, model = session.update("v7", None, [0, 1], best=0.5, steps=10)
    assert model.particles == 30


def test_a_micrograph_that_cannot_be_read_is_left_out(session, tmp_path):
    gone = session.folder / "m0.mrc"
    kept = gone.rename(tmp_path / "m0.mrc")
    try:
        _, model = session.update("v8", None, [0, 1], steps=10)
    finally:
        kept.rename(gone)
    assert model.coordinates_paths == ("m1.star",)


def test_until_there_is_a_network_it_passes_on_what_there_is(session):
    other = session.entries[0].coordinates
    assert session.pick("p3", 0, coordinates=other) == other
    with pytest.raises(ValueError, match="There are no networks"):
        session.pick("p4", 0)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut short"])
def test_what_is_no_network_is_refused(tmp_path, content):
    file = tmp_path / "network.npz"
    file.write_bytes(content)
    with pytest.raises(FormatError, match="give the file that train-picker wrote"):
        read_network(file, "cpu")


def test_weights_of_another_shape_are_refused(tmp_path, session, trained):
    with np.load(session.folder / trained[1][1].path) as arrays:
        values = dict(arrays)
    values["layers.0.weight"] = values["layers.0.weight"][:3]
    np.savez(tmp_path / "network.npz", **values)
    with pytest.raises(FormatError, match="weights of a picking network"):
        read_network(tmp_path / "network.npz", "cpu")
