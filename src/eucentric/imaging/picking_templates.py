"""Finding particles that look like templates: averages of 2D classes, or projections of a map.

1. The micrograph is made ready as for picking without templates (`picking_ground`): local mean and variance
   are the same all over, and carbon, ice crystals and dirt are left out.
2. Every template and its mirror image (the view from the other side) is turned in the plane, and
   multiplied by the CTF of the micrograph.
3. Divided by the noise's amplitudes, which the micrograph itself shows, its correlation with the
   micrograph, divided likewise, is the matched filter (North (1963), Proc. IEEE 51, 1016). All turned
   templates are sums of a few principal ones (Hotelling (1933), J. Educ. Psychol. 24, 417), so there are
   only some tens of transforms, and one matrix product gives the correlation with every one of hundreds.
4. How strong particles are is known from the best dark discs, so each template has a likelihood ratio to
   noise, and the mean of all is that of a particle turned in any way. Where noise hides the view this is what
   the mean of the templates finds, and where it does not, what the best of them finds.
5. How many peaks of every height noise alone has is counted on white noise that the same templates look
   at, and the threshold is where noise is expected to be the wanted part of the picks.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.imaging import fourier
from eucentric.imaging.ctf import CTFOptics, contrast_transfer
from eucentric.imaging.extraction import even_size
from eucentric.imaging.picking_discs import FEWEST
from eucentric.imaging.picking_filters import smooth_power
from eucentric.imaging.picking_ground import LOCAL, Ground, Picks, prepare
from eucentric.imaging.picking_noise import SIZE, noise_threshold, without_discs
from eucentric.imaging.picking_peaks import APART, find_peaks, keep_apart

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

_STEP = 10.0
"""Degrees between turns: at the rim of a particle 20 px wide less than two pixels."""
_WIDE = 3.2
"""Box of a template in diameters: defocus carries signal out of the particle."""
_EXPLAINED = 0.97
"""Part of the templates' power that the principal ones have."""
_MOST = 60
"""Most principal templates."""
_SAMPLE = 600
"""Turned templates that the principal ones are found from."""
_AS_STRONG = 0.7
"""How strong particles are, relative to the best discs: these are the strongest."""
_JUST_SEEN = 3.0
"""Deviations of the noise that particles are taken to stand out by where no disc does."""
_LOWER = 0.8
"""Part of the places between which nothing is looked at more closely."""
_BLOCK = 1 << 19
"""Most numbers in one table of correlations."""


class MicrographOptics(NamedTuple):
    """What turns a projection into what the micrograph shows.

    Attributes:
        optics: Voltage, aberration, amplitude contrast, phase shift.
        defocus_u: Å, underfocus positive, along the axis at `defocus_angle`.
        defocus_v: Å, across.
        defocus_angle: Degrees of U from the x axis.
    """

    optics: CTFOptics
    defocus_u: float
    defocus_v: float
    defocus_angle: float


def pick_by_templates(
    micrograph: Tensor,
    pixel_size: float,
    diameter: float,
    templates: Tensor,
    template_pixel_size: float,
    imaging: MicrographOptics | None,
    *,
    false_picks: float = 0.2,
    most: int | None = None,
    avoid: bool = True,
) -> Picks:
    """Find what looks like one of the templates, turned in any way.

    Args:
        micrograph: Image [y, x], particles dark.
        pixel_size: Å/px.
        diameter: Of the particles, Å.
        templates: Images without CTF [template, y, x], particles white on zero, their middles at the pixel
            [box // 2, box // 2].
        template_pixel_size: Å/px of the templates.
        imaging: The CTF of the micrograph; None for templates that have it already.
        false_picks: Part of the picks that may be noise, 0 to 1.
        most: Most picks; the best are kept.
        avoid: Whether to look for carbon, ice crystals, dirt and gold, and leave them out.

    Raises:
        ValueError: There are no templates, or the diameter does not fit the micrograph.
    """
    if not len(templates):
        raise ValueError("There are no templates to pick with; give at least one.")
    ground = prepare(micrograph, pixel_size, diameter, avoid=avoid)
    if ground.discs is None:
        return ground.none()
    small = pixel_size * ground.shape[0] / ground.flat.shape[0]
    turned = _turned(templates.to(micrograph.device).float(), template_pixel_size / small, ground.across)
    if imaging is not None:
        turned = _imaged(turned, small, imaging)
    image = torch.from_numpy(ground.flat).to(micrograph.device)
    transform = fourier.rfft2(image)
    power = smooth_power(transform.cpu().numpy(), ground.flat.shape)
    turned = _whitened(turned, power, ground)
    white = transform / torch.from_numpy(power).to(image.device).sqrt()
    principal, weights = _principal(turned)
    here = _Correlations(_maps(white, principal, ground.flat.shape), weights)
    noise = torch.randn((SIZE, SIZE), generator=torch.Generator().manual_seed(1)).to(image.device)
    there = _Correlations(_maps(fourier.rfft2(noise), principal, (SIZE, SIZE)), weights)
    unequal = _deviations(here.maps, without_discs(ground))
    here = _Correlations(here.maps / unequal[:, None, None], weights / unequal[:, None].T)
    there = there._replace(weights=here.weights)
    amplitude = _amplitude(here, ground)
    response, false = _likelihood(here, amplitude), _likelihood(there, amplitude)
    middle, deviation = float(false.mean()), float(false.std())
    response, false = (response - middle) / deviation, (false - middle) / deviation
    places, heights = find_peaks(response, ground.good, ground.across)
    _, of_noise = find_peaks(false, np.ones(false.shape, bool), ground.across)
    area, taken = int(ground.good.sum()) / false.size, math.pi * (APART * ground.across) ** 2 / false.size
    chosen = heights >= noise_threshold(heights, of_noise, area, taken, false_picks)
    places, heights = places[chosen], heights[chosen]
    kept = keep_apart(places, APART * ground.across, ground.flat.shape[::-1])[:most]
    return ground.picks(places[kept], heights[kept])


