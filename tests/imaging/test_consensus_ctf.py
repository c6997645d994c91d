"""Agreement of CTFs: the closed form against the phases of every place in the plane of frequencies."""

import math

import mrcfile
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eucentric.imaging import CTFOptics, estimate_ctf, fourier
from eucentric.imaging.consensus_ctf import (
    CTFEstimate,
    agreement_resolution,
    largest_agreement,
    mean_estimate,
)
from eucentric.imaging.ctf import ctf_phase

TITAN = CTFOptics(300.0, 2.7, 0.1)

estimates = st.builds(
    CTFEstimate,
    st.floats(10_000, 20_000),
    st.floats(8_000, 10_000),
    st.floats(-90, 90),
    st.builds(
        CTFOptics,
        st.just(300.0),
        st.sampled_from([2.7, 2.7, 0.01]),
        st.sampled_from([0.07, 0.1]),
        st.sampled_from([0.0, 0.0, 30.0, 170.0]),
    ),
)


def phase(estimate, x, y):
    optics = estimate.optics._asdict()
    return ctf_phase(
        x,
        y,
        defocus_u=estimate.defocus_u,
        defocus_v=estimate.defocus_v,
        defocus_angle=estimate.defocus_angle,
        **optics,
    )


def differing(one, other, radius):
    """Largest difference in phase along circles of some radii (1/Å), as far as it shows, [radius]."""
    angle = torch.linspace(0, math.pi, 181, dtype=torch.float64)
    x, y = radius[:, None] * torch.cos(angle), radius[:, None] * torch.sin(angle)
    difference = phase(one, x, y) - phase(other, x, y)
    start = phase(one, *torch.zeros(2, 1)) - phase(other, *torch.zeros(2, 1))
    # What does not show, multiples of π, is the same at all frequencies.
    return (difference - math.pi * torch.round(start / math.pi)).abs().amax(dim=1)


@settings(max_examples=80, deadline=None)
@given(estimates, estimates)
def test_the_resolution_is_where_the_phases_first_differ_by_a_quarter_turn(one, other):
    found = agreement_resolution(one, other)
    radius = torch.linspace(0, 0.5, 1501, dtype=torch.float64)[1:]
    beyond = differing(one, other, radius) >= math.pi / 2
    if not beyond.any():
        assert found < 2.01
        return
    first = float(radius[beyond.nonzero()[0, 0]])
    assert 1 / found == pytest.approx(first, abs=radius[0].item() * 1.01)


def test_over_the_plane_of_an_images_frequencies():
    """The same, on the grid of a micrograph: nowhere within the circle is the difference larger."""
    one = CTFEstimate(15_300, 14_700, 20, TITAN)
    other = CTFEstimate(15_500, 14_500, 50, TITAN)
    x, y = fourier.frequencies((1024, 1024), 1.0)
    difference = (phase(one, x, y) - phase(other, x, y)).abs()
    inside = x**2 + y**2 <= 1 / agreement_resolution(one, other) ** 2
    assert difference[inside].max() <= math.pi / 2
    assert difference[inside].max() > 0.98 * math.pi / 2


def test_known_values_and_limits():
    one = CTFEstimate(10_000, 10_000, 0, TITAN)
    # π λ Δz / d² = π / 2
    assert agreement_resolution(one, one._replace(defocus_u=10_500, defocus_v=10_500)) == pytest.approx(
        math.sqrt(2 * 0.019687 * 500), rel=1e-4
    )
    assert agreement_resolution(one, one) == 0
    turned = one._replace(optics=TITAN._replace(phase_shift=180.0))
    assert agreement_resolution(one, turned) == 0
    quarter = one._replace(optics=TITAN._replace(phase_shift=90.0))
    assert agreement_resolution(one, quarter) == math.inf
    with pytest.raises(ValueError, match="compare estimates of one micrograph"):
        agreement_resolution(one, one._replace(optics=TITAN._replace(voltage=200.0)))


@settings(max_examples=60, deadline=None)
@given(estimates, estimates)
def test_agreement_is_symmetric(one, other):
    assert agreement_resolution(one, other) == pytest.approx(agreement_resolution(other, one), rel=1e-9)


def test_an_outlier_is_left_out():
    near = [CTFEstimate(defocus + 50, defocus - 50, 30, TITAN) for defocus in (12_000, 12_080, 12_030)]
    far = CTFEstimate(21_000, 20_800, 0, TITAN)
    group, resolution = largest_agreement([near[0], far, *near[1:]], 8)
    assert group == (0, 2, 3)
    assert resolution == agreement_resolution(near[0], near[1])
    assert largest_agreement([near[0], far], 8) == ((0,), 0.0)
    # Of two pairs, the one that agrees further.
    assert largest_agreement([far, far._replace(defocus_u=21_500), near[0], near[2]], 8)[0] == (2, 3)
    with pytest.raises(ValueError, match="no estimate"):
        largest_agreement([], 8)


@settings(max_examples=60, deadline=None)
@given(st.lists(estimates, min_size=1, max_size=4))
def test_the_mean_is_that_of_the_phases(several):
    several = [each._replace(optics=several[0].optics) for each in several]
    mean = mean_estimate(several)
    assert mean.defocus_u >= mean.defocus_v
    x, y = fourier.frequencies((16, 16), 2.0)
    expected = torch.stack([phase(each, x.double(), y.double()) for each in several]).mean(dim=0)
    torch.testing.assert_close(phase(mean, x.double(), y.double()), expected, rtol=1e-6, atol=1e-4)


def test_phase_shifts_are_averaged_on_their_circle():
    shifted = [CTFEstimate(10_000, 9_000, 0, TITAN._replace(phase_shift=each)) for each in (178.0, 4.0)]
    assert mean_estimate(shifted).optics.phase_shift == pytest.approx(1)
    assert mean_estimate(shifted[:1]).optics.phase_shift == 178


def test_estimates_of_a_real_micrograph_agree_beyond_its_rings(shared):
    with mrcfile.mmap(shared / "data" / "epu2.9_example.mrc", permissive=True) as file:
        image = torch.from_numpy(file.data.astype(np.float32))
    optics = CTFOptics(300.0, 2.7, 0.07)
    fits = [estimate_ctf(image, 0.66655, max_resolution=worst, **optics._asdict()) for worst in (3.0, 4.5)]
    found = [CTFEstimate(fit.defocus_u, fit.defocus_v, fit.defocus_angle, optics) for fit in fits]
    assert agreement_resolution(*found) < fits[0].resolution
    # What two other programs find, mean and astigmatism.
    others = CTFEstimate(27_290, 27_150, fits[0].defocus_angle, optics)
    group, resolution = largest_agreement([*found, others], 3)
    assert group == (0, 1, 2)
    assert resolution < 2.5
