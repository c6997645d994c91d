"""Bytes to arrays and headers and back, one file per format. No state.

Images are handed out and taken in MRC row order: the first row of an array is the bottom of the picture.
"""

from eucentric.formats.eer import EERRendering
from eucentric.formats.eer_writing import write_eer
from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import FrameReader
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.images import open_frames, read_image, read_info
from eucentric.formats.mdoc import Mdoc, MdocSection, read_mdoc
from eucentric.formats.mrc import write_mrc
from eucentric.formats.png import write_png
from eucentric.formats.star import StarBlock, read_star, star_text, write_star
from eucentric.formats.star_particles import (
    ParticleOptics,
    read_coordinates_star,
    read_particles_star,
    write_coordinates_star,
    write_particles_star,
)
from eucentric.formats.star_shifts import FrameShifts, PatchShifts, read_shifts_star, write_shifts_star
from eucentric.formats.star_tables import (
    StarMicrograph,
    StarMovie,
    StarOptics,
    read_micrographs_star,
    read_movies_star,
    write_micrographs_star,
    write_movies_star,
)
from eucentric.formats.tiff_writing import write_tiff

__all__ = [
    "EERRendering",
    "FormatError",
    "FrameReader",
    "FrameShifts",
    "ImageInfo",
    "Mdoc",
    "MdocSection",
    "ParticleOptics",
    "PatchShifts",
    "StarBlock",
    "StarMicrograph",
    "StarMovie",
    "StarOptics",
    "open_frames",
    "read_coordinates_star",
    "read_image",
    "read_info",
    "read_mdoc",
    "read_micrographs_star",
    "read_movies_star",
    "read_particles_star",
    "read_shifts_star",
    "read_star",
    "star_text",
    "write_coordinates_star",
    "write_eer",
    "write_micrographs_star",
    "write_movies_star",
    "write_mrc",
    "write_particles_star",
    "write_png",
    "write_shifts_star",
    "write_star",
    "write_tiff",
]
