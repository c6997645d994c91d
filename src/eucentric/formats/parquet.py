"""Tables in Parquet files, where pyarrow is installed: types are kept, values are not made of text."""

from pathlib import Path
from typing import Any

import pandas as pd

from eucentric.formats.errors import FormatError
from eucentric.formats.replacing import replacing
from eucentric.formats.star import MAX_BYTES, StarBlock

_PAIRS = b"eucentric.pairs"
_MAX_UNPACKED = 2**34


def read_parquet(path: Path) -> StarBlock:
    """Read a table of numbers and texts; one that was written from pairs becomes pairs again.

    Raises:
        FormatError: It is damaged or too large, has columns of other types, or pyarrow is not installed.
        OSError: It cannot be opened.
    """
    arrow = _arrow(path)
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(path, f"it is larger than {MAX_BYTES} bytes", "split it into several files")
    try:
        file = arrow.parquet.ParquetFile(path)
        unpacked = sum(
            file.metadata.row_group(number).total_byte_size for number in range(file.metadata.num_row_groups)
        )
        if unpacked > _MAX_UNPACKED:
            raise FormatError(path, f"it unpacks to {unpacked} bytes", "split it into several files")
        _check_types(path, arrow, file.schema_arrow)
        # (Whole numbers with gaps would become floats, and lose digits.)
        table: pd.DataFrame = file.read().to_pandas(integer_object_nulls=True, ignore_metadata=True)
    except arrow.lib.ArrowException as error:
        raise FormatError(path, f"it is no whole Parquet file ({error})", "write or copy it again") from error
    if _PAIRS in (file.schema_arrow.metadata or {}) and len(table) == 1:
        return {str(name): _plain(table[name].iloc[0]) for name in table.columns}
    return table


def write_parquet(path: Path, table: pd.DataFrame, *, pairs: bool = False) -> None:
    """Write a table; `pairs` marks one that was a block of pairs.

    Raises:
        FormatError: A column mixes types, or pyarrow is not installed.
        OSError: The file cannot be written.
    """
    arrow = _arrow(path)
    try:
        made = arrow.Table.from_pandas(table, preserve_index=False)
    except arrow.lib.ArrowException as error:
        raise FormatError(
            path, f"Parquet cannot hold the table ({error})", "choose another format"
        ) from error
    made = made.replace_schema_metadata({_PAIRS: b"true"} if pairs else None)
    with replacing(path) as temporary:
        arrow.parquet.write_table(made, temporary, compression="zstd")


def _check_types(path: Path, arrow: Any, schema: Any) -> None:
    types = arrow.types
    able = (types.is_integer, types.is_floating, types.is_boolean, types.is_string, types.is_large_string)
    for column in schema:
        if not any(is_able(column.type) for is_able in able):
            what = f"its column {column.name} is of type {column.type}, not of numbers or text"
            raise FormatError(path, what, "convert or leave out that column first")


def _plain(value: Any) -> str | int | float:
    plain: str | int | float = value.item() if hasattr(value, "item") else value
    return plain


def _arrow(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        what = "Parquet files need pyarrow, which is not installed"
        raise FormatError(path, what, "install it: pip install 'eucentric[parquet]'") from error
    return pyarrow
