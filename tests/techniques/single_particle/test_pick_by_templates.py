"""Templates from class averages, files and maps, and what is picked with them."""

import numpy as np
import pandas as pd
import pytest
import torch

from eucentric.engine.protocol import Task
from eucentric.formats import open_frames, read_coordinates_star, write_mrc, write_star
from eucentric.imaging.picking_ground import Picks
from eucentric.imaging.specimen import molecule_volume
from eucentric.imaging.template_images import map_projections
from eucentric.metadata import CTF, ClassAverages, Coordinates, Micrograph, Templates
from eucentric.microscope.simulate import groel
from eucentric.techniques.single_particle.choose_templates import ChooseTemplates
from eucentric.techniques.single_particle.pick_by_templates import PickByTemplates
from picked_scenes import DIAMETER, PIXEL, SIZE, distances, scene

OPTICS = {"pixel_size": PIXEL, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
DEFOCUS = {"defocus_u": 18_000, "defocus_v": 18_000, "defocus_angle": 0}
LARGE_ENOUGH = {"least_classes": 2, "least_particles": 100, "worst_resolution": 20}


class Folder:
    """A session's folder with a micrograph, a map of the particle, and its projections as class averages."""

    def __init__(self, folder):
        self.folder = folder
        self.truth = scene(seed=2)
        write_mrc(folder / "m.mrc", self.truth.image.numpy(), PIXEL)
        volume = molecule_volume(groel(), 72, 4.0)
        write_mrc(folder / "map.mrc", volume, 4.0, volume=True)
        self.images, self.pixel_size = map_projections(torch.from_numpy(volume), 4.0, DIAMETER, 50)
        self.micrograph = Micrograph(path="m.mrc", height=SIZE, width=SIZE, **OPTICS)
        self.ctf = CTF(
            **OPTICS, **DEFOCUS, micrograph_path="m.mrc", diagnostic_path="d.png", resolution=4, score=0.9
        )

    def task(self, name):
        (self.folder / name).mkdir()
        return Task(
            key=("a", "m"), folder=self.folder / name, destination=name, session=self.folder, seed="1"
        )

    def averages(self, version, particles, resolution):
        """Averages off the middle of their boxes: every other one is selected, the last is the largest."""
        count = len(self.images)
        folder = self.folder / version
        folder.mkdir()
        write_mrc(folder / "averages.mrcs", self.images.roll(3, 2).numpy(), self.pixel_size)
        sizes = [particles // count + n for n in range(count)]
        table = pd.DataFrame(
            {
                "rlnClassNumber": [10 + n for n in range(count)],
                "rlnGroupNrParticles": sizes,
                "rlnSelected": [n % 2 for n in range(count)],
            }
        )
        write_star(folder / "classes.star", {"model_classes": table})
        chosen = sum(sizes[1::2])
        return ClassAverages(
            path=f"{version}/averages.mrcs",
            table_path=f"{version}/classes.star",
            particles_path=f"{version}/particles.star",
            classes=count,
            selected_classes=count // 2,
            particles=sum(sizes),
            selected_particles=chosen,
            box=self.images.shape[-1],
            pixel_size=self.pixel_size,
            diameter=DIAMETER,
            resolution=resolution,
        )

    def pick(self, name, templates=None, coordinates=None, **params):
        protocol = PickByTemplates(PickByTemplates.Params(**params))
        return protocol.process(self.micrograph, self.ctf, templates, coordinates, self.task(name))

    def right(self, found):
        """The part of the particles that is found, and of the picks that are particles."""
        table = read_coordinates_star(self.folder / found.path)
        assert found.count == len(table)
        places = torch.from_numpy(table[["x", "y"]].to_numpy(np.float64, copy=True))
        near = distances(Picks(places, torch.zeros(len(table)), 0.0), self.truth.centres) < 0.25
        return near.mean(), near.sum() / len(table)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    torch.set_num_threads(1)
    return Folder(tmp_path_factory.mktemp("session"))


def choose(session, state, averages, name, **params):
    protocol = ChooseTemplates(ChooseTemplates.Params(**LARGE_ENOUGH | params))
    entries = [ChooseTemplates.Entry(averages)] if averages else []
    return protocol.update(state, entries, [], session.task(name))


def test_templates_are_chosen_once_from_the_first_averages_that_are_good_enough(session):
    state, output = choose(session, None, session.averages("v1", 40, 15.0), "c1")
    assert output is None
    state, output = choose(session, state, session.averages("v2", 400, None), "c2")
    assert output is None
    state, output = choose(session, state, session.averages("v3", 400, 24.0), "c3")
    assert output is None
    state, output = choose(session, state, session.averages("v4", 400, 12.0), "c4", most=3)
    assert output is not None
    count = len(session.images)
    last = count - 1 if count % 2 == 0 else count - 2
    assert output.classes == (10 + last, 10 + last - 2, 10 + last - 4)
    assert (output.averages_path, output.resolution, output.count) == ("v4/averages.mrcs", 12.0, 3)
    with open_frames(session.folder / output.path) as frames:
        images = frames.read(0, 3)
    # They are in the middle of their boxes again.
    true = session.images[[last, last - 2, last - 4]].numpy()
    assert np.corrcoef(images.ravel(), true.ravel())[0, 1] > 0.98
    state, output = choose(session, state, session.averages("v5", 4000, 8.0), "c5")
    assert output is None
    assert choose(session, state, None, "c6")[1] is None


def test_what_was_chosen_picks(session):
    _, templates = choose(session, None, session.averages("w1", 400, 12.0), "d1")
    found = session.pick("p1", templates)
    assert (found.micrograph_path, found.diameter, found.pixel_size) == ("m.mrc", DIAMETER, PIXEL)
    recall, precision = session.right(found)
    assert recall > 0.9
    assert precision > 0.75


def test_a_stack_or_a_map_picks(session):
    write_mrc(session.folder / "dark.mrcs", -session.images.numpy(), session.pixel_size)
    stack = session.pick("p2", file=str(session.folder / "dark.mrcs"), dark=True, diameter=DIAMETER)
    volume = session.pick("p3", file=str(session.folder / "map.mrc"), diameter=DIAMETER, spacing=50)
    for found in (stack, volume):
        recall, precision = session.right(found)
        assert recall > 0.9
        assert precision > 0.75


def test_until_there_are_templates_it_passes_on_what_there_is(session):
    other = Coordinates(
        path="other.star",
        micrograph_path="m.mrc",
        count=3,
        diameter=150,
        height=SIZE,
        width=SIZE,
        pixel_size=3,
    )
    assert session.pick("p4", coordinates=other) == other
    assert session.right(session.pick("p5", diameter=DIAMETER))[0] > 0.85
    with pytest.raises(ValueError, match="wire `coordinates` to another picker, or give the diameter"):
        session.pick("p6")


def test_what_a_file_lacks_is_asked_for(session):
    write_mrc(session.folder / "unknown.mrcs", session.images.numpy(), None)
    with pytest.raises(ValueError, match="give it as file_pixel_size"):
        session.pick("p7", file=str(session.folder / "unknown.mrcs"), diameter=DIAMETER)
    with pytest.raises(ValueError, match="give their diameter"):
        session.pick("p8", file=str(session.folder / "map.mrc"))
    write_mrc(session.folder / "wide.mrcs", session.images[:, :40].numpy(), 3.0)
    with pytest.raises(ValueError, match="give a stack of square ones"):
        session.pick("p9", file=str(session.folder / "wide.mrcs"), diameter=DIAMETER)


def test_templates_are_an_item_like_others():
    item = Templates(
        path="t.mrcs", count=1, pixel_size=3, diameter=150, averages_path="a.mrcs", classes=(4,), particles=9
    )
    assert Templates.model_validate_json(item.model_dump_json()) == item
