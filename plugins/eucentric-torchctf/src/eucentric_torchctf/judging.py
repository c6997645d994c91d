"""How well a contrast transfer function that another program found fits a micrograph.

It is judged as estimate-ctf judges its own (`eucentric.imaging.ctf_fit`), so that scores and resolutions of
both mean the same and a consensus may compare them.
"""

import math
from typing import NamedTuple

import numpy as np
from torch import Tensor

from eucentric.imaging import CTFOptics, RingProfile, power_spectrum
from eucentric.imaging.ctf_model import Rings, sector_model
from eucentric.imaging.ctf_picture import ctf_picture
from eucentric.imaging.ice_ring import ice_ring
from eucentric.imaging.polar_spectrum import PolarSpectrum, polar_spectrum
from eucentric.imaging.ring_profile import ring_profile

_ENVELOPES = (2.0, 8.0, 30.0, 100.0)  # Å², as estimate-ctf begins with


class Judgement(NamedTuple):
    """How well a contrast transfer function fits."""

    score: float
    """Correlation between the spectrum in sectors and the model, -1 to 1"""
    ice_ring: float | None
    """Power at 3.67 Å over that around it, minus one; None where the spectrum ends before"""
    profile: RingProfile
    """The curves along the rings, and the resolution up to which they follow the model"""
    diagnostic: Tensor
    """[512, 512], 0 to 1: as estimate-ctf has it"""


def judge(
    image: Tensor,
    pixel_size: float,
    axes: tuple[float, float, float],
    optics: CTFOptics,
    resolutions: tuple[float, float],
) -> Judgement:
    """Compare a micrograph's spectrum with a contrast transfer function.

    Args:
        image: Micrograph [y, x].
        pixel_size: Å/px.
        axes: Defocus U and V in Å, and the angle of U in degrees.
        optics: The rest of the optics, the phase shift too.
        resolutions: Lowest and highest resolution used, Å.

    Raises:
        ValueError: The resolutions leave too little of the spectrum.
    """
    spectrum, spectrum_pixel_size = power_spectrum(image, pixel_size)
    polar = polar_spectrum(spectrum, spectrum_pixel_size, 1 / resolutions[0], 1 / resolutions[1])
    profile = ring_profile(polar, *axes, optics)
    return Judgement(
        score=_score(polar, axes, optics),
        ice_ring=ice_ring(spectrum, spectrum_pixel_size),
        profile=profile,
        diagnostic=ctf_picture(spectrum, polar, spectrum_pixel_size, axes, optics, profile),
    )


def _score(polar: PolarSpectrum, axes: tuple[float, float, float], optics: CTFOptics) -> float:
    """Return the correlation with the model whose envelope fits best."""
    half, direction = (axes[0] - axes[1]) / 2, math.radians(2 * axes[2])
    cosine, sine = half * math.cos(direction), half * math.sin(direction)
    found = []
    for envelope in _ENVELOPES:
        rings = Rings((axes[0] + axes[1]) / 2, cosine, sine, optics.phase_shift, envelope)
        model = sector_model(polar, optics, rings)
        length = np.linalg.norm(model) * np.linalg.norm(polar.values)
        found.append(float((model * polar.values).sum() / max(length, 1e-12)))
    return min(1.0, max(found))
