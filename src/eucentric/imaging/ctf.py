"""The contrast transfer function of a weak phase object."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

_PLANCK = 6.626_070_15e-34  # J s
_ELECTRON_MASS = 9.109_383_7015e-31  # kg
_ELECTRON_CHARGE = 1.602_176_634e-19  # C
_LIGHT_SPEED = 299_792_458.0  # m/s


class CTFOptics(NamedTuple):
    """What contrast transfer depends on besides frequency and defocus."""

    voltage: float
    """Acceleration voltage in kV"""
    spherical_aberration: float
    """Cs in mm"""
    amplitude_contrast: float
    """Fraction of amplitude contrast, 0 to 1"""
    phase_shift: float = 0.0
    """Additional phase shift of a phase plate, in degrees"""


def electron_wavelength(voltage: float) -> float:
    """Return the relativistic wavelength in Å of an electron accelerated through `voltage` kV.

    Raises:
        ValueError: the voltage is not positive.
    """
    if voltage <= 0:
        raise ValueError(
            f"The acceleration voltage is {voltage} kV; give a positive number of kV, such as 300."
        )
    energy = _ELECTRON_CHARGE * voltage * 1e3
    rest = _ELECTRON_MASS * _LIGHT_SPEED**2
    momentum = math.sqrt(energy * (energy + 2 * rest)) / _LIGHT_SPEED
    return _PLANCK / momentum * 1e10


def electron_speed(voltage: float) -> float:
    """Return the speed of an electron accelerated through `voltage` kV, as a fraction of that of light."""
    rest = _ELECTRON_MASS * _LIGHT_SPEED**2
    gamma = 1 + _ELECTRON_CHARGE * voltage * 1e3 / rest
    return math.sqrt(1 - 1 / gamma**2)


def ctf_phase(
    frequency_x: Tensor,
    frequency_y: Tensor,
    *,
    defocus_u: float,
    defocus_v: float,
    defocus_angle: float,
    voltage: float,
    spherical_aberration: float,
    amplitude_contrast: float,
    phase_shift: float = 0.0,
) -> Tensor:
    """Return the argument in radians of the sine in `contrast_transfer`; parameters as there.

    It includes the phase shift and the constant that stands for amplitude contrast.
    """
    wavelength = electron_wavelength(voltage)
    aberration = spherical_aberration * 1e7
    angle = math.radians(defocus_angle)
    # (U - V)/2 · cos 2(a - a_U) · k² written with k_x and k_y: no arctangent, and exact at k = 0.
    mean, half = (defocus_u + defocus_v) / 2, (defocus_u - defocus_v) / 2
    square_x, square_y = frequency_x**2, frequency_y**2
    square = square_x + square_y
    defocused = (
        mean * square
        + half * math.cos(2 * angle) * (square_x - square_y)
        + half * math.sin(2 * angle) * 2 * frequency_x * frequency_y
    )
    constant = math.radians(phase_shift) + math.asin(amplitude_contrast)
    return math.pi * wavelength * defocused - math.pi / 2 * aberration * wavelength**3 * square**2 + constant


def contrast_transfer(
    frequency_x: Tensor,
    frequency_y: Tensor,
    *,
    defocus_u: float,
    defocus_v: float,
    defocus_angle: float,
    voltage: float,
    spherical_aberration: float,
    amplitude_contrast: float,
    phase_shift: float = 0.0,
) -> Tensor:
    """Return the contrast transfer function at spatial frequencies, as a real tensor between -1 and 1.

    Multiplying the Fourier transform of a projected specimen in which protein is positive (denser than
    ice) gives that of its image: underfocused, protein appears dark, so the function is negative at the
    lowest frequencies. This is the image as the camera records it. RELION writes the function with the
    opposite sign because it inverts the contrast of particles when it extracts them; the parameters
    mean the same in both.

    Args:
        frequency_x: Frequency along x (columns) in 1/Å; broadcast with `frequency_y`.
        frequency_y: Frequency along y (rows) in 1/Å.
        defocus_u: Defocus in Å along the axis at `defocus_angle`, underfocus positive.
        defocus_v: Defocus in Å along the axis perpendicular to it.
        defocus_angle: Angle of U from the x axis towards the y axis, in degrees.
        voltage: Acceleration voltage in kV.
        spherical_aberration: Cs in mm.
        amplitude_contrast: Fraction of amplitude contrast, 0 to 1.
        phase_shift: Additional phase shift of a phase plate, in degrees.

    Source: Rohou & Grigorieff (2015), J. Struct. Biol. 192, 216, equations 2 to 5.
    """
    phase = ctf_phase(
        frequency_x,
        frequency_y,
        defocus_u=defocus_u,
        defocus_v=defocus_v,
        defocus_angle=defocus_angle,
        voltage=voltage,
        spherical_aberration=spherical_aberration,
        amplitude_contrast=amplitude_contrast,
        phase_shift=phase_shift,
    )
    return -torch.sin(phase)
