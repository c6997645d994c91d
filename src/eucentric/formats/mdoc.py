"""SerialEM's .mdoc files: what the program wrote beside a movie, a montage or a tilt series.

Format: SerialEM's help, "Autodoc files", and files of the wild. Lines `key = value` stand before the
first section (global) or in a section `[Kind = name]`; `[T = text]` and `T = text` are titles.
"""

import logging
import math
import re
from dataclasses import dataclass
from pathlib import Path

from eucentric.formats.errors import FormatError

MAX_BYTES = 2**26
"""Largest file that is read: some 50,000 sections."""

_SECTION = re.compile(r"\[\s*([^=\]]+?)\s*=\s*(.*?)\s*\]?$")
_PAIR = re.compile(r"([^=]+?)\s*=\s*(.*)$")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MdocSection:
    """One section.

    Attributes:
        kind: What it describes: "ZValue" (an image of a stack), "FrameSet" (a movie), "MontSection", ...
        name: The text behind it, usually a number.
        values: The section's values as text, by key. Units are SerialEM's: µm, seconds, Å/px.
    """

    kind: str
    name: str
    values: dict[str, str]

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return the numbers that stand under `key`, none where it is missing or not numbers."""
        return _numbers(self.values.get(key, ""))


@dataclass(frozen=True)
class Mdoc:
    """A whole file.

    Attributes:
        path: The file.
        values: The global values as text, by key.
        titles: The texts of `T` lines.
        sections: The sections in the order of the file.
    """

    path: Path
    values: dict[str, str]
    titles: tuple[str, ...]
    sections: tuple[MdocSection, ...]

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return the numbers that stand under the global `key`, none where missing or not numbers."""
        return _numbers(self.values.get(key, ""))


def read_mdoc(path: str | Path) -> Mdoc:
    """Read an .mdoc file.

    Line ends of any system and any encoding are taken; a line that is neither pair nor section is passed
    over with a note in the log. Where a key stands twice in one place, the later value counts.

    Args:
        path: The file.

    Returns:
        Its global values, titles and sections. Values stay text.

    Raises:
        FormatError: The file is empty, too large, or holds no line of this format.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise FormatError(path, f"it has {size} bytes, too many for an mdoc file", "check that it is one")
    text = _decoded(path.read_bytes())
    globals_: dict[str, str] = {}
    titles: list[str] = []
    sections: list[MdocSection] = []
    values = globals_
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip("\ufeff\0 \t\r\n")
        if not line or line.startswith("#"):
            continue
        if section := _SECTION.match(line):
            kind, name = section.groups()
            if kind == "T":
                titles.append(name)
            else:
                values = {}
                sections.append(MdocSection(kind, name, values))
        elif pair := _PAIR.match(line):
            key, value = pair.groups()
            if key == "T":
                titles.append(value)
            else:
                values[key] = value
        else:
            logger.warning("%s: line %d is neither a value nor a section: %.80r", path, number, line)
    if not (globals_ or titles or sections):
        raise FormatError(path, "it holds no line of the form key = value", "check that it is an mdoc file")
    return Mdoc(path, globals_, tuple(titles), tuple(sections))


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")  # what Windows writes in western Europe


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in text.split())
    except ValueError:
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()
