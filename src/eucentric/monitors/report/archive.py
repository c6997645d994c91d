"""Reports that were written before, and the index of all reports of a site.

    reports/index.html               the index
    reports/SESSION -> ../sessions/SESSION/report
    sessions/SESSION/report/index.html            the newest report
    sessions/SESSION/report/2026-11-21T0915.html  an earlier one

Links of the index are relative, so that it works where the folder is published.
"""

import re
import shutil
import time
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
from sqlalchemy import Connection, select

from eucentric.formats.replacing import replacing
from eucentric.store import Site
from eucentric.store.tables import session

CURRENT = "index.html"
KEPT_NEWEST, KEPT_DAYS = 5, 20
"""Earlier reports of a session that are kept: so many of the newest, and the last of so many days."""
_EARLIER = re.compile(r"(\d{4}-\d\d-\d\d)T\d{4}\.html")


def keep_earlier(folder: Path) -> Path | None:
    """Keep a copy of the report in `folder` under the time it was written; thin out what was kept before.

    Returns:
        The copy, or None where there is no report yet.

    Raises:
        OSError: It cannot be kept.
    """
    newest = folder / CURRENT
    if not newest.exists():
        return None
    written = datetime.fromtimestamp(newest.stat().st_mtime)
    copy = folder / written.strftime("%Y-%m-%dT%H%M.html")
    if not copy.exists():
        with replacing(copy) as part:
            shutil.copy2(newest, part)
    for surplus in _surplus([each.name for each in earlier(folder)]):
        (folder / surplus).unlink(missing_ok=True)
    return copy


def earlier(folder: Path) -> list[Path]:
    """Return the earlier reports in the folder of a session's report, newest first."""
    found = [each for each in folder.glob("*.html") if _EARLIER.fullmatch(each.name)]
    return sorted(found, key=lambda each: each.name, reverse=True)


def _surplus(names: list[str]) -> list[str]:
    """Return those of the names (newest first) that are not worth keeping."""
    days: dict[str, str] = {}
    for name in names:
        days.setdefault(name[:10], name)
    kept = set(names[:KEPT_NEWEST]) | set(list(days.values())[:KEPT_DAYS])
    return [name for name in names if name not in kept]


def write_index(site: Site, connection: Connection) -> Path:
    """Write the page that lists the reports of all sessions, newest session first; return the file.

    Raises:
        OSError: It cannot be written.
    """
    site.reports_folder.mkdir(exist_ok=True)
    listed = []
    for row in connection.execute(select(session).order_by(session.c.created.desc(), session.c.id.desc())):
        folder = site.session_folder(row.name) / "report"
        if not (folder / CURRENT).exists():
            continue
        link = site.reports_folder / row.name
        if not link.is_symlink():
            link.symlink_to(Path("..") / folder.relative_to(site.folder))
        stat = (folder / CURRENT).stat()
        listed.append(
            {
                "name": row.name,
                "begun": _date(row.created),
                "written": _date(stat.st_mtime),
                "size": f"{stat.st_size / 1e6:.1f} MB",
                "link": f"{row.name}/{CURRENT}",
                "earlier": [
                    {"link": f"{row.name}/{each.name}", "label": each.stem.replace("T", " ")}
                    for each in earlier(folder)
                ],
            }
        )
    file = site.reports_folder / "index.html"
    with replacing(file) as part:
        part.write_text(_template().render(sessions=listed, site=site.folder.name, now=_date(time.time())))
    return file


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(files(__package__).joinpath("reports.html").read_text(encoding="utf-8"))
