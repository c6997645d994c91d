"""What a simulated camera's movies say about right and wrong gain references."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eucentric.imaging.gain_check import GainCheck, check_gain

FRAMES = 40
SIZE = 512

Image = NDArray[np.float64]


class Camera(NamedTuple):
    """Relative sensitivity of every pixel, and the reference that belongs to it, with two defect rows."""

    sensitivity: Image
    gain: Image


def _camera(rng: np.random.Generator, deviation: float = 0.06) -> Camera:
    rows = np.arange(SIZE)[:, None]
    pixels = np.clip(rng.normal(1, deviation, (SIZE, SIZE)), 0.3, 2) * (1 + 0.2 * np.sin(rows / 37))
    gain = 1 / pixels
    gain[205:207] = 0
    return Camera(pixels, gain)


def _specimen(rng: np.random.Generator) -> Image:
    """Half of it carbon, with particles and a gradient: strong features of every size but a pixel's."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    image = 1 + 0.3 * np.sin(6 * x + 4 * y * y) - 0.4 * (x + y > 1.1)
    for centre_y, centre_x in rng.uniform(0, 1, (20, 2)):
        image -= 0.2 * ((x - centre_x) ** 2 + (y - centre_y) ** 2 < (12 / SIZE) ** 2)
    return image.clip(0.05) / image.mean()


def _mean(rng: np.random.Generator, expected: Image, dose: float) -> Image:
    """Return the mean of frames in which `dose` electrons per pixel arrived, with some hot pixels."""
    mean = rng.poisson(expected * dose) / FRAMES
    y, x = rng.integers(0, SIZE, (2, 50))
    mean[y, x] += 30
    return mean


def _check(raw: Image, gain: Image, counts: float = 1.0) -> GainCheck:
    corrected = torch.from_numpy((raw * gain).astype(np.float32))
    return check_gain(corrected, torch.from_numpy(gain.astype(np.float32)), frames=FRAMES, counts=counts)


@pytest.mark.parametrize("dose", [5, 50])
def test_the_right_reference_fits(dose: float) -> None:
    rng = np.random.default_rng(1)
    camera = _camera(rng)
    found = _check(_mean(rng, camera.sensitivity * _specimen(rng), dose), camera.gain)
    assert found.verdict == "fits"
    assert abs(found.residual) < 0.02
    assert found.uncorrected > 0.05


@pytest.mark.parametrize("dose", [5, 50])
@pytest.mark.parametrize("turn", ["up-down", "left-right", "turned", "inverted", "another camera"])
def test_a_wrong_reference_is_wrong(dose: float, turn: str) -> None:
    rng = np.random.default_rng(2)
    camera = _camera(rng)
    gain = {
        "up-down": camera.gain[::-1],
        "left-right": camera.gain[:, ::-1],
        "turned": np.rot90(camera.gain),
        "inverted": camera.sensitivity,
        "another camera": _camera(rng).gain,
    }[turn].copy()
    found = _check(_mean(rng, camera.sensitivity * _specimen(rng), dose), gain)
    assert found.verdict == "wrong"
    assert found.residual > 0.05


@pytest.mark.parametrize("counts", [1.0, 32.0])
def test_a_movie_that_is_corrected_twice_is_found_out(counts: float) -> None:
    rng = np.random.default_rng(3)
    camera = _camera(rng)
    raw = _mean(rng, _specimen(rng), 40) * counts
    found = _check(raw, camera.gain, counts)
    assert found.verdict == "corrected twice"
    assert found.residual > 0.2
    assert abs(found.uncorrected) < 0.02


def test_with_few_electrons_nobody_is_accused_of_correcting_twice() -> None:
    rng = np.random.default_rng(4)
    camera = _camera(rng, 0.02)
    for raw in (_mean(rng, _specimen(rng), 1), _mean(rng, camera.sensitivity, 0.2)):
        assert _check(raw, camera.gain).verdict in ("unsure", "wrong", "fits")
    assert _check(_mean(rng, camera.sensitivity, 0.2), camera.gain).verdict == "unsure"


def test_without_pattern_or_electrons_nothing_is_said() -> None:
    rng = np.random.default_rng(5)
    assert _check(_mean(rng, _specimen(rng), 30), np.ones((SIZE, SIZE))).verdict == "unsure"
    assert _check(np.zeros((SIZE, SIZE)), _camera(rng).gain).verdict == "unsure"


def test_images_that_are_not_square_or_small_can_be_checked() -> None:
    rng = np.random.default_rng(6)
    camera = _camera(rng)
    raw = _mean(rng, camera.sensitivity, 200)
    for part in (np.s_[:, 100:400], np.s_[:280, :], np.s_[10:210, 5:190]):
        assert _check(raw[part], camera.gain[part]).verdict == "fits"
        assert _check(raw[part], camera.gain[part][::-1].copy()).verdict == "wrong"


def test_images_that_differ_in_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be checked against"):
        check_gain(torch.ones(64, 64), torch.ones(64, 32), frames=3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_same_on_a_graphics_card() -> None:
    rng = np.random.default_rng(7)
    camera = _camera(rng)
    gain = torch.from_numpy(camera.gain.astype(np.float32))
    corrected = torch.from_numpy(_mean(rng, camera.sensitivity, 40).astype(np.float32)) * gain
    there = check_gain(corrected.cuda(), gain.cuda(), frames=FRAMES)
    here = check_gain(corrected, gain, frames=FRAMES)
    assert there.verdict == here.verdict == "fits"
    assert there.residual == pytest.approx(here.residual, abs=1e-3)
