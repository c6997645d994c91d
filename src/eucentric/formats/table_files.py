"""Tables in files: blocks of STAR, CSV, Parquet, and the structured arrays of cryoSPARC (`.cs`).

A table is held in memory as a whole, as columns. Text in STAR and CSV becomes numbers by one rule, see
`star.read_star`; Parquet keeps types by itself.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eucentric.formats import parquet
from eucentric.formats.errors import FormatError
from eucentric.formats.replacing import replacing
from eucentric.formats.star import MAX_BYTES, StarBlock, read_star, star_texts, typed_column, write_star

ENDINGS = (".star", ".csv", ".parquet")
"""Endings of the files that tables are written to."""

PREFIX = "data_"
"""What a block's name begins with in STAR files, and the name of its file among several."""

CS_HEADER = 2**17
"""Longest header of a `.cs` file, in characters: a particle has a few hundred fields at most."""

_ROWS = 50_000  # written at a time
_CS_COMPRESSED = b"\x94CSDAT"


def read_blocks(path: Path) -> dict[str, StarBlock]:
    """Read all blocks of a STAR file, the table of a CSV, Parquet or `.cs` file, or a folder of tables.

    Args:
        path: The file; its ending tells the format. Of a folder all files with such endings, in order.

    Returns:
        Name of the block -> pairs or table. A file's name, without `data_` and ending, is its block's.

    Raises:
        FormatError: It is of another format, damaged or too large, or Parquet cannot be read here.
        OSError: It cannot be opened.
    """
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in ENDINGS)
        if not files:
            raise FormatError(path, "it is a folder without tables", f"give one with {', '.join(ENDINGS)}")
        return {name_of(each): _only(each, read_blocks(each)) for each in files}
    ending = path.suffix.lower()
    if ending == ".star":
        return read_star(path)
    if ending == ".csv":
        columns = {label: typed_cells(label, texts) for label, texts in read_csv_texts(path)}
        return {name_of(path): pd.DataFrame(columns)}
    if ending == ".parquet":
        return {name_of(path): parquet.read_parquet(path)}
    if ending == ".cs":
        return {name_of(path): pd.DataFrame(_cs_columns(read_cs(path)))}
    raise FormatError(path, "its ending tells no format of tables", "give .star, .csv, .parquet or .cs")


def name_of(path: Path) -> str:
    """Return the name of the block that a file of one table holds."""
    return path.stem.removeprefix(PREFIX)


def _only(path: Path, blocks: dict[str, StarBlock]) -> StarBlock:
    if len(blocks) > 1:
        raise FormatError(path, f"it has {len(blocks)} blocks", "convert it by itself")
    return next(iter(blocks.values()))


def as_table(block: StarBlock) -> pd.DataFrame:
    """Return a block as a table, pairs as one of one row."""
    return block if isinstance(block, pd.DataFrame) else pd.DataFrame([block])


