"""How far two estimates of one micrograph's contrast transfer function agree, and the mean of several.

Two functions that differ in phase by π/2 have the rings of one where the other has none; up to there they
are of use for each other. The resolution at which it happens is how the programs of the CTF challenge were
compared (Marabini et al. 2015, J. Struct. Biol. 190, 348). Here it is that of the worst direction, so that
up to it the two agree everywhere in the plane of frequencies.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from eucentric.imaging.ctf import CTFOptics, electron_wavelength


class CTFEstimate(NamedTuple):
    """One estimate of a contrast transfer function."""

    defocus_u: float
    """Å along the axis at `defocus_angle`, underfocus positive"""
    defocus_v: float
    """Å along the axis perpendicular to it"""
    defocus_angle: float
    """Degrees from the x axis"""
    optics: CTFOptics
    """Voltage, spherical aberration, amplitude contrast, phase shift"""

    @property
    def astigmatism(self) -> complex:
        """Half the difference of the defoci, in Å, at twice the angle."""
        angle = math.radians(2 * self.defocus_angle)
        return (self.defocus_u - self.defocus_v) / 2 * complex(math.cos(angle), math.sin(angle))


def agreement_resolution(one: CTFEstimate, other: CTFEstimate) -> float:
    """Return the resolution in Å up to which two estimates agree in phase to π/2 in every direction.

    A phase shift by π, which turns the sign of the contrast, does not show in the rings and does not count.

    Returns:
        0 where they agree at any resolution; infinity where they do at none.

    Raises:
        ValueError: The voltages differ: the estimates are not of one micrograph.
    """
    voltage = one.optics.voltage
    if voltage != other.optics.voltage:
        raise ValueError(
            f"One estimate is for {voltage} kV and the other for {other.optics.voltage} kV; compare estimates"
            " of one micrograph."
        )
    wavelength = electron_wavelength(voltage)
    mean = (one.defocus_u + one.defocus_v - other.defocus_u - other.defocus_v) / 2
    most = abs(one.astigmatism - other.astigmatism)
    aberration = (one.optics.spherical_aberration - other.optics.spherical_aberration) * 1e7
    quartic = -math.pi / 2 * aberration * wavelength**3
    constant = _within_half_turn(_constant(one.optics) - _constant(other.optics))
    if abs(constant) > (1 - 1e-9) * math.pi / 2:
        return math.inf
    # At any frequency the phase is linear in the defocus, so the extreme directions differ most.
    square = min(
        _first_crossing(quartic, math.pi * wavelength * defocus, constant)
        for defocus in (mean - most, mean + most)
    )
    return 1 / math.sqrt(square)


def largest_agreement(estimates: Sequence[CTFEstimate], worst: float) -> tuple[tuple[int, ...], float]:
    """Return the largest group of estimates of which any two agree to a resolution, and how far they do.

    Args:
        estimates: Of one micrograph, one or more; each subset is tried, so not dozens.
        worst: Å.

    Returns:
        Indices of the group, and the resolution in Å up to which its members agree (0 for a single one). Of
        groups of the same size the one that agrees furthest is taken, then that of the earlier estimates.

    Raises:
        ValueError: There is no estimate, or the voltages differ.
    """
    count = len(estimates)
    pairs = {
        pair: agreement_resolution(estimates[pair[0]], estimates[pair[1]])
        for pair in combinations(range(count), 2)
    }
    for size in range(count, 0, -1):
        groups = [
            (max((pairs[pair] for pair in combinations(group, 2)), default=0.0), group)
            for group in combinations(range(count), size)
        ]
        resolution, group = min(groups)
        if resolution <= worst:
            return group, resolution
    raise ValueError("There is no estimate; give one or more.")


def mean_estimate(estimates: Sequence[CTFEstimate]) -> CTFEstimate:
    """Return the mean: of the defocus, of the astigmatism as a vector, of the phase shift on its circle.

    The phase shift is 0 to 180°, as one by 180° does not show; all else of the optics is the first one's.
    """
    count = len(estimates)
    defocus = sum(each.defocus_u + each.defocus_v for each in estimates) / (2 * count)
    astigmatism = sum(each.astigmatism for each in estimates) / count
    half = abs(astigmatism)
    angle = math.degrees(math.atan2(astigmatism.imag, astigmatism.real)) / 2
    first = estimates[0].optics
    turns = [each.optics.phase_shift - first.phase_shift for each in estimates]
    shift = first.phase_shift + sum((turn + 90) % 180 - 90 for turn in turns) / count
    optics = first._replace(phase_shift=shift % 180 if any(turns) else first.phase_shift)
    return CTFEstimate(defocus + half, defocus - half, angle, optics)


def _constant(optics: CTFOptics) -> float:
    return math.radians(optics.phase_shift) + math.asin(optics.amplitude_contrast)


def _within_half_turn(angle: float) -> float:
    """Bring an angle in radians to −π/2 to π/2 by multiples of π."""
    return angle - math.pi * round(angle / math.pi)


def _first_crossing(quartic: float, quadratic: float, constant: float) -> float:
    """Return the smallest s >= 0 at which |quartic s² + quadratic s + constant| is π/2, infinity if none.

    s is the square of a frequency in 1/Å².
    """
    found = [math.inf]
    for level in (-math.pi / 2, math.pi / 2):
        beyond = constant - level
        if quartic == 0:
            found += [-beyond / quadratic] if quadratic else []
            continue
        discriminant = quadratic**2 - 4 * quartic * beyond
        if discriminant >= 0:
            # The sum without cancellation; the other root follows from the product of both.
            half = -(quadratic + math.copysign(math.sqrt(discriminant), quadratic)) / 2
            found += [half / quartic] + ([beyond / half] if half else [])
    return min(root for root in found if root >= 0)
