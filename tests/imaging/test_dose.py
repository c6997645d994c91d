"""Dose weights against the numbers that Grant & Grigorieff (2015) publish."""

import pytest
import torch

from eucentric.imaging import critical_dose, dose_weights


@pytest.mark.parametrize(("resolution", "dose"), [(3.0, 4.34), (5.0, 6.39), (10.0, 14.14), (20.0, 38.72)])
def test_critical_dose_at_300_kv(resolution: float, dose: float) -> None:
    assert float(critical_dose(torch.tensor(1 / resolution), 300)) == pytest.approx(dose, abs=0.02)


def test_critical_dose_falls_with_the_voltage() -> None:
    frequency = torch.tensor([0.05, 0.1, 0.3])
    at_300 = critical_dose(frequency, 300)
    assert torch.allclose(critical_dose(frequency, 200) / at_300, torch.tensor(0.8), rtol=5e-3)
    assert torch.allclose(critical_dose(frequency, 100) / at_300, torch.tensor(0.5), rtol=5e-3)


def test_the_lowest_frequency_keeps_its_weight() -> None:
    weights = dose_weights(torch.zeros(1), 40, dose_per_frame=2, voltage=300)
    assert torch.allclose(weights, torch.ones(40, 1))


def test_noise_stays_flat() -> None:
    frequency = torch.linspace(0, 0.5, 50)
    weights = dose_weights(frequency, 30, dose_per_frame=1.5, voltage=200, pre_exposure=5)
    assert torch.allclose(weights.square().sum(dim=0), torch.full((50,), 30.0), rtol=1e-5)
    assert (weights[1:] <= weights[:-1]).all()


def test_pre_exposure_counts_where_movies_are_compared() -> None:
    frequency = torch.linspace(0.01, 0.5, 20)
    whole = dose_weights(frequency, 10, dose_per_frame=2, voltage=300, flat_noise=False)
    later = dose_weights(frequency, 6, dose_per_frame=2, voltage=300, pre_exposure=8, flat_noise=False)
    assert torch.allclose(whole[4:], later)
    assert torch.allclose(whole[0], torch.exp(-2 / (2 * critical_dose(frequency, 300))))


def test_weights_stay_finite_long_after_the_signal_is_gone() -> None:
    weights = dose_weights(torch.tensor([0.5]), 3, dose_per_frame=2, voltage=100, pre_exposure=2000)
    assert torch.isfinite(weights).all()
    assert (weights > 0).all()


def test_a_negative_dose_is_refused() -> None:
    with pytest.raises(ValueError, match="doses of zero or more"):
        dose_weights(torch.zeros(1), 3, dose_per_frame=-1, voltage=300)
