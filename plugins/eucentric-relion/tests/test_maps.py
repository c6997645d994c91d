"""From particles to a sharpened map with RELION, against the structure that they were made of."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from blobs import noisy_particles, ring
from eucentric.engine.programs import ProgramFailed
from eucentric.engine.protocol import Rejected, Task
from eucentric.formats import ParticleOptics, read_star, write_mrc, write_particles_star
from eucentric.imaging.reconstruction import fourier_shell_correlation, resolution_at
from eucentric.imaging.specimen import random_orientations
from eucentric.imaging.symmetry import symmetry_matrices
from eucentric.imaging.volume_alignment import align, mirror, place
from eucentric.metadata import ClassAverages
from eucentric_relion.growth import Growth
from eucentric_relion.initial_model import RelionInitialModel
from eucentric_relion.items import RelionMap
from eucentric_relion.maps import read_volume
from eucentric_relion.postprocess import RelionPostprocess
from eucentric_relion.refine3d import RelionRefine3D

BOX, PIXEL, DIAMETER, COUNT, SYMMETRY = 24, 7.0, 118.0, 120, "D6"
BLOBS = ring(symmetry_matrices(SYMMETRY), 6.5)
MakeTask = Callable[..., Task]


@pytest.fixture
def classes(session: Path) -> ClassAverages:
    """Selected particles, in a stack whose name RELION could not be told."""
    rng = np.random.default_rng(3)
    images, defocus = noisy_particles(BLOBS, random_orientations(COUNT, rng), BOX, PIXEL, 2.0, rng)
    write_mrc(session / "the stack.mrcs", images.numpy().astype(np.float32), PIXEL)
    rows = {
        "x": np.arange(COUNT) * 10.0,
        "y": 5.0,
        "image": [f"{n:06d}@the stack.mrcs" for n in range(1, COUNT + 1)],
        "micrograph_path": [f"m {n % 4}.mrc" for n in range(COUNT)],
        "optics_group": 1,
        "defocus_u": defocus[:, 0],
        "defocus_v": defocus[:, 1],
        "defocus_angle": defocus[:, 2],
        "phase_shift": 0.0,
        "class_number": 1,
    }
    optics = ParticleOptics(1, "opticsGroup1", 300.0, 2.7, 0.1, pixel_size=PIXEL, box=BOX)
    write_particles_star(session / "selected.star", [optics], pd.DataFrame(rows))
    return ClassAverages(
        path=None,
        table_path=None,
        particles_path="selected.star",
        selected_path="selected.star",
        classes=1,
        selected_classes=1,
        particles=COUNT,
        selected_particles=COUNT,
        box=BOX,
        pixel_size=PIXEL,
        diameter=DIAMETER,
    )


class Truth:
    """The structure, and how the maps lie on it."""

    volume = BLOBS.volume(BOX)

    def __init__(self, first: Path) -> None:
        """Find of which hand the first map is; those that are refined from it are of the same."""
        found = _read(first)
        self.first = {turn: self._resolution(turn(found)) for turn in (mirror, torch.clone)}
        self._hand = min(self.first, key=self.first.__getitem__)

    def _resolution(self, volume: torch.Tensor) -> float:
        self._placement = align(volume, self.volume, 9)
        return self._judged(volume)

    def _judged(self, volume: torch.Tensor) -> float:
        placed = place(volume, self._placement)
        return resolution_at(fourier_shell_correlation(placed, self.volume), BOX, PIXEL)

    def refined(self, file: Path) -> float:
        """Return where a refined map and the truth correlate to 0.5, in Å."""
        return self._resolution(self._hand(_read(file)))

    def sharpened(self, file: Path) -> float:
        """Return the same of a map that lies as the refined one."""
        return self._judged(self._hand(_read(file)))

    def covered(self, mask: Path) -> float:
        """Return how much of the structure lies in a mask that lies as the refined map."""
        placed = place(self._hand(_read(mask)), self._placement)
        return float(placed[self.volume > 0.5 * self.volume.max()].mean())


def _read(file: Path) -> torch.Tensor:
    return torch.from_numpy(read_volume(file))


@pytest.mark.timeout(500)  # half a minute on two free cores
def test_a_map_is_made_refined_and_sharpened(
    session: Path, task_of: MakeTask, classes: ClassAverages
) -> None:
    first = make_first(session, task_of, classes)
    truth = Truth(session / str(first.path))
    assert min(truth.first.values()) < 35
    refined = refine(session, task_of, classes, first)
    assert truth.refined(session / str(refined.path)) < 24
    params = RelionPostprocess.Params(extend=1, soft=3)
    final = RelionPostprocess(params).process(refined, task_of("final"))
    assert truth.sharpened(session / final.path) < 24
    assert truth.covered(session / final.mask_path) > 0.9
    assert final.resolution < 24
    assert final.b_factor == 0
    assert 0.05 < final.mask_fraction < 0.7
    mask, masked = (read_volume(session / path) for path in (final.mask_path, final.masked_path))
    assert abs(masked[mask == 0]).max() == 0
    fsc = read_star(session / final.fsc_path)["fsc"]
    assert isinstance(fsc, pd.DataFrame)
    assert fsc["rlnFourierShellCorrelationCorrected"][:4].min() > 0.95
    assert sorted(file.name for file in (session / "final").iterdir()) == [
        "fsc.star",
        "mask.mrc",
        "masked.mrc",
        "picture.png",
        "sharpened.mrc",
    ]


def make_first(session: Path, task_of: MakeTask, classes: ClassAverages) -> RelionMap:
    """Make a first map, which stays until there are twice as many particles."""
    settings = {"iterations": 40, "coarse": 40, "fine": 20, "few": 50, "many": 100, "sampling": 0}
    params = RelionInitialModel.Params(symmetry=SYMMETRY, least=COUNT, largest_shift=4, **settings)
    protocol = RelionInitialModel(params)
    entry = RelionInitialModel.Entry
    few = classes.model_copy(update={"selected_particles": COUNT - 1})
    state, none = protocol.update(None, [entry(few)], [], task_of("first 1"))
    assert (none.path, none.particles, none.symmetry) == (None, 0, SYMMETRY)
    state, made = protocol.update(state, [entry(classes)], [entry(few)], task_of("first 2"))
    assert (made.particles, made.box, made.pixel_size) == (COUNT, BOX, PIXEL)
    rows = read_star(session / str(made.particles_path))["particles"]
    assert isinstance(rows, pd.DataFrame)
    numbers = rows["rlnImageName"].str.removesuffix("@the stack.mrcs").astype(int)
    assert sorted(numbers) == list(range(1, COUNT + 1))
    assert list(rows["rlnMicrographName"]) == [f"m {(number - 1) % 4}.mrc" for number in numbers]
    more = classes.model_copy(update={"selected_particles": 2 * COUNT - 1})
    state, carried = protocol.update(state, [entry(more)], [entry(classes)], task_of("first 3"))
    assert carried.path == "first 3/map.mrc"
    assert (session / carried.path).read_bytes() == (session / str(made.path)).read_bytes()
    _, gone = protocol.update(state, [], [entry(more)], task_of("first 4"))
    assert gone == none
    return carried


def refine(session: Path, task_of: MakeTask, classes: ClassAverages, first: RelionMap) -> RelionMap:
    """Refine the first map, given in other voxels than the particles' pixels."""
    params = RelionRefine3D.Params(least=1, lowpass=40, sampling=1, local_sampling=2, largest_shift=3)
    protocol = RelionRefine3D(params)
    none = first.model_copy(update={"path": None})
    entry = RelionRefine3D.Entry(classes, none)
    state, waiting = protocol.update(None, [entry], [], task_of("refined 1"))
    assert (waiting.path, waiting.symmetry) == (None, SYMMETRY)
    entry = RelionRefine3D.Entry(classes, first)
    state, refined = protocol.update(state, [entry], [], task_of("refined 2", cpus=2))
    assert refined.resolution is not None
    assert refined.resolution < 26
    assert refined.half_paths is not None
    halves = [read_volume(session / path) for path in refined.half_paths]
    assert 0.5 < np.corrcoef(halves[0].ravel(), halves[1].ravel())[0, 1] < 0.9999
    return refined


