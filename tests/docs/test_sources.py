"""The pages about sources say what the readers read, and what is declined."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from eucentric.microscope import direct_electron_readings, dm_readings, tia_readings
from eucentric.microscope.declined import DECLINED
from eucentric.microscope.metadata_readers import READERS

PAGES = Path(__file__).parents[2] / "docs/reference"


def named(*tables: Iterable[tuple[str, str, object, object]]) -> set[tuple[str, str]]:
    """Return every term of a reader's tables with the key it is read from."""
    return {(term, key) for table in tables for term, key, *_ in table}


@pytest.mark.parametrize(
    ("page", "rows"),
    [
        ("source-gatan.md", named(dm_readings._POSITIVE, dm_readings._NUMBERS)),
        ("source-tia.md", named(tia_readings._LABELS)),
        (
            "source-direct-electron.md",
            named(direct_electron_readings._POSITIVE, direct_electron_readings._NUMBERS),
        ),
    ],
)
def test_the_table_of_a_page_has_what_the_reader_reads(page: str, rows: set[tuple[str, str]]) -> None:
    lines = (PAGES / page).read_text().splitlines()
    missing = []
    for term, key in rows:
        entity, _, field = term.partition(".")
        last = key.rpartition(":")[2].rpartition("/")[2]
        words = re.escape(last.replace(" Y (", "@(").replace(" Z (", "@(")).replace("@", r" [XYZ] ")
        told = [line for line in lines if f"`{entity}." in line and f"{field}`" in line]
        if not any(re.search(words, line.replace("`, … `", " ")) for line in told):
            missing.append((term, key))
    assert missing == []


def test_every_ending_is_read_or_has_a_verdict_in_the_table() -> None:
    text = "".join(page.read_text() for page in PAGES.glob("source*.md")) + (PAGES / "formats.md").read_text()
    plain = {".tif", ".tiff", ".mrc", ".mrcs", ".st", ".eer", ".dm3", ".dm4", ".hdf5"}
    endings = {suffix for reader in READERS for suffix in reader.suffixes} - plain
    assert {each for each in endings if each not in text} == set()
    by_plug_in = {each for verdict in DECLINED if "plug-in" in verdict.mend for each in verdict.suffixes}
    page = (PAGES / "source-rosettasciio.md").read_text()
    assert {each for each in by_plug_in if f"`{each}`" not in page} == set()


def test_every_page_of_a_source_is_linked_from_the_table() -> None:
    table = (PAGES / "sources.md").read_text()
    assert {page.name for page in PAGES.glob("source-*.md") if page.name not in table} == set()
