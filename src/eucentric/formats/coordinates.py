"""Picked positions as other programs write them: RELION STAR, EMAN BOX, EMAN2 JSON, cryoSPARC .cs.

| file | position | unit | y counts |
| --- | --- | --- | --- |
| STAR | centre | px of the micrograph | from the first row of the file |
| BOX | lower left corner, then width and height | px | from the bottom |
| JSON | centre | px | from the bottom |
| .cs | centre | fraction of width and height | see `read_coordinates` |

In MRC row order the first row is the bottom, so all four mean the same y.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.star import read_star
from eucentric.formats.star_particles import COORDINATES
from eucentric.formats.table_files import read_cs

MAX_BYTES = 2**26
"""Largest BOX or JSON file that is read: those of one micrograph hold thousands of lines."""

LABELS = {label: ours for ours, label in COORDINATES.items()}
"""Columns of coordinates by RELION's labels."""

CS_FIELDS = {"location/center_x_frac": "x", "location/center_y_frac": "y", "pick_stats/ncc_score": "score"}
"""The same by cryoSPARC's fields; there positions are fractions of the micrograph."""

CS_NAME = "location/micrograph_path"
"""CryoSPARC's field of the micrograph's name."""


def read_coordinates(
    path: str | Path, micrograph: str, shape: tuple[int, int], *, boxes: bool = False
) -> pd.DataFrame:
    """Read the picks of one micrograph.

    In a `.cs` file y is counted from the first row of cryoSPARC's micrograph. That is an MRC file, too; but
    of TIFF movies cryoSPARC's own motion correction writes it upside down, compared with RELION and
    Eucentric, and picks on it need to be flipped.

    Args:
        path: The file; its ending tells the format.
        micrograph: Name of the micrograph or of its movie, without folder and ending. Of a table of several
            micrographs, the rows are returned whose micrograph's name contains this as a whole word.
        shape: Rows and columns of the micrograph; only used where positions are fractions of it.
        boxes: Whether the size of the boxes in a BOX file is returned too, as columns width and height.

    Returns:
        Columns x, y (px, (0, 0) the centre of the first pixel), and score where the file has it. Positions
        may lie outside the micrograph.

    Raises:
        FormatError: The file is damaged, too large, of an unknown format, or holds no coordinates.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    readers: dict[str, Callable[[], pd.DataFrame]] = {
        ".star": lambda: _read_star(path, micrograph),
        ".box": lambda: _read_box(path, boxes),
        ".json": lambda: _read_json(path),
        ".cs": lambda: _read_cs(path, micrograph, shape),
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FormatError(
            path, "its ending tells no format of coordinates", f"give one of {', '.join(readers)}"
        )
    table = reader().reset_index(drop=True)
    if not np.isfinite(table.to_numpy(np.float64)).all():
        raise FormatError(path, "it holds numbers that are not finite", "write it again")
    return table.astype(np.float64)


def is_name_of(micrograph: str, name: str) -> bool:
    """Tell whether a file's name contains that of a micrograph (without ending) as a whole word.

    Programs put numbers before a name and words behind it, with an underscore, a hyphen or a dot between.
    """
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(micrograph)}(?![0-9A-Za-z])", name) is not None


def _read_star(path: Path, micrograph: str) -> pd.DataFrame:
    for block in read_star(path).values():
        if not {"rlnCoordinateX", "rlnCoordinateY"} <= set(block):
            continue
        table = pd.DataFrame([block]) if isinstance(block, dict) else block
        if "rlnMicrographName" in table:
            table = table[_of_micrograph(table["rlnMicrographName"].astype(str).to_list(), micrograph)]
        found = table[[label for label in LABELS if label in table]].rename(columns=LABELS)
        if not all(pd.api.types.is_numeric_dtype(kind) for kind in found.dtypes):
            raise FormatError(path, "its coordinates are not all numbers", "write it again")
        return found
    what = "it has no table with rlnCoordinateX and rlnCoordinateY"
    raise FormatError(path, what, "give a coordinate or particle file of RELION")


def _of_micrograph(names: list[str], micrograph: str) -> NDArray[np.bool_]:
    known = {name: is_name_of(micrograph, Path(name).name) for name in set(names)}
    return np.array([known[name] for name in names], np.bool_)


def _read_box(path: Path, boxes: bool) -> pd.DataFrame:
    mend = "give lines of x, y, width and height"
    rows = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            x, y, width, height = (float(word) for word in words[:4])
        except ValueError as error:
            raise FormatError(path, f"its line {number} is not four numbers or more", mend) from error
        # The middle of n pixels is pixel n // 2, as in EMAN's images.
        rows.append((x + width // 2, y + height // 2, width, height))
    table = pd.DataFrame(rows, columns=["x", "y", "width", "height"], dtype=np.float64)
    return table if boxes else table[["x", "y"]]


def _read_json(path: Path) -> pd.DataFrame:
    mend = "give a file of EMAN2's info folder, with boxes [x, y, how] in it"
    try:
        document = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise FormatError(path, "it is not well-formed JSON", mend) from error
    boxes = document.get("boxes") if isinstance(document, dict) else None
    if not isinstance(boxes, list):
        raise FormatError(path, "it has no list of boxes", mend)
    if not all(isinstance(box, list) and len(box) >= 2 and all(map(_is_number, box[:2])) for box in boxes):
        raise FormatError(path, "its boxes do not all begin with two numbers", mend)
    if any(len(box) > 2 and _is_number(box[2]) for box in boxes):
        raise FormatError(path, "its boxes are those of a tomogram, with a third coordinate", mend)
    return pd.DataFrame([box[:2] for box in boxes], columns=["x", "y"], dtype=np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_cs(path: Path, micrograph: str, shape: tuple[int, int]) -> pd.DataFrame:
    data = read_cs(path)  # mapped, for it may hold all particles of a session
    names = data.dtype.names or ()
    if not {CS_NAME, *list(CS_FIELDS)[:2]} <= set(names):
        what = f"it has no {CS_NAME} with location/center_x_frac and _y_frac"
        raise FormatError(path, what, "give a file of particles or picks with their locations")
    paths = [bytes(name).decode(errors="replace") for name in np.asarray(data[CS_NAME]).astype("S")]
    kept = np.flatnonzero(_of_micrograph(paths, micrograph))
    columns = {
        ours: np.asarray(data[name][kept], np.float64) for name, ours in CS_FIELDS.items() if name in names
    }
    columns["x"], columns["y"] = columns["x"] * shape[1], columns["y"] * shape[0]
    return pd.DataFrame(columns)


def _read_text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(path, f"it is larger than {MAX_BYTES} bytes", "give the file of one micrograph")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(path, "it is not a text file", "copy it again from its source") from error
