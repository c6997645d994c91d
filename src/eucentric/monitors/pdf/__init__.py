"""The printed report of a session: one PDF file."""

import json
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import typst

from eucentric.engine.sessions import session_id_of
from eucentric.formats.replacing import replacing
from eucentric.monitors.exposures import SessionRecord
from eucentric.monitors.pdf.content import content
from eucentric.store import Database, Site

__all__ = ["write_pdf"]

_TEMPLATES = ("report.typ", "plots.typ")


def write_pdf(site: Site, database: Database, session: str, path: Path) -> None:
    """Write the report of a session as PDF: parameters, histograms, time courses, examples, software.

    It is set by Typst with the fonts that come with it, so that it looks the same everywhere.

    Args:
        site: The site.
        database: Its database.
        session: Name of the session.
        path: The file; what is there is replaced.

    Raises:
        NoSuchSession: There is none.
        OSError: The file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="eucentric-pdf-") as name:
        folder = Path(name)
        with database.read() as connection:
            record = SessionRecord(session_id_of(connection, session))
            record.update(connection)
            data = content(connection, record, site.session_folder(session), folder)
        (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False, allow_nan=False))
        for template in _TEMPLATES:
            shutil.copy(Path(__file__).with_name(template), folder)
        now = datetime.fromtimestamp(time.time(), UTC)
        written = typst.compile(
            folder / "report.typ", root=folder, ignore_system_fonts=True, timestamp=int(now.timestamp())
        )
    with replacing(path) as part:
        part.write_bytes(written)
