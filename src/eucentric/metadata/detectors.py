"""How the counts of each camera become electrons: the one table of detectors.

The table is data, written down from what makers and programs say and do; `docs/reference/detectors.md` shows
it, with the sources. Names are matched as the acquisition programs write them: EPU names the camera's place
("EF-Falcon", "BM-Falcon", "EF-CCD") and its commercial name ("Falcon 4i", "BioQuantum K3"), SerialEM what
the site calls it.
"""

import re
from dataclasses import dataclass
from typing import Literal

FileFormat = Literal["MRC", "TIFF", "EER", "DM"]
Operation = Literal["multiply", "divide"]
Shape = tuple[int, int]


@dataclass(frozen=True)
class DetectorRule:
    """What is done to the counts of one kind of camera in one kind of file.

    Attributes:
        name: The row's name.
        names: Regular expression for the camera's names, found anywhere and in any case; "" where the row
            is not found by name.
        formats: The files that the row is for.
        corrected: Whether the files are gain-corrected already: a reference must not be applied.
        operation: What is done with a reference.
        counts_per_electron: Counts that one electron makes on average, once corrected; None where it
            depends on settings that the files do not tell.
        shapes: Rows and columns of its frames, by which an unnamed camera is recognised, in either
            direction; empty where others have the same.
        note: What else there is to know.
    """

    name: str
    names: str
    formats: tuple[FileFormat, ...]
    corrected: bool
    operation: Operation
    counts_per_electron: float | None
    shapes: tuple[Shape, ...]
    note: str


_FRAMES: tuple[FileFormat, ...] = ("MRC", "TIFF", "DM")

DETECTORS: tuple[DetectorRule, ...] = (
    DetectorRule(
        "Falcon, EER",
        r"falcon",
        ("EER",),
        False,
        "divide",
        1.0,
        ((4096, 4096),),
        "A reference is divided by, and 0 means defect; but one with the ending .gain, as EPU writes today,"
        " is multiplied with. Either may be finer or coarser than the movie.",
    ),
    DetectorRule(
        "Falcon, fractions",
        r"falcon",
        _FRAMES,
        True,
        "multiply",
        100.0,
        ((4096, 4096),),
        "Corrected by the camera, which cannot be switched off. An electron is a blob of 3 × 3 pixels that"
        " adds up to 100.",
    ),
    DetectorRule(
        "Gatan K2",
        r"\bk2\b|k2 ?(summit|is)|gatank2",
        _FRAMES,
        False,
        "multiply",
        1.0,
        ((3710, 3838), (7420, 7676)),
        "Counting and super-resolution. SerialEM may save frames turned; r/f in their titles says how.",
    ),
    DetectorRule(
        "Gatan K3",
        r"\bk3\b|bioquantum|bio-continuum|gatank3",
        _FRAMES,
        False,
        "multiply",
        1.0,
        ((4092, 5760), (8184, 11520)),
        "Counting and super-resolution, by SerialEM and by EPU (which calls it EF-CCD, and puts the"
        " reference beside the movies).",
    ),
    DetectorRule(
        "Gatan Alpine",
        r"alpine",
        _FRAMES,
        False,
        "multiply",
        1.0,
        (),
        "As K3, for 100 to 200 kV.",
    ),
    DetectorRule(
        "Direct Electron, counting",
        r"\bde-?(12|16|20|64)\b|apollo|celeritas|direct ?electron",
        _FRAMES,
        True,
        "multiply",
        None,
        (),
        "The camera's server corrects frames as it saves them, unless it is told not to; counts per"
        " electron are a setting of it.",
    ),
    DetectorRule(
        "Ceta",
        r"ceta",
        _FRAMES,
        True,
        "multiply",
        None,
        (),
        "A scintillator camera, corrected as it saves.",
    ),
)
"""The rows, in the order in which they are tried."""

UNKNOWN = DetectorRule(
    "unknown",
    "",
    ("MRC", "TIFF", "EER", "DM"),
    False,
    "multiply",
    None,
    (),
    "Multiplied with a reference where one is given. Name the camera, or the operation, where that is wrong.",
)
"""What is done with a camera that is not in the table."""


def rule_for(detector: str | None, file_format: FileFormat, shape: Shape) -> DetectorRule:
    """Return the row of the table for a movie.

    Args:
        detector: The camera's name, as a program wrote it; None where it is not known.
        file_format: Of the movie.
        shape: Rows and columns of its frames.

    Returns:
        The first row for such files whose names match; where there is no name, or none matches, the only
        camera with frames of this shape; else `UNKNOWN`.
    """
    rows = [row for row in DETECTORS if file_format in row.formats]
    for row in rows:
        if detector and row.names and re.search(row.names, detector, re.IGNORECASE):
            return row
    if file_format == "EER":
        return rows[0]
    # A Falcon has 4096 × 4096 pixels, but so have many: files alone do not tell it.
    alike = [row for row in rows if shape in row.shapes or shape[::-1] in row.shapes]
    return alike[0] if len(alike) == 1 and shape[0] != shape[1] else UNKNOWN


def operation_for(rule: DetectorRule, reference: str) -> Operation:
    """Return what is done with a reference, given its file name.

    Args:
        rule: The camera's row.
        reference: The file's name, with or without folders.
    """
    return "multiply" if reference.lower().endswith(".gain") else rule.operation
