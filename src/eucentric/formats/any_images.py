"""The way into images of every format, those of archives and other sciences too: for conversion."""

from pathlib import Path

from eucentric.formats.eer import EERRendering
from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import FrameReader
from eucentric.formats.images import HDF5_MAGIC, open_frames
from eucentric.formats.mrc_axes import open_turned
from eucentric.formats.slabs import reader_of

_ZARR_MARKS = ("zarr.json", ".zgroup")


def open_image(
    path: str | Path,
    *,
    eer: EERRendering | None = None,
    part: str | None = None,
    own: bool = False,
) -> FrameReader:
    """Open an image, a stack or a volume of any format that is read, complex numbers included.

    Beside the formats of `open_frames` these are HDF5 (NeXus, EMD, Velox) and OME-Zarr folders. The format
    is recognised by the content.

    Args:
        path: The file, or the folder.
        eer: How an EER movie is rendered, see `open_frames`.
        part: Which image of a file or folder that holds several.
        own: Whether this program has just written the file. Any other HDF5 file is first tried in a process
            of its own, which takes some hundredths of a second.

    Raises:
        FormatError: The file is damaged or of a kind that is not read, it is not clear which image is meant,
            or it has no part of that name.
        OSError: It cannot be opened.
    """
    path = Path(path)
    if path.is_dir():
        if not any((path / mark).is_file() for mark in _ZARR_MARKS):
            raise FormatError(path, "it is a folder, and no OME-Zarr", "give a file, or a folder of OME-Zarr")
        # These libraries are loaded only where they are needed.
        from eucentric.formats.ome_zarr import find_ome_zarr

        return reader_of(find_ome_zarr(path, part), lambda: None)
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(HDF5_MAGIC):
        from eucentric.formats.hdf5_images import open_hdf5_image, try_hdf5

        if not own:
            try_hdf5(path, part)
        return open_hdf5_image(path, part)
    if part is not None:
        raise FormatError(path, f"a file of its kind has no parts ({part})", "leave the part out")
    turned = open_turned(path)
    return reader_of(turned, lambda: None) if turned else open_frames(path, eer=eer, transforms=True)