def read_texts(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield block, label and values of every column of a STAR or CSV file as the text that stands there."""
    if path.suffix.lower() == ".star":
        yield from star_texts(path)
    else:
        for label, texts in read_csv_texts(path):
            yield name_of(path), label, texts


def read_csv_texts(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield label and values of the columns of a CSV file, comma-separated with a line of labels, as text.

    Raises:
        FormatError: It is no such file, has lines of different length, or is larger than 4 GB.
        OSError: It cannot be opened.
    """
    mend = "give a file with commas between values and a first line of labels"
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(path, f"it is larger than {MAX_BYTES} bytes", "split it into several files")
    _check_lines(path, mend)
    try:
        table = pd.read_csv(
            path, dtype=str, na_filter=False, encoding="utf-8-sig", skip_blank_lines=False, header=0
        )
    except (ValueError, OverflowError) as error:
        raise FormatError(path, f"it is no CSV file ({' '.join(str(error).split())})", mend) from error
    for name in table.columns:
        yield str(name), [str(value) for value in table[name].tolist()]


def _check_lines(path: Path, mend: str) -> None:
    """Refuse lines of different length: the library fills short ones, and takes long ones apart."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            labels = next(lines, [])
            if not labels or not all(labels) or len(set(labels)) != len(labels):
                raise FormatError(path, "its first line is no list of different labels", mend)
            for number, line in enumerate(lines, start=2):
                if len(line) != len(labels) and (line or len(labels) > 1):
                    what = f"its row {number} has {len(line)} values for {len(labels)} labels"
                    raise FormatError(path, what, mend)
    except (csv.Error, UnicodeDecodeError) as error:
        raise FormatError(path, f"it is no CSV file ({error})", mend) from error


def typed_cells(label: str, texts: list[str]) -> NDArray[Any]:
    """Return a column of a CSV file in the type that its texts have: as in STAR files, and True and False."""
    if texts and all(text in ("True", "False") for text in texts):
        return np.array([text == "True" for text in texts])
    return typed_column(label, texts)


def write_block(path: Path, block: StarBlock, name: str) -> None:
    """Write one block as a file of its own.

    The file appears under its name only when it is whole; an existing one is replaced.

    Args:
        path: The file; its ending tells the format.
        block: Pairs or table; pairs become a table of one row in CSV, and in Parquet one that is marked.
        name: Name of the block, kept in STAR.

    Raises:
        FormatError: The format cannot hold it, or Parquet cannot be written here.
        OSError: The file cannot be written.
    """
    ending = path.suffix.lower()
    if ending == ".star":
        write_blocks(path, {name: block})
    elif ending == ".parquet":
        parquet.write_parquet(path, as_table(block), pairs=not isinstance(block, pd.DataFrame))
    else:
        _write_csv(path, as_table(block))


def write_blocks(path: Path, blocks: Mapping[str, StarBlock]) -> None:
    """Write blocks as a STAR file, numbers with all their digits; errors as `write_block`."""
    for name, block in blocks.items():
        labels = list(block)
        bad = [text for text in (name, *labels) if any(map(str.isspace, str(text)))]
        if bad or not all(map(str, labels)):
            raise FormatError(path, f"STAR has no labels like {bad[0] if bad else ''!r}", "rename the column")
        lacking = _lacking(block) if isinstance(block, pd.DataFrame) else None
        if lacking is not None:
            what = f"the column {lacking} of {PREFIX}{name} has missing values, which STAR has not"
            raise FormatError(path, what, "fill them, or leave the column out")
    try:
        write_star(path, blocks, exact=True)
    except ValueError as error:
        raise FormatError(path, str(error), "change the table, or choose another format") from error


def _lacking(table: pd.DataFrame) -> str | None:
    """Return the first column with missing values; NaN among floats is a value."""
    for label in table.columns:
        column = table[label]
        if column.dtype.kind not in "iufb" and bool(column.isna().any()):
            return str(label)
    return None


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    if table.columns.empty:
        raise FormatError(path, "the table has no columns", "choose another block")
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        for start in range(0, len(table), _ROWS):
            writer.writerows(_rows(table.iloc[start : start + _ROWS]))


def _rows(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    return zip(*(cells(table[label]) for label in table.columns), strict=True)


def cells(column: Any) -> list[str]:
    """Return a column as it stands in a CSV file: floats with all digits, what is missing as nothing."""
    if column.dtype.kind == "f":
        return [repr(value) for value in column.tolist()]
    return ["" if lacks else str(value) for value, lacks in zip(column, column.isna(), strict=True)]


def with_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table read from text, where columns of numbers with empty places become numbers with gaps."""
    return pd.DataFrame({label: _with_gaps(str(label), table[label]) for label in table.columns})


def _with_gaps(label: str, column: Any) -> Any:
    texts = column.tolist()
    filled = [text for text in texts if text != ""]
    if column.dtype.kind in "iufb" or len(filled) in (0, len(texts)):
        return column
    numbers = typed_column(label, [str(text) for text in filled])
    if numbers.dtype.kind not in "if":
        return column
    values = iter(numbers.tolist())
    missing = None if numbers.dtype.kind == "i" else np.nan
    found = [missing if text == "" else next(values) for text in texts]
    return pd.Series(found, dtype=object if missing is None else np.float64)


def read_cs(path: Path) -> NDArray[Any]:
    """Map a file of cryoSPARC, an array of one structure for each particle; it is never unpickled.

    Raises:
        FormatError: It is none, or compressed.
        OSError: It cannot be opened.
    """
    mend = "give a file of particles or picks as cryoSPARC exports it"
    with path.open("rb") as file:
        if file.read(len(_CS_COMPRESSED)) == _CS_COMPRESSED:
            what = "it is not an array in NumPy's format, but compressed by cryoSPARC"
            raise FormatError(path, what, "export the job in cryoSPARC, and give the exported file")
    try:
        data = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=CS_HEADER)
    except (ValueError, EOFError, SyntaxError) as error:
        raise FormatError(path, "it is not an array in NumPy's format", mend) from error
    if not isinstance(data, np.ndarray) or data.dtype.names is None or data.ndim != 1:
        raise FormatError(path, "it is no list of structures", mend)
    return data


def _cs_columns(data: NDArray[Any]) -> dict[str, Any]:
    """Return a column for each number: of a field of several, `name[0]`, `name[1]`, ..."""
    columns: dict[str, Any] = {}
    for name in data.dtype.names or ():
        field = np.asarray(data[name])
        if field.dtype.kind == "S":
            field = np.char.decode(field, "utf-8", errors="replace").astype(object)
        elif field.dtype.kind == "U":
            field = field.astype(object)
        field = field.astype(field.dtype.newbyteorder("="), copy=False)
        flat = field.reshape(len(data), -1)
        labels = [name] if field.ndim == 1 else [f"{name}[{place}]" for place in range(flat.shape[1])]
        columns |= {label: flat[:, place] for place, label in enumerate(labels)}
    return columns
