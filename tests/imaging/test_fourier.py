"""Fourier transforms: cropping, padding and shifting are exact."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from eucentric.imaging import fourier


def wave(shape: tuple[int, int], cycles_x: int, cycles_y: int) -> Tensor:
    """A cosine with whole cycles over the image, and a mean."""
    y = torch.arange(shape[0])[:, None] / shape[0]
    x = torch.arange(shape[1])[None, :] / shape[1]
    return 2 + torch.cos(2 * math.pi * (cycles_x * x + cycles_y * y) + 0.3)


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.integers(12, 25)] * 4), st.integers(0, 5), st.integers(-5, 5))
def test_resizing_keeps_a_band_limited_image(sizes: tuple[int, ...], x: int, y: int) -> None:
    old, new = (sizes[0], sizes[1]), (sizes[2], sizes[3])
    assert torch.allclose(fourier.resize(wave(old, x, y), new), wave(new, x, y), atol=1e-5)


def test_cropping_drops_what_the_new_size_cannot_hold() -> None:
    assert torch.allclose(
        fourier.resize(wave((32, 32), 9, 0), (16, 16)), torch.full((16, 16), 2.0), atol=1e-5
    )


@pytest.mark.parametrize("shape", [(24, 30), (25, 31)])
def test_a_whole_shift_moves_pixels_towards_larger_x_and_y(shape: tuple[int, int]) -> None:
    image = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    moved = fourier.shift_image(image, (3, -2))
    assert torch.allclose(moved, torch.roll(image, (-2, 3), dims=(0, 1)), atol=1e-5)


def test_shifts_of_part_of_a_pixel_add_up() -> None:
    image = wave((24, 32), 3, 2)
    twice = fourier.shift_image(fourier.shift_image(image, (0.3, 0.6)), (0.7, -0.6))
    assert torch.allclose(twice, torch.roll(image, 1, dims=1), atol=1e-5)


def test_frequencies_are_those_of_the_transform() -> None:
    x, y = fourier.frequencies((24, 30), pixel_size=2.0)
    power = fourier.rfft2(wave((24, 30), 4, -3) - 2).abs()
    row, column = divmod(int(power.argmax()), power.shape[1])
    assert float(x[0, column]) == pytest.approx(4 / 60)
    assert float(y[row, 0]) == pytest.approx(-3 / 48)


@pytest.mark.parametrize("size", [24, 48])
def test_a_cropped_transform_is_part_of_the_whole_one(size: int) -> None:
    image = torch.randn(48, 48, generator=torch.Generator().manual_seed(0))
    whole, cropped = fourier.rfft2(image), fourier.cropped_rfft2(image, size)
    half = size // 2
    assert cropped.shape == (size, half + 1)
    assert torch.allclose(cropped[:half], whole[:half, : half + 1], atol=1e-5)
    assert torch.allclose(cropped[half:], whole[48 - half :, : half + 1], atol=1e-5)
