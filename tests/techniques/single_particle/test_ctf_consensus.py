import numpy as np
import pytest

from eucentric.engine.protocol import Rejected, Task
from eucentric.formats import write_mrc
from eucentric.metadata import CTF, Micrograph
from eucentric.techniques.single_particle.ctf_consensus import CTFConsensus
from eucentric.techniques.single_particle.estimate_ctf import EstimateCTF
from imaging_truth import transferred_noise

OPTICS = {"pixel_size": 1.5, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


def estimate(defocus, astigmatism=200.0, angle=30.0, score=0.5, micrograph="m.mrc", **changed):
    return CTF(
        **OPTICS,
        micrograph_path=micrograph,
        diagnostic_path=f"{defocus}.png",
        defocus_u=defocus + astigmatism / 2,
        defocus_v=defocus - astigmatism / 2,
        defocus_angle=angle,
        resolution=4,
        score=score,
        **changed,
    )


def task(session):
    return Task(key=("grid", "m"), folder=session, destination="runs/x", session=session)


def agree(session, *ctfs, **params):
    return CTFConsensus(CTFConsensus.Params(**params)).process(list(ctfs), task(session))


def test_estimates_that_agree_are_averaged_and_the_better_one_lends_the_rest(tmp_path):
    found = agree(tmp_path, estimate(12_000, score=0.4), estimate(12_200, angle=40, score=0.6))
    assert found.defocus == pytest.approx(12_100)
    assert found.defocus_angle == pytest.approx(35)
    assert found.astigmatism == pytest.approx(200 * np.cos(np.radians(10)))
    assert (found.diagnostic_path, found.score) == ("12200.png", 0.6)
    largest = 200 + abs(100 * np.exp(2j * np.radians(30)) - 100 * np.exp(2j * np.radians(40)))
    assert found.agreement == pytest.approx(np.sqrt(2 * 0.019687 * largest), rel=1e-3)
    assert agree(tmp_path, found, found).agreement == 0


def test_estimates_that_do_not_agree_are_rejected_with_the_reason(tmp_path):
    with pytest.raises(Rejected) as caught:
        agree(tmp_path, estimate(12_000), estimate(16_000))
    assert str(caught.value) == (
        "fewer than 2 of 2 estimates (mean defocus 12,000, 16,000 Å) agree to 8 Å; they do to 12.5 Å"
    )
    assert agree(tmp_path, estimate(12_000), estimate(16_000), worst_resolution=13).defocus == 14_000


def test_two_of_three_are_a_majority(tmp_path):
    three = [estimate(12_000), estimate(25_000, score=0.9), estimate(12_100)]
    assert agree(tmp_path, *three).defocus == pytest.approx(12_050)
    with pytest.raises(Rejected, match="fewer than 3 of 3"):
        agree(tmp_path, *three, agree="all")


def test_an_estimate_that_is_left_alone_is_passed_on_unless_two_are_asked_for(tmp_path):
    assert agree(tmp_path, estimate(12_000)) == estimate(12_000)
    with pytest.raises(Rejected, match="only 1 gave a result"):
        agree(tmp_path, estimate(12_000), agree=2)


def test_estimates_of_different_micrographs_are_not_compared(tmp_path):
    with pytest.raises(ValueError, match="same micrographs"):
        agree(tmp_path, estimate(12_000), estimate(12_000, micrograph="n.mrc"))


def test_two_ways_of_fitting_a_simulated_micrograph_agree_and_their_mean_is_right(tmp_path):
    image = transferred_noise(1024, 1.5, defocus=(15_400, 14_800, 25), signal=0.6, seed=3)
    write_mrc(tmp_path / "m.mrc", image.numpy().astype(np.float32), 1.5)
    micrograph = Micrograph(path="m.mrc", height=1024, width=1024, **OPTICS)
    fits = [
        EstimateCTF(EstimateCTF.Params(max_resolution=worst)).process(micrograph, None, task(tmp_path))
        for worst in (3.5, 6)
    ]
    found = agree(tmp_path, *fits)
    assert 0 < found.agreement < 5
    assert found.defocus == pytest.approx(15_100, abs=100)
    with pytest.raises(Rejected):
        agree(tmp_path, fits[0], fits[1].model_copy(update={"defocus_u": 19_000}))
