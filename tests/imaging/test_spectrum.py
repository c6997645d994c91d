"""Power spectra: level, orientation and frequencies."""

import math

import pytest
import torch

from eucentric.imaging import power_spectrum, spectrum_frequencies
from eucentric.imaging.spectrum import local_spectra, whole_spectrum


@pytest.mark.parametrize("overlap", [0.0, 0.5])
@pytest.mark.parametrize("shape", [(512, 640), (301, 400)])
def test_white_noise_of_unit_variance_has_a_power_of_one(shape: tuple[int, int], overlap: float) -> None:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 100
    spectrum, pixel_size = power_spectrum(noise, 1.5, overlap=overlap)
    centre = spectrum.shape[0] // 2
    spectrum[centre - 2 : centre + 3, centre - 2 : centre + 3] = 1
    assert float(spectrum.mean()) == pytest.approx(1, abs=0.03)
    assert pixel_size >= 1.5 or spectrum.shape[0] == min(shape)


@pytest.mark.parametrize("pixel_size", [0.7, 2.0])
def test_a_wave_lies_at_its_frequency(pixel_size: float) -> None:
    y, x = torch.meshgrid(torch.arange(600.0), torch.arange(600.0), indexing="ij")
    wave = torch.cos(2 * math.pi * pixel_size * (0.08 * x - 0.05 * y))
    spectrum, new_size = power_spectrum(wave, pixel_size)
    f_x, f_y = spectrum_frequencies(spectrum.shape[0], new_size, spectrum.device)
    row, column = divmod(int(spectrum.argmax()), spectrum.shape[1])
    sign = 1 if f_x[0, column] > 0 else -1
    assert sign * float(f_x[0, column]) == pytest.approx(0.08, abs=0.003)
    assert sign * float(f_y[row, 0]) == pytest.approx(-0.05, abs=0.003)


def test_a_spectrum_is_symmetric() -> None:
    noise = torch.randn(300, 300, generator=torch.Generator().manual_seed(0))
    spectrum, _ = power_spectrum(noise, 1.0)
    inner = spectrum[1:, 1:]
    assert torch.allclose(inner, torch.flip(inner, (0, 1)), rtol=1e-4, atol=1e-4)


def test_only_useful_frequencies_are_kept() -> None:
    spectrum, pixel_size = power_spectrum(torch.randn(1024, 1024), 0.5)
    assert 2 * pixel_size == pytest.approx(2.6, abs=0.02)
    assert spectrum.shape == (198, 198)


def test_a_tiny_image_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        power_spectrum(torch.zeros(50, 500), 1.0)


def test_the_tiles_spectra_are_those_whose_mean_is_the_images() -> None:
    noise = torch.randn(700, 900, generator=torch.Generator().manual_seed(0))
    mean, pixel_size = power_spectrum(noise, 2.0)
    local = local_spectra(noise, 2.0)
    assert torch.equal(local.mean, mean)
    assert local.pixel_size == pixel_size
    size = len(mean)
    right = local.powers.mean(dim=0)
    assert torch.allclose(right, mean[:, size // 2 :], rtol=1e-4, atol=1e-4)
    assert torch.allclose(whole_spectrum(right)[1:, 1:], mean[1:, 1:], rtol=1e-4, atol=1e-4)
    assert torch.allclose(local.centres.mean(dim=0), torch.zeros(2, dtype=torch.float64), atol=2)


def test_a_tiles_spectrum_is_that_of_its_place() -> None:
    y, x = torch.meshgrid(torch.arange(800.0), torch.arange(800.0), indexing="ij")
    image = torch.where((x > 400) & (y < 400), torch.cos(0.9 * x), 0.0)
    local = local_spectra(image, 1.5)
    loudest = int(local.powers.sum(dim=(1, 2)).argmax())
    column, row = local.centres[loudest].tolist()
    assert column > 0
    assert row < 0
