"""The contrast transfer function against published values and hand calculation."""

import math

import pytest
import torch

from eucentric.imaging import contrast_transfer, electron_speed, electron_wavelength

OPTICS = {"voltage": 300.0, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


@pytest.mark.parametrize(("voltage", "wavelength"), [(100, 0.037014), (200, 0.025079), (300, 0.019687)])
def test_wavelength_is_the_textbooks(voltage: float, wavelength: float) -> None:
    assert electron_wavelength(voltage) == pytest.approx(wavelength, abs=1e-6)


def test_speed_is_the_textbooks() -> None:
    assert electron_speed(200) == pytest.approx(0.6953, abs=1e-4)


def test_a_voltage_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="kV"):
        electron_wavelength(0)


def test_protein_is_dark_when_underfocused() -> None:
    frequency = torch.tensor([0.0, 0.005, 0.01])
    transfer = contrast_transfer(
        frequency, torch.zeros(1), defocus_u=20_000, defocus_v=20_000, defocus_angle=0, **OPTICS
    )
    assert transfer[0] == pytest.approx(-0.1)
    assert (transfer < 0).all()


def test_zeros_lie_where_the_phase_is_a_multiple_of_pi() -> None:
    wavelength = electron_wavelength(300)
    frequency = torch.linspace(0.02, 0.2, 20_001, dtype=torch.float64)
    transfer = contrast_transfer(
        frequency, torch.zeros(1), defocus_u=15_000, defocus_v=15_000, defocus_angle=0, **OPTICS
    )
    crossing = frequency[:-1][transfer[:-1] * transfer[1:] < 0]
    phase = (
        math.pi * wavelength * 15_000 * crossing**2
        - math.pi / 2 * 2.7e7 * wavelength**3 * crossing**4
        + math.asin(0.1)
    )
    turns = phase / math.pi
    assert len(crossing) > 5
    assert torch.allclose(turns, torch.arange(1, len(crossing) + 1, dtype=turns.dtype), atol=5e-3)


def test_the_angle_is_that_of_u_from_x_towards_y() -> None:
    angle = math.radians(30)
    along = contrast_transfer(
        torch.tensor(0.1 * math.cos(angle)), torch.tensor(0.1 * math.sin(angle)),
        defocus_u=20_000, defocus_v=15_000, defocus_angle=30, **OPTICS,
    )  # fmt: skip
    across = contrast_transfer(
        torch.tensor(-0.1 * math.sin(angle)), torch.tensor(0.1 * math.cos(angle)),
        defocus_u=20_000, defocus_v=15_000, defocus_angle=30, **OPTICS,
    )  # fmt: skip
    only_u, only_v = (
        contrast_transfer(
            torch.tensor(0.1), torch.tensor(0.0), defocus_u=z, defocus_v=z, defocus_angle=0, **OPTICS
        )
        for z in (20_000, 15_000)
    )
    assert along == pytest.approx(float(only_u), abs=1e-4)
    assert across == pytest.approx(float(only_v), abs=1e-4)


def test_a_phase_plate_of_ninety_degrees_gives_full_contrast_at_the_lowest_frequency() -> None:
    transfer = contrast_transfer(
        torch.tensor(0.0), torch.tensor(0.0), defocus_u=5_000, defocus_v=5_000, defocus_angle=0,
        voltage=300, spherical_aberration=2.7, amplitude_contrast=0, phase_shift=90,
    )  # fmt: skip
    assert transfer == pytest.approx(-1)
