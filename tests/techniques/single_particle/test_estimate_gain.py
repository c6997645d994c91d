"""What is said of right and wrong gain references of a simulated camera, and what is made of them."""

from typing import get_args

import numpy as np
import pytest
import torch

from camera_truth import camera, halves, record
from eucentric.engine.ports import ports_of
from eucentric.engine.protocol import Task
from eucentric.formats import read_image, write_mrc, write_tiff
from eucentric.formats.gain_reference import turned
from eucentric.imaging import gain_verdict
from eucentric.metadata import Gain, GainEstimate, Movie
from eucentric.techniques.single_particle.estimate_gain import EstimateGain
from eucentric.techniques.single_particle.gain import read_correction
from eucentric.techniques.single_particle.gain_judgement import judge

SHAPE = (256, 256)
OPTICS = {"pixel_size": 1.0, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


@pytest.fixture(scope="module")
def made():
    return camera(SHAPE)


@pytest.fixture(scope="module")
def sums(made):
    return halves(made, np.random.default_rng(1), 20, 4)


def task(session, version=1):
    folder = session / f"state/gain/r1/grid/v{version}"
    folder.mkdir(parents=True, exist_ok=True)
    return Task(key=("grid",), folder=folder, destination=f"state/gain/r1/grid/v{version}", session=session)


def judged(session, sums, reference, counts=None, **gain):

    if reference is not None:
        write_mrc(session / "g.mrc", np.ascontiguousarray(reference, np.float32), 1.0)
    item = Gain(path=None if reference is None else "g.mrc", counts_per_electron=counts, **gain)
    return judge(torch.from_numpy(sums), (40, 40), 4, item, task(session))


def flattens(session, gain, made):
    """How much of the camera's single pixels is left when corrected with a gain item."""
    multiplier = read_correction(gain, task(session), SHAPE).multiplier
    good = (multiplier > 0) & (made.gain > 0)
    differences = np.diff(multiplier * made.sensitivity, axis=1)[good[:, 1:] & good[:, :-1]]
    return float(differences.std() / np.sqrt(2))


def test_the_right_reference_fits_and_is_passed_on(tmp_path, made, sums):
    found = judged(tmp_path, sums, made.gain)
    assert (found.estimate.verdict, found.estimate.exceeded) == ("fits", ())
    assert found.gain == Gain(path="g.mrc")
    assert found.multiplier is None
    assert found.estimate.match == pytest.approx(1, abs=0.1)
    assert found.estimate.deviation < 0.01
    divided = judged(tmp_path, sums, made.sensitivity * 300, operation="divide")
    assert divided.estimate.verdict == "fits"


@pytest.mark.parametrize(
    ("rotation", "flip"),
    [
        (90, "none"),
        (180, "none"),
        (270, "left-right"),
        (0, "left-right"),
        (0, "top-bottom"),
        (90, "top-bottom"),
    ],
)
def test_a_reference_that_lies_the_wrong_way_is_turned(tmp_path, made, sums, rotation, flip):
    # As the camera's own software would have written it, if the frames were turned like this.
    other = made.gain if flip == "none" else turned(made.gain, 0, flip)
    stored = np.rot90(other, rotation // 90)
    found = judged(tmp_path, sums, stored)
    assert found.estimate.verdict == "misoriented"
    assert (found.gain.rotation, found.gain.flip) == (found.estimate.rotation, found.estimate.flip)
    np.testing.assert_array_equal(turned(stored, found.gain.rotation, found.gain.flip), made.gain)
    right = judged(tmp_path, sums, stored, rotation=rotation, flip=flip)
    assert right.estimate.verdict == "fits"
    if flip == "top-bottom" and not rotation:
        assert found.estimate.message.endswith("it fits when flipped top-bottom.")


def test_a_divisor_that_is_multiplied_with_is_inverted(tmp_path, made, sums):
    found = judged(tmp_path, sums, made.sensitivity[::-1])
    assert found.estimate.verdict == "inverted"
    assert found.gain.operation == "divide"
    assert flattens(tmp_path, found.gain, made) < 0.003


def test_a_missing_reference_is_estimated(tmp_path, made, sums):
    found = judged(tmp_path, sums, None)
    assert found.estimate.verdict == "missing"
    assert found.gain.path == "state/gain/r1/grid/v1/gain.mrc"
    write_mrc(tmp_path / found.gain.path, found.multiplier, 1.0)
    before = float(np.diff(made.sensitivity[:, 100:]).std() / np.sqrt(2))
    assert before > 0.035
    assert flattens(tmp_path, found.gain, made) < 0.8 * before  # 80 electrons in a pixel allow no more
    again = judged(tmp_path, sums, read_image(tmp_path / found.gain.path))
    assert again.estimate.verdict == "fits"


@pytest.mark.parametrize("what", ["half of the pattern is new", "a strip of columns has changed"])
def test_a_stale_reference_is_told_and_mended(tmp_path, made, what):
    sums = halves(made, np.random.default_rng(8), 200, 4)  # for single pixels, 80 electrons are too few
    old = made.gain.copy()
    if what.startswith("half"):
        new = 1 / np.clip(1 + 0.03 * np.random.default_rng(3).standard_normal(SHAPE), 0.5, 2)
        old = (old * new).astype(np.float32)
    else:
        old[:, 100:130] *= np.random.default_rng(4).choice([0.85, 1.2], 30).astype(np.float32)
    found = judged(tmp_path, sums, old)
    assert found.estimate.verdict == "stale"
    write_mrc(tmp_path / found.gain.path, found.multiplier, 1.0)
    stale = flattens(tmp_path, Gain(path="g.mrc"), made)
    assert flattens(tmp_path, found.gain, made) < 0.85 * stale
    assert "out of date" in found.estimate.message


def test_a_reference_of_another_camera_is_wrong_and_one_too_much_is_told(tmp_path, made, sums):
    other = judged(tmp_path, sums, camera(SHAPE, seed=9).gain)
    assert other.estimate.verdict == "wrong"
    assert abs(other.estimate.match) < 0.3
    write_mrc(tmp_path / other.gain.path, other.multiplier, 1.0)
    assert judged(tmp_path, sums, other.multiplier).estimate.verdict == "fits"
    flat = halves(camera(SHAPE, 0.0), np.random.default_rng(2), 20, 4)
    twice = judged(tmp_path, flat, made.gain)
    assert (twice.estimate.verdict, twice.gain.path) == ("corrected already", None)
    assert judged(tmp_path, flat, None).estimate.verdict == "not needed"


def test_with_few_electrons_nothing_is_said(tmp_path, made):
    few = halves(made, np.random.default_rng(5), 0.05, 2)
    for reference in (made.gain, made.gain[::-1]):
        found = judged(tmp_path, few, reference)
        assert (found.estimate.verdict, found.gain) == ("unsure", Gain(path="g.mrc"))
    low = halves(made, np.random.default_rng(6), 2, 8)
    assert judged(tmp_path, low, made.gain).estimate.verdict == "fits"
    assert judged(tmp_path, low, made.gain[::-1]).estimate.verdict == "misoriented"


def test_counts_of_several_for_an_electron_and_a_dark_reference_change_nothing(tmp_path, made, sums):
    dark = np.full(SHAPE, 3, np.float32)
    dark[:, :160] = 5
    write_mrc(tmp_path / "dark.mrc", dark[::-1].copy(), 1.0)
    found = judged(
        tmp_path,
        sums * 32 + 40 * dark,
        made.gain[::-1],
        counts=32,
        dark_path="dark.mrc",
        flip="top-bottom",
    )
    assert (found.estimate.verdict, found.estimate.exceeded) == ("fits", ())


def test_an_estimate_lies_as_the_reference_did_so_that_the_dark_reference_still_fits(tmp_path, made, sums):
    other = np.rot90(camera(SHAPE, seed=9).gain[:, ::-1], 1)
    found = judged(tmp_path, sums, other, rotation=90, flip="left-right")
    assert (found.estimate.verdict, found.gain.rotation, found.gain.flip) == ("wrong", 90, "left-right")
    write_mrc(tmp_path / found.gain.path, found.multiplier, 1.0)
    assert flattens(tmp_path, found.gain, made) < 0.03


def movies(session, made, count, dose=20.0):
    rng = np.random.default_rng(7)
    found = []
    for number in range(count):
        name = f"m{number}.tif"
        write_tiff(session / name, record(made, rng, dose, 4))
        found.append(
            Movie(
                **OPTICS,
                path=name,
                bytes=(session / name).stat().st_size,
                modified=0,
                frames=4,
                height=SHAPE[0],
                width=SHAPE[1],
                dose_per_frame=dose / 4,
            )
        )
    return found


def test_the_first_movies_are_summed_as_they_come_and_the_judgement_stays(tmp_path, made):
    write_mrc(tmp_path / "g.mrc", made.gain[:, ::-1].copy(), 1.0)
    gain = Gain(path="g.mrc")
    entries = [EstimateGain.Entry(movie, gain) for movie in movies(tmp_path, made, 6)]
    protocol = EstimateGain(EstimateGain.Params(movies=4))
    state, one = protocol.update(None, entries[:1], [], task(tmp_path, 1))
    # How a reference lies is seen from one movie, so that the first exposures are corrected rightly.
    assert (one.estimate.verdict, one.estimate.movies, one.gain.flip) == ("misoriented", 1, "left-right")
    assert one.estimate.residual_path is None
    nobody = EstimateGain.Entry(entries[0].movie, Gain(path=None))
    _, alone = protocol.update(None, [nobody], [], task(tmp_path, 9))
    assert (alone.estimate.verdict, alone.gain) == ("unsure", Gain(path=None))
    state, three = protocol.update(state, entries[1:3], [], task(tmp_path, 2))
    assert (three.estimate.verdict, three.estimate.flip) == ("misoriented", "left-right")
    state, full = protocol.update(state, entries[3:5], [], task(tmp_path, 3))
    assert (full.estimate.movies, full.gain.flip) == (4, "left-right")
    assert (tmp_path / full.estimate.residual_path).is_file()
    # More movies change nothing; the files are those of the newest version, for old ones are removed.
    state, later = protocol.update(state, entries[5:], [], task(tmp_path, 4))
    assert later.estimate.residual_path == "state/gain/r1/grid/v4/residual.mrc"
    assert later.estimate.match == full.estimate.match
    np.testing.assert_array_equal(
        read_image(tmp_path / later.estimate.residual_path),
        read_image(tmp_path / full.estimate.residual_path),
    )
    # In one go it is the same; and so it is when a movie is taken back and another one takes its place.
    _, at_once = protocol.update(None, entries, [], task(tmp_path, 5))
    assert at_once.estimate.match == full.estimate.match
    state, without = protocol.update(state, [], entries[:1], task(tmp_path, 6))
    assert without.estimate.movies == 3
    state, back = protocol.update(state, entries[:1], [], task(tmp_path, 7))
    assert (back.estimate.movies, back.estimate.verdict) == (4, "misoriented")
    _, nothing = protocol.update(state, [], entries, task(tmp_path, 8))
    assert (nothing.estimate.movies, nothing.gain) == (0, gain)


def test_a_new_reference_is_judged_by_the_same_movies(tmp_path, made):
    entries = [EstimateGain.Entry(movie, Gain(path=None)) for movie in movies(tmp_path, made, 2)]
    protocol = EstimateGain(EstimateGain.Params(movies=2))
    state, missing = protocol.update(None, entries, [], task(tmp_path, 1))
    assert missing.estimate.verdict == "missing"
    state, carried = protocol.update(state, entries[:1], entries[:1], task(tmp_path, 2))
    write_mrc(tmp_path / "g.mrc", made.gain, 1.0)
    _, given = protocol.update(
        state, [EstimateGain.Entry(entries[0].movie, Gain(path="g.mrc"))], entries[:1], task(tmp_path, 3)
    )
    assert given.estimate.verdict == "fits"
    assert carried.gain.path in (f"state/gain/r1/grid/v{n}/gain.mrc" for n in (1, 2))


def test_what_cannot_be_read_or_used_stops_nobody(tmp_path, made):
    write_mrc(tmp_path / "g.mrc", made.gain, 1.0)
    good = movies(tmp_path, made, 3)
    whole = (tmp_path / good[1].path).read_bytes()
    (tmp_path / good[1].path).write_bytes(whole[: len(whole) // 2])
    protocol = EstimateGain(EstimateGain.Params(movies=2))
    entries = [EstimateGain.Entry(movie, Gain(path="g.mrc")) for movie in good]
    state, broken = protocol.update(None, entries[1:2], [], task(tmp_path, 1))
    assert (broken.estimate.movies, broken.gain) == (0, Gain(path="g.mrc"))
    state, found = protocol.update(state, [entries[0], entries[2]], [], task(tmp_path, 2))
    assert (found.estimate.movies, found.estimate.verdict) == (2, "fits")
    write_mrc(tmp_path / "small.mrc", made.gain[:100], 1.0)
    small = EstimateGain.Entry(good[0], Gain(path="small.mrc"))
    _, refused = protocol.update(state, [small], entries[:1], task(tmp_path, 3))
    assert (refused.estimate.verdict, refused.gain.path) == ("wrong", "small.mrc")
    assert "256 × 100 pixels, but the movie has 256 × 256" in refused.estimate.message
    blank = judged(tmp_path, np.zeros((2, *SHAPE), np.float32), made.gain)
    assert (blank.estimate.verdict, blank.gain) == ("unsure", Gain(path="g.mrc"))


def test_the_item_knows_every_verdict_and_the_ports_are_named():
    words = GainEstimate.model_fields["verdict"].annotation
    assert set(get_args(words)) == set(get_args(gain_verdict.Verdict))
    ports = ports_of(EstimateGain)
    assert set(ports.inputs) == {"movie", "gain"}
    assert ports.outputs == {"gain": Gain, "estimate": GainEstimate}
