"""Arrays in, arrays out: motion, contrast transfer, simulation. Knows no file, no database, no item."""

from eucentric.imaging.ctf import contrast_transfer, electron_speed, electron_wavelength
from eucentric.imaging.ctf_fit import CTFFit, estimate_ctf, fit_ctf
from eucentric.imaging.dose import dose_weights
from eucentric.imaging.motion import estimate_global_motion
from eucentric.imaging.movie import AlignedMovie, align_movie
from eucentric.imaging.spectrum import power_spectrum

__all__ = [
    "AlignedMovie",
    "CTFFit",
    "align_movie",
    "contrast_transfer",
    "dose_weights",
    "electron_speed",
    "electron_wavelength",
    "estimate_ctf",
    "estimate_global_motion",
    "fit_ctf",
    "power_spectrum",
]
