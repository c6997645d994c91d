"""Arrays in, arrays out: motion, contrast transfer, simulation. Knows no file, no database, no item."""

from eucentric.imaging.ctf import contrast_transfer, electron_speed, electron_wavelength

__all__ = ["contrast_transfer", "electron_speed", "electron_wavelength"]
