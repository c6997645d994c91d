"""What CCP-EM's pipeliner shows of a job's results, and the commands that it ran.

It writes what it shows as JSON beside a job's files: `.results_display000_table.json` with titles, heads and
rows, `.results_display001_text.json`; and in `.CCPEM_pipeliner_jobinfo` the commands with their times.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from eucentric.formats import FormatError
from eucentric.interop.project_folder import ProjectFolder, parsed_json

_JOBINFO = ".CCPEM_pipeliner_jobinfo"
_MOST, _LONGEST = 200, 1_000


def shown(folder: ProjectFolder, job: str) -> dict[str, str]:
    """Return the values of the texts and tables that the pipeliner shows of a job, by their titles.

    Args:
        folder: The project's.
        job: Name of the job.
    """
    values = dict[str, str]()
    for kind, read in (("text", _text), ("table", _table)):
        for name in folder.files(job, f".results_display*_{kind}.json"):
            content = _json(folder, name)
            for title, value in islice(read(content), _MOST - len(values)):
                values.setdefault(title[:_LONGEST], value[:_LONGEST])
    return values


def commands(folder: ProjectFolder, job: str) -> list[str]:
    """Return the commands that a job ran, in their order."""
    history = _json(folder, f"{job}/{_JOBINFO}").get("command_history")
    return [str(each).partition(": ")[2] for each in history] if isinstance(history, list) else []


def _json(folder: ProjectFolder, name: str) -> dict[str, Any]:
    try:
        content = parsed_json(folder.text(name) or "{}")
    except (ValueError, FormatError):
        return {}
    return content if isinstance(content, dict) else {}


def _text(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    title, text = content.get("title"), content.get("display_data")
    if isinstance(title, str) and isinstance(text, str | int | float):
        yield title, str(text)


def _table(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a table's cells, called by the title, what heads the row, and the head of the column."""
    title, heads, rows = content.get("title"), content.get("headers"), content.get("table_data")
    if not isinstance(title, str) or not isinstance(heads, list) or not isinstance(rows, list):
        return
    for row in rows:
        if not isinstance(row, list) or len(row) != len(heads) or not row:
            continue
        if len(row) == 1:
            yield f"{title}: {heads[0]}", str(row[0])
        for head, cell in zip(heads[1:], row[1:], strict=True):
            where = f"{title}: {row[0]}"
            yield (where if len(row) == 2 else f"{where}: {head}"), str(cell)
