"""The confidence of a fit: high where it is right, low where there is nothing to fit, and calibrated."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch
from torch import Tensor

from eucentric.imaging import CTFFit, estimate_ctf, fourier
from imaging_truth import OPTICS, transferred_noise

SIZE = 768


def noise(seed: int = 0) -> Tensor:
    return torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def fit(image: Tensor, **options: float) -> CTFFit:
    return estimate_ctf(image, 1.2, **OPTICS, **options)


@pytest.mark.parametrize("astigmatism", [100, 1_000, 2_500])
def test_clear_rings_are_trusted(astigmatism: float) -> None:
    axes = (15_000 + astigmatism / 2, 15_000 - astigmatism / 2, 30)
    assert fit(transferred_noise(SIZE, 1.2, defocus=axes, signal=0.8, seed=1)).confidence > 0.97


def sloped() -> Tensor:
    """A hole's edge in the field: bright on one side."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return 20 * torch.sigmoid((x + 0.5 * y - 500) / 8)


def dirt() -> Tensor:
    """Something of a size, without rings: the form factor of discs."""
    x, y = fourier.frequencies((SIZE, SIZE), 1.2)
    structure = torch.sinc(torch.hypot(x, y) * 90).abs() * 8
    return fourier.irfft2(fourier.rfft2(noise(9)) * structure, (SIZE, SIZE))


@pytest.mark.parametrize("kind", ["noise", "edge", "dirt", "lines", "constant"])
def test_what_has_no_rings_is_not(kind: str) -> None:
    lines = torch.zeros(SIZE, SIZE)
    lines[::64] = lines[:, ::128] = 0.3
    image = {
        "noise": noise(),
        "edge": noise() + sloped(),
        "dirt": noise() + dirt(),
        "lines": noise() + lines,
        "constant": torch.full((SIZE, SIZE), 7.0),
    }[kind]
    assert fit(image).confidence < 0.2


def test_strong_drift_takes_confidence_away() -> None:
    x, y = fourier.frequencies((SIZE, SIZE), 1.2)
    signal = transferred_noise(SIZE, 1.2, defocus=(15_100, 14_900, 0), signal=0.7, seed=3)
    signal = signal - transferred_noise(SIZE, 1.2, defocus=(15_100, 14_900, 0), signal=0, seed=3)
    found = []
    for drift in (0, 8, 60):
        blurred = fourier.irfft2(fourier.rfft2(signal) * torch.sinc((x + 0.3 * y) * drift), (SIZE, SIZE))
        found.append(fit(blurred + noise(4)).confidence)
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.95
    assert found[2] < 0.5


def test_weak_images_are_right_about_as_often_as_they_say() -> None:
    """Two dozen images at the edge of what can be fitted; the benchmark does it with two thousand."""
    random = np.random.default_rng(3)
    confidence, right = [], []
    for seed in range(24):
        mean, signal = random.uniform(8_000, 25_000), random.uniform(0.15, 0.6)
        found = fit(transferred_noise(512, 1.2, defocus=(mean + 80, mean - 80, 40), signal=signal, seed=seed))
        confidence.append(found.confidence)
        right.append(abs((found.defocus_u + found.defocus_v) / 2 - mean) < 300)
    trusted = np.array(confidence) > 0.5
    assert 4 < trusted.sum() < 20
    assert np.mean(np.array(right)[trusted]) > 0.75
    # These all have rings, so they are right more often than the same spectra would be anywhere.
    assert np.mean(confidence) < np.mean(right) + 0.1


def test_the_astigmatism_of_weak_images_stays_small() -> None:
    images = [
        transferred_noise(SIZE, 1.2, defocus=(15_100, 14_900, 30), signal=0.35, seed=seed)
        for seed in range(6)
    ]
    fits = [fit(image) for image in images]
    assert max(each.defocus_u - each.defocus_v for each in fits) < 400
    assert max(abs((each.defocus_u + each.defocus_v) / 2 - 15_000) for each in fits) < 150


def test_a_real_micrograph_and_parts_of_it(shared: Path) -> None:
    with mrcfile.mmap(shared / "data" / "epu2.9_example.mrc", permissive=True) as file:
        image = torch.from_numpy(file.data.astype(np.float32))
    optics = {"voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.07}
    found = [
        estimate_ctf(image[:size, :size], 0.66655, **optics).confidence for size in (4096, 2048, 1024, 512)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.99
    assert found[1] > 0.95
    assert found[3] < 0.3
