"""The tilt of a specimen, from how the defocus differs between the tiles of a micrograph.

The rings of a tile of some hundred nanometres are too weak to be fitted alone. So all tiles are fitted
together: each says how well its spectrum agrees with every defocus, and a plane of defocus is as good as the
sum over the tiles of what they say to the defocus that it gives them. A plane is only believed where the
evidence for it is clearly beyond what chance gives, with what the stage's tilt lets expect counted in.

Where it is believed, the tiles' spectra are stretched until all have the rings of the image's centre, and
their mean is fitted again, whose rings are as sharp as those of a flat specimen.

Sources: Mindell & Grigorieff (2003), J. Struct. Biol. 142, 334 (CTFTILT: a plane fitted to all tiles at
once); Su (2019), J. Struct. Biol. 205, 94 (goCTF: tiles' spectra rescaled to one defocus); Elferich et al.
(2024), eLife 13, RP97227 (CTFFIND5).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor
from torch.nn import functional

from eucentric.imaging.ctf import CTFOptics, electron_wavelength
from eucentric.imaging.ctf_model import evidence, squared_transfer
from eucentric.imaging.ctf_refine import RingFit
from eucentric.imaging.ctf_search import sums_over_rows
from eucentric.imaging.polar_spectrum import FloatArray, PolarSpectrum
from eucentric.imaging.spectrum import LocalSpectra, whole_spectrum

_STEP = 30.0  # Å of defocus
_STEEPEST = math.tan(math.radians(60))
_SLOPE_STEP = 0.06  # 3.4°
_OFFSET = 300.0  # Å; how far the fit of the whole may be from the plane's height at the centre
_FEWEST_TILES = 9
_BEYOND_CHANCE = 10.0  # nats; measured on flat specimens (benchmarks/ctf_tilt.py)
_STAGE_ERROR = 5.0  # degrees; what grids add to the stage's tilt
_UNEXPECTED = math.exp(-6.0)  # density of tilts that the stage does not let expect, relative to those it does


class Tilt(NamedTuple):
    """A plane of defocus."""

    angle: float
    """Tilt in degrees, 0 to less than 90"""
    axis: float
    """Direction of the tilt axis in degrees from the x axis, 0 to less than 360: to its left, looking along
    it, the defocus grows"""
    gain: float
    """Evidence for it over a flat specimen, nats"""


class Plane(NamedTuple):
    """The best plane of defocus, believed or not."""

    slope: tuple[float, float]
    """Growth of the defocus along x and y, Å per Å"""
    offset: float
    """Height at the image's centre over the mean defocus of the fit of the whole, Å"""
    gain: float
    """Evidence for it over a flat specimen, nats"""

    @property
    def tilt(self) -> Tilt:
        """The plane as angle and axis."""
        angle = math.degrees(math.atan(math.hypot(*self.slope)))
        axis = math.degrees(math.atan2(self.slope[1], self.slope[0])) - 90
        return Tilt(angle, axis % 360, self.gain)


def is_believed(plane: Plane, stage_tilt: float | None) -> bool:
    """Say whether a plane is beyond chance, given the stage's tilt in degrees where it is known."""
    angle = plane.tilt.angle
    expected = 0.0 if stage_tilt is None else _expectation(angle, stage_tilt) - _expectation(0.0, stage_tilt)
    return plane.gain + expected > _BEYOND_CHANCE


def _expectation(angle: float, stage_tilt: float) -> float:
    distance = (angle - abs(stage_tilt)) / _STAGE_ERROR
    return math.log(math.exp(-(distance**2) / 2) + _UNEXPECTED)


