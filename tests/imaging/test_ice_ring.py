"""The figure of the ice ring: vitreous, crystalline and no ice, and a real micrograph."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch
from torch import Tensor

from eucentric.imaging import fourier, power_spectrum
from eucentric.imaging.ice_ring import ice_ring
from imaging_truth import transferred_noise

PIXEL_SIZE = 0.9


def ice(
    diffuse: float = 0.0, crystalline: float = 0.0, *, seed: int = 0, pixel_size: float = PIXEL_SIZE
) -> Tensor:
    """An image of ice: the broad ring of vitreous ice at 3.7 Å, and the three sharp ones of hexagonal ice."""
    size = 1024
    x, y = fourier.frequencies((size, size), pixel_size)
    k = torch.hypot(x, y)
    power = diffuse * torch.exp(-(((k - 1 / 3.7) / 0.03) ** 2))
    for spacing in (3.90, 3.67, 3.44):
        power = power + crystalline * torch.exp(-(((k - 1 / spacing) / 0.002) ** 2))
    generator = torch.Generator().manual_seed(seed)
    image = transferred_noise(size, pixel_size, defocus=(15_000, 14_900, 0), signal=0.5, seed=seed)
    ring = fourier.rfft2(torch.randn(size, size, generator=generator)) * power.sqrt()
    return image + fourier.irfft2(ring, (size, size))


def figure(image: Tensor, pixel_size: float = PIXEL_SIZE) -> float | None:
    return ice_ring(*power_spectrum(image, pixel_size))


def test_no_ice_gives_nearly_nothing() -> None:
    found = [figure(ice(seed=seed)) for seed in range(4)]
    assert max(found) < 0.05


def test_vitreous_ice_gives_some_hundredths_and_crystals_much_more() -> None:
    vitreous, crystalline = figure(ice(diffuse=0.1)), figure(ice(diffuse=0.1, crystalline=3))
    assert 0.02 < vitreous < 0.15
    assert crystalline > 0.5
    assert crystalline > 5 * vitreous


def test_it_grows_with_the_crystals() -> None:
    found = [figure(ice(crystalline=strength)) for strength in (0, 0.5, 1, 2, 4)]
    assert found == sorted(found)
    assert found[4] - found[0] == pytest.approx(4 * (found[2] - found[0]), rel=0.25)


def test_single_spots_count() -> None:
    size = 1024
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    crystal = torch.zeros(size, size)
    for angle in np.radians([10, 70, 130]):
        k = PIXEL_SIZE / 3.67
        crystal += 0.4 * torch.cos(2 * np.pi * k * (np.cos(angle) * x + np.sin(angle) * y))
    assert figure(ice() + crystal) > figure(ice()) + 0.3


@pytest.mark.parametrize(("pixel_size", "known"), [(1.5, True), (1.7, False), (3.0, False)])
def test_it_is_known_as_far_as_the_pixel_size_reaches(pixel_size: float, known: bool) -> None:
    assert (figure(ice(pixel_size=pixel_size), pixel_size) is not None) == known


@pytest.mark.parametrize("level", [0.0, 5.0])
def test_an_image_without_anything_has_none_or_nothing(level: float) -> None:
    assert not figure(torch.full((512, 512), level))


def test_the_ice_of_a_real_micrograph_is_vitreous(shared: Path) -> None:
    with mrcfile.mmap(shared / "data" / "epu2.9_example.mrc", permissive=True) as file:
        image = torch.from_numpy(file.data.astype(np.float32))
    assert 0.02 < figure(image, 0.66655) < 0.15
