"""Which reader is for which metadata file: the one table of readers.

A reader takes a file and returns what it says, as `Findings`. It never guesses, and never raises anything but
`FormatError` and `OSError`, whatever is in the file.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from eucentric.formats import FormatError
from eucentric.formats.berkeley_emd import is_berkeley
from eucentric.formats.tia import SER_MAGIC
from eucentric.metadata.readings import Findings
from eucentric.microscope.declined import DECLINED
from eucentric.microscope.direct_electron_readings import INFO, begins_as_info, read_info_file
from eucentric.microscope.dm_readings import read_dm_file
from eucentric.microscope.epu_readings import read_epu_image
from eucentric.microscope.epu_session_readings import read_epu_dm
from eucentric.microscope.given_readings import GIVEN, read_given
from eucentric.microscope.header_readings import read_header
from eucentric.microscope.mdoc_readings import read_mdoc_file
from eucentric.microscope.serialem_readings import (
    begins_as_properties,
    read_navigator_file,
    read_properties,
)
from eucentric.microscope.tia_readings import read_emi_file, read_ser_file
from eucentric.microscope.tomography_readings import POSITIONS, read_positions_file
from eucentric.microscope.velox_readings import read_emd_file

HEAD = 4096
"""Bytes at the beginning of a file that readers are told apart by."""

PLUG_INS = "eucentric.metadata_readers"
"""The entry points by which installed distributions add readers: each a `MetadataReader`, or a tuple."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MetadataReader:
    """A reader of one kind of file.

    Attributes:
        kind: What the files are, for people.
        suffixes: How their names end, in small letters.
        read: Reads a file. The second argument is how provenance names it.
        claims: Says by its beginning (and, if need be, by more of it) whether a file is of this kind; None
            where the ending tells.
    """

    kind: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, str], Findings]
    claims: Callable[[Path, bytes], bool] | None = None


IMAGES = (".tif", ".tiff", ".mrc", ".mrcs", ".st", ".eer", ".dm3", ".dm4")

READERS: tuple[MetadataReader, ...] = (
    MetadataReader(
        "EPU image", (".xml",), read_epu_image, lambda _, head: b"MicroscopeImage" in _narrow(head)
    ),
    MetadataReader(
        "Tomography positions",
        (".xml",),
        read_positions_file,
        lambda _, head: POSITIONS.encode() in _narrow(head),
    ),
    MetadataReader("EPU session", (".dm",), read_epu_dm, lambda _, head: b"<" in _narrow(head)),
    MetadataReader("SerialEM image", (".mdoc", ".idoc"), read_mdoc_file),
    MetadataReader("SerialEM navigator", (".nav",), read_navigator_file),
    MetadataReader("Direct Electron", (INFO,), read_info_file, lambda _, head: begins_as_info(head)),
    MetadataReader(
        "SerialEM properties", (".txt",), read_properties, lambda _, head: begins_as_properties(head)
    ),
    MetadataReader("given by people", (GIVEN,), read_given),
    MetadataReader("DigitalMicrograph", (".dm3", ".dm4"), read_dm_file),
    MetadataReader("TIA", (".emi",), read_emi_file),
    MetadataReader("TIA image", (".ser",), read_ser_file, lambda _, head: head.startswith(SER_MAGIC)),
    MetadataReader("EMD", (".emd",), read_emd_file),
    MetadataReader("EMD", (".h5", ".hdf5"), read_emd_file, is_berkeley),
    MetadataReader("image", IMAGES, read_header),
)
"""The readers, in the order in which they are asked; those of plug-ins come after them."""


@cache
def plug_ins() -> tuple[MetadataReader, ...]:
    """Return the readers of installed plug-ins; one that cannot be loaded is passed over with a warning."""
    found: list[MetadataReader] = []
    for point in sorted(entry_points(group=PLUG_INS), key=lambda each: each.name):
        try:
            loaded = point.load()
        except Exception:
            logger.warning("The plug-in %s (%s) cannot be loaded.", point.name, point.value, exc_info=True)
            continue
        found += loaded if isinstance(loaded, tuple) else (loaded,)
    return tuple(found)


def suffixes() -> frozenset[str]:
    """Return how the names of all files end that somebody reads, in small letters."""
    return frozenset(suffix for reader in (*READERS, *plug_ins()) for suffix in reader.suffixes)


def _narrow(head: bytes) -> bytes:
    """Return text as bytes of single letters: as UTF-16, every other byte is 0."""
    return head.replace(b"\0", b"")


def reader_for(path: Path) -> MetadataReader | None:
    """Return the reader for a file, None where nobody reads such files.

    Raises:
        OSError: It cannot be opened.
    """
    head: bytes | None = None
    for reader in (*READERS, *plug_ins()):
        if not path.name.lower().endswith(reader.suffixes):
            continue
        if reader.claims is None:
            return reader
        if head is None:
            with path.open("rb") as file:
                head = file.read(HEAD)
        if reader.claims(path, head):
            return reader
    return None


def read_metadata(path: Path, name: str | None = None) -> Findings:
    """Read what a metadata file or the headers of an image file say.

    Args:
        path: The file.
        name: How provenance names it; by default as `path`.

    Raises:
        FormatError: It cannot be read as what it claims to be, or nobody reads such files.
        OSError: It cannot be opened.
    """
    reader = reader_for(path)
    if reader is None:
        raise nobodys(path)
    return reader.read(path, name or str(path))


def nobodys(path: Path) -> FormatError:
    """Return what there is to say of a file that nobody reads: the verdict on its kind, if it has one."""
    for verdict in DECLINED:
        if path.name.lower().endswith(verdict.suffixes):
            return FormatError(path, f"{verdict.kind} are not read: {verdict.why}", verdict.mend)
    what = f"no reader is known for such files ({path.suffix or 'no ending'})"
    return FormatError(path, what, "give a file of a microscope or camera, see the page about sources")
