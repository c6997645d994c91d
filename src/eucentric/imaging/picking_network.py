"""A small network that learns from a few picked micrographs what particles look like.

It sees the micrograph as picking without templates does (`picking_ground`: reduced until a particle is 20
pixels wide, flat, without contaminants), and gives at every other pixel the logarithm of the odds that the
middle of a particle is there. Seven convolutions, whose field is about one and a half diameters wide.

Whoever picks misses some, so what is not picked is not taken for empty but for unknown: the risk of calling
it empty is corrected for the particles that are expected in it, and never falls below zero (Kiryo et al.
(2017), Adv. Neural Inf. Process. Syst. 30; for picking, Bepler et al. (2019), Nat. Methods 16, 1153).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from eucentric.imaging.picking_ground import Ground, Picks, prepare
from eucentric.imaging.picking_noise import noise_alike, noise_threshold
from eucentric.imaging.picking_peaks import APART, find_peaks, keep_apart

FloatArray = NDArray[np.float32]

_STRIDE = 2
_MIDDLE = 0.12
"""Radius in diameters of what counts as a particle's middle."""
_UNSURE = 0.3
"""Radius in diameters up to which nothing is asked: picks are not exact."""
_CROP = 64
"""Rows and columns of a crop: three particles."""
_BATCH = 16
"""Crops in a step."""
_RATE = 4e-3
"""Highest rate of learning; it rises to it, and falls to nothing."""


class PickedMicrograph(NamedTuple):
    """One micrograph and the middles of particles on it.

    Attributes:
        ground: The micrograph, prepared.
        positions: Middles (x, y) in px of the micrograph [pick, 2].
    """

    ground: Ground
    positions: NDArray[np.float64]


class PickingNetwork(nn.Module):
    """Log odds of a particle's middle [image, 1, y / 2, x / 2] from flat micrographs [image, 1, y, x]."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        wide = 2 * width
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(width, wide, 3, padding=1, stride=_STRIDE),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, padding=3, dilation=3),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(wide, 1, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the log odds."""
        odds: Tensor = self.layers(images)
        return odds


def train_network(
    picked: Sequence[PickedMicrograph],
    *,
    completeness: float = 0.8,
    steps: int = 400,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] = lambda _fraction: None,
) -> PickingNetwork:
    """Train a network from picked micrographs; the same seed gives the same network on one machine.

    Args:
        picked: Micrographs with particles picked on them.
        completeness: Part of the particles there are that was picked, 0 to 1.
        steps: Batches of crops that are learnt from.
        seed: Draws the first weights and the crops.
        device: Where to compute.
        progress: Called with the fraction done, 0 to 1.

    Raises:
        ValueError: No particle was picked on any of them.
    """
    examples = [_example(each, device) for each in picked if each.ground.discs is not None]
    middles = sum(int((target > 0).sum()) for _, target, _ in examples)
    if not middles:
        raise ValueError("No particle is picked on any of the micrographs; pick some, on ice.")
    known = sum(int(asked.sum()) for _, _, asked in examples)
    prior = min(0.5, middles / known / completeness)
    generator = torch.Generator().manual_seed(seed)
    network = _fresh(generator, prior).to(device)
    optimiser = torch.optim.Adam(network.parameters(), _RATE, weight_decay=1e-5)
    for step in range(steps):
        image, target, asked = _batch(examples, generator)
        odds = network(image)[:, 0]
        risk = _risk(odds, target, asked, prior)
        optimiser.param_groups[0]["lr"] = _RATE * _pace((step + 0.5) / steps)
        optimiser.zero_grad()
        risk.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        progress((step + 1) / steps)
    return network.eval()


def pick_by_network(
    micrograph: Tensor,
    pixel_size: float,
    diameter: float,
    network: PickingNetwork,
    *,
    false_picks: float = 0.2,
    most: int | None = None,
    avoid: bool = True,
) -> Picks:
    """Find particles with a trained network; arguments as those of `pick_particles`.

    Raises:
        ValueError: The diameter does not fit the micrograph.
    """
    ground = prepare(micrograph, pixel_size, diameter, avoid=avoid)
    if ground.discs is None:
        return ground.none()
    noise = noise_alike(ground)
    odds, odds_of_noise = (_odds(network, each, micrograph.device) for each in (ground.flat, noise))
    good = ground.good[::_STRIDE, ::_STRIDE]
    across = ground.across / _STRIDE
    base, deviation = float(odds_of_noise.mean()), max(float(odds_of_noise.std()), 1e-6)
    odds, odds_of_noise = (odds - base) / deviation, (odds_of_noise - base) / deviation
    places, heights = find_peaks(odds, good, across)
    _, of_noise = find_peaks(odds_of_noise, np.ones(odds_of_noise.shape, bool), across)
    area, taken = int(good.sum()) / odds_of_noise.size, math.pi * (APART * across) ** 2 / odds_of_noise.size
    chosen = heights >= noise_threshold(heights, of_noise, area, taken, false_picks)
    places, heights = places[chosen] * _STRIDE, heights[chosen]
    kept = keep_apart(places, APART * ground.across, ground.flat.shape[::-1])[:most]
    return ground.picks(places[kept], heights[kept])


