"""The terminal view of a living session."""

import re
import statistics
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from eucentric.cli.looking import Look, latency_of
from eucentric.engine.overview import ExposureOverview, Failure, RunOverview
from eucentric.monitors.alarms import OpenAlarm

ANGSTROM_PER_MICROMETRE = 1e4
FINE, COARSE = 6.0, 10.0
"""Å; rings that reach further than the first are good, those that end before the second are not."""
STRONG = 40.0
"""Å; more motion than this deserves a look."""
BINS = 22
WIDE = 100
"""Columns of a terminal that has room for everything."""
COLUMNS = ("defocus", "astigm.", "fit to", "motion", "picks", "after")
LONGEST_NAME = 24
"""Letters of an exposure's name that are shown."""
HIGH = 28
"""Lines of a terminal that has room for several failures."""
ROOMY = 10
"""Rows of exposures beside which there is room between the numbers."""
PROBLEMS = 3
"""Failures that are listed."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_ENGINE = {"new": "dim", "running": "bold green", "stopped": "yellow", "interrupted": "bold red"}
_FOUND = {"failed": "red", "rejected": "yellow"}


def picture(look: Look, width: int, height: int) -> RenderableType:
    """Draw a session so that it fits a terminal of `width` columns and `height` lines."""
    wide, problems = width >= WIDE, look.failures[: PROBLEMS if height >= HIGH else 1]
    alarms = look.alarms[:PROBLEMS]
    held = [Text(look.overview.held, style="bold red")] if look.overview.held else []
    upper = Panel(Group(_pipeline(look, wide), *held), title=_title(look), title_align="left")
    taken = 3 + len(look.overview.runs) + len(held) + (2 + len(problems) if problems else 0)
    taken += 2 + len(alarms) if alarms else 0
    rows = max(3, min(12, height - taken - 5))
    lower = Table.grid(expand=True, padding=(0, 1))
    lower.add_column(ratio=1)
    lower.add_column(width=BINS + 4)
    numbers = _numbers(look, spaced=rows >= ROOMY)
    lower.add_row(_panel(_exposures(look, rows, wide), "Newest exposures"), _panel(numbers, "Session"))
    parts: list[RenderableType] = [upper]
    if alarms:
        more = f" ({len(look.alarms)})" if len(look.alarms) > len(alarms) else ""
        parts.append(_panel(_alarms(alarms), f"Alarms{more}", "red"))
    parts.append(lower)
    if problems:
        parts.append(_panel(_problems(problems), "Rejected and failed", "yellow"))
    return Group(*parts)


def _panel(content: RenderableType, title: str, style: str = "blue") -> Panel:
    return Panel(content, title=title, title_align="left", border_style=style)


def _title(look: Look) -> Text:
    minutes, seconds = divmod(int(look.seconds), 60)
    return Text.assemble(
        ("Eucentric", "bold"),
        f" · session {look.name} · engine ",
        (look.overview.engine, _ENGINE[look.overview.engine]),
        f" · {minutes}:{seconds:02d}",
    )


def _pipeline(look: Look, wide: bool) -> Table:
    table = Table(box=None, expand=True, header_style="dim", padding=(0, 1))
    table.add_column("run")
    table.add_column("", ratio=1, min_width=10)
    for name in ("done", "running", "waiting", "rejected", "failed"):
        table.add_column(name, justify="right", min_width=8)
    total = max(1, look.found)
    for run in look.overview.runs:
        bar = ProgressBar(total=total, completed=min(run.done, total), style="grey23", complete_style="green")
        counts = (
            (run.done, "green"),
            (run.running, "bold cyan"),
            (run.waiting, "white"),
            (run.rejected, "yellow"),
            (run.failed, "red"),
        )
        cells = [Text(str(number) if number else "·", style if number else "dim") for number, style in counts]
        table.add_row(_name(run) if wide else Text(run.name, "bold"), bar, *cells)
    return table


def _name(run: RunOverview) -> Text:
    notes = [f"revision {run.revision}"] if run.revision > 1 else []
    notes += [f"version {run.versions}"] if run.versions else []
    notes += ["closed"] if run.closed else []
    return Text.assemble((run.name, "bold"), (f" {', '.join(notes)}" if notes else "", "dim"))


def _exposures(look: Look, rows: int, wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, expand=True, header_style="dim", padding=(0, 0), show_edge=False)
    table.add_column("exposure", no_wrap=True, overflow="ellipsis", ratio=1)
    names = COLUMNS if wide else [name for name in COLUMNS if name not in ("astigm.", "picks")]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True, min_width=8)
    for exposure in reversed(look.newest[-rows:]):
        cells = _cells(exposure)
        table.add_row(_short(exposure.path[-1]), *(cells[name] for name in names))
    for _ in range(rows - len(look.newest)):
        table.add_row("")
    return table


def _cells(exposure: ExposureOverview) -> dict[str, Text]:
    """Return what is known of an exposure, by the name of the column."""
    cells = dict.fromkeys(COLUMNS, Text("·", "dim"))
    if "ctf" in exposure.items:
        ctf = exposure.items["ctf"].data
        mean = (ctf["defocus_u"] + ctf["defocus_v"]) / 2
        cells["defocus"] = Text(f"{mean / ANGSTROM_PER_MICROMETRE:.2f} µm")
        cells["astigm."] = Text(f"{ctf['defocus_u'] - ctf['defocus_v']:.0f} Å")
        style = "green" if ctf["resolution"] <= FINE else "yellow" if ctf["resolution"] <= COARSE else "red"
        cells["fit to"] = Text(f"{ctf['resolution']:.1f} Å", style)
    if "micrograph" in exposure.items and "motion_total" in exposure.items["micrograph"].data:
        motion = exposure.items["micrograph"].data["motion_total"]
        cells["motion"] = Text(f"{motion:.1f} Å", "yellow" if motion > STRONG else "")
    if "coordinates" in exposure.items:
        cells["picks"] = Text(str(exposure.items["coordinates"].data["count"]))
    if (latency := latency_of(exposure)) is not None:
        cells["after"] = Text(duration(latency), "cyan")
    elif "running" in exposure.states.values():
        cells["after"] = Text("running", "cyan")
    for state in ("rejected", "failed"):
        if state in exposure.states.values():
            cells["after"] = Text(state, _FOUND[state])
    return cells


def _short(name: str) -> str:
    """Return the end of a long name: names of EPU have sixty letters, the last of which tell them apart."""
    name = name.removesuffix("_Fractions").removesuffix("_fractions").removesuffix("_EER")
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"


def _alarms(alarms: Sequence[OpenAlarm]) -> Table:
    """List alarms, a line each; those that somebody took notice of are dim."""
    table = Table.grid(expand=True, padding=(0, 1))
    for ratio in (None, None, 1):
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio)
    for each in alarms:
        known = each.acknowledged is not None or each.muted
        style = "dim" if known else "bold red" if each.severity == "critical" else "yellow"
        table.add_row(Text(str(each.number), "dim"), Text(each.title, style), Text(each.message))
    return table


def _problems(failures: Sequence[Failure]) -> Table:
    """List failures, a line each."""
    table = Table.grid(expand=True, padding=(0, 1))
    for ratio in (None, None, 1):
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio)
    for each in failures:
        name = each.path.rpartition("/")[2]
        # Files are named by where they lie, which leaves no room for what is wrong with them.
        reason = re.sub(rf"(/\S*/)?{re.escape(name)}\.\w+: |/\S*/(?=\S)", "", each.reason)
        table.add_row(_short(name), Text(each.state, _FOUND[each.state]), reason)
    return table


def _numbers(look: Look, spaced: bool) -> RenderableType:
    parts: list[RenderableType] = []
    rate, latency = look.per_hour, look.latency
    parts.append(_number("exposures", str(look.found)))
    parts.append(_number("throughput", f"{rate:.0f} / h" if rate else "·"))
    parts.append(_number("file to CTF", duration(latency) if latency is not None else "·"))
    for label, kind, field, unit, factor in (
        ("median defocus", "ctf", "defocus_u", "µm", ANGSTROM_PER_MICROMETRE),
        ("median fit to", "ctf", "resolution", "Å", 1.0),
        ("median motion", "micrograph", "motion_total", "Å", 1.0),
    ):
        records = [each.items[kind].data for each in look.newest if kind in each.items]
        values = [data[field] / factor for data in records if field in data]
        median = f"{statistics.median(values):.1f} {unit}" if values else "·"
        parts += [""] if spaced else []
        parts += [_number(label, median), Text(histogram(values, BINS), "green")]
    return Group(*parts)


def _number(label: str, value: str) -> Table:
    row = Table.grid(expand=True)
    row.add_column(style="dim")
    row.add_column(justify="right")
    row.add_row(label, value)
    return row


def histogram(values: Sequence[float], bins: int) -> str:
    """Return a histogram of values as one line of block characters.

    It reaches to the extremes, but no further than four median deviations from the median: what lies
    beyond is counted at the ends, so that one bad exposure does not hide all others.
    """
    if not values:
        return ""
    middle = statistics.median(values)
    reach = 4 * statistics.median(abs(value - middle) for value in values)
    low, high = max(min(values), middle - reach), min(max(values), middle + reach)
    counts = [0] * bins
    for value in values:
        place = int((value - low) / (high - low) * bins) if high > low else bins // 2
        counts[max(0, min(bins - 1, place))] += 1
    return _blocks(counts)


def _blocks(counts: Iterable[int]) -> str:
    counts = list(counts)
    most = max(counts)
    return "".join(_BLOCKS[-(-count * (len(_BLOCKS) - 1) // most)] for count in counts)


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    for limit, length, unit in ((3600, 60, "min"), (86_400, 3600, "h")):
        if seconds < limit:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds / 86_400:.1f} d"
