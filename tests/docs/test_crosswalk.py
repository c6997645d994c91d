"""The page about the crosswalk is the one that is made from the table of terms."""

from pathlib import Path

from eucentric.metadata.vocabulary.page import crosswalk_page

PAGE = Path(__file__).parents[2] / "docs/reference/crosswalk.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == crosswalk_page(), (
        "write the page anew: .venv/bin/python -m eucentric.metadata.vocabulary"
    )
