"""Bytes to arrays and headers and back, one file per format. No state.

Images are handed out and taken in MRC row order: the first row of an array is the bottom of the picture.
"""

from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import FrameReader
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.images import open_frames, read_image, read_info
from eucentric.formats.mrc import write_mrc
from eucentric.formats.tiff_writing import write_tiff

__all__ = [
    "FormatError",
    "FrameReader",
    "ImageInfo",
    "open_frames",
    "read_image",
    "read_info",
    "write_mrc",
    "write_tiff",
]
