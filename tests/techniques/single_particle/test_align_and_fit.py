"""The two protocols on one simulated exposure, against its truth and against each other's files."""

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from eucentric.engine.protocol import Task
from eucentric.formats import open_frames, read_image, read_info, read_shifts_star, write_eer, write_mrc
from eucentric.imaging.fourier import resize
from eucentric.metadata import CTF, Gain, Micrograph, Movie
from eucentric.microscope.simulate import SimulationSettings, read_truth, simulate_session
from eucentric.techniques.single_particle.align_movies import AlignMovies
from eucentric.techniques.single_particle.estimate_ctf import EstimateCTF
from imaging_truth import true_movie

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
    gain = read_image(session / "data" / "gain.mrc")
    inverse = np.divide(1, gain, out=np.zeros_like(gain), where=gain != 0)
    write_mrc(session / "data" / "inverse.mrc", inverse, 1.3)
    divided = AlignMovies(AlignMovies.Params()).process(
        movie(), Gain(path="data/inverse.mrc", operation="divide"), task(session, "divided")
    )
    expected, found = (read_image(session / item.path) for item in (micrograph, divided))
    # A divisor's mean level is taken out, so that the scale of the counts is the camera's.
    found = found * (expected.mean() / found.mean())
    assert np.allclose(found, expected, atol=2e-3 * np.ptp(expected))


def test_motion_is_kept_as_relion_keeps_it(session, micrograph, truth):
    kept = read_shifts_star(session / micrograph.shifts_path)
    assert kept.shifts.shape == (12, 2)
    assert (kept.model is not None) == (micrograph.motion_local > 0)
    assert kept.patches is None or kept.patches.frames.max() == 12


def test_the_thumbnail_is_small_and_a_picture(session, micrograph):
    import imagecodecs

    picture = imagecodecs.png_decode((session / micrograph.thumbnail_path).read_bytes())
    assert picture.shape == (512, 512)
    small = resize(torch.from_numpy(read_image(session / micrograph.path)), (512, 512)).numpy()
    # The top row of a picture is the last one of the image.
    upright, upside_down = (np.corrcoef(p.ravel(), small.ravel())[0, 1] for p in (picture[::-1], picture))
    assert upright > 0.75
    assert abs(upside_down) < 0.2


def test_the_gain_is_checked_and_the_counts_are_told(micrograph):
    assert abs(micrograph.gain_residual) < 0.1
    assert micrograph.expected_counts == pytest.approx(SETTINGS.dose_per_frame * 1.3**2)


def test_what_is_kept_is_a_choice(session, micrograph):
    params = AlignMovies.Params(keep=["unweighted", "halves"], precision="float16", pixel_size=2.0)
    kept = AlignMovies(params).process(movie(), GAIN, task(session, "kept"))
    assert kept.path == kept.unweighted_path
    assert not (session / "runs" / "kept" / "weighted.mrc").exists()
    assert kept.pixel_size == pytest.approx(2.0, rel=2e-3)
    whole = read_image(session / kept.path)
    odd, even = (read_image(session / path) for path in kept.halves_paths)
    assert whole.dtype == np.float16
    assert np.allclose(odd.astype("f4") + even, whole, atol=2e-3 * whole.max())
    with pytest.raises(ValueError, match="keep the weighted or the unweighted"):
        AlignMovies.Params(keep=["halves"])


def test_a_movie_corrected_before_is_not_corrected_again(session):
    with open_frames(session / "data" / "movies" / "GroEL_0001.tiff") as frames:
        gain = read_image(session / "data" / "gain.mrc")
        good = np.where(gain > 0, gain, 1)
        flat = [(frame * good).astype("f4") for frame in frames]
    write_mrc(session / "data" / "flat.mrc", np.stack(flat), 1.3)
    with pytest.raises(ValueError, match="corrected with its gain reference already"):
        AlignMovies(AlignMovies.Params()).process(movie(path="data/flat.mrc"), GAIN, task(session, "twice"))


def test_an_eer_movie_is_read_in_fractions(session):
    truth = true_movie(frames=48, size=384, pixel_size=2.5, dose=0.5, contrast=0.3)
    rng = np.random.default_rng(0)

    def electrons():
        for counts in truth.frames.numpy().astype(int):
            y, x = np.nonzero(counts)
            yield np.stack([x, y], axis=1) + rng.uniform(-0.49, 0.49, (len(x), 2))

    write_eer(session / "data" / "movie.eer", electrons(), shape=(384, 384))
    fractions = movie(
        path="data/movie.eer",
        frames=12,
        raw_frames=48,
        height=384,
        width=384,
        pixel_size=2.5,
        dose_per_frame=2,
    )
    aligned = AlignMovies(AlignMovies.Params()).process(fractions, Gain(path=None), task(session, "eer"))
    found = read_shifts_star(session / aligned.shifts_path).shifts / 2.5
    true = truth.shifts.numpy().reshape(12, 4, 2).mean(axis=1)
    error = (found - found.mean(0)) - (true - true.mean(0))
    assert aligned.frames == 12
    assert np.sqrt((error**2).mean()) < 0.1


@pytest.fixture(scope="module")
def fitted(session, micrograph):
    return EstimateCTF(EstimateCTF.Params()).process(micrograph, None, task(session, "ctf"))


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
    again = EstimateCTF(EstimateCTF.Params()).process(alone, None, task(session, "alone"))
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
    fit = EstimateCTF(EstimateCTF.Params()).process(real, None, task(tmp_path, "ctf"))
    assert fit.defocus_u == pytest.approx(27_270, abs=100)
    assert fit.defocus_v == pytest.approx(27_170, abs=100)
    assert fit.resolution < 4


def test_the_fit_says_how_sure_it_is_and_leaves_its_curves(session, fitted):
    assert fitted.confidence > 0.9
    assert fitted.ice_ring is not None
    curves = json.loads((session / fitted.profile_path).read_text())
    assert curves["resolution"] == pytest.approx(fitted.resolution, abs=0.001)
    assert len({len(curves[name]) for name in ("frequency", "spectrum", "model", "correlation")}) == 1
    assert np.corrcoef(curves["spectrum"], curves["model"])[0, 1] > 0.3


def test_a_phase_shift_is_fitted_on_request(session, micrograph):
    params = EstimateCTF.Params(fit_phase_shift=True, max_phase_shift=120)
    fit = EstimateCTF(params).process(micrograph, None, task(session, "phase"))
    assert min(fit.phase_shift, 180 - fit.phase_shift) < 15


@pytest.mark.parametrize("largest", [0, -10, 190])
def test_phase_shifts_out_of_order_are_refused(largest):
    with pytest.raises(ValidationError, match="max_phase_shift must be above"):
        EstimateCTF.Params(max_phase_shift=largest)
