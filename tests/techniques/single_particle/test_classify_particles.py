"""Classification of a stream of particles, against their true views, with the files as they are on disk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from classified_views import OPTICS, adjusted_rand_index, true_particles, view_images
from eucentric.engine.protocol import Rejected, Task
from eucentric.formats import (
    ParticleOptics,
    open_frames,
    read_particles_star,
    read_star,
    write_mrc,
    write_particles_star,
)
from eucentric.metadata import Particles
from eucentric.techniques.single_particle.classify_particles import ClassifyParticles
from eucentric.techniques.single_particle.select_classes import SelectClasses

BOX, PIXEL, DIAMETER, EACH = 32, 7.0, 170.0, 40


class Session:
    """Particles of eight micrographs, the last of which holds noise alone, and the versions made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.true = true_particles(
            8 * EACH,
            view_images(3, BOX, PIXEL, 1),
            PIXEL,
            snr=0.3,
            seed=2,
            largest_shift=1.5,
            per_micrograph=EACH,
        )
        self.true.images[-EACH:] = torch.randn(EACH, BOX, BOX, generator=torch.Generator().manual_seed(3))
        self.entries = [self._write(number) for number in range(8)]

    def _write(self, number):
        mine = slice(number * EACH, (number + 1) * EACH)
        stack, star = f"m{number}.mrcs", f"m{number}.star"
        write_mrc(self.folder / stack, self.true.images[mine].numpy(), PIXEL)
        u, v, angle = self.true.defocus[number].tolist()
        table = pd.DataFrame(
            {
                "x": np.arange(EACH) * 10.0,
                "y": 5.0,
                "image": [f"{n + 1:06d}@{stack}" for n in range(EACH)],
                "micrograph_path": f"m{number}.mrc",
                "optics_group": 1,
                "defocus_u": u,
                "defocus_v": v,
                "defocus_angle": angle,
                "phase_shift": 0.0,
            }
        )
        optics = ParticleOptics(1, "opticsGroup1", **OPTICS, pixel_size=PIXEL, box=BOX)
        write_particles_star(self.folder / star, [optics], table)
        particles = Particles(
            path=star,
            stack_path=stack,
            micrograph_path=f"m{number}.mrc",
            count=EACH,
            box=BOX,
            diameter=DIAMETER,
            phase_flipped=False,
            pixel_size=PIXEL,
            **OPTICS,
        )
        return ClassifyParticles.Entry(particles)

    def update(self, version, state, added, removed=(), **params):
        torch.set_num_threads(1)
        folder = self.folder / version
        folder.mkdir()
        task = Task(key=("a",), folder=folder, destination=version, session=self.folder, seed="5")
        protocol = ClassifyParticles(
            ClassifyParticles.Params(**{"classes": 4, "resolution": 15, "largest_shift": 14} | params)
        )
        pick = [self.entries[number] for number in added]
        return protocol.update(state, pick, [self.entries[number] for number in removed], task)

    def truth(self, rows):
        number = rows["image"].str[:6].astype(int).to_numpy() - 1
        micrograph = rows["micrograph_path"].str[1].astype(int).to_numpy()
        return micrograph * EACH + number


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return Session(tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="module")
def versions(session):
    """Two versions: five micrographs, then all eight."""
    first = session.update("v1", None, range(5))
    return first, session.update("v2", first[0], range(5, 8))


def test_particles_of_a_view_come_together_and_noise_is_not_selected(session, versions):
    _, output = versions[1]
    assert output.particles == 8 * EACH
    _, rows = read_particles_star(session.folder / output.selected_path)
    assert len(rows) == output.selected_particles
    truth = session.truth(rows)
    assert (truth >= 7 * EACH).mean() < 0.05
    assert len(rows) > 0.9 * 7 * EACH
    real = truth < 7 * EACH
    labels = torch.tensor(rows["class_number"].tolist())
    assert adjusted_rand_index(labels[real], session.true.view[truth[real]]) > 0.9


def test_poses_are_written_as_relion_writes_them(session, versions):
    """RELION's psi and origin undo a turn and a shift: checked once against relion_refine on such a stack."""
    _, rows = read_particles_star(session.folder / versions[1][1].selected_path)
    largest = rows[rows["class_number"] == rows["class_number"].mode()[0]]
    truth = session.truth(largest)
    turn = np.exp(1j * (np.radians(-largest["psi"].to_numpy()) - session.true.turn[truth].numpy()))
    assert abs(turn.mean()) > 0.95
    shift = session.true.shift[truth].numpy() * PIXEL
    assert np.corrcoef(largest["origin_x"], -shift[:, 0])[0, 1] > 0.6
    assert np.corrcoef(largest["origin_y"], -shift[:, 1])[0, 1] > 0.6


def test_files_say_what_the_item_says(session, versions):
    _, output = versions[1]
    with open_frames(session.folder / output.path) as frames:
        assert (len(frames), frames.info.height) == (output.classes, BOX)
    tables = read_star(session.folder / output.table_path)
    classes = tables["model_classes"]
    assert classes["rlnGroupNrParticles"].sum() == output.particles
    assert classes["rlnSelected"].sum() == output.selected_classes
    chosen = classes[classes["rlnSelected"] == 1]
    assert chosen["rlnEstimatedResolution"].min() == pytest.approx(output.resolution, rel=1e-4)
    for number in classes["rlnClassNumber"]:
        assert (tables[f"model_class_{number}"]["rlnSsnrMap"] >= 0).all()
    assert (session.folder / output.picture_path).read_bytes().startswith(b"\x89PNG")


