"""The way into image files of every format: headers, frames, single images."""

from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from eucentric.formats.dm import is_dm, open_dm, read_dm_info
from eucentric.formats.eer import EERRendering, is_eer, open_eer, read_eer_info
from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import FrameReader
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.mrc import open_mrc, read_mrc_info
from eucentric.formats.tiff import open_tiff, read_tiff_info
from eucentric.formats.tiff_structure import MAGIC as TIFF_MAGIC

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
"""First bytes of HDF5 files."""

_CONVERT = "convert it to MRC first, with `eucentric convert`"
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"PK": "zip", b"\xfd7": "xz", b"\x28\xb5": "zstd"}


def read_info(path: str | Path) -> ImageInfo:
    """Read the headers of an MRC, TIFF, EER or DM file, and no pixel.

    The format is recognised by the content, not by the name. Every page of a TIFF file is looked at: all
    must be of one shape and type, and lie in the file. A TIFF movie that is still being written is reported
    with the frames that are there. An EER movie is reported in frames and pixels of the camera, however it
    may be read.

    Args:
        path: The file.

    Returns:
        What the headers say.

    Raises:
        FormatError: The file is empty, incomplete, contradicts itself, or is of a kind that is not read.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    readers = {"TIFF": read_tiff_info, "EER": read_eer_info, "DM": read_dm_info, "MRC": read_mrc_info}
    return readers[_format(path)](path)


def open_frames(
    path: str | Path,
    *,
    threads: int | None = None,
    eer: EERRendering | None = None,
    transforms: bool = False,
) -> FrameReader:
    """Open an MRC, TIFF, EER or DM file for reading frame by frame.

    Frames come in MRC row order (first row = bottom of the picture), whatever the file. They are decoded
    ahead, in order, by several threads, as far as fits into a bounded amount of memory.

        with open_frames("movie.tif") as movie:
            total = sum(frame.astype("f4") for frame in movie)

    Args:
        path: The file.
        threads: Number of decoding threads; by default as many as there are cores.
        eer: In which pixels and in how many fractions an EER movie is read, by default the camera's pixels
            and 40; without effect on other files.
        transforms: Whether images of complex numbers, which are transforms, are read too.

    Returns:
        A context manager with `.info`, iteration over frames [y, x], and `.read(start, stop)`.

    Raises:
        FormatError: As `read_info`; while frames are read, also for a damaged one, which it names.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    kind = _format(path)
    if kind == "EER":
        return open_eer(path, threads, eer)
    if kind == "DM":
        return open_dm(path, threads)
    opener = open_tiff if kind == "TIFF" else open_mrc
    return opener(path, threads, transforms=transforms)


def read_image(path: str | Path) -> NDArray[Any]:
    """Read a file that holds a single image, such as a gain reference or a micrograph.

    Args:
        path: The file.

    Returns:
        The image [y, x] in MRC row order, in the file's pixel type.

    Raises:
        FormatError: As `open_frames`, and where the file holds several images.
        OSError: The file cannot be opened.
    """
    with open_frames(path, threads=1) as reader:
        if len(reader) != 1:
            what = f"it holds {len(reader)} images where a single one is needed"
            raise FormatError(path, what, "give a file with one image")
        return next(iter(reader))


def _format(path: Path) -> Literal["TIFF", "EER", "DM", "MRC"]:
    """Tell the format by the content; refuse what is empty, or compressed as a whole."""
    if path.is_dir():
        raise FormatError(path, "it is a folder, not an image of a microscope", _CONVERT)
    with path.open("rb") as file:
        start = file.read(16)
        if start[:4] in TIFF_MAGIC:
            return "EER" if is_eer(path, file) else "TIFF"
    if is_dm(start):
        return "DM"
    if start.startswith(HDF5_MAGIC):
        raise FormatError(path, "it is an HDF5 file, not an image of a microscope", _CONVERT)
    if not start:
        raise FormatError(path, "it is empty", "wait until it is written, or copy it again from its source")
    for magic, name in _COMPRESSED.items():
        # An MRC file begins with its width, little-endian: a magic number of two bytes needs a second look.
        if start.startswith(magic) and path.suffix.lower() in (".gz", ".bz2", ".zip", ".xz", ".zst"):
            raise FormatError(path, f"it is compressed as a whole ({name})", "decompress it first")
    return "MRC"
