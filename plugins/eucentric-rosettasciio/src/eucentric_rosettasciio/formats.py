"""Which of RosettaSciIO's readers is for which file, and how it is called so that only FormatError comes out.

Readers that run what a file says (NetCDF) and those of formats that Eucentric reads itself are not among
them.
"""

import contextlib
import importlib
import io
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from eucentric.formats import FormatError
from eucentric.formats.hdf5 import MAGIC

MOST_BYTES = 2**30
"""Largest file that is read by a reader that takes it into memory whole."""

_COPY_AGAIN = "copy it again, with the files that belong to it, or open it in HyperSpy to see what is wrong"


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        kind: What the files are, for people.
        suffixes: How their names end, in small letters.
        module: The reader's module below `rsciio`.
        lazy: Whether that can leave numbers in the file until they are needed.
    """

    kind: str
    suffixes: tuple[str, ...]
    module: str
    lazy: bool = True


FORMATS: tuple[Format, ...] = (
    Format("NanoMEGAS scan", (".blo",), "blockfile"),
    Format("TopSpin", (".app5",), "topspin"),
    Format("Panta Rhei", (".prz",), "pantarhei", lazy=False),
    Format("Merlin", (".mib",), "quantumdetector"),
    Format("TVIPS", (".tvips",), "tvips"),
    Format("Bruker", (".bcf", ".spx"), "bruker", lazy=False),
    Format("EDAX", (".spc", ".spd"), "edax", lazy=False),
    Format("JEOL", (".asw", ".img", ".pts", ".eds"), "jeol", lazy=False),
    Format("EMSA spectrum", (".msa",), "msa", lazy=False),
    Format("Phenom", (".elid",), "phenom", lazy=False),
    Format("NeXus", (".nxs",), "nexus"),
)


def format_of(path: Path) -> Format:
    """Return the format of a file, by the end of its name.

    Raises:
        FormatError: It is none of these.
    """
    name = path.name.lower()
    found = next((each for each in FORMATS if name.endswith(each.suffixes)), None)
    if found is None:
        raise FormatError(
            path, f"files that end in {path.suffix} are none of this plug-in's", "check the name"
        )
    return found


def load(path: Path) -> list[dict[str, Any]]:
    """Read a file.

    Args:
        path: The file.

    Returns:
        A dictionary for each image, stack, scan or spectrum, as RosettaSciIO gives it: `data`, `axes`,
        `metadata`, `original_metadata`.

    Raises:
        FormatError: It cannot be read, whatever the reason.
        OSError: It cannot be opened.
    """
    kind = format_of(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if not kind.lazy and size > MOST_BYTES:
        raise FormatError(
            path, f"it has {size} bytes, too many to be read at once", "cut it in its own program"
        )
    if head == MAGIC:
        _refuse_links(path)
    reader = importlib.import_module(f"rsciio.{kind.module}").file_reader
    try:
        with warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")
            found = reader(str(path), lazy=True) if kind.lazy else reader(str(path))
    except MemoryError as error:
        raise FormatError(path, "it takes more memory than there is", _COPY_AGAIN) from error
    except Exception as error:  # its readers raise errors of every kind
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(".")
        raise FormatError(path, f"RosettaSciIO cannot read it ({said})", _COPY_AGAIN) from error
    return [each for each in found if "data" in each]


def _refuse_links(path: Path) -> None:
    """Refuse an HDF5 file that leads to others: the library would follow."""
    leading: list[str] = []

    def look(name: str, link: Any) -> None:
        if isinstance(link, h5py.ExternalLink):
            leading.append(name)

    def look_at(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and (node.is_virtual or node.external):
            leading.append(name)

    try:
        with h5py.File(path, "r") as root:
            root.visititems_links(look)
            root.visititems(look_at)
    except Exception as error:
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise FormatError(path, f"it is no whole HDF5 file ({said})", _COPY_AGAIN) from error
    if leading:
        raise FormatError(path, f"its {leading[0][:80]} lies in another file", "copy all of it into one file")


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep RosettaSciIO's notes and progress bars out of the program's own log and screen."""
    logger = logging.getLogger("rsciio")
    before, logger.disabled = logger.disabled, True
    nowhere = io.StringIO()
    try:
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield
    finally:
        logger.disabled = before