def find_plane(local: LocalSpectra, polar: PolarSpectrum, optics: CTFOptics, fit: RingFit) -> Plane | None:
    """Return the plane of defocus that the tiles agree with best; None of fewer than nine tiles.

    Args:
        local: The tiles' spectra.
        polar: A spectrum of the same size and pixel size in sectors: its rings are used.
        optics: The optics, with the phase shift.
        fit: The rings of the whole: their astigmatism and envelope are every tile's.
    """
    if len(local.powers) < _FEWEST_TILES:
        return None
    centres = local.centres.numpy()
    reach = math.ceil((_STEEPEST * np.hypot(*centres.T).max() + _OFFSET) / _STEP)
    tables, lengths, noise = _tables(_tile_values(local, polar), polar, optics, fit, reach)
    slopes = np.arange(-_STEEPEST, _STEEPEST + _SLOPE_STEP, _SLOPE_STEP)
    slopes -= slopes[np.argmin(np.abs(slopes))]  # flat is one of them
    grid = np.stack(np.meshgrid(slopes, slopes), axis=-1).reshape(-1, 2)
    grid = grid[np.hypot(*grid.T) <= _STEEPEST]
    offsets = round(_OFFSET / _STEP)
    first = np.rint(grid @ centres.T / _STEP).astype(np.int64) + reach - offsets
    count = 2 * offsets + 1
    both = np.stack([sums_over_rows(tables, first, count), sums_over_rows(lengths, first, count)])
    scores = evidence(both[0] / np.sqrt(both[1]), noise)
    flat = int(np.argmin(np.hypot(*grid.T)))
    best, level = np.unravel_index(int(np.argmax(scores)), scores.shape)
    places = _STEP * (np.arange(tables.shape[1]) - reach)
    splines = CubicSpline(places, tables, axis=1), CubicSpline(places, lengths, axis=1)
    tile = np.arange(len(centres))

    def loss(scaled: FloatArray) -> float:
        """Return the evidence against a height at the centre, or a height and a slope [1 or 3], in steps."""
        slope = scaled[1:] * _SLOPE_STEP if len(scaled) > 1 else np.zeros(2)
        height = np.clip(centres @ slope + scaled[0] * _STEP, places[0], places[-1])
        # A spline of all tiles gives each at every height; only its own is wanted.
        agreement, length = (spline(height)[tile, tile].sum() for spline in splines)
        return -float(evidence(agreement / math.sqrt(length), noise))

    level_one = _least(loss, np.array([float(np.argmax(scores[flat]) - offsets)]))
    tilted = _least(loss, np.array([level - offsets, *(grid[best] / _SLOPE_STEP)]))
    slope_x, slope_y = tilted.x[1:] * _SLOPE_STEP
    gain = float(level_one.fun - tilted.fun)
    return Plane((float(slope_x), float(slope_y)), float(tilted.x[0] * _STEP), gain)


def _least(loss: Callable[[FloatArray], float], start: FloatArray) -> OptimizeResult:
    simplex = np.vstack([start, start + 0.5 * np.eye(len(start))])
    options = {"initial_simplex": simplex, "xatol": 0.01, "fatol": 0.01}
    result: OptimizeResult = minimize(loss, start, method="Nelder-Mead", options=options)  # type: ignore[call-overload]
    return result


def _tile_values(local: LocalSpectra, polar: PolarSpectrum) -> FloatArray:
    """Return the spectra of tiles in sectors [tile, sector, ring] as `PolarSpectrum.values`.

    They are linear, relative to the background: the logarithm of so few pixels would be noisier.
    """
    grid = polar.grid
    level = np.maximum(grid.counts, 1) * np.exp(polar.background)
    powers = local.powers.flatten(1).cpu().numpy()
    cells = [np.bincount(grid.cell, power[grid.pixel], minlength=level.size) for power in powers]
    values = np.stack(cells).reshape(-1, *level.shape) / level
    values *= polar.weight / np.maximum(values.mean(axis=(1, 2), keepdims=True), 1e-12)
    return np.asarray(values - (values @ polar.smooth) @ polar.smooth.T, dtype=np.float64)


