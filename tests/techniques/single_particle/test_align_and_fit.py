"""The two protocols on one simulated exposure, against its truth and against each other's files."""

import numpy as np
import pytest

from eucentric.engine.protocol import Task
from eucentric.formats import read_image, read_info, read_shifts_star
from eucentric.metadata import CTF, Gain, Micrograph, Movie
from eucentric.microscope.simulate import SimulationSettings, read_truth, simulate_session
from eucentric.techniques.single_particle.align_movies import AlignMovies
from eucentric.techniques.single_particle.estimate_ctf import EstimateCTF

SETTINGS = SimulationSettings(
    exposures=1, width=768, height=768, frames=12, pixel_size=1.3, seed=5, min_defocus=12_000
)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    simulate_session(folder / "data", SETTINGS)
    return folder


@pytest.fixture(scope="module")
def truth(session):
    return read_truth(session / "data").exposures[0]


def movie(**changes):
    values = {
        "path": "data/movies/GroEL_0001.tiff",
        "bytes": 1,
        "modified": 0,
        "frames": 12,
        "height": 768,
        "width": 768,
        "pixel_size": 1.3,
        "voltage": 300,
        "spherical_aberration": 2.7,
        "amplitude_contrast": 0.1,
        "dose_per_frame": SETTINGS.dose_per_frame,
    }
    return Movie(**(values | changes))


def task(session, name):
    folder = session / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    return Task(key=("a", "b"), folder=folder, destination=f"runs/{name}", session=session)


GAIN = Gain(path="data/gain.mrc")


@pytest.fixture(scope="module")
def micrograph(session):
    return AlignMovies(AlignMovies.Params()).process(movie(), GAIN, task(session, "align"))


def test_every_path_of_the_micrograph_is_a_file_of_the_task(session, micrograph):
    for path in (micrograph.path, micrograph.unweighted_path, micrograph.spectrum_path):
        image = read_image(session / path)
        assert np.isfinite(image).all()
    assert read_info(session / micrograph.path).pixel_size == pytest.approx(1.3)
    assert (micrograph.height, micrograph.width) == read_image(session / micrograph.path).shape


def test_shifts_are_those_of_the_specimen(session, micrograph, truth):
    found = read_shifts_star(session / micrograph.shifts_path).shifts
    true = np.array(truth.shifts_angstrom)
    difference = (found - found.mean(0)) - (true - true.mean(0))
    assert np.sqrt((difference**2).sum(1).mean()) < 0.3


def test_motion_is_the_length_of_the_true_path(micrograph, truth):
    length = np.hypot(*np.diff(truth.shifts_angstrom, axis=0).T).sum()
    assert micrograph.motion_total == pytest.approx(length, rel=0.2)
    assert micrograph.motion_total == pytest.approx(micrograph.motion_early + micrograph.motion_late)


def test_mean_counts_are_the_dose(micrograph):
    assert micrograph.mean_counts == pytest.approx(SETTINGS.dose_per_frame * 1.3**2, rel=0.05)


def test_binning_crops_the_micrograph_and_keeps_its_field(session):
    binned = AlignMovies(AlignMovies.Params(binning=2)).process(movie(), GAIN, task(session, "binned"))
    assert (binned.height, binned.width) == (384, 384)
    assert binned.pixel_size == pytest.approx(2.6)


def test_a_gain_that_divides_gives_what_its_inverse_gives_by_multiplying(session, micrograph):
    from eucentric.formats import write_mrc

    gain = read_image(session / "data" / "gain.mrc")
    inverse = np.divide(1, gain, out=np.zeros_like(gain), where=gain != 0)
    write_mrc(session / "data" / "inverse.mrc", inverse, 1.3)
    divided = AlignMovies(AlignMovies.Params()).process(
        movie(), Gain(path="data/inverse.mrc", operation="divide"), task(session, "divided")
    )
    expected = read_image(session / micrograph.path)
    assert np.allclose(read_image(session / divided.path), expected, atol=1e-3 * np.ptp(expected))


@pytest.fixture(scope="module")
def fitted(session, micrograph):
    return EstimateCTF(EstimateCTF.Params()).process(micrograph, task(session, "ctf"))


def test_defocus_is_the_true_one(fitted: CTF, truth):
    assert (fitted.defocus_u + fitted.defocus_v) / 2 == pytest.approx(
        (truth.defocus_u + truth.defocus_v) / 2, abs=150
    )
    assert fitted.resolution < 10


def test_an_image_alone_gives_much_the_same(session, micrograph, fitted):
    optics = micrograph.model_dump(
        include={"pixel_size", "voltage", "spherical_aberration", "amplitude_contrast"}
    )
    alone = Micrograph(path=micrograph.path, height=768, width=768, **optics)  # the dose-weighted sum
    again = EstimateCTF(EstimateCTF.Params()).process(alone, task(session, "alone"))
    assert again.defocus_u == pytest.approx(fitted.defocus_u, abs=300)


def test_the_diagnostic_picture_is_a_png(session, fitted):
    assert (session / fitted.diagnostic_path).read_bytes().startswith(b"\x89PNG")


def test_the_real_micrograph_has_the_defocus_that_two_other_programs_find(shared, tmp_path):
    file = shared / "data" / "epu2.9_example.mrc"
    (tmp_path / "real.mrc").symlink_to(file)
    real = Micrograph(
        path="real.mrc",
        height=4096,
        width=4096,
        pixel_size=0.66655,
        voltage=300,
        spherical_aberration=2.7,
        amplitude_contrast=0.07,
    )
    fit = EstimateCTF(EstimateCTF.Params()).process(real, task(tmp_path, "ctf"))
    assert fit.defocus_u == pytest.approx(27_270, abs=100)
    assert fit.defocus_v == pytest.approx(27_170, abs=100)
    assert fit.resolution < 4