def _odds(network: PickingNetwork, flat: FloatArray, device: torch.device) -> FloatArray:
    with torch.inference_mode():
        odds: FloatArray = network(torch.from_numpy(flat).to(device)[None, None])[0, 0].cpu().numpy()
    return odds


def _example(picked: PickedMicrograph, device: torch.device | str) -> tuple[Tensor, Tensor, Tensor]:
    """Return the image [y, x], where middles are and where something is asked, both [y / 2, x / 2]."""
    ground = picked.ground
    scale = np.array(ground.flat.shape[::-1]) / np.array(ground.shape[::-1])
    places = ((picked.positions + 0.5) * scale - 0.5) / _STRIDE
    good = ground.good[::_STRIDE, ::_STRIDE]
    target, asked = np.zeros(good.shape, bool), good.copy()
    rows, columns = np.indices(good.shape)
    for x, y in places:
        away = np.hypot(rows - y, columns - x) * _STRIDE / ground.across
        target |= away < _MIDDLE
        asked &= away >= _UNSURE
    target &= good
    return (
        torch.from_numpy(ground.flat).to(device),
        torch.from_numpy(target.astype(np.float32)).to(device),
        torch.from_numpy((asked | target).astype(np.float32)).to(device),
    )


def _fresh(generator: torch.Generator, prior: float) -> PickingNetwork:
    """Return a network with random weights (He et al. (2015), ICCV) that begins with the right odds."""
    network = PickingNetwork()
    with torch.no_grad():
        for layer in network.layers:
            if isinstance(layer, nn.Conv2d):
                inputs = layer.weight[0].numel()
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * (2 / inputs) ** 0.5)
                assert layer.bias is not None
                layer.bias.zero_()
        last = network.layers[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        last.weight.mul_(0.1)
        last.bias.fill_(math.log(prior / (1 - prior)))
    return network


def _pace(done: float) -> float:
    """Return the rate of learning, 0 to 1, when a part is done: it rises for a fifth, then falls to zero."""
    return done / 0.2 if done < 0.2 else 0.5 + 0.5 * math.cos(math.pi * (done - 0.2) / 0.8)


def _batch(
    examples: Sequence[tuple[Tensor, Tensor, Tensor]], generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return crops from places drawn evenly, turned by quarters and mirrored: images, middles, asked."""
    parts: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    half = _CROP // _STRIDE
    for _ in range(_BATCH):
        example = examples[int(torch.randint(len(examples), (1,), generator=generator))]
        rows, columns = example[1].shape
        row = int(torch.randint(max(1, rows - half), (1,), generator=generator))
        column = int(torch.randint(max(1, columns - half), (1,), generator=generator))
        quarters, mirrored = torch.randint(4, (2,), generator=generator).tolist()
        for number, (layer, step, size) in enumerate(
            zip(example, (_STRIDE, 1, 1), (_CROP, half, half), strict=True)
        ):
            crop = layer[row * step : row * step + size, column * step : column * step + size]
            crop = functional.pad(crop, (0, size - crop.shape[1], 0, size - crop.shape[0]))
            crop = torch.rot90(crop, quarters)
            parts[number].append(crop.flip(0) if mirrored % 2 else crop)
    images, targets, asked = (torch.stack(part) for part in parts)
    return images[:, None], targets, asked


def _risk(odds: Tensor, target: Tensor, asked: Tensor, prior: float) -> Tensor:
    """Return the risk of taking particles for ice and ice for particles (non-negative, Kiryo et al.)."""
    picked = (target * asked).sum().clamp(min=1)
    missed = (functional.softplus(-odds) * target * asked).sum() / picked
    unknown = (functional.softplus(odds) * asked).sum() / asked.sum().clamp(min=1)
    hidden = (functional.softplus(odds) * target * asked).sum() / picked
    return prior * missed + (unknown - prior * hidden).clamp(min=0)
