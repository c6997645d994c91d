"""XML from outside, read safely: no entities, no document types, bounded size; names without namespaces.

Thermo Fisher's programs write their objects as Microsoft's data contracts: dictionaries as lists of pairs
of `Key` and `Value` (or `key` and `value`), texts that come again as a reference to where they stood first.
Here a path leads through elements by their names and through dictionaries by their keys; references are
followed.
"""

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import defusedxml
import defusedxml.ElementTree

from eucentric.formats.errors import FormatError

_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")


class XmlElement:
    """An element, or a whole document.

    Paths are names separated by `/`, such as `gun/AccelerationVoltage`; a step that is no element's name is
    looked for among the keys of a dictionary, as in `CustomData/Dose`.
    """

    def __init__(self, element: ElementTree.Element, texts: dict[str, str], path: Path | None = None) -> None:
        self._element = element
        self._texts = texts
        self.path = path

    @property
    def name(self) -> str:
        """Its name without the namespace: those change between versions."""
        return _local(self._element.tag)

    def find(self, path: str) -> "XmlElement | None":
        """Return what lies at a path, None where nothing does."""
        element: ElementTree.Element | None = self._element
        for step in path.split("/") if path else ():
            element = _step(element, step)
            if element is None:
                return None
        return None if element is None else XmlElement(element, self._texts, self.path)

    def children(self, path: str = "") -> Iterator["XmlElement"]:
        """Yield the elements at a path's end, in order."""
        parent = self.find(path)
        for child in parent._element if parent else ():
            if isinstance(child.tag, str):  # no comments
                yield XmlElement(child, self._texts, self.path)

    def named(self, name: str) -> Iterator["XmlElement"]:
        """Yield all elements of a name, wherever they lie, in order."""
        for element in self._element.iter():
            if isinstance(element.tag, str) and _local(element.tag) == name:
                yield XmlElement(element, self._texts, self.path)

    def attributes(self) -> dict[str, str]:
        """Return its attributes by their names without namespaces."""
        return {_local(name): value for name, value in self._element.attrib.items()}

    def text(self, path: str = "") -> str | None:
        """Return the text at a path, None where there is none; of a reference, the text it refers to."""
        found = self.find(path)
        if found is None:
            return None
        own = (found._element.text or "").strip()
        if not own and (reference := found.attributes().get("Ref")):
            own = self._texts.get(reference, "")
        return own or None

    def number(self, path: str = "") -> float | None:
        """Return the finite number at a path; a decimal comma is one too."""
        return number_of(self.text(path))

    def positive(self, path: str = "") -> float | None:
        """Return the number at a path if it is above 0."""
        value = self.number(path)
        return value if value is not None and value > 0 else None

    def count(self, path: str = "") -> int | None:
        """Return the whole number from 1 to a million at a path."""
        value = self.positive(path)
        return int(value) if value is not None and 1 <= value < 1e6 else None

    def flag(self, path: str = "") -> bool | None:
        """Return true or false at a path."""
        return {"true": True, "1": True, "false": False, "0": False}.get((self.text(path) or "").lower())

    def time(self, path: str = "") -> datetime | None:
        """Return the time at a path, with a time zone where one stands there."""
        try:
            return datetime.fromisoformat(self.text(path) or "")
        except ValueError:
            return None


def read_xml(path: Path, most_bytes: int, what: str, *, kinds: tuple[str, ...] = ()) -> XmlElement:
    """Read a document whole.

    Args:
        path: The file.
        most_bytes: Largest file that is read.
        what: What the file should be, for messages, such as "EPU's XML".
        kinds: Names that the outermost element may have; any, if there are none.

    Raises:
        FormatError: It is too large, not (whole) XML, defines entities or a document type, or is of another
            kind.
        OSError: It cannot be opened.
    """
    size = path.stat().st_size
    if size > most_bytes:
        raise FormatError(path, f"it has {size} bytes, too many for {what}", "check that it is one")
    with path.open("rb") as file:
        raw = file.read(most_bytes + 1)
    return parse_xml(raw, path, what, kinds=kinds)


def parse_xml(raw: bytes | str, path: Path, what: str, *, kinds: tuple[str, ...] = ()) -> XmlElement:
    """Read a document that stands in a file among other things; see `read_xml`.

    Args:
        raw: The document.
        path: The file that it is of, for messages.
        what: What the document should be, for messages.
        kinds: Names that the outermost element may have; any, if there are none.

    Raises:
        FormatError: As `read_xml`.
    """
    try:
        root: ElementTree.Element = defusedxml.ElementTree.fromstring(raw, forbid_dtd=True)
    except defusedxml.DefusedXmlException as error:
        wrong = f"it defines entities or a document type, which {what} never does"
        raise FormatError(path, wrong, "do not use it") from error
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        wrong = f"it is not whole XML ({error})"
        raise FormatError(path, wrong, "wait until it is written, or copy it again") from error
    if kinds and _local(root.tag) not in kinds:
        wrong = f"it is XML of another kind ({_local(root.tag)[:80]}), not {what}"
        raise FormatError(path, wrong, "check which file was meant")
    return XmlElement(root, _referred(root), path)


def _referred(root: ElementTree.Element) -> dict[str, str]:
    """Return the texts that others refer to, by number."""
    found = {}
    for element in root.iter():
        for name, value in element.attrib.items():
            if _local(name) == "Id" and element.text and element.text.strip():
                found[value] = element.text.strip()
    return found


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _step(element: ElementTree.Element | None, step: str) -> ElementTree.Element | None:
    for child in element if element is not None else ():
        if isinstance(child.tag, str) and _local(child.tag) == step:
            return child
    for child in element if element is not None else ():
        if isinstance(child.tag, str) and _local(child.tag).startswith("KeyValue"):
            key, value = None, None
            for each in child:
                if _local(each.tag).lower() == "key":
                    key = (each.text or "").strip()
                elif _local(each.tag).lower() == "value":
                    value = each
            if key == step:
                return value
    return None


def number_of(text: str | None) -> float | None:
    """Return a text as a finite number, None where it is none."""
    text = (text or "").strip()
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
