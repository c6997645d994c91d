"""What the selection makes of simulated faults by default, from movies to the decision; a real image."""

from pathlib import Path

import pytest

from eucentric.engine.protocol import Rejected, Task
from eucentric.metadata import Gain, Micrograph, Movie
from eucentric.microscope.simulate import SimulationSettings, simulate_session
from eucentric.techniques.single_particle.align_movies import AlignMovies
from eucentric.techniques.single_particle.estimate_ctf import EstimateCTF
from eucentric.techniques.single_particle.select_exposures import SelectExposures

EXPECTED = {
    1: [],
    2: ["resolution"],
    3: ["late motion"],
    4: ["astigmatism"],
    5: ["ice ring"],
}
SETTINGS = SimulationSettings(
    exposures=len(EXPECTED),
    width=768,
    height=768,
    frames=8,
    pixel_size=1.3,
    seed=4,
    faults={2: "empty", 3: "drifting", 4: "astigmatic", 5: "crystalline-ice"},
)
OPTICS = {"voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


def task(session: Path, run: str, exposure: int) -> Task:
    folder = session / "runs" / run / str(exposure)
    folder.mkdir(parents=True)
    where = folder.relative_to(session).as_posix()
    return Task(key=("grid", str(exposure)), folder=folder, destination=where, session=session)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session")
    simulate_session(folder / "data", SETTINGS)
    return folder


@pytest.mark.parametrize("exposure", EXPECTED)
def test_defaults_reject_what_is_useless_and_nothing_else(session: Path, exposure: int) -> None:
    movie = Movie(
        path=f"data/movies/GroEL_{exposure:04d}.tiff",
        bytes=1,
        modified=0,
        frames=SETTINGS.frames,
        height=SETTINGS.height,
        width=SETTINGS.width,
        pixel_size=SETTINGS.pixel_size,
        dose_per_frame=SETTINGS.dose_per_frame,
        **OPTICS,
    )
    aligning, fitting = task(session, "align", exposure), task(session, "ctf", exposure)
    micrograph = AlignMovies(AlignMovies.Params()).process(movie, Gain(path="data/gain.mrc"), aligning)
    ctf = EstimateCTF(EstimateCTF.Params()).process(micrograph, None, fitting)
    failed: list[str] = []
    try:
        SelectExposures().process(micrograph, ctf, None, task(session, "select", exposure))
    except Rejected as rejected:
        failed = str(rejected).split("; ")
    assert len(failed) >= len(EXPECTED[exposure])
    assert bool(failed) == bool(EXPECTED[exposure])
    for words in EXPECTED[exposure]:
        assert any(reason.startswith(words) for reason in failed), failed


def test_a_real_micrograph_is_accepted(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "real.mrc").symlink_to(shared / "data" / "epu2.9_example.mrc")
    optics = OPTICS | {"amplitude_contrast": 0.07, "pixel_size": 0.66655}
    micrograph = Micrograph(path="real.mrc", height=4096, width=4096, **optics)
    ctf = EstimateCTF().process(micrograph, None, task(tmp_path, "ctf", 1))
    assert SelectExposures().process(micrograph, ctf, None, task(tmp_path, "select", 1)).ctf == ctf
