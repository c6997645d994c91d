"""First maps of a stream of selected particles, with the files as they are on disk, against the structure."""

import shutil
from functools import partial

import mrcfile
import numpy as np
import pandas as pd
import pytest
import torch

from classified_views import OPTICS
from eucentric.engine.protocol import Task
from eucentric.formats import (
    ParticleOptics,
    read_particles_star,
    read_star,
    write_mrc,
    write_particles_star,
)
from eucentric.imaging import contrast_transfer, fourier
from eucentric.imaging.initial_map import InitialMapSettings
from eucentric.imaging.reconstruction import fourier_shell_correlation, resolution_at
from eucentric.imaging.specimen import molecule_volume, project_molecules, random_orientations
from eucentric.imaging.volume_alignment import align, place
from eucentric.metadata import ClassAverages
from eucentric.microscope.simulate.structure import groel
from eucentric.techniques.single_particle import initial_map
from eucentric.techniques.single_particle.initial_map import MakeInitialMap
from eucentric.techniques.single_particle.initial_map_files import map_box

BOX, PIXEL, DIAMETER, EACH = 32, 8.0, 170.0, 25
DEFOCUS = (15_000.0, 14_800.0, 30.0)


def images(count, seed):
    """Particles of GroEL in all orientations, with contrast transfer, white, in noise."""
    rng = np.random.default_rng(seed)
    corners = np.array([(n % 10, n // 10) for n in range(count)]) * BOX
    sheet = project_molecules(
        groel(), random_orientations(count, rng), corners + BOX // 2, (-(-count // 10) * BOX, 10 * BOX), PIXEL
    )
    cut = np.stack([sheet[y : y + BOX, x : x + BOX] for x, y in corners])
    x, y = fourier.frequencies((BOX, BOX), PIXEL)
    u, v, angle = DEFOCUS
    transfer = -contrast_transfer(x, y, defocus_u=u, defocus_v=v, defocus_angle=angle, **OPTICS)
    seen = fourier.irfft2(fourier.rfft2(torch.from_numpy(cut)) * transfer, (BOX, BOX)).numpy()
    seen *= 0.6 / seen.std()
    return (seen + rng.standard_normal(seen.shape)).astype(np.float32)


class Session:
    """Selections of more and more stacks, and the maps made of them."""

    def __init__(self, folder):
        self.folder = folder
        whole = images(8 * EACH, 1)
        for number in range(8):
            write_mrc(folder / f"m{number}.mrcs", whole[number * EACH : (number + 1) * EACH], PIXEL)

    def classes(self, stacks):
        names = [f"{n + 1:06d}@m{stack}.mrcs" for stack in stacks for n in range(EACH)]
        u, v, angle = DEFOCUS
        table = pd.DataFrame(
            {"x": 1.0, "y": 5.0, "image": names, "micrograph_path": "m.mrc", "optics_group": 1}
        )
        table = table.assign(defocus_u=u, defocus_v=v, defocus_angle=angle, phase_shift=0.0, class_number=1)
        star = f"selected-{'-'.join(map(str, stacks))}.star"
        optics = ParticleOptics(1, "opticsGroup1", **OPTICS, pixel_size=PIXEL, box=BOX)
        write_particles_star(self.folder / star, [optics], table)
        return MakeInitialMap.Entry(
            ClassAverages(
                path="averages.mrcs",
                table_path="classes.star",
                particles_path=star,
                selected_path=star,
                classes=1,
                selected_classes=1,
                particles=len(names),
                selected_particles=len(names),
                box=BOX,
                pixel_size=PIXEL,
                diameter=DIAMETER,
            )
        )

    def update(self, version, state, entry, *, before=None, **params):
        torch.set_num_threads(1)
        folder = self.folder / version
        folder.mkdir()
        task = Task(key=("a",), folder=folder, destination=version, session=self.folder, seed="5")
        given = {"first": 100, "symmetry": "D7", "finest": 20, "starts": 1} | params
        protocol = MakeInitialMap(MakeInitialMap.Params(**given))
        removed = [] if before is None else [before]
        return protocol.update(state, [entry], removed, task)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # So few particles need fewer steps.
        patch.setattr(initial_map, "InitialMapSettings", partial(InitialMapSettings, steps=20, batch=60))
        yield Session(tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="module")
def first(session):
    """The first version with a map: of five stacks."""
    return session.update("v1", None, session.classes(range(5)))


def true_resolution(session, item):
    volume = torch.from_numpy(volume_of(session, item))
    truth = torch.from_numpy(molecule_volume(groel(), item.box, item.pixel_size))
    placed = place(volume, align(volume, truth, item.box * item.pixel_size / 25))
    return resolution_at(fourier_shell_correlation(placed, truth), item.box, item.pixel_size)


def volume_of(session, item):
    with mrcfile.open(session.folder / item.path) as file:
        return file.data.copy()


def test_too_few_particles_make_no_map(session):
    state, item = session.update("few", None, session.classes(range(3)))
    assert (item, state.state_path, state.particles) == (None, None, 0)


def test_images_become_small_but_not_too_small():
    assert map_box(300, 0.85, 12) == 54
    assert map_box(300, 0.85, 40) == 48
    assert map_box(640, 1.5, 12) == 96
    assert map_box(41, 4.0, 12) == 40


def test_the_first_map_is_the_structure(session, first):
    state, item = first
    assert (item.particles, state.particles, item.symmetry) == (5 * EACH, 5 * EACH, "D7")
    assert true_resolution(session, item) < 30
    assert item.resolution is not None
    assert item.resolution <= item.resolution_half
    assert 0.8 < item.efficiency <= 1


def test_its_files_are_sound(session, first):
    _, item = first
    for path in (item.path, *item.half_paths):
        assert mrcfile.validate(session.folder / path)
        with mrcfile.open(session.folder / path) as file:
            assert file.is_volume()
            assert file.voxel_size.x == pytest.approx(item.pixel_size)
            assert file.data.shape == (item.box,) * 3
            header = file.header
            assert (header.ispg, header.mapc, header.mapr, header.maps) == (1, 1, 2, 3)
            assert header.dmean == pytest.approx(float(file.data.mean()), abs=1e-4 * float(file.data.std()))
            assert header.origin.tolist() == (0, 0, 0)
    assert volume_of(session, item)[BOX // 2 - 8 : BOX // 2 + 8].mean() > 0  # protein is white
    fsc = read_star(session.folder / item.fsc_path)["fsc"]
    assert fsc["rlnFourierShellCorrelationUnmaskedMaps"].iloc[1] > 0.9
    assert fsc["rlnAngstromResolution"].iloc[4] == pytest.approx(BOX * PIXEL / 4)
    optics, rows = read_particles_star(session.folder / item.particles_path)
    assert len(rows) == item.particles
    assert optics[0].pixel_size == PIXEL
    assert {"rot", "tilt", "psi", "origin_x", "origin_y"} <= set(rows)
    assert set(rows["class_number"]) == {1}
    assert 0.3 < (rows["half"] == 1).mean() < 0.7
    views = read_star(session.folder / item.maps[0].views_path)["views"]
    assert views["rlnGroupNrParticles"].sum() == pytest.approx(item.particles)
    picture = (session.folder / item.picture_path).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000


def test_repeated_it_is_the_same_to_the_bit(session, first):
    session.update("again", None, session.classes(range(5)))
    for name in ("map-1.mrc", "map-1-half-2.mrc", "state.npz", "maps.png", "particles.star"):
        again = (session.folder / "again" / name).read_bytes().replace(b"again/", b"v1/")
        assert again == (session.folder / "v1" / name).read_bytes()


def test_a_little_more_changes_nothing_and_more_makes_a_better_map(session, first):
    state, before = first
    entry = session.classes(range(5))
    after, nothing = session.update("little", state, session.classes(range(6)), before=entry)
    assert (after, nothing) == (state, None)
    _, item = session.update("more", state, session.classes(range(8)), before=entry)
    assert item.particles == 8 * EACH
    assert true_resolution(session, item) <= true_resolution(session, before) + 1


def test_particles_that_are_selected_no_more_leave(session, first):
    state, _ = first
    after, item = session.update("fewer", state, session.classes([0, 1, 5, 6, 7]), growth=0.2)
    assert after.particles == item.particles == 5 * EACH
    _, rows = read_particles_star(session.folder / item.particles_path)
    assert set(rows["image"].str.partition("@")[2]) == {f"m{n}.mrcs" for n in (0, 1, 5, 6, 7)}


def test_images_that_are_there_no_more_are_not_needed_again(session, first, tmp_path):
    """What was read once is kept with the map; what was never read is left out."""
    state, _ = first
    away = [f"m{number}.mrcs" for number in (0, 1, 2, 6)]
    for name in away:
        shutil.move(session.folder / name, tmp_path)
    try:
        _, item = session.update("gone", state, session.classes(range(8)))
    finally:
        for name in away:
            shutil.move(tmp_path / name, session.folder)
    _, rows = read_particles_star(session.folder / item.particles_path)
    assert set(rows["image"].str.partition("@")[2]) == {f"m{n}.mrcs" for n in (0, 1, 2, 3, 4, 5, 7)}


def test_when_nothing_is_selected_the_map_stands(session, first):
    state, _ = first
    entry = session.classes(range(5))
    none = entry.classes.model_copy(update={"selected_path": None, "selected_particles": 0})
    after, item = session.update("none", state, MakeInitialMap.Entry(none), before=entry)
    assert (after, item) == (state, None)


def test_images_of_another_size_begin_anew(session, first):
    state, _ = first
    after, item = session.update("mask", state, session.classes(range(5)), mask_diameter=180, symmetry="C1")
    assert after.diameter == item.diameter == 180
    assert item.maps[0].symmetry_fit is None


def test_particles_of_several_maps_are_told_apart_in_the_table(session):
    _, item = session.update("two", None, session.classes(range(5)), maps=2, symmetry="C1")
    assert len(item.maps) == 2
    assert item.path == item.maps[0].path
    assert item.resolution == item.maps[0].resolution <= item.maps[1].resolution
    _, rows = read_particles_star(session.folder / item.particles_path)
    counts = rows["class_number"].value_counts()
    assert {each.number: each.particles for each in item.maps} == counts.to_dict()
    assert sum(each.particles for each in item.maps) == item.particles == 5 * EACH


def test_images_that_hold_no_numbers_are_refused(session, tmp_path):
    kept = shutil.copy(session.folder / "m7.mrcs", tmp_path)
    broken = np.full((EACH, BOX, BOX), np.nan, np.float32)
    write_mrc(session.folder / "m7.mrcs", broken, PIXEL)
    try:
        with pytest.raises(ValueError, match=r"m7\.mrcs are not normalised"):
            session.update("nan", None, session.classes(range(8)))
    finally:
        shutil.copy(kept, session.folder / "m7.mrcs")


def test_an_unknown_group_is_refused_at_once(session):
    with pytest.raises(ValueError, match="X9"):
        session.update("group", None, session.classes(range(5)), symmetry="X9")
