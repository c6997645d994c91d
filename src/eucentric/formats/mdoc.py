"""SerialEM's .mdoc files: what the program wrote beside a movie, a montage or a tilt series.

Format: SerialEM's help, "Autodoc files", and files of the wild. Lines `key = value` stand before the
first section (global) or in a section `[Kind = name]`; `[T = text]` and `T = text` are titles.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eucentric.formats.errors import FormatError
from eucentric.formats.xml_documents import number_of

MAX_BYTES = 2**24
"""Largest file that is read: some 20,000 sections."""

_MOST_NOTES = 10
"""Lines that make no sense, of one file, which the log names."""

logger = logging.getLogger(__name__)


class _Values:
    """Values by key, which are found however the key is written: `TiltAngle`, `tilt_angle`."""

    values: dict[str, str]

    @cached_property
    def _plain(self) -> Mapping[str, str]:
        return {_plain(key): value for key, value in self.values.items()}

    def text(self, key: str) -> str:
        """Return the text that stands under `key`, "" where it is missing."""
        return self.values.get(key) or self._plain.get(_plain(key), "")

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return the numbers that stand under `key`, none where it is missing or not numbers."""
        found = [number_of(word) for word in self.text(key).split()]
        return tuple(each for each in found if each is not None) if None not in found else ()

    def number(self, key: str) -> float | None:
        """Return the first number that stands under `key`, None where there is none."""
        return next(iter(self.numbers(key)), None)


def _plain(key: str) -> str:
    return re.sub(r"[\W_]+", "", key).lower()


@dataclass(frozen=True)
class MdocSection(_Values):
    """One section.

    Attributes:
        kind: What it describes: "ZValue" (an image of a stack), "FrameSet" (a movie), "MontSection", ...
        name: The text behind it, usually a number.
        values: The section's values as text, by key. Units are SerialEM's: µm, seconds, Å/px.
    """

    kind: str
    name: str
    values: dict[str, str]


@dataclass(frozen=True)
class Mdoc(_Values):
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
    text = decoded(path.read_bytes())
    globals_: dict[str, str] = {}
    titles: list[str] = []
    sections: list[MdocSection] = []
    values = globals_
    unknown = 0
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip("\ufeff\0 \t\r\n")
        if not line or line.startswith("#") or line == "]":  # a title's end may be on a line of its own
            continue
        is_section = line.startswith("[")
        key, equals, value = (line[1:].removesuffix("]") if is_section else line).partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key or (is_section and "]" in key):
            unknown += 1
            if unknown <= _MOST_NOTES:
                logger.warning("%s: line %d is neither a value nor a section: %.80r", path, number, line)
        elif key == "T":
            titles.append(value)
        elif is_section:
            values = {}
            sections.append(MdocSection(key, value, values))
        else:
            values[key] = value
    if unknown > _MOST_NOTES:
        logger.warning("%s: so are %d lines more", path, unknown - _MOST_NOTES)
    if not (globals_ or titles or sections):
        raise FormatError(path, "it holds no line of the form key = value", "check that it is an mdoc file")
    return Mdoc(path, globals_, tuple(titles), tuple(sections))


def decoded(raw: bytes) -> str:
    """Return a text of Windows or Unix, whatever its encoding; letters that make no sense are marked."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    if raw[1:64:2].count(0) > 16:
        return raw.decode("utf-16-le", errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")  # what Windows writes in western Europe
