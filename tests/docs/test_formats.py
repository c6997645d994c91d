"""The table of what each format keeps says what the program writes."""

from pathlib import Path

import numpy as np

from eucentric.formats.image_targets import COMPRESSIONS, ENDINGS, TYPES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
WORDS = {"lzw": "LZW", "deflate": "deflate", "zstd": "zstd", "none": "none"}


def _rows() -> dict[str, dict[str, str]]:
    """The cells of the table by row and format."""
    section = PAGE.read_text().partition("## Conversion\n")[2].partition("\n### ")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if "|" in line]
    names = lines[0][1:]
    return {name: dict(zip(names, cells, strict=True)) for name, *cells in lines[2:]}


def test_endings_and_compressions() -> None:
    rows = _rows()
    assert set(rows["endings"]) == set(ENDINGS)
    for name, endings in ENDINGS.items():
        assert rows["endings"][name] == ", ".join(f"`{ending}`" for ending in endings)
        said = rows["compression (the usual first)"][name].replace(" (gzip)", "").split(", ")
        assert said[0] == WORDS[COMPRESSIONS[name][0]]
        assert set(said) == {WORDS[each] for each in COMPRESSIONS[name]}


def test_types_of_pixels() -> None:
    rows = _rows()
    for name, codes in TYPES.items():
        floats = sorted(int(code[1:]) * 8 for code in codes if code[0] == "f")
        assert rows["floats"][name] == ", ".join(map(str, floats)) + " bits"
        integers = sorted((code for code in codes if code[0] in "iu"), key=lambda code: (int(code[1:]), code))
        if name == "MRC":
            assert rows["integers"][name] == "int8, int16, uint16"
            assert {str(np.dtype(code)) for code in integers} == {"int8", "int16", "uint16"}
        else:
            widths = [int(code[1:]) * 8 for code in integers]
            assert rows["integers"][name] == f"{widths[0]} to {widths[-1]} bits"
            assert len(integers) == 2 * len(set(widths))
        assert (rows["complex numbers"][name] == "both") == ({"c8", "c16"} <= codes)
