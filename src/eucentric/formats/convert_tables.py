"""Tables between STAR, CSV and Parquet, read back and compared value by value."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eucentric.formats.errors import FormatError
from eucentric.formats.parquet import read_parquet
from eucentric.formats.places import check_places
from eucentric.formats.replacing import replacing
from eucentric.formats.star import StarBlock, typed_column
from eucentric.formats.table_files import (
    ENDINGS,
    PREFIX,
    as_table,
    cells,
    read_blocks,
    read_texts,
    typed_cells,
    with_gaps,
    write_block,
    write_blocks,
)

_SHOWN = 5


@dataclass(frozen=True)
class TableOptions:
    """How tables are converted.

    Attributes:
        block: The block of a STAR file to convert; or the name of the one to write.
        to: Ending of the files of a folder of tables, without the dot.
        pairs: Names of blocks of one row that become pairs in STAR.
        overwrite: Whether what is there is replaced.
    """

    block: str | None = None
    to: str | None = None
    pairs: tuple[str, ...] = ()
    overwrite: bool = False


@dataclass
class ConvertedTables:
    """What came of a conversion.

    Attributes:
        source: What was read.
        target: The new file, or folder.
        blocks: Rows and columns of each block.
        changes: What is not as it was, in sentences without a full stop.
        lost: What the new file does not keep, by name.
    """

    source: Path
    target: Path
    blocks: dict[str, tuple[int, int]]
    changes: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)


def convert_tables(source: Path, target: Path, options: TableOptions | None = None) -> ConvertedTables:
    """Convert a table, or the blocks of a STAR file, between STAR, CSV and Parquet; `.cs` files are read.

    Args:
        source: A file, or a folder of tables.
        target: A file, whose ending tells the format; or a folder, with `options.to`, of a file
            `data_NAME` for each block. It appears when it is complete and has been read back.
        options: How.

    Raises:
        FormatError: The source cannot be read, has no such block or several where one is needed; the target
            is there already or cannot hold the table; or what was read back is not what was written.
        OSError: A file cannot be opened or written.
    """
    options = options or TableOptions()
    blocks = _chosen(source, target, read_blocks(source), options)
    result = ConvertedTables(source, target, {name: as_table(block).shape for name, block in blocks.items()})
    single = target.suffix.lower() in ENDINGS
    ending = target.suffix.lower() if single else _folder_ending(target, options)
    if ending == ".parquet" and source.suffix.lower() == ".csv":
        blocks = {name: with_gaps(as_table(block)) for name, block in blocks.items()}
    if single:
        check_places(source, target, options.overwrite)
    else:
        check_places(source, target, options.overwrite, lambda path: _is_folder_of_tables(path, ending))
    with replacing(target) as temporary:
        try:
            if single:
                _convert_to_file(temporary, ending, blocks, result)
            else:
                _convert_to_folder(temporary, ending, blocks, result)
        except FormatError as error:  # named after a file that is not there for long
            raise FormatError(target, error.what, error.mend) from error
    return result


def _convert_to_file(path: Path, ending: str, blocks: dict[str, StarBlock], result: ConvertedTables) -> None:
    named = path.with_name(path.name + ending)  # the ending tells the format to be read back
    try:
        _write(named, blocks)
        _compare(named, blocks, result)
        named.replace(path)
    finally:
        named.unlink(missing_ok=True)


def _convert_to_folder(
    folder: Path, ending: str, blocks: dict[str, StarBlock], result: ConvertedTables
) -> None:
    folder.mkdir()
    for name, block in blocks.items():
        if "/" in name or "\0" in name:
            raise FormatError(
                folder, f"no file can be called {name!r} like the block", "choose it with --block"
            )
        file = folder / f"{PREFIX}{name}{ending}"
        write_block(file, block, name)
        _compare(file, {name: block}, result)


def _chosen(
    source: Path, target: Path, blocks: dict[str, StarBlock], options: TableOptions
) -> dict[str, StarBlock]:
    """Return the blocks to write, under the names to be written."""
    single = source.suffix.lower() != ".star" and len(blocks) == 1
    if options.block is not None and single:
        blocks = {options.block: next(iter(blocks.values()))}
    elif options.block is not None:
        name = options.block.removeprefix(PREFIX)
        if name not in blocks:
            raise FormatError(source, f"it has no block {name!r}", f"choose one of: {_listed(blocks)}")
        blocks = {name: blocks[name]}
    if target.suffix.lower() in (".csv", ".parquet") and len(blocks) > 1:
        mend = f"choose one with --block, or give a folder and --to csv; there are {_listed(blocks)}"
        raise FormatError(source, f"it has {len(blocks)} blocks where one is needed", mend)
    for name in (each.removeprefix(PREFIX) for each in options.pairs):
        if name not in blocks or len(as_table(blocks[name])) != 1:
            what = f"it has no block {name!r} of one row to make pairs of"
            raise FormatError(source, what, f"choose one of: {_listed(blocks)}")
        table = as_table(blocks[name])
        blocks[name] = {str(label): table[label].tolist()[0] for label in table.columns}
    return blocks


def _listed(blocks: dict[str, StarBlock]) -> str:
    return ", ".join(f"{name or '(no name)'} ({len(as_table(block))} rows)" for name, block in blocks.items())


def _folder_ending(target: Path, options: TableOptions) -> str:
    if options.to is None or f".{options.to}" not in ENDINGS:
        what = "its ending tells no format of tables"
        raise FormatError(target, what, "give .star, .csv or .parquet, or a folder and --to csv or parquet")
    return f".{options.to}"


def _is_folder_of_tables(path: Path, ending: str) -> bool:
    return path.is_dir() and all(
        each.is_file() and each.name.startswith(PREFIX) and each.suffix == ending for each in path.iterdir()
    )


def _write(path: Path, blocks: dict[str, StarBlock]) -> None:
    if path.suffix == ".star":
        write_blocks(path, blocks)
    else:
        ((name, block),) = blocks.items()
        write_block(path, block, name)


def _compare(path: Path, blocks: dict[str, StarBlock], result: ConvertedTables) -> None:
    """Refuse a file that does not hold what was written; note what it does not keep."""
    mend = "choose another format"
    if path.suffix == ".parquet":
        ((name, block),) = blocks.items()
        back = read_parquet(path)
        if type(back) is not type(block) or not as_table(back).equals(as_table(block)):
            raise FormatError(path, f"the block {name!r} was read back with other values", mend)
        return
    # (In a CSV file, of one block, the block has the name of the file.)
    expected = [(name, str(label)) for name, block in blocks.items() for label in as_table(block).columns]
    found, types = [], dict[tuple[str, str], list[str]]()
    for block_name, label, texts in read_texts(path):
        name = block_name if path.suffix == ".star" else next(iter(blocks))
        found.append((name, label))
        if found != expected[: len(found)]:
            raise FormatError(path, f"the block {name!r} was read back with other columns", mend)
        column = as_table(blocks[name])[label]
        if not _same(column, texts):
            raise FormatError(path, f"the column {label} was read back with other values", mend)
        _note_type(column, label, texts, path.suffix, types)
    if found != expected:
        raise FormatError(path, "it was read back with fewer columns", mend)
    for (old, new), labels in types.items():
        more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
        result.lost[f"type {old}, which is read as {new}"] = ", ".join(labels[:_SHOWN]) + more
    for name, block in blocks.items():
        if path.suffix == ".csv" and not isinstance(block, pd.DataFrame):
            told = (
                f"the pairs of {PREFIX}{name} are a table of one row; --pairs {name} makes them pairs again"
            )
            result.changes.append(told)


def _same(column: Any, texts: list[str]) -> bool:
    """Tell whether texts, made into a column's type, are the column."""
    kind, values = column.dtype.kind, column.tolist()
    if len(texts) != len(values):
        return False
    try:
        if kind == "f":
            found = np.array([float(text) for text in texts], np.float64).astype(str(column.dtype))
            return bool(np.array_equal(found, column.to_numpy(), equal_nan=True))
        if kind in "iu":
            return bool([int(text) for text in texts] == values)
    except ValueError:
        return False
    if kind == "b":
        return bool([text in ("1", "True") for text in texts] == values)
    return texts == cells(column)


def _note_type(
    column: Any, label: str, texts: list[str], ending: str, types: dict[tuple[str, str], list[str]]
) -> None:
    """Note a column under its type and the one in which it is read, where these differ."""
    typed = typed_column(label, texts) if ending == ".star" else typed_cells(label, texts)
    old, new = _type_name(column), _type_name(typed)
    if old != new and texts:
        types.setdefault((old, new), []).append(label)


def _type_name(column: Any) -> str:
    return str(column.dtype) if column.dtype.kind in "iufb" else "text"
