"""STAR files as RELION 3.1 and later read and write them: blocks of pairs or tables.

Parsing is gemmi's, which refuses a table with a value too many or too few. Writing is plain and always
the same for the same content.
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import gemmi
import numpy as np
import pandas as pd

from eucentric.formats.errors import FormatError
from eucentric.formats.replacing import replacing

Scalar: TypeAlias = str | int | float
StarBlock: TypeAlias = dict[str, Scalar] | pd.DataFrame
"""A block of pairs, label -> value, or a table with labels as columns; labels without the underscore."""

MAX_BYTES = 2**32
"""Largest STAR file that is read; it is held in memory as a whole."""

_VERSION = "# version 30001"  # tells RELION that the file has optics groups
_RESERVED = ("data_", "loop_", "save_", "stop_", "global_")


def read_star(path: str | Path) -> dict[str, StarBlock]:
    """Read every block of a STAR file.

    Args:
        path: The file.

    Returns:
        Name of the block (without `data_`) -> pairs or table. Values that are numbers throughout a column
        become int or float; labels that end in `Name` always stay text, so that a group called "0012" keeps
        its zeros.

    Raises:
        FormatError: The file is not a STAR file, is damaged, empty or larger than 4 GB.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    raw = _read_text(path)
    try:
        document = gemmi.cif.read_string(raw)
    except (ValueError, RuntimeError) as error:
        what = f"it is not a well-formed STAR file ({str(error).strip()})"
        raise FormatError(path, what, "write or copy it again") from error
    blocks = {block.name: _read_block(path, block) for block in document}
    if not blocks:
        raise FormatError(path, "it is a STAR file without any block", "wait until it is written")
    return blocks


def _read_text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(path, f"it is larger than {MAX_BYTES} bytes", "split it into several files")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(path, "it is not a text file", "give a STAR file") from error


def _read_block(path: Path, block: Any) -> StarBlock:
    tables = [item.loop for item in block if item.loop is not None]
    pairs = [item.pair for item in block if item.pair is not None]
    if not tables:
        return {tag.removeprefix("_"): _number_or_text(tag, _unquoted(value)) for tag, value in pairs}
    if len(tables) > 1 or pairs:
        what = f"its block data_{block.name} mixes several tables or tables and pairs"
        raise FormatError(path, what, "give every table a block of its own")
    (table,) = tables
    width = table.width()
    columns = {
        tag.removeprefix("_"): _column(tag, [_unquoted(value) for value in table.values[i::width]])
        for i, tag in enumerate(table.tags)
    }
    return pd.DataFrame(columns)


def _unquoted(value: str) -> str:
    # In CIF a lone dot or question mark means "no value"; RELION knows no such thing.
    return value if value in (".", "?") else str(gemmi.cif.as_string(value))


def _number_or_text(label: str, text: str) -> Scalar:
    value = _column(label, [text])[0]
    return value.item() if isinstance(value, np.generic) else str(value)


def _column(label: str, texts: list[str]) -> Any:
    """Return `texts` as int or float where every one is such a number."""
    # (Python takes 1_0 for a number as well; in a file it is a name.)
    if not label.endswith("Name") and not any("_" in text for text in texts):
        for kind in (np.int64, np.float64):
            try:
                return np.array([kind(text) for text in texts], dtype=kind)
            except (ValueError, OverflowError):
                continue
    return np.array(texts, dtype=object)


def write_star(path: str | Path, blocks: Mapping[str, Mapping[str, Scalar] | pd.DataFrame]) -> None:
    """Write blocks as a STAR file that RELION reads; the same blocks always give the same bytes.

    The file appears under its name only when it is whole; an existing one is replaced.

    Args:
        path: The file.
        blocks: Name of the block (without `data_`) -> pairs or table, written in the order given. Labels
            are written with a leading underscore.

    Raises:
        ValueError: A table without columns, a number that is not finite, or a text that STAR files of RELION
            cannot hold (with a line break or a double quote).
        OSError: The file cannot be written.
    """
    lines: list[str] = []
    for name, block in blocks.items():
        lines += ["", _VERSION, "", f"data_{name}", ""]
        lines += _table_lines(block) if isinstance(block, pd.DataFrame) else _pair_lines(block)
        lines.append("")
    with replacing(Path(path)) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _pair_lines(block: Mapping[str, Scalar]) -> list[str]:
    return [f"_{label:<45} {_written(value)}" for label, value in block.items()]


def _table_lines(table: pd.DataFrame) -> list[str]:
    if table.columns.empty:
        raise ValueError("a STAR file cannot hold a table without columns")
    header = ["loop_", *(f"_{label} #{number}" for number, label in enumerate(table.columns, start=1))]
    columns: Iterable[list[str]] = (_aligned([_written(v) for v in table[c].tolist()]) for c in table.columns)
    return header + [" ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _aligned(texts: list[str]) -> list[str]:
    width = max((len(text) for text in texts), default=0)
    return [text.rjust(width) for text in texts]


def _written(value: Any) -> str:
    """Return one value as it stands in the file; numbers with nine digits, which hold any float32."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"a STAR file must not hold the number {number}")
        return f"{number:.9g}" if number != int(number) or abs(number) >= 1e9 else f"{number:.1f}"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    if any(character in text for character in '"\n\r'):
        raise ValueError(f"a STAR file cannot hold the text {text!r}: it has a quote or a line break")
    plain = text and not any(character.isspace() for character in text)
    if plain and text[0] not in "_#$';" and not text.lower().startswith(_RESERVED):
        return text
    return f'"{text}"'