def _tables(
    values: FloatArray, polar: PolarSpectrum, optics: CTFOptics, fit: RingFit, reach: int
) -> tuple[FloatArray, FloatArray, float]:
    """Return how well tiles agree with defoci [tile, defocus], the models' squared lengths, and the noise.

    The defoci are `reach` steps to either side of the fit's mean. The lengths [tile, defocus] are the same
    for all tiles.
    """
    rings = fit.rings
    offset = rings.cosine * np.cos(2 * polar.angle) + rings.sine * np.sin(2 * polar.angle)
    local = np.rint(offset / _STEP).astype(np.int64)
    margin = int(np.abs(local).max())
    places = np.arange(-reach - margin, reach + margin + 1, dtype=np.float64)
    defocus: FloatArray = rings.mean + _STEP * places
    squared = squared_transfer(polar.frequency[None, :], defocus[:, None], optics)
    model = polar.without_smooth(squared * np.exp(-rings.envelope * polar.frequency**2)) * fit.weight
    agreement = np.moveaxis((values * fit.weight) @ model.T, 1, 0)
    length = np.square(model).sum(axis=1)
    count = 2 * reach + 1
    first = local + margin
    tables = np.sum([row[:, at : at + count] for row, at in zip(agreement, first, strict=True)], axis=0)
    lengths = np.sum([length[at : at + count] for at in first], axis=0)
    height = tables[:, reach].sum() / (len(tables) * lengths[reach])
    # The model that the rings of the whole are, without the weights, for the noise that they leave.
    plain = np.square(model / fit.weight).sum(axis=1)[first + reach].sum()
    left = float(np.square(values).sum() - height**2 * len(values) * plain)
    noise = math.sqrt(max(left, 1e-12) / values.size)
    return tables, np.broadcast_to(lengths, tables.shape), noise


def straightened(local: LocalSpectra, optics: CTFOptics, fit: RingFit, plane: Plane) -> Tensor:
    """Return the mean spectrum [n, n] of tiles, each stretched to the rings of the image's centre.

    Args:
        local: The tiles' spectra.
        optics: The optics.
        fit: The rings of the whole.
        plane: The plane of defocus, relative to them.
    """
    size = local.powers.shape[1]
    half = size // 2
    device = local.powers.device
    x = torch.arange(half, device=device, dtype=torch.float32)[None, :].expand(size, half)
    y = torch.arange(-half, half, device=device, dtype=torch.float32)[:, None].expand(size, half)
    square = (x.square() + y.square()).clamp(min=1) / (size * local.pixel_size) ** 2
    rings, turned = fit.rings, 2 * torch.atan2(y, x)
    astigmatism = rings.cosine * torch.cos(turned) + rings.sine * torch.sin(turned)
    defocus = rings.mean + plane.offset + astigmatism
    bend = optics.spherical_aberration * 1e7 * electron_wavelength(optics.voltage) ** 2 / 2
    path = (defocus - bend * square) * square
    # grid_sample counts from -1 at the centre of the first pixel to 1 at the centre of the last.
    unit = torch.stack([x * (2 / (half - 1)), y * (2 / (size - 1))], dim=-1)
    origin = torch.tensor([-1.0, half * 2 / (size - 1) - 1], device=device)
    total = local.powers.new_zeros((size, half))
    heights = local.centres @ torch.tensor(plane.slope, dtype=torch.float64)
    for power, height in zip(local.powers, heights.tolist(), strict=True):
        stretch = torch.sqrt(_square_of_path(path, defocus + height, bend, square) / square)
        grid = unit * stretch[..., None] + origin
        total += functional.grid_sample(
            power[None, None], grid[None], padding_mode="border", align_corners=True
        )[0, 0]
    return whole_spectrum(total / len(local.powers))


def _square_of_path(path: Tensor, defocus: Tensor, bend: float, square: Tensor) -> Tensor:
    """Return the squared frequency u of `path` = defocus · u − bend · u²; of two, the one like `square`."""
    root = (defocus.square() - 4 * bend * path).clamp(min=0).sqrt()
    # Beyond its maximum the phase falls again.
    sign = torch.where(2 * bend * square > defocus, -1.0, 1.0)
    return (2 * path / (defocus + sign * root)).clamp(min=0)
