"""STAR files as RELION 3.1 and later read and write them: blocks of pairs or tables.

Parsing is gemmi's, which refuses a table with a value too many or too few. Writing is plain and always
the same for the same content.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import gemmi
import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    return {name: _typed_block(is_table, columns) for name, is_table, columns in _blocks(Path(path))}


def star_texts(path: str | Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield block, label and values of every column as the text that stands there; errors as `read_star`."""
    for name, _, columns in _blocks(Path(path)):
        for label, texts in columns:
            yield name, label, texts


_Columns: TypeAlias = Iterator[tuple[str, list[str]]]


def _blocks(path: Path) -> Iterator[tuple[str, bool, _Columns]]:
    """Yield name, whether it is a table, and the columns of every block."""
    try:
        document = gemmi.cif.read_string(_read_text(path))
    except (ValueError, RuntimeError) as error:
        what = f"it is not a well-formed STAR file ({str(error).strip()})"
        raise FormatError(path, what, "write or copy it again") from error
    if len(document) == 0:
        raise FormatError(path, "it is a STAR file without any block", "wait until it is written")
    for block in document:
        # Where nothing stands behind `data_`, the library calls the block " ".
        yield block.name.strip(), *_columns(path, block)


def _read_text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(path, f"it is larger than {MAX_BYTES} bytes", "split it into several files")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(path, "it is not a text file", "give a STAR file") from error


def _columns(path: Path, block: Any) -> tuple[bool, _Columns]:
    tables = [item.loop for item in block if item.loop is not None]
    pairs = [item.pair for item in block if item.pair is not None]
    if not tables:
        return False, ((tag.removeprefix("_"), [_unquoted(value)]) for tag, value in pairs)
    if len(tables) > 1 or pairs:
        what = f"its block data_{block.name} mixes several tables or tables and pairs"
        raise FormatError(path, what, "give every table a block of its own")
    (table,) = tables
    width = table.width()
    return True, (
        (tag.removeprefix("_"), [_unquoted(value) for value in table.values[place::width]])
        for place, tag in enumerate(table.tags)
    )


def _typed_block(is_table: bool, columns: _Columns) -> StarBlock:
    values = {label: typed_column(label, texts) for label, texts in columns}
    if is_table:
        return pd.DataFrame(values)
    return {
        label: value.item() if isinstance(value, np.generic) else str(value)
        for label, (value,) in values.items()
    }


def _unquoted(value: str) -> str:
    # In CIF a lone dot or question mark means "no value"; RELION knows no such thing.
    return value if value in (".", "?") else str(gemmi.cif.as_string(value))


def typed_column(label: str, texts: list[str]) -> NDArray[Any]:
    """Return a column as int or float where all texts are such numbers and the label is no `...Name`."""
    # (Python takes 1_0 for a number as well; in a file it is a name.)
    if not label.endswith("Name") and not any("_" in text for text in texts):
        for kind in (np.int64, np.float64):
            try:
                return np.array([kind(text) for text in texts], dtype=kind)
            except (ValueError, OverflowError):
                continue
    return np.array(texts, dtype=object)


def write_star(
    path: str | Path, blocks: Mapping[str, Mapping[str, Scalar] | pd.DataFrame], *, exact: bool = False
) -> None:
    """Write blocks as a STAR file that RELION reads.

    The file appears under its name only when it is whole; an existing one is replaced.

    Args:
        path: The file.
        blocks: See `star_text`.
        exact: See `star_text`.

    Raises:
        ValueError: See `star_text`.
        OSError: The file cannot be written.
    """
    text = star_text(blocks, exact=exact)
    with replacing(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def star_text(blocks: Mapping[str, Mapping[str, Scalar] | pd.DataFrame], *, exact: bool = False) -> str:
    """Return blocks as the text of a STAR file that RELION reads; the same blocks always give the same text.

    Args:
        blocks: Name of the block (without `data_`) -> pairs or table, written in the order given. Labels
            are written with a leading underscore.
        exact: Whether numbers are written with all the digits that they need, up to seventeen, and those
            that are not finite as nan and inf; by default nine, which hold any float32.

    Raises:
        ValueError: A table without columns, a number that is not finite (unless `exact`), or a text that STAR
            files of RELION cannot hold (with a line break or a double quote).
    """
    lines: list[str] = []
    for name, block in blocks.items():
        lines += ["", _VERSION, "", f"data_{name}", ""]
        lines += _table_lines(block, exact) if isinstance(block, pd.DataFrame) else _pair_lines(block, exact)
        lines.append("")
    return "\n".join(lines) + "\n"


def _pair_lines(block: Mapping[str, Scalar], exact: bool) -> list[str]:
    return [f"_{label:<45} {_written(value, exact)}" for label, value in block.items()]


def _table_lines(table: pd.DataFrame, exact: bool) -> list[str]:
    if table.columns.empty:
        raise ValueError("a STAR file cannot hold a table without columns")
    header = ["loop_", *(f"_{label} #{number}" for number, label in enumerate(table.columns, start=1))]
    columns: Iterable[list[str]] = (
        _aligned([_written(v, exact) for v in table[c].tolist()]) for c in table.columns
    )
    return header + [" ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _aligned(texts: list[str]) -> list[str]:
    width = max((len(text) for text in texts), default=0)
    return [text.rjust(width) for text in texts]


def _written(value: Any, exact: bool) -> str:
    """Return one value as it stands in the file; numbers with nine digits, or as many as they need."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        number = float(value)
        if exact:
            return repr(number)
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
