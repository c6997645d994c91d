"""The page about detectors shows the table that the program uses."""

from pathlib import Path

from eucentric.metadata.detectors import DETECTORS, UNKNOWN, DetectorRule

PAGE = Path(__file__).parents[2] / "docs/reference/detectors.md"


def _rows(rule: DetectorRule) -> list[str]:
    counts = "depends on settings" if rule.counts_per_electron is None else f"{rule.counts_per_electron:g}"
    what = (
        rule.name,
        ", ".join(rule.formats),
        "corrected already" if rule.corrected else rule.operation,
        counts,
        ", ".join(f"{columns} × {rows}" for rows, columns in rule.shapes) or "any",
    )
    names = "`" + rule.names.replace("|", r"\|") + "`" if rule.names else "any other"
    return [f"| {' | '.join(cells)} |" for cells in (what, (rule.name, rule.note), (rule.name, names))]


def test_every_row_stands_on_the_page_in_order() -> None:
    part = PAGE.read_text().split("## ")[0]
    shown = [line for line in part.splitlines() if line.startswith("| ")]
    tables = zip(*(_rows(rule) for rule in (*DETECTORS, UNKNOWN)), strict=True)
    expected = [row for table in tables for row in table]
    assert [line for line in shown if not line.startswith(("| row", "| ---"))] == expected
