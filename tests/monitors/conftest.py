"""A session as an engine would have left it, and a browser to look at its report with."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eucentric.monitors.exposures import SessionRecord
from eucentric.store import Database, Site
from monitors.written_session import WrittenSession, draw_classes, draw_pictures


@dataclass(frozen=True)
class Night:
    """A session of two acquisitions, with pictures of the newest exposures of the first."""

    site: Site
    database: Database
    folder: Path
    record: SessionRecord


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """The session `night`: 120 exposures of grid-1, 20 of grid-2."""
    site = Site.create(tmp_path_factory.mktemp("night") / "site")
    folder = site.session_folder("night")
    (folder / "logs").mkdir(parents=True)
    with Database.open(site) as database:
        written = WrittenSession(database)
        written.night(20, acquisition="grid-2", seed=2)
        written.night(120, acquisition="grid-1")
        record = SessionRecord(written.number)
        with database.read() as connection:
            record.update(connection)
        for number, exposure in enumerate(record.acquisitions["grid-1"][-30:]):
            if "micrograph" in exposure.items:
                draw_pictures(folder, exposure.path, number)
        draw_classes(folder, "grid-1")
        yield Night(site, database, folder, record)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser without a window."""
    program = next(
        (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
    )
    if program is None:
        reason = "no browser is installed: install the package chromium"
        if os.environ.get("CI"):
            raise FileNotFoundError(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()
