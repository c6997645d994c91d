"""The reference page lists the rules and defaults that the program has."""

from pathlib import Path

from eucentric.monitors.alarms import RULES
from eucentric.store.alarm_settings import AlarmSettings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "alarms.md"
WITHOUT_EXPOSURES = ("no-movie", "disk", "engine", "publishing")


def table() -> str:
    lines = ["| rule | looks at | raise | clear | last | severity |", "| --- | --- | --- | --- | --- | --- |"]
    for rule in RULES.values():
        limits = AlarmSettings().of(rule.name)
        unit = f" {rule.unit}" if rule.unit else ""
        last = str(limits.last) if rule.name not in WITHOUT_EXPOSURES else "–"
        cells = (f"`{rule.name}`", rule.looks_at, f"{limits.raise_:g}{unit}", f"{limits.clear:g}{unit}", last)
        lines.append(f"| {' | '.join(cells)} | {limits.severity} |")
    return "\n".join(lines)


def advice() -> str:
    lines = ["| rule | what is wrong | what to do |", "| --- | --- | --- |"]
    lines += [f"| `{rule.name}` | {rule.title} | {rule.advice} |" for rule in RULES.values()]
    return "\n".join(lines)


def test_the_page_lists_the_rules_and_defaults() -> None:
    page = PAGE.read_text()
    assert table() in page, f"write this into {PAGE}:\n{table()}"
    assert advice() in page, f"write this into {PAGE}:\n{advice()}"


def test_every_rule_has_thresholds_and_every_threshold_a_rule() -> None:
    assert list(RULES) == AlarmSettings.rules()
