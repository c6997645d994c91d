"""The way into image files of every format: headers, frames, single images."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import FrameReader
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.mrc import open_mrc, read_mrc_info
from eucentric.formats.tiff import open_tiff, read_tiff_info
from eucentric.formats.tiff_structure import MAGIC as TIFF_MAGIC

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"PK": "zip", b"\xfd7": "xz", b"\x28\xb5": "zstd"}


def read_info(path: str | Path) -> ImageInfo:
    """Read the headers of an MRC or TIFF file, and no pixel.

    The format is recognised by the content, not by the name. Every page of a TIFF file is looked at: all
    must be of one shape and type, and lie in the file. A TIFF movie that is still being written is reported
    with the frames that are there.

    Args:
        path: The file.

    Returns:
        What the headers say.

    Raises:
        FormatError: The file is empty, incomplete, contradicts itself, or is of a kind that is not read.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    return read_tiff_info(path) if _is_tiff(path) else read_mrc_info(path)


def open_frames(path: str | Path, *, threads: int | None = None) -> FrameReader:
    """Open an MRC or TIFF file for reading frame by frame.

    Frames come in MRC row order (first row = bottom of the picture), whatever the file. They are decoded
    ahead, in order, by several threads, as far as fits into a bounded amount of memory.

        with open_frames("movie.tif") as movie:
            total = sum(frame.astype("f4") for frame in movie)

    Args:
        path: The file.
        threads: Number of decoding threads; by default as many as there are cores.

    Returns:
        A context manager with `.info`, iteration over frames [y, x], and `.read(start, stop)`.

    Raises:
        FormatError: As `read_info`; while frames are read, also for a damaged one, which it names.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    return open_tiff(path, threads) if _is_tiff(path) else open_mrc(path, threads)


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


def _is_tiff(path: Path) -> bool:
    """Tell TIFF from MRC by the first bytes; refuse what is empty, compressed or neither."""
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise FormatError(path, "it is empty", "wait until it is written, or copy it again from its source")
    if start in TIFF_MAGIC:
        return True
    for magic, name in _COMPRESSED.items():
        # An MRC file begins with its width, little-endian: a magic number of two bytes needs a second look.
        if start.startswith(magic) and path.suffix.lower() in (".gz", ".bz2", ".zip", ".xz", ".zst"):
            raise FormatError(path, f"it is compressed as a whole ({name})", "decompress it first")
    return False
