"""Fitting the contrast transfer function to the rings in a power spectrum.

The logarithm of the spectrum is averaged in sectors (`polar_spectrum`), the rings are found in it
(`ctf_search`), it is averaged along them to see how far they reach (`ring_profile`), and the fit is compared
with the second best (`ctf_confidence`).

Sources: Rohou & Grigorieff (2015), J. Struct. Biol. 192, 216 (CTFFIND4); Zhang (2016), J. Struct. Biol. 193,
1 (Gctf: averaging along rings of equal phase); Tegunov & Cramer (2019), Nat. Methods 16, 1146 (Warp).
"""

import math
from typing import NamedTuple, Required, TypedDict, Unpack

from torch import Tensor

from eucentric.imaging.ctf import CTFOptics
from eucentric.imaging.ctf_confidence import fit_confidence
from eucentric.imaging.ctf_model import CTFLimits
from eucentric.imaging.ctf_picture import ctf_picture
from eucentric.imaging.ctf_refine import RingFit, ring_errors
from eucentric.imaging.ctf_search import find_rings
from eucentric.imaging.ctf_tilt import Plane, Tilt, find_plane, is_believed, straightened
from eucentric.imaging.ice_ring import ice_ring
from eucentric.imaging.polar_spectrum import PolarSpectrum, polar_spectrum
from eucentric.imaging.ring_profile import RingProfile, ring_profile
from eucentric.imaging.spectrum import LocalSpectra, local_spectra, power_spectrum

_SETTLED = 15.0  # Å; by which a plane of defocus may still move at the outermost tile
_LEAST_PIXELS = 2.2  # in the finest rings that are used: the last frequencies are left to the noise


class CTFFit(NamedTuple):
    """The contrast transfer function of one image."""

    defocus_u: float
    """Larger defocus in Å, underfocus positive"""
    defocus_v: float
    """Smaller defocus in Å"""
    defocus_angle: float
    """Angle of U from the x axis, degrees, 0 to less than 180"""
    phase_shift: float
    """Additional phase shift of a phase plate, degrees, as given or as fitted"""
    defocus_error: float
    """Standard deviation of the mean defocus in Å, if the rings are the right ones"""
    phase_shift_error: float | None
    """Its standard deviation in degrees where it was fitted"""
    score: float
    """Correlation between the spectrum in sectors and the model, -1 to 1"""
    resolution: float
    """Resolution in Å up to which the rings follow the model"""
    confidence: float
    """Probability that there are rings and that the mean defocus is right within 300 Å"""
    tilt: Tilt | None
    """Tilt of the specimen, where one was looked for and found"""
    ice_ring: float | None
    """Power at 3.67 Å over that around it, minus one; None where the spectrum ends before"""
    profile: RingProfile
    """The curves along the rings"""
    diagnostic: Tensor
    """[512, 512], 0 to 1, as `ctf_picture` makes it: spectrum on the left, its average along the fitted rings
    and the fit on the right"""


class FitOptions(TypedDict, total=False):
    """The optics, and what is searched."""

    voltage: Required[float]
    """Acceleration voltage in kV"""
    spherical_aberration: Required[float]
    """Cs in mm"""
    amplitude_contrast: Required[float]
    """Fraction of amplitude contrast, 0 to 1"""
    phase_shift: float | tuple[float, float]
    """Additional phase shift of a phase plate, degrees (0). A pair is a range in which it is fitted; CTF² is
    the same after 180°, so the range is no wider than that"""
    expected_phase_shift: tuple[float, float] | None
    """A fitted phase shift that is likelier than others, and its standard deviation, degrees (None)"""
    min_defocus: float
    """Smallest mean defocus searched, Å, underfocus positive (3,000)"""
    max_defocus: float
    """Largest mean defocus searched, Å (50,000)"""
    max_astigmatism: float
    """Largest difference between U and V searched, Å (3,000)"""
    min_resolution: float
    """Lowest resolution used, Å (30)"""
    max_resolution: float
    """Highest resolution used, Å (3), as far as the spectrum holds it; the last tenth of what the pixel size
    allows is left to the noise"""


def estimate_ctf(
    image: Tensor,
    pixel_size: float,
    *,
    other: tuple[Tensor, float] | None = None,
    fit_tilt: bool = False,
    stage_tilt: float | None = None,
    **options: Unpack[FitOptions],
) -> CTFFit:
    """Fit the contrast transfer function to a micrograph [y, x] of `pixel_size` Å.

    Args:
        image: The micrograph.
        pixel_size: Its pixel size in Å.
        other: Another power spectrum of it, and the pixel size that this stands for, as of `fit_ctf`.
        fit_tilt: Whether to look for a tilt of the specimen. Where one is found the defocus is that at the
            image's centre, and all figures are of the spectrum with the tilt taken out.
        stage_tilt: Tilt of the stage in degrees, which is likelier than others; its sign does not count.
        **options: The optics, and what is searched.

    Raises:
        ValueError: as `fit_ctf` and `power_spectrum`.
    """
    if not fit_tilt:
        return fit_ctf(*power_spectrum(image, pixel_size), other=other, **options)
    local = local_spectra(image, pixel_size)
    solved = _solve(local.mean, local.pixel_size, options)
    plane = find_plane(local, solved.polar, solved.optics, solved.fit)
    if plane is not None and is_believed(plane, stage_tilt):
        sharper, tilt = _straightened(local, solved, plane, options)
        if sharper.fit.score > solved.fit.score:
            return _described(sharper, tilt)
    others = [] if other is None else [_solve(*other, options)]
    return _described(max([solved, *others], key=lambda each: each.fit.score))


