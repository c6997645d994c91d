"""RELION's picking on a simulated micrograph whose particles are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.fft
from numpy.typing import NDArray

from eucentric.engine.programs import ProgramFailed
from eucentric.engine.protocol import Task
from eucentric.formats import FormatError, read_coordinates_star, write_mrc, write_star
from eucentric.imaging.image_formation import ImagingConditions, contrast_spectrum
from eucentric.imaging.specimen import project_molecules, random_orientations
from eucentric.metadata import CTF, ClassAverages, Coordinates, Micrograph
from eucentric.microscope.simulate import groel
from eucentric_relion.autopick import RelionAutopick

SIZE, PIXEL, DIAMETER, DEFOCUS, COUNT = 512, 4.0, 160.0, 20_000.0, 40
IMAGE = {"pixel_size": PIXEL, "voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
MakeTask = Callable[..., Task]


def scattered(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return places (x, y) that are far enough from each other and from the border."""
    places: list[NDArray[np.float64]] = []
    while len(places) < COUNT:
        place = rng.uniform(60, SIZE - 60, 2)
        if all(np.hypot(*(place - other)) > 45 for other in places):
            places.append(place)
    return np.array(places)


@pytest.fixture(scope="module")
def truth() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    places = scattered(rng)
    shape = (SIZE, SIZE)
    orientations = random_orientations(COUNT, rng)
    potential = project_molecules(groel(), orientations, places.astype(np.float32), shape, PIXEL)
    optics = ImagingConditions(PIXEL, 300, 2.7, 0.1, DEFOCUS, DEFOCUS, 0, 80)
    image = 1 + scipy.fft.irfft2(contrast_spectrum(potential, optics), s=shape)
    counts = rng.poisson(np.maximum(30 * PIXEL**2 * image, 0))
    return counts.astype(np.float32), places


@pytest.fixture
def micrograph(session: Path, truth: tuple[NDArray[np.float32], NDArray[np.float64]]) -> Micrograph:
    write_mrc(session / "a sum.mrc", truth[0].astype(np.float16), PIXEL)  # which RELION cannot read
    return Micrograph(path="a sum.mrc", height=SIZE, width=SIZE, **IMAGE)


@pytest.fixture
def ctf(micrograph: Micrograph) -> CTF:
    values = {"defocus_u": DEFOCUS, "defocus_v": DEFOCUS, "defocus_angle": 0, "resolution": 8, "score": 0.9}
    return CTF(micrograph_path=micrograph.path, diagnostic_path="none.png", **values, **IMAGE)


@pytest.fixture
def templates(session: Path) -> ClassAverages:
    """Six views of the particle, in units of the noise; two larger classes of anything are not selected."""
    rng, box = np.random.default_rng(5), 64
    middle = np.array([[box // 2, box // 2]], np.float32)
    views = [
        project_molecules(groel(), orientation[None], middle, (box, box), PIXEL)
        for orientation in random_orientations(6, rng)
    ]
    clean = np.stack(views) - np.mean(views, axis=(1, 2), keepdims=True)
    images = np.concatenate([rng.normal(0, 1, (2, box, box)), clean / clean.std()])
    write_mrc(session / "averages.mrcs", images.astype(np.float32), PIXEL)
    table = pd.DataFrame(
        {
            "rlnClassNumber": range(1, 9),
            "rlnGroupNrParticles": [500, 500, *[100] * 6],
            "rlnSelected": [0, 0, *[1] * 6],
        }
    )
    write_star(session / "classes.star", {"model_classes": table})
    return ClassAverages(
        path="averages.mrcs",
        table_path="classes.star",
        particles_path=None,
        classes=8,
        selected_classes=6,
        particles=1600,
        selected_particles=600,
        box=box,
        pixel_size=PIXEL,
        diameter=DIAMETER,
    )


def compare(session: Path, found: Coordinates, places: NDArray[np.float64]) -> tuple[float, float]:
    """Return F1, and the root mean square error of the positions in px."""
    picks = read_coordinates_star(session / found.path)[["x", "y"]].to_numpy()
    assert found.count == len(picks)
    assert (picks == np.round(picks)).all()
    distance = np.hypot(*(places[:, None] - picks[None]).transpose(2, 0, 1))
    hits = distance.min(1) < 10
    return 2 * hits.sum() / (len(places) + len(picks)), float(np.sqrt((distance.min(1)[hits] ** 2).mean()))


def test_particles_are_found_by_their_size(
    session: Path, task_of: MakeTask, micrograph: Micrograph, truth: tuple[object, NDArray[np.float64]]
) -> None:
    params = RelionAutopick.Params(diameter=DIAMETER, shortest=140)
    found = RelionAutopick(params).process(micrograph, None, None, task_of("out"))
    score, error = compare(session, found, truth[1])
    assert score > 0.95
    assert error < 3
    assert (found.diameter, found.height, found.micrograph_path) == (DIAMETER, SIZE, micrograph.path)
    fewer = params.model_copy(update={"max_per_micrograph": 5})
    best = RelionAutopick(fewer).process(micrograph, None, None, task_of("best"))
    scores = read_coordinates_star(session / best.path)["score"]
    assert list(scores) == list(read_coordinates_star(session / found.path)["score"][:5])


def test_particles_are_found_by_the_selected_classes(
    session: Path,
    task_of: MakeTask,
    micrograph: Micrograph,
    ctf: CTF,
    templates: ClassAverages,
    truth: tuple[object, NDArray[np.float64]],
) -> None:
    protocol = RelionAutopick(RelionAutopick.Params(diameter=DIAMETER))
    found = protocol.process(micrograph, ctf, templates, task_of("out"))
    score, error = compare(session, found, truth[1])
    assert score > 0.95
    assert error < 2
    none = templates.model_copy(update={"selected_classes": 0})
    by_size = protocol.process(micrograph, None, None, task_of("size"))
    again = protocol.process(micrograph, None, none, task_of("none selected"))
    assert (session / again.path).read_text() == (session / by_size.path).read_text()


@pytest.mark.parametrize("with_templates", [False, True])
def test_a_micrograph_without_particles_stops_nobody(
    session: Path, task_of: MakeTask, micrograph: Micrograph, templates: ClassAverages, with_templates: bool
) -> None:
    params = RelionAutopick.Params(diameter=DIAMETER, threshold=50, template_threshold=5000)
    given = templates if with_templates else None
    found = RelionAutopick(params).process(micrograph, None, given, task_of("out"))
    assert found.count == 0
    assert len(read_coordinates_star(session / found.path)) == 0


def test_what_relion_says_is_told_when_it_fails(
    session: Path, task_of: MakeTask, micrograph: Micrograph
) -> None:
    (session / micrograph.path).write_bytes((session / micrograph.path).read_bytes()[:5000])
    with pytest.raises((ProgramFailed, FormatError), match=r"cut short|relion_autopick 3"):
        RelionAutopick(RelionAutopick.Params(diameter=DIAMETER)).process(
            micrograph, None, None, task_of("out")
        )
