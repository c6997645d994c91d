"""Arrays in, arrays out: motion, contrast transfer, simulation. Knows no file, no database, no item."""

from eucentric.imaging.bad_pixels import BadPixels, find_bad_pixels, replace_bad_pixels
from eucentric.imaging.ctf import CTFOptics, contrast_transfer, electron_speed, electron_wavelength
from eucentric.imaging.ctf_fit import CTFFit, FitOptions, estimate_ctf, fit_ctf
from eucentric.imaging.dose import critical_dose, dose_weights
from eucentric.imaging.frame_sum import FrameSums, correct_and_sum
from eucentric.imaging.frames import Frame, Frames
from eucentric.imaging.motion import estimate_global_motion
from eucentric.imaging.motion_field import MotionField
from eucentric.imaging.movie import AlignedMovie, align_movie
from eucentric.imaging.ring_profile import RingProfile
from eucentric.imaging.spectrum import power_spectrum, spectrum_frequencies
from eucentric.imaging.thumbnail import thumbnail

__all__ = [
    "AlignedMovie",
    "BadPixels",
    "CTFFit",
    "CTFOptics",
    "FitOptions",
    "Frame",
    "FrameSums",
    "Frames",
    "MotionField",
    "RingProfile",
    "align_movie",
    "contrast_transfer",
    "correct_and_sum",
    "critical_dose",
    "dose_weights",
    "electron_speed",
    "electron_wavelength",
    "estimate_ctf",
    "estimate_global_motion",
    "find_bad_pixels",
    "fit_ctf",
    "power_spectrum",
    "replace_bad_pixels",
    "spectrum_frequencies",
    "thumbnail",
]
