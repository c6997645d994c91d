"""Positions of particles in whole files of other programs: all their micrographs, and how they are written.

What each format means by a position is told in `coordinates`, which reads those of one micrograph.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eucentric.formats.coordinates import CS_FIELDS, CS_NAME, LABELS, read_coordinates
from eucentric.formats.errors import FormatError
from eucentric.formats.replacing import replacing
from eucentric.formats.star import read_star, write_star
from eucentric.formats.table_files import read_cs

WRITTEN = (".star", ".box", ".json")
READ = (*WRITTEN, ".cs")

_CS_SHAPE = "location/micrograph_shape"
_MICROGRAPH = "rlnMicrographName"
_INFO = "_info"  # EMAN2 calls a micrograph's file NAME_info.json
_KNOWN = ("x", "y", "score", "width", "height")


@dataclass(frozen=True)
class Positions:
    """The positions in one file.

    Attributes:
        tables: Name of the micrograph -> columns x, y (px, (0, 0) the centre of the first pixel), where
            known score; of BOX files width and height of the boxes (px).
        others: Names of what the file says beside.
    """

    tables: dict[str, pd.DataFrame]
    others: list[str]


def read_positions(path: Path, shape: tuple[int, int] | None = None) -> Positions:
    """Read all positions of a STAR, BOX, EMAN2 JSON or cryoSPARC `.cs` file.

    Args:
        path: The file; its ending tells the format. Where it names no micrograph, its own name is taken.
        shape: Rows and columns of the micrographs, for `.cs` files that do not say.

    Raises:
        FormatError: It is damaged, of another format, holds no positions, or positions as fractions of a
            micrograph of unknown size.
        OSError: It cannot be opened.
    """
    ending = path.suffix.lower()
    if ending == ".star":
        return _read_star(path)
    if ending == ".cs":
        return _read_cs(path, shape)
    name = path.stem.removesuffix(_INFO)
    others = _keys(path) if ending == ".json" else []
    return Positions({name: read_coordinates(path, name, (0, 0), boxes=True)}, others)


def _keys(path: Path) -> list[str]:
    """Return what else an EMAN2 file says of its micrograph."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return sorted(key for key in document if key != "boxes") if isinstance(document, dict) else []


def _read_star(path: Path) -> Positions:
    for block in read_star(path).values():
        if not {"rlnCoordinateX", "rlnCoordinateY"} <= set(block):
            continue
        table = pd.DataFrame([block]) if isinstance(block, dict) else block
        columns = {label: name for label, name in LABELS.items() if label in table}
        found = table[list(columns)].rename(columns=columns)
        if not all(pd.api.types.is_numeric_dtype(kind) for kind in found.dtypes):
            raise FormatError(path, "its coordinates are not all numbers", "write it again")
        others = [str(label) for label in table.columns if label not in (*columns, _MICROGRAPH)]
        if _MICROGRAPH not in table:
            return Positions({path.stem: found.astype(np.float64)}, others)
        return Positions(_by_name(found.astype(np.float64), table[_MICROGRAPH].tolist()), others)
    what = "it has no table with rlnCoordinateX and rlnCoordinateY"
    raise FormatError(path, what, "give a coordinate or particle file of RELION")


def _by_name(table: pd.DataFrame, names: list[Any]) -> dict[str, pd.DataFrame]:
    grouped = table.groupby(pd.Series(names, index=table.index).astype(str), sort=False)
    return {str(name): rows.reset_index(drop=True) for name, rows in grouped}


def _read_cs(path: Path, shape: tuple[int, int] | None) -> Positions:
    data = read_cs(path)
    fields = data.dtype.names or ()
    if not {CS_NAME, *list(CS_FIELDS)[:2]} <= set(fields):
        what = f"it has no {CS_NAME} with location/center_x_frac and _y_frac"
        raise FormatError(path, what, "give a file of particles or picks with their locations")
    if _CS_SHAPE in fields:
        sizes: NDArray[np.float64] = np.asarray(data[_CS_SHAPE], np.float64).reshape(len(data), -1)[:, :2]
    elif shape is not None:
        sizes = np.tile(np.array(shape, np.float64), (len(data), 1))
    else:
        what = "its positions are fractions of micrographs whose size it does not tell"
        raise FormatError(path, what, "give the size with --shape ROWS,COLUMNS")
    columns = {ours: np.asarray(data[name], np.float64) for name, ours in CS_FIELDS.items() if name in fields}
    columns["x"], columns["y"] = columns["x"] * sizes[:, 1], columns["y"] * sizes[:, 0]
    names = [
        bytes(name).decode(errors="replace") if isinstance(name, bytes) else str(name)
        for name in np.asarray(data[CS_NAME]).tolist()
    ]
    others = [name for name in fields if name not in (*CS_FIELDS, CS_NAME, _CS_SHAPE)]
    return Positions(_by_name(pd.DataFrame(columns), names), others)


def write_positions(path: Path, tables: Mapping[str, pd.DataFrame], box: int | None = None) -> None:
    """Write positions as STAR (of any number of micrographs), BOX or EMAN2 JSON (of one).

    The file appears under its name only when it is whole; an existing one is replaced.

    Args:
        path: The file; its ending tells the format.
        tables: Name of the micrograph -> columns x, y and, where known, score, width and height.
        box: Side of the boxes in px, for BOX files where the table does not say.

    Raises:
        ValueError: Of another format, of several micrographs where there is room for one, or boxes of
            unknown size.
        OSError: The file cannot be written.
    """
    ending = path.suffix.lower()
    if ending == ".star":
        _write_star(path, tables)
        return
    if len(tables) != 1:
        raise ValueError(f"a file {ending} has room for one micrograph, not for {len(tables)}")
    (table,) = tables.values()
    if ending == ".box":
        text = _box_lines(table, box)
    elif ending == ".json":
        boxes = [[x, y, "manual"] for x, y in zip(*(_plain(table[name]) for name in "xy"), strict=True)]
        text = json.dumps({"boxes": boxes}) + "\n"
    else:
        raise ValueError(f"no coordinates are written to {ending or 'a file without ending'}")
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_star(path: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    parts = []
    for name, table in tables.items():
        part = table[[each for each in LABELS.values() if each in table]].copy()
        if len(tables) > 1 or "/" in name or "." in name:
            part["micrograph"] = name
        parts.append(part)
    labels = {ours: label for label, ours in LABELS.items()} | {"micrograph": _MICROGRAPH}
    write_star(path, {"": pd.concat(parts, ignore_index=True).rename(columns=labels)}, exact=True)


def _box_lines(table: pd.DataFrame, box: int | None) -> str:
    """Return lines of lower left corner, width and height; the middle of n pixels is pixel n // 2."""
    if box is None and not {"width", "height"} <= set(table):
        raise ValueError("boxes need a size: give it with --box PIXELS")
    lines = []
    for row in table.to_dict("records"):
        width, height = (box, box) if box is not None else (row["width"], row["height"])
        numbers = (row["x"] - width // 2, row["y"] - height // 2, width, height)
        lines.append("\t".join(_short(float(number)) for number in numbers) + "\n")
    return "".join(lines)


def _plain(column: Any) -> list[int | float]:
    """Return whole numbers without a fraction, as EMAN2 writes them."""
    return [int(value) if value == int(value) else value for value in column.astype(float).tolist()]


def _short(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
