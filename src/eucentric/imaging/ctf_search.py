"""The defocus, astigmatism and phase shift whose rings a spectrum in sectors has.

Because the agreement of a model is a sum over sectors, one table of sector against defocus serves a search
over all astigmatisms at once.

Sources: Rohou & Grigorieff (2015), J. Struct. Biol. 192, 216 (CTFFIND4: the search, and its restraint of
astigmatism); Tegunov & Cramer (2019), Nat. Methods 16, 1146 (Warp).
"""

import math

import numpy as np

from eucentric.imaging.ctf import CTFOptics
from eucentric.imaging.ctf_model import (
    CTFLimits,
    Rings,
    astigmatism_prior,
    defocus_step,
    evidence,
    length_of,
    phase_prior,
    sector_model,
    squared_transfer,
)
from eucentric.imaging.ctf_refine import Loss, RingFit, refine_rings
from eucentric.imaging.polar_spectrum import FloatArray, IntArray, PolarSpectrum

_ENVELOPES = (2.0, 8.0, 30.0, 100.0)  # Å²; B of exp(-B k²), from rings to 2 Å to rings to 10 Å
_ANGLES = 12  # directions of astigmatism tried, 15° apart
_PHASE_STEP = 30.0  # degrees; the rings of the next phase shift are then at most 30° of theirs away
_STRUCTURE = 0.25  # of the rings' height: what the specimen's own spectrum may add that is not smooth


def find_rings(polar: PolarSpectrum, optics: CTFOptics, limits: CTFLimits) -> RingFit:
    """Return the best rings within the limits; the phase shift of `optics` is not used.

    First all cells of the spectrum count by their noise. Then rings that stand far above it count less:
    their shape is disturbed by what the specimen itself scatters, such as the form factor of particles,
    and a few strong rings at low resolution would outweigh the many at high resolution, which
    say much more about the defocus.
    """
    start = _search(polar, optics, limits)
    even = np.ones(len(polar.frequency))
    noise = length_of(polar.values) / math.sqrt(polar.values.size)
    rings = refine_rings(Loss(polar, optics, limits, start, even, noise), first=0.5)
    model = sector_model(polar, optics, rings)
    score = float((model * polar.values).sum()) / max(length_of(model) * length_of(polar.values), 1e-12)
    height = float((model * polar.values).sum() / np.square(model).sum())
    noise = max(length_of(polar.values - height * model) / math.sqrt(polar.values.size), 1e-9)
    strength = abs(height) * np.exp(-rings.envelope * polar.frequency**2) * polar.weight
    # The noise of a ring is that of its cells over the root of their number; its structure is common to them.
    weight = 1 / np.sqrt(1 + np.square(_STRUCTURE * strength / noise) * len(polar.angle))
    rings = refine_rings(Loss(polar, optics, limits, rings, weight, noise), first=0.2)
    return RingFit(rings, score, weight, noise)


def _search(polar: PolarSpectrum, optics: CTFOptics, limits: CTFLimits) -> Rings:
    step = defocus_step(polar, optics)
    margin = math.ceil(limits.max_astigmatism / 2 / step)
    means = np.arange(limits.min_defocus, limits.max_defocus + step, step, dtype=np.float64)
    defocus: FloatArray = limits.min_defocus + step * np.arange(
        -margin, len(means) + margin, dtype=np.float64
    )
    halves = np.arange(0, margin + 1) * step
    astigmatisms = [(0.0, 0.0), *((h, a * math.pi / _ANGLES) for h in halves[1:] for a in range(_ANGLES))]
    half, angle = np.array(astigmatisms).T
    local = half[:, None] / step * np.cos(2 * (polar.angle - angle[:, None]))
    first = np.rint(local).astype(np.int64) + margin
    prior = np.array([astigmatism_prior(2 * h) for h in half])
    span = limits.max_phase_shift - limits.min_phase_shift
    phases = np.linspace(limits.min_phase_shift, limits.max_phase_shift, math.ceil(span / _PHASE_STEP) + 1)
    if limits.expected_phase_shift is not None:
        expected = np.clip(limits.expected_phase_shift[0], limits.min_phase_shift, limits.max_phase_shift)
        phases = np.append(phases, expected)
    noise = max(length_of(polar.values) / math.sqrt(polar.values.size), 1e-9)
    best, found = -math.inf, Rings(float(means[0]), 0, 0, limits.min_phase_shift, _ENVELOPES[0])
    for phase in phases:
        squared = squared_transfer(
            polar.frequency[None, :], defocus[:, None], optics._replace(phase_shift=float(phase))
        )
        for envelope, table in zip(_ENVELOPES, _agreements(polar, squared), strict=True):
            scores = sums_over_rows(table, first, len(means))
            values = evidence(scores.max(axis=1), noise) - prior
            number = int(np.argmax(values))
            value = float(values[number]) - phase_prior(float(phase), limits, _PHASE_STEP / 2)
            if value > best:
                best, turned = value, 2 * angle[number]
                cosine, sine = half[number] * math.cos(turned), half[number] * math.sin(turned)
                mean = float(means[np.argmax(scores[number])])
                found = Rings(mean, cosine, sine, float(phase), envelope)
    return found


def _agreements(polar: PolarSpectrum, squared: FloatArray) -> list[FloatArray]:
    """Return for every envelope how well each sector agrees with each defocus, [sector, defocus].

    Their sums over sectors are the products of a model of unit length with the spectrum.

    Args:
        polar: The spectrum.
        squared: CTF² [defocus, ring].
    """
    tables = []
    square = squared**2
    for envelope in _ENVELOPES:
        weight = polar.weight * np.exp(-envelope * polar.frequency**2)
        # What is smooth has been taken out of the spectrum; of the models it only matters to their length.
        length = square @ weight**2 - np.square(squared @ (weight[:, None] * polar.smooth)).sum(axis=1)
        table = (polar.values * weight) @ squared.T
        tables.append(table / np.sqrt(len(polar.angle) * np.maximum(length, 1e-12)))
    return tables


def sums_over_rows(table: FloatArray, first: IntArray, count: int) -> FloatArray:
    """Return `count` sums over the rows of a table [row, place] for every one of several sets of places.

    Sum i of a set takes from each row the value at the row's first place, `first` [set, row], plus i.
    """
    windows = np.lib.stride_tricks.sliding_window_view(table, count, axis=1)
    sums = np.zeros((len(first), count))
    for window, places in zip(windows, first.T, strict=True):
        sums += window[places]
    return sums