def test_classes_keep_their_numbers(session, versions):
    """Particles that were classified before are mostly in the class of the same number after."""
    (_, first), (_, second) = versions
    _, before = read_particles_star(session.folder / first.particles_path)
    _, after = read_particles_star(session.folder / second.particles_path)
    both = before.merge(after, on="image", suffixes=("", "_after"))
    assert len(both) == 5 * EACH
    assert (both["class_number"] == both["class_number_after"]).mean() > 0.7


def test_a_replayed_batch_gives_the_same_files(session, versions):
    state, output = session.update("again", versions[0][0], range(5, 8))
    for name in ("sums.npz", "averages.mrcs", "averages.png"):
        assert (session.folder / "again" / name).read_bytes() == (session.folder / "v2" / name).read_bytes()
    for name in ("particles.star", "classes.star"):
        again = (session.folder / "again" / name).read_text().replace("again/", "v2/")
        assert [line.split() for line in again.splitlines()] == [
            line.split() for line in (session.folder / "v2" / name).read_text().splitlines()
        ]
    assert output.selected_particles == versions[1][1].selected_particles
    assert state.numbers == versions[1][0].numbers


def test_withdrawn_particles_leave(session, versions):
    state, output = session.update("less", versions[1][0], [], removed=[0, 7])
    assert output.particles == 6 * EACH
    _, rows = read_particles_star(session.folder / output.particles_path)
    assert not rows["image"].str.endswith(("m0.mrcs", "m7.mrcs")).any()
    _, nothing = session.update("none", state, [], removed=range(1, 7))
    assert (nothing.particles, nothing.classes, nothing.path) == (0, 0, None)


def select(session, classes, version, **params):
    folder = session.folder / version
    folder.mkdir()
    task = Task(key=("a",), folder=folder, destination=version, session=session.folder)
    return SelectClasses(SelectClasses.Params(**params)).process(classes, task)


def test_a_selection_by_hand_goes_before_the_score(session, versions):
    _, output = versions[1]
    classes = read_star(session.folder / output.table_path)["model_classes"]
    poorest = int(classes.sort_values("rlnClassScore")["rlnClassNumber"].iloc[0])
    best = int(classes.sort_values("rlnClassScore")["rlnClassNumber"].iloc[-1])
    by_hand = select(session, output, "hand", selected=[poorest, best, 99], excluded=[best])
    _, rows = read_particles_star(session.folder / by_hand.selected_path)
    assert set(rows["class_number"]) == {poorest}
    assert (by_hand.selected_classes, by_hand.selected_particles) == (1, len(rows))
    table = read_star(session.folder / by_hand.table_path)
    assert table["model_classes"].query("rlnSelected == 1")["rlnClassNumber"].tolist() == [poorest]
    assert table.keys() == read_star(session.folder / output.table_path).keys()
    assert (by_hand.path, by_hand.particles_path) == (output.path, output.particles_path)


def test_a_selection_by_score_is_that_of_the_classification(session, versions):
    _, output = versions[1]
    alike = select(session, output, "score")
    assert alike.selected_particles == output.selected_particles
    first, second = (read_particles_star(session.folder / each.selected_path)[1] for each in (alike, output))
    assert first["image"].tolist() == second["image"].tolist()
    none = select(session, output, "none-of-them", selected=[])
    assert (none.selected_path, none.selected_classes, none.resolution) == (None, 0, None)
    everything = select(session, output, "all", least_score=0)
    assert everything.selected_particles == output.particles


def test_there_is_nothing_to_select_from_before_there_are_classes(session, versions):
    empty = versions[1][1].model_copy(update={"path": None, "table_path": None, "particles_path": None})
    with pytest.raises(Rejected, match="no classes yet"):
        select(session, empty, "empty")


def test_the_number_of_classes_changes_in_flight(session, versions):
    _, output = session.update("two", versions[1][0], [], classes=2)
    assert output.classes == 2
    _, rows = read_particles_star(session.folder / output.particles_path)
    assert set(rows["class_number"]) <= set(versions[1][0].numbers)


def test_stacks_that_are_gone_leave_the_rest(session, versions, tmp_path):
    gone = session.folder / "m2.mrcs"
    kept = gone.rename(tmp_path / "m2.mrcs")
    try:
        _, output = session.update("gone", versions[1][0], [])
    finally:
        kept.rename(gone)
    assert output.particles == 8 * EACH


def test_particles_of_another_size_are_refused(session, versions):
    other = session.entries[0].particles.model_copy(update={"box": 40})
    task = Task(key=("a",), folder=session.folder, destination="", session=session.folder)
    with pytest.raises(ValueError, match="extract all particles with the same settings"):
        ClassifyParticles().update(versions[0][0], [ClassifyParticles.Entry(other)], [], task)
