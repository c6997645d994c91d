"""Which kind of HDF5 file one is, and the way into its image."""

import contextlib
import multiprocessing
import signal
import warnings
from pathlib import Path

from eucentric.formats.emd_images import find_emd, is_emd
from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import FrameReader
from eucentric.formats.hdf5 import open_hdf5
from eucentric.formats.nexus_images import find_nexus
from eucentric.formats.slabs import reader_of
from eucentric.formats.velox import is_velox
from eucentric.formats.velox_images import find_velox

TRIAL_SECONDS = 60.0
"""How long the first frame of a file may take."""

_COPY_AGAIN = "copy the file again from its source"


def open_hdf5_image(path: Path, part: str | None) -> FrameReader:
    """Open the image of an HDF5 file: of Velox, of the Berkeley kind of EMD, NeXus, or any with one image.

    Args:
        path: The file.
        part: Which image, where it holds several.

    Raises:
        FormatError: It holds none, it is not clear which is meant, or it is damaged.
    """
    file = open_hdf5(path)
    try:
        find = find_velox if is_velox(path, file) else find_emd if is_emd(file) else find_nexus
        return reader_of(find(path, file, part), file.close)
    except FormatError:
        file.close()
        raise
    except Exception as error:  # whatever the library may stumble over in a damaged file
        file.close()
        what = f"its structure is damaged ({' '.join(str(error).split())})"
        raise FormatError(path, what, _COPY_AGAIN) from error


def try_hdf5(path: Path, part: str | None) -> None:
    """Read the first frame of an HDF5 file in a process that may die of it.

    The library is written in C and trusts the file: some damaged ones make it crash, others run in a circle.

    Raises:
        FormatError: It does so.
    """
    child = multiprocessing.get_context("fork").Process(target=_read_one, args=(path, part), daemon=True)
    with warnings.catch_warnings():
        # Of forks while there are other threads: the child uses nothing that they may hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    child.join(TRIAL_SECONDS)
    if child.is_alive():
        child.kill()
        child.join()
        what = f"it is damaged: the HDF5 library came to no end with it in {TRIAL_SECONDS:.0f} s"
        raise FormatError(path, what, _COPY_AGAIN)
    if child.exitcode is not None and child.exitcode < 0:
        name = signal.Signals(-child.exitcode).name
        raise FormatError(path, f"it is damaged: the HDF5 library died of it ({name})", _COPY_AGAIN)


def _read_one(path: Path, part: str | None) -> None:
    # What can be told in a sentence is told when the file is opened for good.
    with contextlib.suppress(FormatError, OSError), open_hdf5_image(path, part) as reader:
        reader.read(0, 1)
