"""The XML of Thermo Fisher's EPU: `FoilHole_..._Data_....xml` beside exposures, and that of other images.

Format: the data contract `Fei.SharedObjects.MicroscopeImage`, as EPU 2 and 3, and TFS Tomography 5, write
it; lengths are metres, angles radians, doses electrons per square metre, whatever the version. The file
describes the image that EPU shows (its pixel size and size are those of the camera's readout, often
binned), not the movie.
"""

from pathlib import Path

from eucentric.formats.xml_documents import XmlElement, read_xml

MAX_BYTES = 2**22
"""Largest file of an image that is read; real ones have some 15,000 bytes."""

MAX_SESSION_BYTES = 2**25
"""Largest file of a session that is read; that of a grid square with 600 holes has 2,300,000 bytes."""

SESSION_KINDS = (
    "EpuSessionXml",
    "AtlasSessionXml",
    "ScreeningSessionXml",
    "SampleXml",
    "GridSquareXml",
    "TomographySession",
    "TileSetXml",
)
"""Outermost elements of the files of sessions: EPU's, and Tomography 5's."""


def read_epu_xml(path: str | Path) -> XmlElement:
    """Read the XML of one image.

    Args:
        path: The file.

    Returns:
        The document, whose paths are those below `MicroscopeImage`.

    Raises:
        FormatError: The file is too large, not (whole) XML, defines entities, or is of another kind.
        OSError: The file cannot be opened.
    """
    return read_xml(Path(path), MAX_BYTES, "that of an EPU image", kinds=("MicroscopeImage",))


def read_epu_session(path: str | Path) -> XmlElement:
    """Read a `.dm` file of a session: EpuSession, Atlas, ScreeningSession, Sample or a GridSquare; of
    Tomography 5: Session or SearchMap.

    Raises:
        FormatError: As `read_epu_xml`.
        OSError: The file cannot be opened.
    """
    return read_xml(Path(path), MAX_SESSION_BYTES, "EPU's .dm of a session", kinds=SESSION_KINDS)


def read_batch_positions(path: str | Path) -> XmlElement:
    """Read Tomography 5's `BatchPositionsList.xml`.

    Raises:
        FormatError: As `read_epu_xml`.
        OSError: The file cannot be opened.
    """
    what = "Tomography 5's list of positions"
    return read_xml(Path(path), MAX_SESSION_BYTES, what, kinds=("BatchPositionsList",))
