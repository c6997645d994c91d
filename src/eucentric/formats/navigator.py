"""SerialEM's navigator files (`.nav`): places that were chosen, and maps.

Format: SerialEM's help, "Navigator file"; the syntax is that of `.mdoc` files with sections `[Item = label]`,
or XML with elements `Item` that have an attribute `name`.
"""

from pathlib import Path

from eucentric.formats.mdoc import MAX_BYTES, Mdoc, MdocSection, read_mdoc
from eucentric.formats.xml_documents import read_xml


def read_navigator(path: str | Path) -> Mdoc:
    """Read a navigator file.

    Args:
        path: The file.

    Returns:
        Its items as sections of kind "Item", and the global values. Values stay text; lengths are µm.

    Raises:
        FormatError: It cannot be read as such a file, or is too large.
        OSError: It cannot be opened.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"<"):
        return read_mdoc(path)
    xml = read_xml(path, MAX_BYTES, "a navigator file", kinds=("navigator",))
    values: dict[str, str] = {}
    sections = []
    for child in xml.children():
        if child.name == "Item":
            content = {each.name: each.text() or "" for each in child.children()}
            sections.append(MdocSection("Item", child.attributes().get("name", ""), content))
        else:
            values[child.name] = child.text() or ""
    return Mdoc(path, values, (), tuple(sections))
