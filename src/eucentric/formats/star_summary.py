"""What a STAR file of RELION holds, read line by line: tables of millions of particles are never in memory.

RELION writes every row of a table on a line of its own, and reads it so; this reader relies on that, where
`read_star` takes any STAR file as a whole.
"""

import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from eucentric.formats.errors import FormatError

MAX_LINE = 1 << 20
"""Bytes of the longest line that is read."""

MAX_PAIRS = 10_000
"""Pairs and columns of a block that are read."""

_WORDS = re.compile(r"\"([^\"]*)\"|'([^']*)'|(\S+)")


@dataclass
class Numbers:
    """What is known of the numbers of a column.

    Attributes:
        count: How many there are.
        minimum: The smallest.
        maximum: The largest.
        total: Their sum.
    """

    count: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    total: float = 0.0

    @property
    def mean(self) -> float | None:
        """Their mean; None where there are none."""
        return self.total / self.count if self.count else None

    def add(self, number: float) -> None:
        """Take in one more."""
        self.count += 1
        self.total += number
        self.minimum, self.maximum = min(self.minimum, number), max(self.maximum, number)


@dataclass
class BlockSummary:
    """A block of a STAR file.

    Attributes:
        pairs: The pairs, label -> text; labels without the underscore.
        columns: The labels of the table, in order.
        rows: How many rows it has.
        first: The first row, label -> text.
        numbers: What is known of the columns that were asked for, as far as they hold numbers.
    """

    pairs: dict[str, str] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    rows: int = 0
    first: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, Numbers] = field(default_factory=dict)

    def text(self, label: str) -> str | None:
        """Return a pair's value, or that of the first row; None where there is neither."""
        return self.pairs.get(label, self.first.get(label))

    def number(self, label: str) -> float | None:
        """Return the same as a finite number; None where it is none."""
        return finite(self.text(label) or "")


@dataclass
class StarSummary:
    """What a STAR file holds.

    Attributes:
        comments: The lines before the first block that begin with `#`, without it.
        blocks: Name of the block, without `data_` -> what it holds.
    """

    comments: list[str] = field(default_factory=list)
    blocks: dict[str, BlockSummary] = field(default_factory=dict)


def finite(text: str) -> float | None:
    """Return a text as a finite number; None where it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def summarise_star(path: str | Path, labels: Collection[str] = ()) -> StarSummary:
    """Read what a STAR file holds, without its tables.

    Args:
        path: The file, as RELION writes them.
        labels: Columns, without the underscore, whose numbers are summed up.

    Raises:
        FormatError: It is no STAR file, or damaged.
        OSError: It cannot be opened.
    """
    path = Path(path)
    reader = _Reader(path, frozenset(labels))
    with path.open("rb") as stream:
        for line in _lines(path, stream):
            reader.take(line)
    if not reader.found.blocks:
        raise FormatError(path, "it is not a STAR file, or has no block yet", "give a STAR file of RELION")
    return reader.found


def star_rows(path: str | Path, labels: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the values of some columns, row by row, of every table that has them all.

    Args:
        path: The file, as RELION writes them.
        labels: The columns, without the underscore.

    Raises:
        FormatError: It is no STAR file, or damaged.
        OSError: It cannot be opened.
    """
    path = Path(path)
    reader = _Reader(path, frozenset(labels))
    with path.open("rb") as stream:
        for line in _lines(path, stream):
            words = reader.take(line)
            if words and reader.table is not None and set(labels) <= set(reader.table.columns):
                yield tuple(words[reader.table.columns.index(label)] for label in labels)


def _lines(path: Path, stream: BinaryIO) -> Iterator[str]:
    while raw := stream.readline(MAX_LINE + 1):
        if len(raw) > MAX_LINE or b"\0" in raw:
            raise FormatError(path, "it is not a STAR file with a row on each line", "give one of RELION")
        try:
            yield raw.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise FormatError(path, "it is not a text file", "give a STAR file") from error


class _Reader:
    """Takes the lines of a file one by one."""

    def __init__(self, path: Path, labels: frozenset[str]) -> None:
        self.path, self.labels = path, labels
        self.found = StarSummary()
        self.table: BlockSummary | None = None
        """The block that the last line was of."""
        self._in_loop = False
        self._wanted: list[tuple[int, Numbers]] = []

    def take(self, line: str) -> list[str] | None:
        """Take the next line; return its values where it is a row of a table whose numbers are asked for."""
        if not line:
            return None
        if line.startswith("#"):
            if self.table is None and len(self.found.comments) < 100:
                self.found.comments.append(line[1:].strip())
        elif line.startswith("data_"):
            name = line.split()[0].removeprefix("data_")
            self.table, self._in_loop = BlockSummary(), False
            if len(self.found.blocks) >= MAX_PAIRS:
                raise FormatError(self.path, "it has too many blocks", "give a STAR file of RELION")
            self.found.blocks[name] = self.table
        elif self.table is None:
            raise FormatError(self.path, "it does not begin with a block", "give a STAR file of RELION")
        elif line.startswith("loop_"):
            self._in_loop = True
        elif line.startswith("_") and not (self._in_loop and self.table.rows):
            self._label(self.table, line)
        elif self._in_loop and self.table.columns:
            return self._row(self.table, line)
        else:
            raise FormatError(self.path, f"it has a line out of place ({line[:40]!r})", "write it again")
        return None

    def _label(self, block: BlockSummary, line: str) -> None:
        label, _, rest = line[1:].partition(" ")
        label = label.split("\t")[0]
        if len(block.columns) + len(block.pairs) >= MAX_PAIRS:
            raise FormatError(self.path, "it has too many labels", "give a STAR file of RELION")
        if not self._in_loop:
            words = _words(rest or line[1:].partition("\t")[2])
            block.pairs[label] = words[0] if words else ""
            return
        block.columns.append(label)
        if label in self.labels:
            block.numbers[label] = Numbers()
        self._wanted = [
            (place, block.numbers[name]) for place, name in enumerate(block.columns) if name in block.numbers
        ]

    def _row(self, block: BlockSummary, line: str) -> list[str] | None:
        block.rows += 1
        if not self._wanted and block.first:
            return None
        words = line.split() if '"' not in line and "'" not in line else _words(line)
        if len(words) != len(block.columns):
            what = f"a row has {len(words)} values for {len(block.columns)} columns"
            raise FormatError(self.path, what, "wait until it is written, or write it again")
        if not block.first:
            block.first = dict(zip(block.columns, words, strict=True))
        for place, numbers in self._wanted:
            number = finite(words[place])
            if number is not None:
                numbers.add(number)
        return words


def _words(line: str) -> list[str]:
    return [match[1] or match[2] or match[3] or "" for match in _WORDS.finditer(line)]