def test_without_halves_there_is_nothing_to_sharpen(task_of: MakeTask) -> None:
    empty = RelionMap(symmetry="C1", particles=0, box=BOX, pixel_size=PIXEL, diameter=DIAMETER)
    with pytest.raises(Rejected, match="no map of two halves"):
        RelionPostprocess().process(empty, task_of("out"))


def test_a_failure_of_refinement_names_the_program(
    session: Path, task_of: MakeTask, classes: ClassAverages
) -> None:
    write_mrc(session / "bad.mrc", np.zeros((BOX, BOX, BOX // 2), np.float32), PIXEL)
    reference = RelionMap(
        path="bad.mrc", symmetry="C1", particles=1, box=BOX, pixel_size=PIXEL, diameter=DIAMETER
    )
    entry = RelionRefine3D.Entry(classes, reference)
    with pytest.raises(ProgramFailed, match=r"^relion_refine_mpi 3\.1\.\d ended with exit code \d+\."):
        RelionRefine3D(RelionRefine3D.Params(least=1)).update(None, [entry], [], task_of("out"))


@pytest.mark.parametrize(
    ("growth", "now", "last", "due"),
    [
        (2.0, 99, 0, False),
        (2.0, 100, 0, True),
        (2.0, 199, 100, False),
        (2.0, 200, 100, True),
        (None, 10**6, 100, False),
        (None, 100, 0, True),
    ],
)
def test_when_it_runs(growth: float | None, now: int, last: int, due: bool) -> None:
    assert Growth(least=100, growth=growth).is_due(now, last) == due