def _turned(templates: Tensor, scale: float, across: float) -> Tensor:
    """Return all templates and their mirror images in all turns, on the pixels of the micrograph.

    Args:
        templates: Images [template, y, x].
        scale: Pixels of the micrograph in one of the templates'.
        across: Diameter in pixels of the micrograph.

    Returns:
        Images [turned, y, x], centred at [box // 2, box // 2], without their mean.
    """
    size, box = templates.shape[-1], even_size(_WIDE * across)
    soft = _without_fine_detail(templates, scale)
    angle = torch.deg2rad(torch.arange(0, 360, _STEP, device=templates.device))
    axis = (torch.arange(box, device=templates.device) - box // 2) / scale
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    turned = []
    for mirrored in (1, -1):
        for a in angle.tolist():
            column = mirrored * (math.cos(a) * x + math.sin(a) * y) + size // 2
            row = math.cos(a) * y - math.sin(a) * x + size // 2
            grid = torch.stack([column, row], dim=-1) * (2 / (size - 1)) - 1
            grid = grid.expand(len(soft), -1, -1, -1)
            turned.append(
                torch.nn.functional.grid_sample(soft[:, None], grid, mode="bicubic", align_corners=True)[:, 0]
            )
    images = torch.stack(turned, dim=1).flatten(0, 1)
    return images - images.mean(dim=(1, 2), keepdim=True)


def _without_fine_detail(templates: Tensor, scale: float) -> Tensor:
    """Return the templates without what is finer than two pixels of the micrograph."""
    if scale >= 1:
        return templates
    shape = (templates.shape[1], templates.shape[2])
    x, y = fourier.frequencies(shape, device=templates.device)
    kept = torch.hypot(x, y) <= 0.5 * scale
    return fourier.irfft2(fourier.rfft2(templates) * kept, shape)


def _imaged(templates: Tensor, pixel_size: float, imaging: MicrographOptics) -> Tensor:
    """Return white images of white templates, as the micrograph shows them."""
    shape = (templates.shape[1], templates.shape[2])
    x, y = fourier.frequencies(shape, pixel_size, templates.device)
    transfer = contrast_transfer(
        x,
        y,
        defocus_u=imaging.defocus_u,
        defocus_v=imaging.defocus_v,
        defocus_angle=imaging.defocus_angle,
        **imaging.optics._asdict(),
    )
    return fourier.irfft2(fourier.rfft2(templates) * -transfer, shape)


def _whitened(templates: Tensor, power: FloatArray, ground: Ground) -> Tensor:
    """Return the templates as they are on the flat ground, divided by the noise's amplitudes."""
    shape = ground.flat.shape
    size = (templates.shape[1], templates.shape[2])
    # The power along a ring of the micrograph's spectrum, read off at the templates' frequencies.
    rows = np.abs(np.fft.fftfreq(shape[0])[: shape[0] // 2])
    x, y = fourier.frequencies(size)
    along = np.interp(torch.hypot(x, y).numpy(), rows, power[: shape[0] // 2, 0]).astype(np.float32)
    factor = torch.from_numpy(along).rsqrt()
    factor *= 1 - torch.exp(-2 * (math.pi * LOCAL * ground.across * torch.hypot(x, y)) ** 2)
    factor = factor.to(templates.device)
    white = fourier.irfft2(fourier.rfft2(templates) * factor, size)
    scaled: Tensor = white / white.flatten(1).norm(dim=1).mean().clamp(min=1e-12)
    return scaled


def _principal(templates: Tensor) -> tuple[Tensor, Tensor]:
    """Return a few orthonormal images [principal, y, x], and the templates as sums of them.

    Returns:
        The images, and weights [template, principal].
    """
    flat = templates.flatten(1)
    every = max(1, math.ceil(len(flat) / _SAMPLE))
    sample = flat[::every]
    values, vectors = torch.linalg.eigh((sample @ sample.T).double().cpu())
    order = torch.arange(len(values) - 1, -1, -1)
    values, vectors = values[order].clamp(min=0), vectors[:, order]
    explained = torch.cumsum(values, 0) / values.sum().clamp(min=1e-12)
    count = min(_MOST, int((explained < _EXPLAINED).sum()) + 1, int((values > 1e-6 * values[0]).sum()))
    basis: Tensor = (vectors[:, :count] / values[:count].sqrt()).to(flat).T @ sample
    return basis.reshape(-1, *templates.shape[1:]), flat @ basis.T


class _Correlations(NamedTuple):
    """Correlations with the principal templates [principal, y, x], and all as sums of them."""

    maps: Tensor
    weights: Tensor
    """[template, principal]"""


def _maps(white: Tensor, principal: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the correlation with every principal template at every place [principal, y, x]."""
    box = principal.shape[-1]
    maps = []
    for image in principal:
        placed = image.new_zeros(shape)
        placed[:box, :box] = image
        placed = placed.roll((-(box // 2), -(box // 2)), (0, 1))
        maps.append(fourier.irfft2(white * fourier.rfft2(placed).conj(), shape))
    return torch.stack(maps)


def _deviations(maps: Tensor, quiet: Mask) -> Tensor:
    """Return the deviation of every map [principal] in a part of it."""
    chosen = torch.from_numpy(quiet).to(maps.device)
    return maps[:, chosen].square().mean(dim=1).sqrt().clamp(min=1e-6)


def _amplitude(here: _Correlations, ground: Ground) -> float:
    """Return by what the templates are to be multiplied to be as strong as the best discs."""
    assert ground.discs is not None
    mean = here.weights.mean(dim=0)
    response = torch.tensordot(mean, here.maps, 1) / mean.norm().square()
    near = torch.nn.functional.max_pool2d(response[None], 5, stride=1, padding=2)[0].cpu().numpy()
    places = ground.discs.places[: max(FEWEST, ground.discs.clear)]
    if not len(places):
        return _JUST_SEEN / max(float(mean.norm()), 1e-12)
    column, row = np.clip(np.round(places).astype(int), 0, np.array(near.shape[::-1]) - 1).T
    return max(float(np.median(near[row, column])), 1e-3) * _AS_STRONG


def _likelihood(here: _Correlations, amplitude: float) -> FloatArray:
    """Return how much likelier any of the templates is than noise, at every place, as a logarithm [y, x].

    At every other pixel of every other row, and around the highest of these at all; between, interpolated.
    """
    shape = here.maps.shape[1:]
    weights = amplitude * here.weights
    table = torch.cat([weights, -0.5 * weights.square().sum(dim=1, keepdim=True)], dim=1).T.contiguous()
    every = here.maps[:, ::2, ::2]
    coarse = _evidence(every.flatten(1), table).reshape(every.shape[1:])
    size = (2 * coarse.shape[0] - 1, 2 * coarse.shape[1] - 1)
    between = torch.nn.functional.interpolate(coarse[None, None], size, mode="bilinear", align_corners=True)
    whole = torch.nn.functional.pad(between, (0, 1, 0, 1), mode="replicate")[0, 0, : shape[0], : shape[1]]
    whole = whole.contiguous()
    top = torch.nn.functional.max_pool2d(coarse[None], 3, stride=1, padding=1)[0]
    high = torch.nonzero((coarse == top) & (coarse > torch.quantile(coarse, _LOWER)))
    around = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2)).to(high.device)
    row, column = (2 * high[:, None] + around).flatten(0, 1).T
    inside = (row >= 0) & (column >= 0) & (row < shape[0]) & (column < shape[1])
    row, column = row[inside], column[inside]
    whole[row, column] = _evidence(here.maps[:, row, column], table)
    result: FloatArray = whole.cpu().numpy()
    return result


def _evidence(correlations: Tensor, table: Tensor) -> Tensor:
    """Return the logarithm of the templates' mean likelihood ratio, for correlations [principal, place]."""
    found = torch.empty_like(correlations[0])
    step = max(1, _BLOCK // table.shape[1])
    for first in range(0, len(found), step):
        part = correlations[:, first : first + step].T
        each = torch.addmm(table[-1], part, table[:-1])
        highest = each.amax(dim=1, keepdim=True)
        found[first : first + step] = each.sub_(highest).exp_().mean(dim=1).log_() + highest[:, 0]
    return found