def fit_ctf(
    spectrum: Tensor,
    pixel_size: float,
    *,
    other: tuple[Tensor, float] | None = None,
    **options: Unpack[FitOptions],
) -> CTFFit:
    """Fit the contrast transfer function to a power spectrum, as `power_spectrum` makes it.

    A spectrum without rings gives a fit of low score and poor resolution.

    Args:
        spectrum: Power [n, n], zero frequency at [n // 2, n // 2].
        pixel_size: Pixel size in Å that the spectrum stands for.
        other: Another spectrum of the same image, and its pixel size; both are fitted, and the result is that
            whose rings follow the model better.
        **options: The optics, and what is searched.

    Raises:
        ValueError: the limits are not in order, or leave too little of the spectrum to fit.
    """
    spectra = [(spectrum, pixel_size), *([] if other is None else [other])]
    best = max((_solve(*each, options) for each in spectra), key=lambda solved: solved.fit.score)
    return _described(best)


def _straightened(
    local: LocalSpectra, solved: "_Solved", plane: Plane, options: FitOptions
) -> tuple["_Solved", Tilt]:
    """Return the fit with a tilt taken out, and the tilt."""
    gain, reach = plane.gain, float(local.centres.abs().max())
    for _ in range(3):
        spectrum = straightened(local, solved.optics, solved.fit, plane)
        solved = _solve(spectrum, local.pixel_size, options)
        # The plane is found anew among rings as sharp as they are.
        before, plane = plane, find_plane(local, solved.polar, solved.optics, solved.fit) or plane
        if math.dist(plane.slope, before.slope) * reach < _SETTLED:
            break
    return solved, plane._replace(gain=gain).tilt


class _Solved(NamedTuple):
    """A spectrum and its rings."""

    spectrum: Tensor
    pixel_size: float
    polar: PolarSpectrum
    optics: CTFOptics
    limits: CTFLimits
    fit: RingFit


def _solve(spectrum: Tensor, pixel_size: float, options: FitOptions) -> _Solved:
    optics, limits = _optics(options), _limits(options)
    lowest, highest = options.get("min_resolution", 30.0), options.get("max_resolution", 3.0)
    if not 0 < highest < lowest:
        raise ValueError(
            f"Resolutions from {lowest} to {highest} Å leave nothing; mend the limits, the lower (in Å the"
            " larger) first."
        )
    polar = polar_spectrum(spectrum, pixel_size, 1 / lowest, 1 / max(highest, _LEAST_PIXELS * pixel_size))
    fit = find_rings(polar, optics, limits)
    return _Solved(
        spectrum, pixel_size, polar, optics._replace(phase_shift=fit.rings.phase_shift), limits, fit
    )


def _optics(options: FitOptions) -> CTFOptics:
    return CTFOptics(options["voltage"], options["spherical_aberration"], options["amplitude_contrast"])


def _limits(options: FitOptions) -> CTFLimits:
    phases = options.get("phase_shift", 0.0)
    least, most = phases if isinstance(phases, tuple) else (phases, phases)
    if not 0 <= most - least <= 180:
        raise ValueError(
            f"A phase shift from {least} to {most}° cannot be searched; give a range in order, no wider than"
            " 180°."
        )
    limits = CTFLimits(
        options.get("min_defocus", 3_000.0),
        options.get("max_defocus", 50_000.0),
        options.get("max_astigmatism", 3_000.0),
        least,
        most,
        options.get("expected_phase_shift"),
    )
    if not (0 < limits.min_defocus < limits.max_defocus and limits.max_astigmatism >= 0):
        raise ValueError(
            f"Defocus from {limits.min_defocus} to {limits.max_defocus} Å and astigmatism to"
            f" {limits.max_astigmatism} Å leave nothing; mend the limits."
        )
    return limits


def _described(solved: _Solved, tilt: Tilt | None = None) -> CTFFit:
    """Return all that is told of a fit."""
    spectrum, pixel_size, polar, optics, limits, fit = solved
    axes = fit.rings.axes
    profile = ring_profile(polar, *axes, optics)
    errors = ring_errors(polar, optics, limits, fit)
    return CTFFit(
        *axes,
        phase_shift=fit.rings.phase_shift,
        defocus_error=errors.mean,
        phase_shift_error=errors.phase_shift,
        score=fit.score,
        resolution=profile.resolution,
        confidence=fit_confidence(polar, optics, limits, fit),
        tilt=tilt,
        ice_ring=ice_ring(spectrum, pixel_size),
        profile=profile,
        diagnostic=ctf_picture(spectrum, polar, pixel_size, axes, optics, profile),
    )
